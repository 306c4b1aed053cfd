"""The page as text: complete, self-contained, deterministic, and closed to whatever a name may hold."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness import report
from harness.benchmarks import BENCHMARKS, Graph
from harness.experiment.store import Store
from harness.report import site as page
from harness.report.columns import LEADERBOARD, Column
from harness.report.render import latex, markdown, tables
from harness.report.site import evidence
from harness.report.site.drawings import Drawings
from harness.report.verdict import RULE
from tests.report.conftest import CELLS, PUBLISHED
from tests.report.test_cells import GENOTYPE

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
    found = json.loads(data)
    assert found["facts"][found["configurations"][0]["settings"]] == [[page.printable(EVIL)] * 2]


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
    results.write(["png"])
    text = (results.store.folder / "leaderboard.html").read_text()
    links = [
        value for _, attributes in Page(text).tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    found = set(re.findall(r"https?://[\w.]+", text))
    assert found == {"http://www.w3.org", "https://arxiv.org"}  # the name of SVG, and a link to the method's paper
    assert "url(" not in text
    assert "@import" not in text


def test_figures_have_descriptions_and_are_the_files(results):
    results.runs_with("darts", [50.0, 60.0])
    results.write(["png"])
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


def test_groups_that_are_the_same_proxy_share_a_notice(results):
    for space in ("nasbench1shot1-1", "nasbench1shot1-2"):
        results.run("darts", cells=("a", "b"), space=space, profile="quick", dataset="digits")
    titles = "nasbench1shot1-1, quick profile, searched on digits; nasbench1shot1-2, quick profile, searched on digits"
    assert f"{titles} are a digits proxy: small searches on 8x8 digits" in rendered(results).text


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
            [data["texts"][place] for place in row[name]] for name in ("regret", "regrets")
        ]
        for row in rows
    }
    assert found == {
        "darts": [["94.00", "0.50 points", "33.3 % (1 of 3)", "3", "3"], ["0.00", "0.50", "1.00"]],
        "gaea-darts-erm": [["94.00", "3.00 points", "0.0 % (0 of 2)", "2", "2"], ["2.00", "4.00"]],
    }


def _drawn(results):
    """The drawings of the cells of a page by their strings, and what they share."""
    data = rendered(results).data
    return dict(zip(data["cells"], data["drawings"], strict=True)), data


def test_cells_are_drawn_as_the_figures_read_them(results):
    for seed, cell in enumerate((*CELLS, GENOTYPE)):
        results.run("darts", seed, cells=(cell,), space="darts" if cell == GENOTYPE else "nasbench201")
    results.look_up({(cell, "cifar10", "test"): 50.0 for cell in CELLS})
    drawings, data = _drawn(results)
    assert drawings.keys() == {*CELLS, GENOTYPE}
    for cell, drawn in drawings.items():
        space = BENCHMARKS["darts" if cell == GENOTYPE else "nasbench201"].full_space
        for graph, (kind, edges) in zip(space.graph(space.from_string(cell)), drawn, strict=True):
            title, _, nodes = data["kinds"][kind]
            ends = [data["edges"][place][0] for place in edges[::2]]
            operations = [data["operations"][place][0] for place in edges[1::2]]
            assert (title, len(nodes)) == (graph.title, len(graph.nodes))
            assert list(zip(ends, operations, strict=True)) == [
                (f"{source} to {target}", operation) for source, target, operation in graph.edges
            ]


def test_string_that_is_no_cell_is_not_drawn(results):
    results.runs_with("darts", [50.0])
    assert _drawn(results)[0]["darts-0"] is None


def test_edges_between_the_same_nodes_are_drawn_apart():
    graph = Graph("cell", ("a", "b", "c"), ((0, 1, "skip"), (0, 1, "conv"), (1, 2, "conv")))
    drawings = Drawings()
    ((_, edges),) = drawings.draw([graph])
    lines = [drawings.edges.values[place][1] for place in edges[::2]]
    assert len(set(lines)) == len(lines) == 3


@pytest.fixture
def worst_case():
    """A column more: one entry in the list."""
    column = Column("worst_case", "mean - 2 std", "%", lambda row: row.mean - 2 * row.std, title="worst case")
    LEADERBOARD.append(column)
    yield
    LEADERBOARD.remove(column)


@pytest.mark.usefixtures("worst_case")
def test_added_column_is_in_every_form(results):
    """CSV, Markdown, LaTeX, terminal and page."""
    results.runs_with("darts", [50.0, 60.0])
    written = results.report()
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    written.show(console)
    head, line = (text.split(",") for text in tables.csv("leaderboard.csv", written).splitlines())
    assert float(line[head.index("worst_case")]) == pytest.approx(55 - 2 * 50**0.5)
    assert "| worst case | 40.86 |" in markdown.render(written)
    assert "worst case & 40.86 &" in latex.render(written)
    assert "worst case" in console.file.getvalue()
    assert "40.86" in console.file.getvalue()
    data = rendered(results).data
    (texts,) = [[data["texts"][place] for place in row[data["row"].index("texts")]] for row in data["rows"]]
    assert data["columns"][-1] == {
        "name": "worst_case", "title": "Worst case", "group": "", "number": False,
        "about": "mean - 2 std (%)",
    }  # fmt: skip
    assert texts[-1] == "40.86"


def test_cells_of_two_spaces_with_the_same_string_are_two_drawings(results):
    results.run("darts", 0, cells=(CELLS[0],))
    results.run("darts", 0, cells=(CELLS[0],), space="mine", space_sha256="c" * 64)
    results.look_up({(CELLS[0], "cifar10", "test"): 90.0})
    results.look_up({(CELLS[0], "cifar10", "test"): 91.0}, space="external:mine@cccccccc")
    data = evidence.collect(results.report())
    assert data["cells"] == [CELLS[0]] * 2
    assert [bool(drawing) for drawing in data["drawings"]] in ([True, False], [False, True])


def test_p_is_sorted_by_its_value():
    (column,) = (column for column in LEADERBOARD if column.name == "p_holm")
    values = [column.order(SimpleNamespace(p_holm=p)) for p in (1e-9, 0.5, float("nan"))]
    assert values == [1e-9, 0.5, None]


def test_random_cells_alone_are_no_weight_sharing(results):
    results.black_box("random-cell", [], seconds=0.0, table=None, choice=CELLS[0])
    results.black_box("random-search", [(1.0, CELLS[1])], seconds=5.0)
    results.look_up({(cell, "cifar10", "test"): 90.0 for cell in CELLS})
    titles = {block["title"] for block in evidence.collect(results.report())["blocks"]}
    assert titles == {"Black box", "Controls, searched on cifar10"}
