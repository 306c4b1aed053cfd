"""Results of several machines: merged, packed, checked."""

import copy
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import run_all
from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.cli import main
from harness.commands import report
from harness.experiment import archive as archives
from harness.experiment import rerun, submission, training_free_files
from harness.experiment.config import run_key
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.experiment.training_free_files import Computed, Scored
from tests.report.conftest import CELLS, Results

ROOT = Path(__file__).parents[2]
SMALL = [*("--set", "protocol.channels=2"), *("--set", "protocol.batch_size=360"), *("--set", "protocol.epochs=1")]
SMALL += ["--controls", "none"]
METHOD = f"{ROOT / 'tests' / 'sign_gradient.py'}:SignGradient"


def folder(path):
    store = Store(path)
    store.prepare()
    return Results(store)


def snapshot(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search of a method of one's own and one of a built-in method, two seeds, with their report."""
    results = tmp_path_factory.mktemp("searched")
    words = ["--methods", f"{METHOD},darts", "--seeds", "1", "--jobs", "1", "--figures", "none", *SMALL]
    assert run_all.main([*words, "--results", str(results)]) == 0
    return results


def test_folders_become_one_and_stay_as_they_are(tmp_path, capsys):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    first.runs_with("darts", [90.0, 91.0])
    second.runs_with("gdas", [80.0])
    second.run("darts", 1, cells=("other", "darts-1"))  # in both
    second.run("darts", 2, failure="Error: no")
    before = [snapshot(each.store.folder) for each in (first, second)]
    words = ["merge", str(tmp_path / "a"), str(tmp_path / "b"), "--into", str(tmp_path / "c")]
    assert main(words) == 0
    assert "4 runs added, 1 were there already" in capsys.readouterr().out
    merged = folder(tmp_path / "c")
    assert len(merged.store.records()) == 4
    (scores,) = merged.store.scores()
    assert {"darts-0", "darts-1", "gdas-0", "other"} == set(scores.frame["architecture"])
    assert scores.has_best
    assert main(words) == 0
    assert "0 runs added, 5 were there already" in capsys.readouterr().out
    assert [snapshot(each.store.folder) for each in (first, second)] == before
    second.run("darts", 2, cells=("other", "darts-2"))  # a failed run that was repeated with success
    assert main(words) == 0
    assert "1 runs added" in capsys.readouterr().out


def test_conflicts_and_corrupt_files_are_named_and_the_targets_results_stay(tmp_path, capsys):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    first.runs_with("darts", [90.0])
    second.run("darts", 0, cells=("other", "another"))
    second.look_up({("darts-0", "cifar10", "test"): 91.0, ("another", "cifar10", "test"): 70.0})
    corrupt = tmp_path / "b" / "runs" / f"{'0' * 64}.json"
    corrupt.write_text("{")
    assert main(["merge", str(tmp_path / "b"), "--into", str(tmp_path / "a")]) == 1
    printed = capsys.readouterr().out
    assert "darts on cifar10, seed 0" in printed
    assert "cells differs" in printed
    assert "1 accuracies of table aaaaaaaaaaaa differ, first cifar10 test of darts-0: 90.0 and 91.0" in printed
    assert f"{'0' * 64}.json" in printed
    assert corrupt.exists()
    (record,) = first.store.records()
    assert record["cells"]["last"] == "darts-0"


def test_training_free_scores_are_merged(tmp_path, capsys):
    def scores(name, **values):
        results = folder(tmp_path / name)
        results.runs_with("darts", [90.0])
        new = {Scored("synflow", 1, 16, 5, cell): Computed(value, 0.5) for cell, value in values.items()}
        training_free_files.add(results.store, "nasbench201-digits.csv", new)
        return results.store.folder / "training-free" / "nasbench201-digits.csv"

    words = ["merge", str(tmp_path / "b"), "--into", str(tmp_path / "a")]
    ours, theirs = scores("a", first=1.0), scores("b", first=1.0, second=2.0)
    assert main(words) == 0
    assert ours.read_text() == theirs.read_text()
    scores("c", third=3.0, second=2.5)
    assert main(["merge", str(tmp_path / "c"), "--into", str(tmp_path / "a")]) == 1
    assert "1 training-free scores of nasbench201-digits.csv differ, first synflow of second: 2 and 2.5" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert [each.architecture for each in training_free_files.read(ours)] == ["first", "second", "third"]
    theirs.write_text("no scores")
    assert main(words) == 1
    assert "corrupt" in capsys.readouterr().out


def test_cells_of_single_epochs_of_merged_searches_are_looked_up_where_that_is_asked(tmp_path):
    """Another search has ended with the final cell of one whose own look-ups are missing."""
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    first.run("darts", cells=(CELLS[0], CELLS[1]))
    second.run("gdas", cells=(CELLS[1],))
    second.look_up({(CELLS[1], "cifar10", "x-valid"): 90.0})
    assert main(["merge", str(tmp_path / "a"), str(tmp_path / "b"), "--into", str(tmp_path / "c")]) == 0
    store = Store(tmp_path / "c")

    def known(*words):
        options = report.parser().parse_args(["--results", str(store.folder), *words])
        assert report.score_stored(options, store, store.records(), Console()) == 0
        return {cell for scores in store.scores() for cell in scores.frame["architecture"]}

    assert known() == {CELLS[1]}
    folder(tmp_path / "c").run("setn", cells=(CELLS[2], CELLS[3]))
    assert known() & set(CELLS) == set(CELLS[1:])  # of the search whose final cell had no accuracy
    assert known("--look-up", "all") >= set(CELLS)


READERS = {
    "export": ["export", "{}", "archive.zip"],
    "import": ["import", "{}"],
    "merge": ["merge", "{}", "--into", "into"],
    "verify": ["verify", "{}"],
    "migrate": ["migrate", "{}"],
    "report": ["report", "--results", "{}"],
    "compare": ["compare", "darts,gdas", "--results", "{}"],
    "run with submissions": ["run", "--submissions", "{}"],
    "tune with submissions": ["tune", "darts", "--submissions", "{}"],
}
"""Commands that read a results folder or an archive of one."""


@pytest.mark.parametrize("command", READERS)
def test_what_does_not_exist_is_said_in_one_line_and_nothing_is_written(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert main([word.format("nowhere") for word in READERS[command]]) == 2
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert "nowhere: there is no such f" in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["export", "merge", "verify", "migrate"])
def test_a_folder_with_other_content_is_no_results_folder(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    assert main([word.format("other") for word in READERS[command]]) == 2
    assert capsys.readouterr().err == f"{command}: no results folder other: it has no folder runs\n"


def test_an_archive_brings_everything_and_has_the_same_bytes_again(searched, tmp_path, capsys):
    files = [tmp_path / "one.zip", tmp_path / "two.zip"]
    for archive in files:
        assert main(["export", str(searched), str(archive)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "2 runs of SignGradient, darts" in capsys.readouterr().out
    assert main(["import", str(files[0]), "--results", str(tmp_path / "c")]) == 0
    stored = {name: content for name, content in snapshot(searched).items() if name.startswith(("runs", "sources"))}
    assert len(stored) == 5
    assert stored.items() <= snapshot(tmp_path / "c").items()
    assert len(list(Store(tmp_path / "c").scores())) == 1


@pytest.mark.parametrize("harm", ["content", "path", "extra", "missing", "manifest", "zip"])
def test_a_harmed_archive_adds_nothing(searched, tmp_path, capsys, harm):
    archive, harmed = tmp_path / "good.zip", tmp_path / "harmed.zip"
    assert main(["export", str(searched), str(archive)]) == 0
    with zipfile.ZipFile(archive) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(contents["manifest.json"])
    name = next(name for name in contents if name.startswith("runs"))
    if harm == "content":
        contents[name] += b" "
    elif harm == "path":
        manifest["files"]["../evil.py"] = manifest["files"].pop(name)
        contents["../evil.py"] = contents.pop(name)
    elif harm == "extra":
        contents["runs/more.json"] = b"{}"
    elif harm == "missing":
        del contents[name]
    contents["manifest.json"] = b"[1]" if harm == "manifest" else json.dumps(manifest).encode()
    with zipfile.ZipFile(harmed, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    if harm == "zip":
        harmed.write_bytes(b"no archive")
    capsys.readouterr()
    assert main(["import", str(harmed), "--results", str(tmp_path / "c")]) == 2
    assert "is no archive of results" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
    assert not list(tmp_path.rglob("evil.py"))


def test_results_without_look_ups_are_looked_up_by_a_report(searched, tmp_path):
    results = shutil.copytree(searched, tmp_path / "copy")
    shutil.rmtree(results / "scores")
    assert main(["report", "--figures", "none", "--results", str(results)]) == 0
    assert len(list(Store(results).scores())) == 1
    assert (results / "tables" / "leaderboard.csv").read_bytes() == (
        searched / "tables" / "leaderboard.csv"
    ).read_bytes()


def test_complete_results_are_verified_and_repeated_bit_for_bit(searched, capsys):
    before = snapshot(searched)
    assert main(["verify", str(searched), "--trust"]) == 0
    printed = capsys.readouterr().out
    assert "2 records and their sources: ok\naccuracies: ok\ntables: ok\n" in printed
    assert "the same, bit for bit" in printed
    assert snapshot(searched) == before


def test_a_submission_is_shown_as_such(searched, tmp_path, capsys):
    """By the commands of docs/submitting.md."""
    reference, submitted = folder(tmp_path / "reference"), tmp_path / "submissions" / "ada-signs"
    reference.runs_with("darts", [90.0, 91.0])
    assert main(["merge", str(searched), "--into", str(submitted)]) == 0
    shown = ["report", "--figures", "none", "--results", str(reference.store.folder)]
    shown += ["--submissions", str(submitted.parent)]
    board = reference.store.folder / "tables" / "leaderboard.csv"
    page = reference.store.folder / "leaderboard.html"
    assert main(shown) == 0
    assert "Verified: nothing: there is no submission.json" in page.read_text()
    assert main(["verify", str(submitted), "--trust", "--submitter", "Ada <Lovelace>"]) == 0
    assert "submission.json written" in " ".join(capsys.readouterr().out.split())
    assert main(shown) == 0
    text = page.read_text()
    assert '<h3>ada-signs <span class="proxy">submitted by Ada &lt;Lovelace&gt;</span></h3>' in text
    assert "records and sources: complete; accuracies: those of the tables they name; rerun: " in text
    assert "SignGradient@" in text.partition('id="submissions"')[2].partition("</section>")[0]
    assert "SignGradient" not in board.read_text() + text.partition('id="submissions"')[0]
    (submitted / "scores" / "more.csv").write_text("")
    assert main(shown) == 0
    assert "Verified: nothing: its files were changed" in page.read_text()
    assert main(["merge", str(submitted), "--into", str(tmp_path / "mixed")]) == 1  # the file is no table of scores
    assert "was submitted by Ada <Lovelace>" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "content",
    [
        *("[]", "{", '{"submitter": "x"}', '{"submitter": 1, "checks": {}, "sha256": ""}'),
        *('{"submitter": "x", "checks": [], "sha256": ""}', '{"submitter": "x", "checks": 1, "sha256": ""}'),
    ],
)
def test_a_malformed_submission_is_an_error(tmp_path, content):
    (tmp_path / "submission.json").write_text(content)
    with pytest.raises(ValueError, match=r"submission\.json: "):
        submission.read(tmp_path)


def test_a_folder_without_submissions_is_one_line(tmp_path, capsys):
    folder(tmp_path)
    words = ["report", "--figures", "none", "--results", str(tmp_path), "--submissions", str(tmp_path / "nowhere")]
    assert main(words) == 2
    assert "no folder of submissions" in capsys.readouterr().err


def test_nothing_is_stated_of_results_that_are_wrong(searched, tmp_path, capsys):
    results = shutil.copytree(searched, tmp_path / "copy")
    shutil.rmtree(results / "scores")
    assert main(["verify", str(results), "--no-rerun", "--submitter", "Ada"]) == 1
    assert "submission.json is not written" in " ".join(capsys.readouterr().out.split())
    assert not (results / "submission.json").exists()
    with pytest.raises(SystemExit):
        main(["verify", str(results), "--submitter", " "])


def changed(results, change):
    """Rewrite the first record of a built-in method with a right checksum."""
    store = Store(results)
    record = next(r for r in store.records() if r["config"]["method"]["name"] == "darts")
    arrays = store.arrays(record["key"])
    change(record, arrays)
    record.pop("arrays_sha256", None)
    store.write(record, arrays)


@pytest.mark.parametrize(
    "harm, expected",
    [
        (lambda results: changed(results, lambda r, _: r["provenance"].update(dirty=True)), "with changes of the code"),
        (lambda results: changed(results, lambda r, _: r["provenance"].update(commit=None)), "which commit or release"),
        (lambda results: next((results / "sources").glob("*.py")).unlink(), "is not in sources/"),
        (lambda results: next((results / "sources").glob("*.py")).write_text("x = 1"), "or was changed"),
        (lambda results: shutil.rmtree(results / "scores"), "have no accuracies"),
        (lambda results: (results / "tables" / "leaderboard.csv").write_text("method\n"), "tables/leaderboard.csv is"),
        (lambda results: (results / "runs" / f"{'1' * 64}.json").write_text("{"), "corrupt: "),
    ],
)
def test_what_is_wrong_with_results_is_said(searched, tmp_path, capsys, harm, expected):
    results = shutil.copytree(searched, tmp_path / "copy")
    harm(results)
    assert main(["verify", str(results), "--no-rerun"]) == 1
    assert expected in capsys.readouterr().out


def test_a_result_that_does_not_repeat_is_found_and_other_machines_explain_one(searched, tmp_path, capsys):
    results = shutil.copytree(searched, tmp_path / "copy")
    changed(results, lambda _, arrays: arrays["theta"].__iadd__(1e-3))
    changed(results, lambda record, _: record["provenance"].update(seconds=0.0))  # the quickest
    assert main(["report", "--figures", "none", "--results", str(results)]) == 0
    assert main(["verify", str(results)]) == 1
    printed = capsys.readouterr().out
    assert "theta differs by up to 0.001" in printed
    changed(results, lambda record, _: record["provenance"].update(cpu_capability="another"))
    assert main(["verify", str(results)]) == 0
    assert "differs under other surroundings (cpu_capability: another and " in capsys.readouterr().out


@pytest.mark.parametrize(
    "of_what, newer",
    [
        ("method", lambda: plugins.load(built_in()["darts"])),
        ("supernet", lambda: type(BENCHMARKS["nasbench201"])),
        ("protocol", None),
    ],
)
def test_a_search_of_an_older_version_is_not_said_to_differ(searched, capsys, monkeypatch, of_what, newer):
    if of_what == "protocol":
        default = BENCHMARKS["nasbench201"].default_protocol("quick", "digits", "darts")
        monkeypatch.setattr(rerun, "_default", lambda *_: replace(default, version=7))
    else:
        monkeypatch.setattr(newer(), "version", 7)
    assert main(["verify", str(searched)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"cannot be repeated: it is of version 1 of its {of_what}, and this code has version 7" in printed


def test_of_several_searches_one_of_the_present_version_is_repeated(tmp_path, capsys, monkeypatch):
    words = ["--methods", "darts,random-search-ws", "--seeds", "1", "--jobs", "1", "--figures", "none", *SMALL]
    assert run_all.main([*words, "--results", str(tmp_path)]) == 0
    for method in ("darts", "random-search-ws"):
        with monkeypatch.context() as patched:
            patched.setattr(plugins.load(built_in()[method]), "version", 7)
            assert main(["verify", str(tmp_path)]) == 0
        (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("rerun: "))
        assert line.endswith("the same, bit for bit")
        assert method not in line


def test_external_code_is_not_run_again_unless_it_is_trusted(searched, tmp_path, capsys):
    results = shutil.copytree(searched, tmp_path / "copy")
    for path in (results / "runs").glob("*"):
        record = json.loads(path.read_bytes()) if path.suffix == ".json" else {}
        if record.get("config", {}).get("method", {}).get("name") == "darts":
            path.unlink()
    assert main(["verify", str(results)]) == 1  # the tables have a row more
    assert "would run external code; --trust allows it" in capsys.readouterr().out


def test_queries_of_a_table_that_is_not_at_hand_cannot_be_repeated(tmp_path, full_table, capsys):
    words = ["--methods", "random-search", "--seeds", "1", "--controls", "none", "--figures", "none"]
    words += ["--set", "protocol.budget_seconds=500", "--results", str(tmp_path), "--table", full_table]
    assert run_all.main(words) == 0
    assert main(["verify", str(tmp_path)]) == 0
    assert "cannot be repeated here: the table that it queried is not at hand" in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["verify", str(tmp_path), "--table", full_table]) == 0
    assert "not checked" not in (printed := " ".join(capsys.readouterr().out.split()))
    assert "the same, bit for bit" in printed
    assert main(["verify", str(tmp_path), "--table", str(tmp_path / "absent.npz")]) == 2
    (stored,) = (store := Store(tmp_path)).scores()
    (tmp_path / "scores" / stored.file_name).unlink()
    store.write_scores(replace(stored, frame=stored.frame.assign(value=stored.frame["value"] + 1)))
    assert main(["verify", str(tmp_path), "--no-rerun", "--table", full_table]) == 1
    wrong = f"{len(stored.frame)} accuracies are not those of the table they name"
    assert wrong in " ".join(capsys.readouterr().out.split())
    (tmp_path / "tables" / "runs.csv").write_text("")
    assert main(["verify", str(tmp_path), "--no-rerun"]) == 1
    assert "tables/runs.csv is missing or does not follow from the records" in capsys.readouterr().out


def test_images_that_come_with_the_package_are_always_at_hand(searched, tmp_path, capsys):
    """A record that names others is wrong, and not one that cannot be repeated here."""
    results = shutil.copytree(searched, tmp_path / "copy")
    store = Store(results)
    (record,) = (r for r in store.records() if r["config"]["method"]["name"] == "darts")
    arrays, config = store.arrays(record["key"]), copy.deepcopy(record["config"])
    config["dataset"]["sha256"] = "f" * 64
    del record["arrays_sha256"]
    store.write({**record, "config": config, "key": run_key(config), "provenance": record["provenance"]}, arrays)
    for path in (results / "runs").glob(f"{record['key']}*"):
        path.unlink()
    assert main(["report", "--figures", "none", "--results", str(results)]) == 0
    assert main(["verify", str(results)]) == 1
    assert "the repetition failed: ValueError: the images of digits are not those that" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("sha256", ["", ".", 5, None, "../../x"])
def test_accuracies_of_no_table_are_not_merged(tmp_path, sha256):
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")
    first.runs_with("darts", [90.0])
    second.runs_with("gdas", [80.0])
    (path,) = (tmp_path / "a" / "scores").iterdir()
    header, _, body = path.read_text().partition("\n")
    facts = {**json.loads(header.removeprefix("# ")), "sha256": sha256}
    path.unlink()
    name = f"nasbench201-{sha256}.csv".replace("/", "")
    (tmp_path / "a" / "scores" / name).write_text(f"# {json.dumps(facts)}\n{body}")
    assert main(["merge", str(tmp_path / "a"), "--into", str(tmp_path / "b")]) == 1
    assert (tmp_path / "b" / "claims").is_dir()
    assert len(list(Store(tmp_path / "b").scores())) == 1


def test_an_archive_that_is_compressed_otherwise_is_refused(tmp_path):
    folder(tmp_path / "results").run("darts", 0)
    archives.write(tmp_path / "results", tmp_path / "good.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as file:
        contents = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_LZMA) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="compressed in another way"):
        archives.extract(tmp_path / "other.zip", tmp_path)


def test_training_free_scores_are_exported(searched, tmp_path):
    results, new = shutil.copytree(searched, tmp_path / "copy"), tmp_path / "new"
    training_free_files.add(Store(results), "space-images.csv", {Scored("snip", 1, 2, 3, "cell"): Computed(0.5, 1.0)})
    assert main(["export", str(results), str(tmp_path / "results.zip")]) == 0
    assert main(["import", str(tmp_path / "results.zip"), "--results", str(new)]) == 0
    path = Path("training-free/space-images.csv")
    assert (new / path).read_bytes() == (results / path).read_bytes()


def test_no_changed_byte_of_an_archive_is_a_traceback(tmp_path):
    folder(tmp_path / "results").run("darts", 0)
    archives.write(tmp_path / "results", tmp_path / "good.zip")
    content = (tmp_path / "good.zip").read_bytes()
    refused = 0
    for index in range(0, len(content), 3):
        harmed, target = tmp_path / "harmed.zip", tmp_path / f"{index}"
        harmed.write_bytes(content[:index] + bytes([content[index] ^ 0xFF]) + content[index + 1 :])
        target.mkdir()
        try:
            archives.extract(harmed, target)
        except ValueError:
            refused += 1
    assert refused > len(content) / 6
