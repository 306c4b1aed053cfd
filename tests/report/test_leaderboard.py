"""The leaderboard's numbers, worked out by hand."""

from __future__ import annotations

import pytest

from harness.benchmarks.nasbench201.table import cell_numbers
from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.report.leaderboard import COLUMNS, OBSTACLES
from tests.report.conftest import CELLS, genotype


def _only(frame):
    assert len(frame) == 1
    return frame.iloc[0]


def test_row_worked_out_by_hand(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4])
    frame = results.report().leaderboard
    assert list(frame.columns) == [*COLUMNS, OBSTACLES]
    row = _only(frame)
    half_width = 4.302653 * (0.2**2 / 3 + 0.29**2 / 3) ** 0.5 + 0.005  # t(0.975, 2); 0.29^2 * 4 / 3 / 4
    tested = row[["low", "high", "resolution", "spread_ratio"]].to_list()
    ratio = 0.2 / (0.29 * (4 / 3) ** 0.5)
    assert tested == pytest.approx([0.1 - half_width, 0.1 + half_width, half_width, ratio], abs=1e-6)
    assert row["p"] == row["p_holm"] > 0.5
    row = row.drop(["low", "high", "resolution", "spread_ratio", "p", "p_holm", "hits"])
    assert row["mean"] == pytest.approx(94.2)
    assert row["std"] == pytest.approx(0.2)  # ddof 1; ddof 0 would give 0.163
    assert row["difference"] == pytest.approx(0.1)
    assert row.drop(["mean", "std", "difference"]).to_dict() == {
        "method": "gaea-darts-erm",
        "family": "gaea",
        "space": "nasbench201",
        "profile": "paper",
        "searched_on": "cifar10",
        "selection": "last",
        "dataset": "cifar10",
        "metric": "test_accuracy",
        "split": "test",
        "n": 3,
        "published": 94.10,
        "published_std": 0.29,
        "published_n": 4,
        "published_split": "test",
        "published_status": "seen, std recalled",
        "verdict": "inconclusive",  # the difference of 0.1 lies within the interval, which exceeds the margin
        "margin": 0.25,
        "table": "a" * 12,
        "obstacles": (),
    }


def test_far_mean_differs(results):
    results.runs_with("gaea-darts-erm", [91.0, 91.1, 91.2])
    assert _only(results.report().leaderboard)["verdict"] == "differs"


def test_one_search_has_no_spread(results):
    results.runs_with("gaea-darts-erm", [94.1])
    row = _only(results.report().leaderboard)
    assert (row["n"], row["verdict"]) == (1, "spread unknown")
    assert row.isna()["std"]


@pytest.mark.parametrize("asked", [{"profile": "quick", "dataset": "digits"}, {"profile": "quick"}])
def test_quick_profile_reproduces_nothing(results, asked):
    results.runs_with("gaea-darts-erm", [94.1, 94.1, 94.1], **asked)
    assert _only(results.report().leaderboard)["verdict"] == "not comparable"


def test_configurations_are_not_averaged_and_one_with_overrides_is_not_judged(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.run("gaea-darts-erm", epochs=3, changed={"epochs": 3}, cells=("other", "other", "gaea-darts-erm-1"))
    frame = results.report().leaderboard.set_index("method")
    assert frame["mean"].to_dict() == pytest.approx({"gaea-darts-erm": 94.1, "gaea-darts-erm [epochs=3]": 94.2})
    assert frame["n"].to_dict() == {"gaea-darts-erm": 2, "gaea-darts-erm [epochs=3]": 1}
    assert frame["verdict"].to_dict() == {
        "gaea-darts-erm": "inconclusive",
        "gaea-darts-erm [epochs=3]": "not comparable",
    }


def test_failed_runs_do_not_count(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.run("gaea-darts-erm", seed=7, failure="ValueError: no")
    assert _only(results.report().leaderboard)["n"] == 2


def test_best_validation_cell_has_its_own_row_and_is_not_judged(results):
    results.run("gaea-darts-bilevel", 0, cells=("a", "b"), best_valid="a")
    results.run("gaea-darts-bilevel", 1, cells=("a", "b"), best_valid="a")
    results.look_up({("a", "cifar10", "test"): 94.0, ("b", "cifar10", "test"): 92.0})
    frame = results.report().leaderboard.set_index("selection")
    assert frame["mean"].to_dict() == {"last": 92.0, "best-valid": 94.0}
    assert frame["verdict"].to_dict() == {"last": "inconclusive", "best-valid": "not comparable"}


def test_no_test_accuracy_is_shown_next_to_a_validation_accuracy(results):
    results.runs_with("gaea-darts-erm", [90.0, 91.0], on=("cifar10", "x-valid"))
    row = _only(results.report().leaderboard)
    assert (row["metric"], row["verdict"]) == ("valid_accuracy", "no published value")
    assert row[["published", "difference"]].isna().all()


def test_searches_that_end_in_the_published_cell_are_counted(results):
    skip = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    for seed in range(8):
        results.run("darts", seed, cells=(skip if seed < 7 else CELLS[0],))
    results.look_up({(skip, "cifar10", "test"): 54.30, (CELLS[0], "cifar10", "test"): 90.0})
    row = _only(results.report().leaderboard)
    assert (row["hits"], row["n"], row["verdict"]) == (7, 8, "inconclusive")
    assert (row["low"], row["high"]) == pytest.approx((0.4735, 0.9968), abs=1e-4)
    assert row[["resolution", "margin"]].isna().all()


def test_p_is_corrected_over_all_judged_rows_and_no_verdict_depends_on_another(results):
    results.runs_with("gaea-darts-erm", [91.0, 91.1, 91.2])
    alone = _only(results.report().leaderboard)
    results.runs_with("gaea-darts-bilevel", [60.0, 60.1, 60.2])
    both = results.report().leaderboard.set_index("method")
    assert both.loc["gaea-darts-erm", "p"] == alone["p"]
    assert both.loc["gaea-darts-erm", "verdict"] == alone["verdict"] == "differs"
    assert sorted(both["p_holm"]) == pytest.approx(
        sorted([2 * both["p"].min(), max(2 * both["p"].min(), both["p"].max())])
    )


def test_external_method_that_shares_a_name_gets_no_published_value(results):
    results.runs_with("darts", [54.3, 54.3], source="ab" * 32)
    row = _only(results.report().leaderboard)
    assert row["verdict"] == "no published value"
    assert row.isna()["published"]


def test_rows_come_in_leaderboard_order(results):
    cells = ("a", "b")
    for method in ("zzz", "darts", "gaea-darts-erm"):
        results.run(method, cells=cells, best_valid="a")
    results.run("darts", profile="controlled", cells=cells)
    results.run("darts", profile="quick", dataset="digits", cells=cells)
    splits = [("imagenet16-120", "x-valid"), ("cifar10", "x-valid"), ("cifar10", "test"), ("cifar100", "ori-test")]
    results.look_up({(cell, *split): 50.0 for cell in cells for split in splits})
    frame = results.report().leaderboard
    assert list(dict.fromkeys(frame["profile"])) == ["paper", "controlled", "quick"]
    first = frame[(frame["profile"] == "paper") & (frame["selection"] == "last")]
    assert list(dict.fromkeys(first["method"])) == ["gaea-darts-erm", "darts", "zzz"]
    datasets = first.loc[first["method"] == "darts", ["dataset", "split"]].values.tolist()
    assert datasets == [
        ["cifar10", "test"],
        ["cifar10", "x-valid"],
        ["cifar100", "ori-test"],
        ["imagenet16-120", "x-valid"],
    ]
    assert frame["selection"].iloc[0] == "last"


@pytest.mark.parametrize(
    "run", [{"images": "external", "data_sha256": "ab" * 32}, {"space_sha256": "ab" * 32}, {"images": "unverified"}]
)
def test_nothing_external_is_judged_under_an_official_name(results, run):
    results.runs_with("gaea-darts-erm", [94.1, 94.1, 94.1], **run)
    assert set(results.report().leaderboard["verdict"]) <= {"not comparable", "no published value"}


@pytest.mark.parametrize("run", [{"images": "reordered"}, {"changed": {"precision": "bf16"}}])
def test_the_order_of_the_images_and_the_precision_do_not_prevent_a_comparison(results, run):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4], **run)
    assert _only(results.report().leaderboard)["verdict"] == "inconclusive"


