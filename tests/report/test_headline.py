"""The paper's own leaderboard: published numbers, ours where somebody has run them."""

import pytest

from tests.report.conftest import CELLS


def test_published_numbers_are_the_papers(results):
    rows = results.report().headlines
    assert list(rows["published"]) == [94.10, 73.43, 46.36, 24.0, pytest.approx(5.6, abs=0.05)]
    assert set(rows["status"]) == {"not run yet"}


def test_ours_stands_beside_only_under_the_same_protocol(results):
    results.run("gaea-darts-erm", 0, profile="paper", dataset="cifar10")
    results.run("gaea-darts-erm", 0, profile="controlled", dataset="cifar100")
    results.look_up({(CELLS[0], "cifar10", "test"): 94.0, (CELLS[0], "cifar100", "ori-test"): 73.0})
    rows = results.report().headlines
    assert list(rows["status"]) == ["run here"] + ["not run yet"] * 4
    assert rows["ours"][0] == 94.0


def test_every_command_is_one_that_exists():
    from harness.arguments import parser
    from harness.report.headline import HEADLINES
    from harness.training import retrain

    for headline in HEADLINES:
        words = headline.command.split()
        if "run_all.py" in words:
            parser().parse_args(words[words.index("run_all.py") + 1 :])
        else:
            retrain.parser().parse_args(words[words.index("harness.training.retrain") + 1 :])
