"""The citations are complete, agree with what the methods say, and are written on demand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.commands import report as command
from harness.experiment.registry import built_in
from harness.report import references

METHODS = Path(__file__).parents[2] / "methods" / references.FILE
DATASETS = {name for benchmark in BENCHMARKS.values() for name in benchmark.datasets}


def field(reference, name):
    found = re.search(rf"^  {name} = \{{(.*?)\}},$", reference.text, re.MULTILINE | re.DOTALL)
    return found and " ".join(found[1].split())


def test_every_method_has_one_entry_of_the_paper_that_its_class_names():
    for name, entry in built_in().items():
        (reference,) = references.of_method(name)
        paper = plugins.load(entry).paper
        assert re.match(r"[\w-]+", paper)[0] == field(reference, "author").partition(",")[0]
        assert paper.endswith(field(reference, "year"))


def test_no_entry_is_of_nothing():
    assert {name for reference in references.read(METHODS) for name in reference.names} == {*built_in()}
    assert {name for reference in references.read(references.DATA) for name in reference.names} == DATASETS


@pytest.mark.parametrize("name", [*BENCHMARKS, *sorted(DATASETS)])
def test_benchmarks_and_data_have_entries_with_licences(name):
    found = references.of_space(name) if name in BENCHMARKS else references.of_dataset(name)
    assert found
    assert all(field(reference, "note").startswith("Licence") for reference in found)


def test_entries_are_well_formed_and_those_with_one_key_are_of_one_paper():
    root = Path(__file__).parents[2]
    by_key = {}
    for path in sorted(path for folder in ("harness", "methods") for path in (root / folder).rglob("*.bib")):
        entries = references.read(path)
        assert len(entries) == len(re.findall(r"^@", path.read_text(), re.MULTILINE))
        for entry in entries:
            assert entry.text.count("{") == entry.text.count("}")
            assert all(field(entry, name) for name in ("author", "title", "year"))
            assert any(field(entry, name) for name in ("booktitle", "journal", "institution", "howpublished", "eprint"))
            assert "keywords" not in entry.text
            assert entry.link.startswith("https://") or field(entry, "institution")
            facts = [field(entry, name) for name in ("author", "title", "year", "eprint")]
            assert by_key.setdefault(entry.key, facts) == facts


def test_report_cites_its_methods_spaces_and_data_once(results):
    results.runs_with("darts", [50.0])
    results.runs_with("darts-2nd", [50.0], dataset="digits", profile="quick")
    results.trained_with("mine", [2.0])
    text = references.bibtex(results.report())
    keys = ["alpaydin1998digits", "dong2020nasbench201", "krizhevsky2009learning", "liu2019darts"]
    assert re.findall(r"^@\w+\{(.*),$", text, re.MULTILINE) == keys
    assert "% without an entry: mine\n" in text
    assert "Licence of the search space's code" in text  # the DARTS space, which is the paper of the method as well


def test_command_writes_the_file_only_if_asked(results):
    results.runs_with("darts", [50.0])
    words = ["--results", str(results.store.folder), "--figures", "none"]
    written = results.store.folder / "tables" / references.FILE
    command.main(words, "report")
    assert not written.exists()
    command.main([*words, "--bibtex"], "report")
    assert "@inproceedings{liu2019darts," in written.read_text()
