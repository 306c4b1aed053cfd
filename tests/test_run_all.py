"""The command line, end to end on small runs: results, resume, failures, bad input."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import run_all
from harness.benchmarks.darts.recipes import DIGITS, RECIPES
from harness.commands import execution
from harness.commands import run as command
from harness.commands.run import parser
from harness.commands.values import seeds
from harness.experiment import devices, estimates
from harness.experiment import scheduler as scheduling
from harness.experiment.estimates import Estimate
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.experiment.store import MEASURED, Store

ROOT = Path(__file__).parents[1]
SMALL = ["--set", "protocol.channels=2", "--set", "protocol.batch_size=64", "--figures", "none"]
SMALL += ["--controls", "none"]  # tests/test_controls.py has them
FEW_IMAGES = ["--dataset", f"{ROOT / 'tests' / 'stripes.py'}:load", "--retrain", "none"]
"""For searches of which only that they are made counts: they take a tenth of the time of those on the digits."""


def run(results, *words, epochs=2, methods="gaea-darts-bilevel,darts", seeds="1", jobs="1"):
    """Exit status of a small search into `results`."""
    options = ["--methods", methods, "--seeds", seeds, "--jobs", jobs, "--set", f"protocol.epochs={epochs}", *SMALL]
    return run_all.main([*options, "--results", str(results), *words])


def brief(results, *words, **changes):
    """The same on few images."""
    return run(results, *FEW_IMAGES, *words, **changes)


def contents(results):
    """All that must be the same however a run was executed: no times, memory or provenance."""
    store = Store(results)
    found = {}
    for record in store.records():
        arrays = store.arrays(record["key"]) if record["status"] == "done" else {}
        for name in MEASURED:
            arrays.pop(name, None)
        for name in ("provenance", "arrays_sha256"):
            record.pop(name, None)
        found[record["key"]] = (record, {name: array.tolist() for name, array in arrays.items()})
    return json.dumps(found, sort_keys=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    results = tmp_path_factory.mktemp("finished")
    assert brief(results, "--figures", "svg", seeds="2") == 0
    return results


def rows(results):
    with (results / "tables" / "leaderboard.csv").open() as file:
        return list(csv.DictReader(file))


def test_results_are_complete_and_labelled(finished):
    columns = (
        "method,family,space,profile,searched_on,selection,dataset,metric,split,mean,std,n,published,published_std,"
        "published_n,published_split,published_status,difference,verdict,low,high,resolution,margin,"
        "hits,spread_ratio,p,p_holm,table"
    )
    assert (finished / "tables" / "leaderboard.csv").read_text().splitlines()[0] == columns
    found = rows(finished)
    assert {row["dataset"] for row in found} == {"cifar10", "cifar100", "imagenet16-120"}
    assert {row["split"] for row in found} == {"x-valid"}
    assert {row["n"] for row in found} == {"2"}
    assert {row["verdict"] for row in found} <= {"not comparable", "no published value"}
    assert "proxy" in (finished / "tables" / "leaderboard.md").read_text()
    drawn = {path.name.partition("-nasbench201-quick-")[0] for path in (finished / "figures").glob("*.svg")}
    assert {"entropy", "accuracy", "final"} <= drawn
    assert not list((finished / "checkpoints").iterdir())


def test_second_call_only_reports_and_more_seeds_run_only_the_new_ones(finished, tmp_path, capsys):
    results = shutil.copytree(finished, tmp_path / "copy")
    before = {path.name: path.stat().st_mtime_ns for path in (results / "runs").iterdir()}
    assert brief(results, seeds="2") == 0
    assert "4 runs: 4 done, 0 to do" in capsys.readouterr().out
    assert brief(results, seeds="3") == 0
    assert "6 runs: 4 done, 2 to do" in capsys.readouterr().out
    after = {path.name: path.stat().st_mtime_ns for path in (results / "runs").iterdir()}
    assert before.items() <= after.items()


@pytest.mark.faults
def test_parallel_runs_equal_serial_ones(finished, tmp_path):
    assert brief(tmp_path, seeds="2", jobs="2") == 0
    assert contents(tmp_path) == contents(finished)


@pytest.mark.parametrize("device, jobs, places", [("cpu", 16, 1), ("cuda:0", 2, 2)])
def test_a_gpu_takes_as_many_runs_as_it_is_given_however_many_cores_there_are(device, jobs, places, monkeypatch):
    monkeypatch.setattr(devices, "usable", lambda _asked: [device])
    options = parser().parse_args(["--jobs", "16", "--jobs-per-device", "2"])
    machines = command.machines_of(options)
    assert execution.at_a_time(options.jobs, machines) == jobs
    assert [machine.device for machine in machines] == [device] * places


def test_a_clusters_workers_look_for_their_own_devices(monkeypatch):
    options = parser().parse_args(["--backend", "dask", "--scheduler", "tcp://nowhere:1"])
    (machine,) = command.machines_of(options)
    monkeypatch.setattr(scheduling, "usable", lambda _asked: ["cuda:0", "cuda:1"])
    with scheduling._acquire_machine([machine], None) as found:
        assert found.device == "cuda:0"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stops."""
    results = tmp_path_factory.mktemp("whole")
    assert run(results, methods="darts", epochs=8) == 0
    return results