def test_rows_of_modified_code_are_rows_of_their_own_and_never_judged(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4])
    results.run("gaea-darts-erm", 0, dirty=True, cells=("other", "gaea-darts-erm-0"), settings={"lr": 0.3})
    verdicts = results.report().leaderboard.set_index("method")["verdict"].to_dict()
    assert verdicts == {"gaea-darts-erm": "inconclusive", "gaea-darts-erm [modified code]": "not comparable"}


def test_an_unverified_table_is_noted_and_nothing_of_it_judged(results):
    for seed in range(2):
        results.run("gaea-darts-erm", seed, cells=(CELLS[0],))
    results.look_up({(CELLS[0], "cifar10", "test"): 94.1}, sha256="b" * 64)
    report = results.report()
    assert _only(report.leaderboard)["verdict"] == "not comparable"
    assert any("Table bbbbbbbbbbbb lacks" in note for note in report.notes)


@pytest.mark.parametrize("error, verdict", [(0.0, "inconclusive"), (0.5, "not comparable")])
def test_a_table_is_verified_by_its_validation_accuracies(results, error, verdict):
    (expected,), _ = bundled_table().accuracy(cell_numbers([CELLS[0]]), "cifar10", "x-valid")
    for seed in range(2):
        results.run("gaea-darts-erm", seed, cells=(CELLS[0],))
    numbers = {(CELLS[0], "cifar10", "x-valid"): expected + error, (CELLS[0], "cifar10", "test"): 94.1}
    results.look_up(numbers, sha256="c" * 64)
    board = results.report().leaderboard.set_index("split")
    assert board.loc["test", "verdict"] == verdict


def test_a_search_counts_once_however_many_trainings_of_its_cell_there_are(results):
    results.trained_with("darts", [2.0, 3.0])
    for seed in range(2):
        results.retrain(genotype(seed), seed, 5.0, images="unverified", data_sha256="f" * 64)
    board = results.report().leaderboard
    assert board["n"].tolist() == [2, 2]
    assert sorted(board["mean"]) == [2.5, 5.0]


def test_an_unverified_table_that_is_added_replaces_no_number_of_a_verified_one(results):
    for seed in range(2):
        results.run("gaea-darts-erm", seed, cells=(CELLS[0],))
    results.look_up({(CELLS[0], "cifar10", "test"): 94.1})
    before = results.report().leaderboard
    results.look_up(
        {(CELLS[0], *pair): 50.0 for pair in (("cifar10", "test"), ("cifar100", "x-test"))}, sha256="0" * 64
    )
    after = results.report().leaderboard
    assert after[after["dataset"] == "cifar10"].to_dict("records") == before.to_dict("records")


@pytest.mark.parametrize("value", [float("nan"), 100.5, -1.0])
def test_a_look_up_file_with_impossible_values_is_set_aside(results, value):
    results.run("gaea-darts-erm", cells=(CELLS[0],))
    results.look_up({(CELLS[0], "cifar10", "test"): value})
    report = results.report()
    assert report.leaderboard.empty
    assert len(report.warnings) == 1
