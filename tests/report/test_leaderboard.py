"""The leaderboard's numbers, worked out by hand."""

from __future__ import annotations

import pytest

from harness.report.leaderboard import COLUMNS


def _only(frame):
    assert len(frame) == 1
    return frame.iloc[0]


def test_row_worked_out_by_hand(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4])
    frame = results.report().leaderboard
    assert list(frame.columns) == COLUMNS
    row = _only(frame)
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
        "verdict": "reproduced",  # 0.1 <= 2 sqrt(0.2^2/3 + 0.29^2/4) = 0.37
        "table": "a" * 12,
    }


def test_far_mean_differs(results):
    results.runs_with("gaea-darts-erm", [93.0, 93.1, 93.2])
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


def test_configurations_are_not_averaged_and_only_the_usual_one_is_judged(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.run("gaea-darts-erm", epochs=3, cells=("other", "other", "gaea-darts-erm-1"))
    frame = results.report().leaderboard.set_index("method")
    assert frame["mean"].to_dict() == pytest.approx({"gaea-darts-erm": 94.1, "gaea-darts-erm [epochs=3]": 94.2})
    assert frame["n"].to_dict() == {"gaea-darts-erm": 2, "gaea-darts-erm [epochs=3]": 1}
    assert frame["verdict"].to_dict() == {"gaea-darts-erm": "reproduced", "gaea-darts-erm [epochs=3]": "not comparable"}


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
    assert frame["verdict"].to_dict() == {"last": "reproduced", "best-valid": "not comparable"}


def test_validation_accuracy_beside_a_published_test_accuracy_has_no_difference(results):
    results.runs_with("gaea-darts-erm", [90.0, 91.0], on=("cifar10", "x-valid"))
    row = _only(results.report().leaderboard)
    assert (row["metric"], row["published_split"], row["verdict"]) == ("valid_accuracy", "test", "not comparable")
    assert row.isna()["difference"]


def test_outside_method_that_shares_a_name_gets_no_published_value(results):
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
