"""The paper's own leaderboard: published numbers, ours where somebody has run them."""

import pytest

from harness.benchmarks import BENCHMARKS, DARTS
from harness.benchmarks.darts.genotypes import published_cell
from tests.report.conftest import CELLS, genotype


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


def test_numerics_and_the_order_of_the_images_do_not_hide_a_number(results):
    changed = {"changed": {"precision": "bf16"}, "images": "reordered", "profile": "paper"}
    results.run("gaea-darts-erm", 0, cells=(CELLS[0],), **changed)
    results.look_up({(CELLS[0], "cifar10", "test"): 94.0})
    assert list(results.report().headlines["ours"])[:1] == [94.0]
    results.run("gaea-darts-erm", 0, cells=(CELLS[1],), profile="paper", changed={"lr": 0.5})
    results.look_up({(CELLS[1], "cifar10", "test"): 95.0})
    assert list(results.report().headlines["ours"])[:1] == [94.0], "an override is not the published search"


def test_a_training_of_the_published_cell_by_the_usual_recipe_counts(results):
    cell = DARTS().to_string(published_cell("GAEA_PC_DARTS_imagenet_156").arch)
    results.retrain(cell, 0, 30.0, dataset="imagenet", changed={"epochs": 1})
    results.retrain(genotype(0), 0, 30.0, dataset="imagenet")
    assert set(results.report().headlines["status"]) == {"not run yet"}
    results.retrain(cell, 1, 24.2, dataset="imagenet", parameters=5_622_000)
    rows = results.report().headlines[3:]
    assert list(rows["ours"]) == [24.2, 5.622]
    assert list(rows["verdict"]) == ["spread unknown", "agrees"]


def test_every_command_is_one_that_exists():
    from harness.commands import retrain
    from harness.commands.run import parser

    headlines = [headline for benchmark in BENCHMARKS.values() for headline in benchmark.headlines]
    assert len(headlines) == 5
    for headline in headlines:
        words = headline.command.split()
        if "run_all.py" in words:
            parser().parse_args(words[words.index("run_all.py") + 1 :])
        else:
            retrain.parser().parse_args(words[words.index("retrain") + 1 :])
