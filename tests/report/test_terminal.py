"""The leaderboard on the console."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.report.content import NO_RUNS, NO_TEST_ACCURACIES


def _shown(report, width=200):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    report.show(console)
    return console.file.getvalue()


def _words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_line_has_ours_published_and_verdict_and_fits(results, width):
    results.runs_with("gaea-darts-bilevel", [70.0, 71.0], on=("cifar100", "x-valid"), dataset="cifar100")
    results.look_up(
        {("gaea-darts-bilevel-0", "cifar100", "x-test"): 72.0, ("gaea-darts-bilevel-1", "cifar100", "x-test"): 72.1}
    )
    text = _shown(results.report(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "gaea-darts-bilevel 72.05 ± 0.07 (2) 72.03 ± 0.54 (4) inconclusive" in _words(text)
    assert "x-valid" not in text  # validation accuracies stand in the files


def test_published_split_is_named_where_it_is_another(results):
    results.runs_with("gaea-darts-bilevel", [45.0, 46.0], on=("imagenet16-120", "x-test"), dataset="imagenet16-120")
    assert "no published value is comparable" in _words(_shown(results.report()))
    results.look_up({(f"gaea-darts-bilevel-{seed}", "imagenet16-120", "ori-test"): 45.0 for seed in range(2)})
    assert "45.69 ± 0.56 (4) ori-test not comparable" in _words(_shown(results.report()))


def test_digits_are_called_a_proxy(results):
    results.runs_with("darts", [50.0], profile="quick", dataset="digits")
    assert "digits proxy: small searches on 8x8 digits" in _shown(results.report())


def test_markup_and_control_characters_have_no_effect(results):
    results.runs_with("[red]x[/red]", [50.0])
    results.run("[bold]y", failure="Error\nValueError: \x1b[31m[link]z")
    text = _shown(results.report())
    assert "[red]x[/red]" in text
    assert "[bold]y" in text
    assert "ValueError:  [31m[link]z" in text
    assert "\x1b" not in text


def test_failed_runs_damaged_files_and_missing_tests_are_told(results):
    results.runs_with("darts", [50.0], on=("cifar10", "x-valid"))
    results.run("darts", seed=9, failure="Traceback\nMemoryError: too large")
    (results.store.folder / "runs" / f"{'0' * 64}.json").write_text("{")
    words = _words(_shown(results.report()))
    assert "darts, seed 9 (nasbench201, paper profile, searched on cifar10): MemoryError: too large" in words
    assert f"corrupt file {'0' * 64}.json quarantined" in words
    assert NO_TEST_ACCURACIES.format("nasbench201") in words


def test_long_lists_of_failures_are_cut_and_counted(results):
    for seed in range(23):
        results.run("darts", seed=seed, failure="Error: x")
    text = _shown(results.report())
    assert text.count("Error: x") == 20
    assert "and 3 more" in text


def test_empty_folder_is_said_to_be_empty(results):
    assert _shown(results.report()).strip() == NO_RUNS


def test_sections_of_very_many_methods_are_cut_and_counted(results):
    for number in range(42):
        results.run(f"method-{number:02}", cells=("other", "cell"))
    results.look_up({("other", "cifar10", "test"): 50.0, ("cell", "cifar10", "test"): 90.0})
    text = _shown(results.report())
    assert text.count("method-39 ") == 2  # its accuracy and its cost
    assert "method-40" not in text
    assert text.count("and 2 more") == 2
