"""The page as text: complete, self-contained, deterministic, and closed to whatever a name may hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from harness import report
from harness.experiment.store import Store
from harness.report import site as page
from harness.report.verdict import RULE
from tests.report.conftest import PUBLISHED

EVIL = "<script>alert(1)</script></script><!--\u200b\x1b&amp;'\"$$ ${x}"


class Page(HTMLParser):
    """Tags with their attributes, the content of each script and style, and all other text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self.text = [], {"script": [], "style": []}, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_data(self, data):
        if self.cdata_elem:
            self.raw[self.cdata_elem][-1] += data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self):
        return json.loads(self.raw["script"][0])


def rendered(results):
    return Page(page.render(results.report()))


def test_names_and_failures_are_text(results):
    results.runs_with(EVIL, [50.0, 60.0])
    results.run("darts", 9, failure=f"Traceback\nValueError: {EVIL}")
    results.look_up({("x", "cifar10", "test"): 1.0}, sha256="b" * 64, source=EVIL)
    found = rendered(results)
    plain = page.printable(EVIL)
    assert len(found.all("script")) == len(found.raw["script"]) == 2
    assert [configuration["method"] for configuration in found.data["configurations"]] == [plain]
    assert f"ValueError: {plain}" in found.text
    assert "alert" not in found.raw["script"][1]


def test_data_cannot_end_their_element(results):
    results.runs_with(EVIL, [50.0], settings={EVIL: EVIL})
    text = page.render(results.report())
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["configurations"][0]["settings"] == {EVIL: EVIL}


def test_policy_admits_this_style_and_script_and_nothing_else(results):
    results.runs_with("darts", [50.0])
    found = rendered(results)
    (policy,) = [m["content"] for m in found.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    directives = dict(part.split(maxsplit=1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    for name, content in (("style-src", found.raw["style"][0]), ("script-src", found.raw["script"][1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[name] == f"'sha256-{digest}'"
    assert not [attributes for _, attributes in found.tags if "style" in attributes]


def test_nothing_is_fetched(results):
    results.run()
    results.look_up({("x", "cifar10", "test"): 1.0})
    results.write()
    text = (results.store.folder / "leaderboard.html").read_text()
    links = [
        value for _, attributes in Page(text).tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert set(re.findall(r"https?://[\w.]+", text)) == {"http://www.w3.org"}  # the name of SVG
    assert "url(" not in text
    assert "@import" not in text


def test_figures_have_descriptions_and_are_the_files(results):
    results.runs_with("darts", [50.0, 60.0])
    results.write()
    images = Page((results.store.folder / "leaderboard.html").read_text()).all("img")
    written = {path.read_bytes() for path in (results.store.folder / "figures").glob("*.png")}
    assert {base64.b64decode(image["src"].partition(",")[2]) for image in images} == written
    assert all("darts (n = 2)" in image["alt"] for image in images)
    assert all("nasbench201, paper profile, searched on cifar10" in image["alt"] for image in images)
    assert all(int(image["width"]) > 100 < int(image["height"]) for image in images)


def test_page_has_the_same_bytes_whatever_the_order_of_writing(results, tmp_path):
    other = type(results)(Store(tmp_path / "other"))
    other.store.prepare()
    pages = []
    for folder, seeds in ((results, (0, 1, 2)), (other, (2, 0, 1))):
        for seed in seeds:
            folder.run(seed=seed, cells=(f"cell {seed}",))
        folder.look_up({(f"cell {seed}", "cifar10", "test"): 90.1 + seed for seed in seeds})
        pages.append(page.render(folder.report()))
        assert page.render(folder.report()) == pages[-1]
    assert pages[0] == pages[1]


def test_rule_and_proxies_are_printed(results):
    results.runs_with("darts", [50.0, 60.0], profile="quick", dataset="digits")
    text = rendered(results).text
    assert RULE in text
    assert "searched on digits is a digits proxy" in text
    assert text.count(RULE) == 1


def test_full_experiments_are_no_proxies(results):
    results.runs_with("darts", [50.0, 60.0])
    assert "proxy" not in rendered(results).text


@pytest.mark.parametrize("failed", [False, True])
def test_without_results_the_page_says_why(results, failed):
    if failed:
        results.run(failure="ValueError: no")
    report.write(results.store, [], PUBLISHED)
    found = Page((results.store.folder / "leaderboard.html").read_text())
    assert found.data["rows"] == []
    assert "Failed runs (1)" in found.text if failed else report.content.NO_RUNS in found.text


def test_every_number_has_its_regret_and_hits(results):
    """By hand: a table whose best is 94.0; three searches miss it by 0, 0.5 and 1, two of another method by 2 and 4."""
    results.runs_with("darts", [94.0, 93.5, 93.0])
    results.runs_with("gaea-darts-erm", [92.0, 90.0])
    data = rendered(results).data
    rows = [dict(zip(data["row"], row, strict=True)) for row in data["rows"]]
    found = {
        data["configurations"][row["configuration"]]["method"]: [
            row[name] for name in ("best", "regret", "hits", "cells")
        ]
        for row in rows
    }
    assert found == {"darts": [94.0, "0.50", 1, 3], "gaea-darts-erm": [94.0, "3.00", 0, 2]}
