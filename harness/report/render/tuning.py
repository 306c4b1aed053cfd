"""Tunings as tables: one row per method for people, one per trial for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from harness.report.render.summary import Summary
from harness.report.render.wording import spread_of
from harness.report.runs import without_shared
from harness.report.tuning import TEST_ERROR, Trial, Tuned, Tuning, running_best

CHOSEN, DEFAULT = "chosen", "default"


def summaries(tunings: Iterable[Tuning]) -> list[Summary]:
    return [_summary(tuning) for tuning in tunings]


def _summary(tuning: Tuning) -> Summary:
    labels = {str(tuned.method): tuned.method for tuned in tuning.methods}
    short, shared = without_shared(labels) if labels else ({}, "")
    measures = _measures(tuning)
    headings = ["method", "drawn", "tunings", "trials", "chosen settings", "validation of the chosen (%)"]
    headings += [f"{_of(measure)}: {which} (%)" for measure in measures for which in (CHOSEN, DEFAULT)]
    rows = [(short[str(tuned.method)], *_row(tuned, measures)) for tuned in tuning.methods]
    title = f"Tuning: {tuning.group.labelled_title}{f'; all with {shared}' if shared else ''}"
    title += f"; budget {tuning.budget:g} multiply-adds"
    return Summary("-".join(("tuning", *tuning.group)), title, tuple(_notes(tuning)), tuple(headings), tuple(rows))


def _notes(tuning: Tuning) -> Iterator[str]:
    yield (
        f"Of every tuning, the trial with the highest validation accuracy is chosen: {tuning.selection}. No test"
        " accuracy chooses anything. The first trial has the default settings, and all trials count against the budget."
    )
    yield (
        "Numbers in %: mean ± sample standard deviation over the tunings, of the final cell. The"
        " validation of the chosen is the highest of several, which flatters; the accuracies of the cells do not"
        " choose" + ("." if tuning.criterion is None else ", but for the one that is named above.")
    )
    if tuning.criterion is None:
        yield (
            "The validation accuracies of different methods are of different supernets: they compare the trials of"
            " one method, not methods."
        )
    if unfinished := [str(tuned.method) for tuned in tuning.methods if not tuned.finished]:
        yield f"Not finished, so that the budget has room for more trials: {', '.join(unfinished)}."
    if tuning.unaffordable:
        yield f"Without a search that the budget pays for: {', '.join(tuning.unaffordable)}."


def _measures(tuning: Tuning) -> list[tuple[str, str]]:
    """What is known of the cells of chosen trials: accuracies that were looked up, then errors of retrained cells."""
    chosen = [trial for tuned in tuning.methods for trial in tuned.chosen.values()]
    trained = {measure for trial in chosen for measure in trial.scores if measure[1].startswith(TEST_ERROR)}
    return [*tuning.columns, *sorted(trained)]


def _of(measure: tuple[str, str]) -> str:
    dataset, split = measure
    return f"{dataset}, {split}" if split.startswith(TEST_ERROR) else f"{dataset} {split}"


def _row(tuned: Tuned, measures: Sequence[tuple[str, str]]) -> Iterator[str]:
    chosen, defaults = list(tuned.chosen.values()), list(tuned.defaults.values())
    counts = sorted({len(trials) for trials in tuned.tunings.values()})
    yield tuned.drawn
    yield str(len(tuned.tunings))
    yield f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    yield "; ".join(trial.settings for trial in chosen)
    yield spread_of([trial.validation for trial in chosen])
    for measure in measures:
        for trials in (chosen, defaults):
            yield spread_of([trial.scores[measure] for trial in trials if measure in trial.scores])


def trials_csv(tunings: Iterable[Tuning]) -> str:
    """One row per trial that the budget pays for."""
    rows = [
        row
        for tuning in tunings
        for tuned in tuning.methods
        for seed, trials in tuned.tunings.items()
        for row in _trials(tuning, tuned, seed, trials)
    ]
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def _trials(tuning: Tuning, tuned: Tuned, seed: int, trials: Sequence[Trial]) -> Iterator[dict[str, object]]:
    best = running_best(trials)
    for place, trial in enumerate(trials):
        yield {
            **tuning.group._asdict(),
            "budget": tuning.budget,
            "chosen_by": tuning.selection,
            "method": str(tuned.method),
            "tuning": seed,
            "trial": place + 1,
            "settings": trial.settings,
            "multiply_adds": trial.cost,
            "spent": trial.spent,
            "validation": trial.validation,
            "best_so_far": best[place] + 1,
            "chosen": best[-1] == place,
            "cell": trial.cell,
            **{_of(measure): value for measure, value in sorted(trial.scores.items())},
            "key": trial.key,
        }