@pytest.mark.faults
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_continues_and_ends_the_same(whole, tmp_path, stop):
    stopped = tmp_path / "stopped"
    words = ["--methods", "darts", "--seeds", "1", "--jobs", "1", "--set", "protocol.epochs=8", *SMALL]
    command = [sys.executable, str(ROOT / "run_all.py"), *words, "--results", str(stopped)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(stopped.glob("checkpoints/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(stop)
    errors = process.communicate(timeout=60)[1].decode()
    assert list(stopped.glob("checkpoints/*.pt")), "stopped before its first or after its last epoch"
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130)
    assert "Traceback" not in errors
    assert run(stopped, methods="darts", epochs=8) == 0
    assert contents(stopped) == contents(whole)


def test_a_damaged_checkpoint_is_set_aside(finished, tmp_path):
    results = shutil.copytree(finished, tmp_path / "copy")
    key = Store(results).records()[0]["key"]
    for path in (results / "runs").glob(f"{key}.*"):
        path.unlink()
    Store(results).checkpoint_path(key).write_bytes(b"no checkpoint")
    assert brief(results, seeds="2") == 0
    assert contents(results) == contents(finished)
    assert list((results / "damaged").iterdir())


@pytest.mark.parametrize("damage", ["record", "arrays"])
def test_a_damaged_record_is_set_aside_and_done_again(finished, tmp_path, capsys, damage):
    results = shutil.copytree(finished, tmp_path / "copy")
    path = sorted((results / "runs").glob("*.json" if damage == "record" else "*.npz"))[0]
    path.write_bytes(path.read_bytes()[:-40])
    assert brief(results, seeds="2") == 0
    printed = capsys.readouterr().out
    assert "damaged" in printed
    assert "3 done, 1 to do" in printed
    assert contents(results) == contents(finished)


def test_a_failed_run_is_recorded_and_the_others_go_on(tmp_path, capsys):
    faulty = ROOT / "tests" / "faulty.py"
    assert brief(tmp_path, methods=f"{faulty}:Raises,{faulty}:BecomesNan,darts") == 1
    printed = capsys.readouterr().out
    assert "no step today" in printed
    assert "the training loss became nan in epoch 1" in " ".join(printed.split())
    status = {record["config"]["method"]["name"]: record["status"] for record in Store(tmp_path).records()}
    assert status == {"Raises": "failed", "BecomesNan": "failed", "darts": "done"}


def test_what_was_set_is_recorded_and_names_the_row(finished):
    records = Store(finished).records()
    overrides = {tuple(sorted(record["config"]["overrides"]["protocol"])) for record in records}
    assert overrides == {("batch_size", "channels", "epochs")}
    assert "darts [batch_size=64, channels=2, epochs=2]" in {row["method"] for row in rows(finished)}


def test_a_setting_of_a_users_optimizer_is_a_row_of_its_own(tmp_path):
    swap = ["--set", f"darts.optimizer={ROOT / 'tests' / 'optimizers.py'}:SignDescent"]
    assert brief(tmp_path, *swap, methods="darts", epochs=1) == 0
    assert brief(tmp_path, *swap, "--set", "darts.optimizer.lr=0.5", methods="darts", epochs=1) == 0
    records = {
        json.dumps(record["config"]["optimizer"].get("settings")): record for record in Store(tmp_path).records()
    }
    assert records.keys() == {"null", '{"lr": 0.5}'}
    default, other = (Store(tmp_path).arrays(record["key"])["theta"] for record in records.values())
    assert not np.allclose(default, other)
    assert any("optimizer.lr=0.5" in row["method"] for row in rows(tmp_path))


def test_a_users_optimizer_takes_the_place_of_a_methods_own(tmp_path):
    optimizers = ROOT / "tests" / "optimizers.py"
    swap = ["--set", f"gaea-darts-bilevel.optimizer={optimizers}:MultiplicativeSign"]
    swap += ["--set", f"darts.optimizer={optimizers}:SignDescent"]
    assert brief(tmp_path, *swap, epochs=1) == 0
    assert brief(tmp_path, epochs=1) == 0
    store = Store(tmp_path)
    thetas = {
        (record["config"]["method"]["name"], (record["config"]["optimizer"] or {}).get("name")): store.arrays(
            record["key"]
        )["theta"]
        for record in store.records()
    }
    assert len(thetas) == 4
    for method, optimizer in (("gaea-darts-bilevel", "MultiplicativeSign"), ("darts", "SignDescent")):
        assert not np.allclose(thetas[method, None], thetas[method, optimizer])
    names = {row["method"] for row in rows(tmp_path)}
    assert any(name.startswith("darts [batch_size=64, channels=2, epochs=1, optimizer=SignDescent@") for name in names)


def test_a_users_own_space_is_searched_and_reported(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "digits", replace(DIGITS, epochs=1, batch_size=512, channels=4))
    space = f"{ROOT / 'tests' / 'two_edges.py'}:TwoEdges"
    methods = "darts,gdas,random-search-ws,gaea-darts-erm,random-cell"
    assert run(tmp_path, "--space", space, methods=methods, epochs=1) == 0
    records = Store(tmp_path).records()
    assert {record["config"]["benchmark"]["name"] for record in records} == {"two-edges"}
    searches = [record for record in records if record["config"]["kind"] != "retraining"]
    assert len(searches) == 5
    ends = {record["cells"]["last"] for record in searches}
    assert all(set(cell.split("-")) <= {"skip", "conv", "pool"} for cell in ends)
    assert {record["config"]["architecture"] for record in records if record not in searches} == ends
    assert {row["metric"] for row in rows(tmp_path)} == {"test_error"}
    assert all(0 < float(row["mean"]) < 100 for row in rows(tmp_path))


def test_a_space_without_accuracies_is_said_before_the_start(tmp_path, capsys):
    space = f"{ROOT / 'tests' / 'two_edges.py'}:TwoEdges"
    assert brief(tmp_path, "--space", space, "--retrain", "none", methods="darts") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "get no accuracies" in printed
    assert printed.index("get no accuracies") < printed.index(" to do")


def test_a_comparison_searches_nothing(finished, tmp_path, capsys):
    names = ",".join(f"{name} [batch_size=64, channels=2, epochs=2]" for name in ("gaea-darts-bilevel", "darts"))
    results = shutil.copytree(finished, tmp_path / "copy")
    assert brief(results, "--compare", names, seeds="5") == 0
    printed = capsys.readouterr().out
    assert " to do" not in printed
    assert "gaea-darts-bilevel against darts" in printed


def test_another_file_of_the_same_space_is_another_search(tmp_path):
    file = ROOT / "tests" / "two_edges.py"
    other = tmp_path / "two_edges.py"
    other.write_text(file.read_text().replace("relu", "tanh"))
    keys = set()
    for path in (file, file, other):
        (run,) = plan({"darts": built_in()["darts"]}, f"{path}:TwoEdges", "quick", ["digits"], [0], [], Path(), None)
        keys.add(run.key)
    assert len(keys) == 2


def test_an_outside_method_is_called_by_its_class(tmp_path):
    assert brief(tmp_path, methods=f"{ROOT / 'tests' / 'sign_gradient.py'}:SignGradient") == 0
    sha256 = Store(tmp_path).records()[0]["config"]["method"]["sha256"]
    assert {row["method"].split(" ")[0] for row in rows(tmp_path)} == {f"SignGradient@{sha256[:8]}"}


def test_a_later_table_adds_test_accuracies_and_searches_nothing(finished, tmp_path, full_table, capsys):
    results = shutil.copytree(finished, tmp_path / "copy")
    assert brief(results, "--table", full_table, seeds="2") == 0
    assert "4 done, 0 to do" in capsys.readouterr().out
    splits = {(row["dataset"], row["split"]) for row in rows(results)}
    assert {("cifar10", "test"), ("cifar100", "x-test"), ("cifar100", "ori-test")} <= splits
    assert run_all.main(["--report-only", "--figures", "none", "--results", str(results)]) == 0
    assert {(row["dataset"], row["split"]) for row in rows(results)} == splits


def test_the_seed_changes_the_run_and_the_thread_count_is_no_part_of_its_key(tmp_path):
    assert brief(tmp_path, methods="darts", seeds="0,3", epochs=1) == 0
    assert brief(tmp_path, "--threads", "2", methods="darts", seeds="0,3", epochs=1) == 0
    store = Store(tmp_path)
    thetas = [store.arrays(record["key"])["theta"] for record in store.records()]
    assert len(thetas) == 2
    assert not np.array_equal(*thetas)


BAD = {
    "--methods tests/faulty.py:OddSetting": "settings must be finite numbers",
    "--methods tests/faulty.py:NoReason": "NoReason.unsupported(space) raised KeyError: ",
    "--methods tests/faulty.py:NoOptions": "NoOptions.supernet must be a dict of options, not None",
    "--methods tests/faulty.py:OddOptions": "partial_channels must be a number from 1 on, not '4'",
    "--methods dartz": "did you mean darts",
    "--methods ,": "names no method",
    "--methods nowhere.py:X": "no such file",
    "--methods no_such_package.module:X": "cannot import",
    "--methods tests/faulty.py:Absent": "has no class Absent",
    "--methods tests/faulty.py:NoMethod": "must derive from",
    "--space nowhere": "unknown space",
    "--space nowhere.py:X": "no such file",
    "--space tests/faulty.py:NoMethod": "must derive from harness.benchmarks.SearchSpace",
    "--set darts.optimizer.lr=1": "needs an optimizer, darts.optimizer=FILE.py:CLASS",
    "--set darts.optimizer=tests/optimizers.py:SignDescent --set darts.optimizer.x=1": "has no setting 'x'; known: lr",
    "--dataset mnist": "is not searched on mnist",
    "--profile slow": "invalid choice",
    "--seeds 0": "at least one seed",
    "--seeds -3": "--seeds",
    "--seeds x": "expected a number of seeds",
    "--seeds 3-1": "a range runs upwards",
    "--jobs 0": "at least 1",
    "--set protocol.epochs": "NAME=VALUE",
    "--set protocol.epochs=-1": "epochs=-1 is below 1",
    "--set protocol.momentum=0": "momentum=0 is not above 0, as nesterov=true needs it",
    "--set protocol.epochs=x": "is not of type int",
    f"--set protocol.epochs={'9' * 401}": "is above",
    **{f"--dataset tests/stripes.py:{name}": "use def" for name in ("nameless", "partially", "instance", "wrapped")},
    "--set protocol.learning_rate=nan": "not a finite number",
    "--methods random-search --precision bf16": "--precision bf16: none of the methods trains a supernet",
    "--methods random-search --compile on": "--compile on: none of the methods trains a supernet",
    "--set protocol.colour=red": "no protocol has a field 'colour'",
    "--set darts.colour=red": "darts has no setting 'colour'; known: ",
    "--set darts.lrr=0.1": "darts has no setting 'lrr'; did you mean lr?",
    "--set epochs=3": "did you mean protocol.epochs?",
    "--set lr=0.1": "did you mean gaea-darts-erm.lr or gaea-darts-bilevel.lr or darts.lr?",
    "--set gdas.lr=1": "no method 'gdas'",
    "--methods pc-darts --set protocol.channels=6": "must be a multiple of 4",
    "--set darts.lr=inf": "must be finite numbers or strings, got lr=inf",
    "--set darts.lr=-1": "Invalid learning rate: -1.0",
    "--set darts.optimizer=nowhere.py:X": "no such file",
    "--set darts.optimizer=tests/optimizers.py:SignDescent --set darts.lr=0.1": "has no effect: SignDescent",
    "--set darts.optimizer=tests/optimizers.py:NoOptimizer": "must derive from torch.optim.Optimizer",
    "--set gaea-darts-erm.optimizer=tests/optimizers.py:LeavesTheSimplex": "rows on the simplex",
    "--set darts.optimizer=adam": "expected file.py:Class",
    "--methods gd-simplex --set gd-simplex.optimizer=torch.optim:Adam": "holds no torch.optim optimizer",
    "--methods random-search --set random-search.optimizer=torch.optim:Adam": "is a black box",
    "--methods naswot --set naswot.optimizer=torch.optim:Adam": "is training-free: it has no optimizer",
    "--methods naswot --set naswot.cells=0": "must score at least one architecture: cells=0",
    "--methods naswot --set protocol.channels=0": "channels=0 is below 1",
    "--methods naswot --space nasbench1shot1-1": "no network in plain modules",
    "--table absent.npz": "absent.npz",
    "--table README.md": "README.md",
    "--device quantum": "--device quantum",
    "--backend dask --scheduler tcp://nowhere:1 --device cuda:0,cuda:1": "takes one --device",
    "--results README.md": "README.md",
    "--dataset cifar10": "unpack the official",
    "--report-only --results nowhere": "no results folder",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_gets_one_line_and_exit_code_2(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments = words.split()
    if "--results" not in arguments:
        arguments += ["--results", str(tmp_path / "results")]
    arguments = [*arguments, "--data", str(tmp_path)]
    try:
        status = run_all.main(arguments)
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr().err
    assert status == 2
    assert BAD[words] in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1
    assert not (tmp_path / "results" / "runs").exists() or not list((tmp_path / "results" / "runs").iterdir())


def test_list_help_version_and_dry_run(tmp_path, capsys):
    assert run_all.main(["--list"]) == 0
    assert "gaea-darts-erm" in capsys.readouterr().out
    for words in ("--help", "--version"):
        with pytest.raises(SystemExit) as stop:
            run_all.main([words])
        assert stop.value.code == 0
    assert run(tmp_path / "results", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "to do" in printed
    assert "device-hours" in printed
    assert "MB" in printed
    assert not (tmp_path / "results").exists()


def test_only_found_cells_are_looked_up_where_that_is_asked(tmp_path):
    words = ["--methods", "regularized-evolution", "--seeds", "1", "--jobs", "1", "--figures", "none"]
    words += ["--results", str(tmp_path)]
    assert run_all.main([*words, "--look-up", "found"]) == 0
    (record,) = Store(tmp_path).records()
    (few,) = Store(tmp_path).scores()
    assert record["cells"]["last"] in set(few.frame["architecture"])
    stood = {cell for _, _, cell, _ in record["improvements"]}
    assert not stood <= set(few.frame["architecture"])
    assert run_all.main(words) == 0
    (every,) = Store(tmp_path).scores()
    assert stood < set(every.frame["architecture"])


def test_a_call_looks_up_its_own_searches_and_a_report_all(tmp_path):
    words = ["--seeds", "1", "--figures", "none", "--results", str(tmp_path)]
    assert run_all.main(["--methods", "regularized-evolution", "--look-up", "found", *words]) == 0
    (evolution,) = Store(tmp_path).records()
    stood = {cell for _, _, cell, _ in evolution["improvements"]}
    assert run_all.main(["--methods", "local-search", *words]) == 0
    (scores,) = Store(tmp_path).scores()
    known = set(scores.frame["architecture"])
    (local,) = (record for record in Store(tmp_path).records() if record["key"] != evolution["key"])
    assert {cell for _, _, cell, _ in local["improvements"]} <= known
    assert evolution["cells"]["last"] in known
    assert not stood <= known
    (tmp_path / "scores" / scores.file_name).unlink()
    assert run_all.main(["--report-only", "--figures", "none", "--results", str(tmp_path)]) == 0
    (scores,) = Store(tmp_path).scores()
    assert stood <= set(scores.frame["architecture"])


def test_dry_run_counts_the_trainings_of_the_cells_to_be_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    words = ["--space", "darts", "--set", "protocol.cells=2"]
    assert run(tmp_path / "results", "--dry-run", *words, methods="darts", seeds="2") == 0
    printed = capsys.readouterr().out
    assert printed.count("cell of darts on digits") == printed.count("retraining") == 2
    assert printed.count("to do") == 4
    assert run(tmp_path / "results", "--dry-run", *words, "--retrain", "none", methods="darts", seeds="2") == 0
    assert "retraining" not in capsys.readouterr().out


def test_every_row_of_a_dry_run_has_an_estimate_of_its_own(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    words = ["--methods", "darts", "--seeds", "2", "--controls", "none", "--dry-run", "--results", str(tmp_path)]
    measured = []
    monkeypatch.setattr(estimates, "estimate", lambda job, _: measured.append(job) or Estimate(10.0 * job.epochs, 1.0))
    assert run_all.main([*words, "--set", "protocol.epochs=1,15"]) == 0
    printed = capsys.readouterr().out
    assert [job.epochs for job in measured] == [1, 15]
    assert printed.count(" 10 ") == printed.count(" 150 ") == 2
    assert "about 0.09 device-hours" in printed


@pytest.mark.parametrize("text, expected", [("4", [0, 1, 2, 3]), ("0,3,7", [0, 3, 7]), ("2-5", [2, 3, 4, 5])])
def test_seeds(text, expected):
    assert seeds(text) == expected
