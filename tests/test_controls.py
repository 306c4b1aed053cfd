"""Controls beside the searches of a call: which, at what budget, and where reports list them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import harness
import run_all
from harness.commands import planning
from harness.commands.controls import Budgets, epochs_within
from harness.commands.run import parser
from harness.experiment.registry import controls
from harness.experiment.store import Store
from harness.report import learnt
from harness.report.controls import notes
from harness.report.groups import Group
from harness.report.render import markdown
from harness.report.site.evidence import collect
from harness.search import dry
from tests.report.conftest import results as results

ROOT = Path(__file__).parents[1]
RANDOM_SEARCH, CELL = controls()
SMALL = ["--set", "protocol.channels=4", "--set", "protocol.batch_size=64", "--jobs", "1", "--figures", "none"]


def planned(*words):
    """The searches of a call, and what the console says of them."""
    options = parser().parse_args(["--seeds", "1", *words])
    console = Console(file=io.StringIO(), width=1000)
    return planning.searches(options, console, with_controls=True), console.file.getvalue(), Budgets(options)


def names(jobs):
    return [job.name for job in jobs]


# The budget ----------------------------------------------------------------------------------------------------------


@given(st.floats(1e3, 1e18), st.floats(1e3, 1e18))
def test_epochs_come_nearest_to_the_budget_and_never_exceed_it_by_more_than_one(budget, of_an_epoch):
    epochs = epochs_within(budget, of_an_epoch)
    assert epochs >= 1
    distance = abs(epochs * of_an_epoch - budget)
    assert epochs * of_an_epoch - budget <= of_an_epoch
    for other in {max(1, epochs - 1), epochs + 1}:
        assert distance <= abs(other * of_an_epoch - budget) * (1 + 1e-9)


@pytest.fixture
def few_samples(monkeypatch):
    """Of sampled steps: what is said of counts holds for any."""
    monkeypatch.setattr(dry, "ITERATIONS", 5)
    monkeypatch.setattr(dry, "FEWEST", 1)


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize(
    "space, methods, cells",
    [("nasbench201", "darts,gdas", 1), ("nasbench201", "pc-darts", 1), ("darts", "darts,gdas", 2)],
)
def test_the_control_costs_what_the_most_expensive_search_does(space, methods, cells):
    small = [*SMALL, "--set", f"protocol.cells={cells}", "--set", "protocol.epochs=40"]
    jobs, printed, budgets = planned("--space", space, "--methods", methods, "--retrain", "none", *small)
    rivals = {job.name: budgets.of(job) for job in jobs if job.name in methods.split(",")}
    (control,) = (job for job in jobs if job.name == RANDOM_SEARCH)
    dearest = max(rivals, key=rivals.get)
    assert abs(budgets.of(control) - rivals[dearest]) <= budgets.of(control) / control.epochs
    assert control.epochs > 1
    assert f"{control.epochs} epochs cost as many multiply-adds as {dearest}\n" in printed


# The plan ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few_samples")
def test_a_control_is_the_search_that_set_would_plan_and_none_is_doubled():
    jobs, _, _ = planned("--methods", "gaea,darts", "--seeds", "2")
    methods = ["gaea-darts-erm", "gaea-darts-bilevel", "darts", CELL, RANDOM_SEARCH]
    assert names(jobs) == [*methods, *methods]
    control = jobs[4]
    assert control.config["overrides"]["protocol"] == {"epochs": control.epochs}
    override = f"{RANDOM_SEARCH}.protocol.epochs={control.epochs}"
    words = ["--methods", f"darts,{RANDOM_SEARCH},{CELL}", "--set", override, "--controls", "none", "--seeds", "1"]
    assert {job.key for job in planned(*words)[0]} == {job.key for job in jobs[2:5]}
    asked, _, _ = planned("--methods", f"gaea,darts,{RANDOM_SEARCH},{CELL}", "--set", override)
    assert {job.key for job in asked} == {job.key for job in jobs[:5]}
    later, _, _ = planned("--methods", "gaea,darts", "--seeds", "1-1")
    assert {job.key for job in later} == {job.key for job in jobs[5:]}, "the budget does not depend on the seeds"


@pytest.mark.usefixtures("few_samples")
def test_every_protocol_of_a_grid_has_its_control_and_settings_of_a_method_share_one():
    words = ["--set", "protocol.channels=2,4", "--set", "darts.lr=0.1,0.2", "--set", "darts.protocol.epochs=5,9"]
    words += ["--set", "random-search-ws.candidates=2"]
    jobs, _, budgets = planned("--methods", "darts", *words, *SMALL[2:])
    assert names(jobs).count("darts") == 8
    assert names(jobs).count(CELL) == 1
    found = [job for job in jobs if job.name == RANDOM_SEARCH]
    assert [job.config["protocol"]["values"]["channels"] for job in found] == [2, 4]
    for control in found:
        channels = control.config["protocol"]["values"]["channels"]
        rivals = [j for j in jobs if j.name == "darts" and j.config["protocol"]["values"]["channels"] == channels]
        budget = max(map(budgets.of, rivals))
        assert abs(budgets.of(control) - budget) <= budgets.of(control) / control.epochs


@pytest.mark.usefixtures("few_samples")
def test_a_setting_of_a_control_can_be_set():
    """Fewer candidates after every epoch: more epochs."""
    plain, few = (
        next(job for job in planned("--methods", "darts", *words)[0] if job.name == RANDOM_SEARCH)
        for words in ([], ["--set", f"{RANDOM_SEARCH}.candidates=5"])
    )
    assert few.config["settings"]["candidates"] == 5
    assert few.epochs > 3 * plain.epochs


def test_epochs_that_are_set_for_a_control_are_kept():
    jobs, printed, _ = planned("--methods", "darts", "--seeds", "2", "--set", f"{RANDOM_SEARCH}.protocol.epochs=67")
    assert [job.epochs for job in jobs if job.name == RANDOM_SEARCH] == [67, 67]
    assert "as many multiply-adds" not in printed


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize(
    "words, found, said",
    [
        (["--methods", "darts", "--controls", "none"], [], ""),
        (["--methods", "darts", "--controls", CELL], [CELL], ""),
        (["--methods", "regularized-evolution,naswot"], [], "regularized-evolution: queries of the table"),
        (["--methods", RANDOM_SEARCH], [], ""),
        (["--methods", "naswot", "--controls", CELL], [CELL], ""),
        (["--methods", "naswot", "--controls", RANDOM_SEARCH], [], "none of them trains a supernet"),
        (
            ["--methods", "darts", "--profile", "controlled", "--dataset", "digits", "--seeds", "3"],
            [CELL],
            f"no control {RANDOM_SEARCH}: it would be 3 more searches with the multiply-adds of the"
            f" most expensive of them (--controls {RANDOM_SEARCH},{CELL} adds it",
        ),
        (
            ["--methods", "darts", "--space", "darts", "--retrain", "cifar10"],
            [],
            f"no control {CELL}: it would be 1 more training of a cell (--controls",
        ),
        (
            ["--methods", "darts", "--space", "darts"],
            [CELL, RANDOM_SEARCH],
            "epochs cost as many multiply-adds as darts",
        ),
        (
            ["--methods", "darts", "--space", f"{ROOT / 'tests' / 'two_edges.py'}:TwoEdges"],
            [CELL],
            f"no control {RANDOM_SEARCH}: their multiply-adds are not counted",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_which_controls_stand_beside_searches(words, found, said):
    jobs, printed, _ = planned(*words)
    asked = words[1].split(",")
    assert list(dict.fromkeys(name for name in names(jobs) if name not in asked)) == found
    assert said in printed
    assert bool(said) == bool(printed) or "epochs have" in printed


@pytest.mark.usefixtures("few_samples")
def test_a_method_that_fails_is_left_to_its_search():
    jobs, _, _ = planned("--methods", f"{ROOT / 'tests' / 'faulty.py'}:Raises,darts")
    alone, _, _ = planned("--methods", "darts")
    assert {job.key for job in alone} < {job.key for job in jobs}


def test_what_is_no_control_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        run_all.main(["--controls", "darts"])
    assert stop.value.code == 2
    assert f"expected {RANDOM_SEARCH}, {CELL} or none, got darts" in capsys.readouterr().err


# The command ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    assert call(folder) == 0
    return folder


def call(folder, *words):
    small = ["--set", "protocol.channels=4", "--set", "protocol.batch_size=128", "--set", "protocol.epochs=2"]
    small += ["--set", f"{RANDOM_SEARCH}.candidates=2", "--seeds", "1", "--jobs", "1", "--figures", "none"]
    return run_all.main(["--methods", "darts", *small, "--results", str(folder), *words])


def test_a_repeated_call_runs_nothing_and_a_report_starts_nothing(searched, capsys):
    assert call(searched) == 0
    assert "3 runs: 3 done, 0 to do" in capsys.readouterr().out
    assert call(searched, "--report-only", "--seeds", "2") == 0
    assert call(searched, "--compare", f"darts,{CELL}", "--seeds", "2") == 0
    assert len(Store(searched).records()) == 3


def test_dry_runs_have_them(searched, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    harness.run("darts", 2, settings={"protocol.epochs": 2}, results=searched, dry_run=True, quiet=False)
    printed = capsys.readouterr().out
    assert printed.count(f"{CELL} on ") == printed.count(f"{RANDOM_SEARCH} [epochs=") == 2
    harness.run(
        "darts", 1, settings={"protocol.epochs": 2}, results=searched, controls=[CELL], dry_run=True, quiet=False
    )
    assert RANDOM_SEARCH not in capsys.readouterr().out


def test_what_was_counted_is_equal_too(searched):
    found = harness.Results(searched)
    (budget,) = found.report.budgets.values()
    costs = {cost.method: cost.multiply_adds for cost in found.report.costs}
    (epochs,) = {
        record["config"]["protocol"]["values"]["epochs"]
        for record in found.report.records
        if record["config"]["method"]["name"] == RANDOM_SEARCH
    }
    assert budget.control.startswith(f"{RANDOM_SEARCH} [batch_size=128, candidates=2, ")
    assert abs(costs[budget.control] - costs[budget.method]) <= costs[budget.control] / epochs


def test_controls_stand_in_the_block_of_the_searches_and_are_not_judged(searched):
    board = pd.read_csv(searched / "tables" / "leaderboard.csv")
    last = board[(board["selection"] == "last") & (board["dataset"] == "cifar10")]
    assert [name.partition(" [")[0] for name in last["method"]] == ["darts", RANDOM_SEARCH, CELL]
    assert set(board["profile"]) == {"quick"}
    assert set(board["searched_on"]) == {"digits"}
    assert set(board.loc[board["method"] == CELL, "verdict"]) == {"no published value"}
    text = (searched / "tables" / "leaderboard.md").read_text()
    assert text.index("**darts") < text.index("| *controls* |") < text.index("**random-cell**")
    assert "all with batch\\_size=128" in text


# The report ----------------------------------------------------------------------------------------------------------


def blind(results, accuracies, **where):
    for seed, accuracy in enumerate(accuracies):
        results.black_box(CELL, [], seconds=0.0, seed=seed, table=None, choice=f"blind-{seed}", **where)
        results.look_up({(f"blind-{seed}", "cifar10", "test"): accuracy})


QUICK, LARGE = Group("nasbench201", "quick", "digits"), Group("nasbench201", "controlled", "cifar10")
HOME = Group("nasbench201", "paper", "cifar10")


def places(report, method):
    rows = report.leaderboard[report.leaderboard["method"] == method]
    return {Group(*key) for key in rows[list(Group._fields)].itertuples(index=False, name=None)}


def test_a_blind_control_stands_in_every_group_with_other_methods(results):
    blind(results, [70.0, 72.0])
    assert places(results.report(), CELL) == {HOME}
    results.runs_with("darts", [90.0, 91.0], profile="quick", dataset="digits")
    results.runs_with("gdas", [80.0, 81.0], profile="controlled")
    report = results.report()
    assert places(report, CELL) == {QUICK, LARGE}
    assert len(report.runs) == 6, "every search is counted once"
    results.runs_with("random-search", [93.0])
    report = results.report()
    assert places(report, CELL) == {QUICK, LARGE, HOME}
    rows = report.leaderboard[report.leaderboard["method"] == CELL]
    assert set(rows["mean"]) == {71.0}
    assert set(rows["n"]) == {2}
    found = collect(report)
    texts = [found["configurations"][row[0]]["method"] for row in found["rows"]]
    assert texts.count(CELL) == 3
    assert {each["name"] for each in found["configurations"] if each["control"]} == {CELL}


def test_a_failed_search_does_not_keep_a_control_from_several_groups(results):
    blind(results, [70.0, 72.0])
    results.runs_with("darts", [90.0], profile="quick", dataset="digits")
    results.runs_with("gdas", [80.0], profile="controlled")
    results.run("gdas", seed=5, profile="controlled", failure="ValueError: no")
    assert places(results.write(["svg"]), CELL) == {QUICK, LARGE}


def test_own_searches_of_a_group_go_before_lent_ones(results):
    blind(results, [70.0])
    blind(results, [70.0, 72.0, 74.0], profile="quick", dataset="digits")
    results.runs_with("darts", [90.0], profile="quick", dataset="digits")
    results.runs_with("gdas", [80.0], profile="controlled")
    rows = results.report().leaderboard.query(f"method == '{CELL}'").set_index("profile")["n"]
    assert rows.to_dict() == {"quick": 3, "controlled": 1}


def test_nothing_published_stands_next_to_a_control_outside_of_its_own_group(results):
    """Of a method that has published values, as if it saw nothing."""
    results.black_box("random-search", [], seconds=0.0, table=None, choice="blind")
    results.look_up({("blind", "cifar10", "test"): 93.0})
    results.runs_with("darts", [90.0], profile="quick", dataset="digits")
    results.runs_with("gdas", [80.0])
    rows = results.report().leaderboard.query("method == 'random-search'").set_index("profile")
    assert rows["published"].notna().to_dict() == {"paper": True, "quick": False}
    assert rows.loc["quick", "verdict"] == "no published value"


def test_cells_are_retrained_beside_others_only(results):
    for profile, dataset in (("quick", "digits"), ("controlled", "cifar10")):
        results.run("darts", profile=profile, dataset=dataset, space="darts", cells=("cell",))
    results.black_box(
        CELL, [], seconds=0.0, table=None, choice="blind", space="darts", profile="quick", dataset="digits"
    )
    for cell in ("cell", "blind"):
        results.retrain(cell, 0, 3.0)
    results.retrain("blind", 0, 9.0, dataset="cifar10")
    rows = results.report().leaderboard
    of_cell = rows[rows["method"] == CELL]
    assert {(row.profile, row.dataset) for row in of_cell.itertuples()} == {
        ("quick", "digits"),
        ("controlled", "digits"),
        ("quick", "cifar10"),
        ("controlled", "cifar10"),
    }
    results.retrain("cell", 0, 4.0, dataset="cifar10")
    assert len(results.report().leaderboard) == 8


def budgeted(results, multiply_adds, accuracies, epochs=2):
    counted = {"multiply_adds": np.full((epochs, 2), multiply_adds / (2 * epochs))}
    changed = {"epochs": epochs}
    cells = ("other",) * (epochs - 1)
    for seed, accuracy in enumerate(accuracies):
        asked = {"profile": "quick", "dataset": "digits", "epochs": epochs, "changed": changed, "arrays": counted}
        results.run(RANDOM_SEARCH, seed, cells=(*cells, f"search-{epochs}-{seed}"), **asked)
        results.look_up({(f"search-{epochs}-{seed}", "cifar10", "test"): accuracy})


def test_the_control_at_an_equal_budget_is_known_by_what_was_counted(results):
    results.runs_with("darts", [90.0, 91.0, 92.0, 93.0], profile="quick", dataset="digits")  # 2e9 multiply-adds
    (note,) = notes(results.report().budgets)
    assert note.endswith(
        "no control matches the multiply-adds of darts, the most expensive method (--controls"
        f" {RANDOM_SEARCH},{CELL} adds one)"
    )
    budgeted(results, 5e9, [80.0], epochs=2)
    assert results.report().budgets[QUICK].control is None
    budgeted(results, 2.4e9, [80.0, 81.0, 82.0, 83.0], epochs=4)  # an epoch: 0.6e9
    report = results.report()
    assert report.budgets[QUICK] == ("darts", f"{RANDOM_SEARCH} [epochs=4]")
    assert "is a control with as many multiply-adds as darts" in markdown.render(report)
    (text,) = learnt.sentences(report, [QUICK])
    control = f"Against the controls: darts is 10.00 points above {RANDOM_SEARCH} [epochs=4] at equal multiply-adds"
    assert f"{control} (p = 0.0286)." in text
    blind(results, [95.0, 96.0, 97.0, 98.0])
    (text,) = learnt.sentences(results.report(), [QUICK])
    assert f"{control} (p = 0.0571) and 5.00 points below {CELL} (p = 0.0571)." in text


def test_the_console_sets_controls_apart(results, capsys):
    blind(results, [70.0])
    results.runs_with("darts", [90.0], profile="quick", dataset="digits")
    results.report().show(Console(width=120))
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.strip() == "controls")
    assert lines[place - 1].strip().startswith("darts")
    assert lines[place + 1].strip().startswith(CELL)
