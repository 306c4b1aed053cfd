"""What the page says of a method."""

from __future__ import annotations

import hashlib

from harness.plugins import Source
from harness.report.site import evidence
from harness.report.site.methods import OTHER_VERSION

MINE = b'"""A rule,\nin two lines.\n\n    x <- x + 1\n"""\nclass Mine:\n\tdef __init__(self, space, lr=0.5): ...\n'


def methods(results):
    return {method["name"]: method for method in evidence.collect(results.report())["methods"]}


def test_settings_show_defaults_and_what_other_values_ran(results):
    settings = {"lr": 3e-4, "beta1": 0.5, "beta2": 0.999, "alpha_decay": 1e-3, "init_std": 1e-3}
    results.runs_with("darts", [50.0], settings=settings)
    for lr in (0.1, 0.2):
        results.run("darts", settings={**settings, "lr": lr}, changed={"lr": lr})
    lines = methods(results)["darts"]["settings"]
    assert lines[:2] == [["lr", "0.0003", "0.1, 0.2"], ["beta1", "0.5", "–"]]


def test_paper_has_a_link_and_an_entry(results):
    results.run("gdas")
    found = methods(results)["gdas"]
    assert found["link"] == "https://arxiv.org/abs/1910.04465"
    assert found["bibtex"].startswith("@inproceedings{dong2019searching,")


def test_another_version_than_the_one_that_ran_is_said(results):
    results.run("darts-2nd", version=1)
    results.run("darts", version=1)
    found = methods(results)
    assert found["darts-2nd"]["note"] == OTHER_VERSION.format(2, 1)
    assert found["darts"]["note"] == ""


def test_external_method_shows_its_stored_file_and_is_not_cited(results):
    results.store.write_source(Source("mine.py", MINE))
    results.run("Mine", source=hashlib.sha256(MINE).hexdigest(), settings={"lr": 0.5})
    results.run("darts", source="f" * 64)  # one that is called like a method of the project, and whose file is lost
    mine, other = methods(results).values()
    mine, other = sorted((mine, other), key=lambda method: not method["source"])
    assert mine["about"] == "A rule, in two lines.\n\n    x <- x + 1"
    assert "def __init__(self, space, lr=0.5): ..." in mine["source"]
    assert mine["settings"] == [["lr", "0.5", "–"]]
    assert [mine[name] for name in ("link", "bibtex", "note")] == [""] * 3
    assert other["name"].startswith("darts@")
    assert [other[name] for name in ("link", "bibtex", "source")] == [""] * 3
