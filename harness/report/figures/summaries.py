"""Figures of what a report sums up apart from its leaderboard: searches on a user's own images, and tunings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from harness.experiment.registry import looks
from harness.report.content import Report
from harness.report.figures import finals, style
from harness.report.figures.description import Drawing, numbered
from harness.report.figures.tuning import tuning as figure_of_tuning
from harness.report.runs import without_shared
from harness.report.tuning import reached


def own_images(report: Report) -> Iterator[Drawing]:
    """The searches on a user's own images, by the supernet's accuracy and by the test accuracies of retrained cells."""
    for found in report.own_images:
        short, shared = report.short_names(found.methods)
        columns = [("supernet", "validation"), *((f"retrained, {recipe}", "test") for recipe in found.recipes)]
        scores = {}
        for method, name in short.items():
            parts = [found.supernets.get(method, ()), *(found.accuracies.get((method, r), ()) for r in found.recipes)]
            longest = max(map(len, parts))
            if longest:
                padded = [[*part, *[np.nan] * (longest - len(part))] for part in parts]
                scores[name] = np.array(padded, dtype=float).T
        if scores:
            shown = ~np.isnan(np.concatenate(list(scores.values()))).all(axis=0)
            rows = report.runs[report.runs["method"].isin(short)].drop_duplicates("method")
            called = rows["method"].map(short)
            names = dict(zip(called, rows["name"], strict=True))
            values = {
                "scores": {name: each[:, shown] for name, each in scores.items()},
                "columns": [column for column, is_shown in zip(columns, shown, strict=True) if is_shown],
                "title": found.group.labelled_title + (f"; {shared}" if shared else ""),
                "looks": style.Looks({short[method]: report.families[method] for method in short}, names, looks()),
                "evaluation": "after retraining; supernet: of the shared weights, a different network for every method",
            }
            yield Drawing(f"own-images-{found.group.file_name}", finals.final, values)


def tunings(report: Report) -> Iterator[Drawing]:
    """A figure for every budget and criterion."""
    names: Counter[str] = Counter()
    for found in report.tunings:
        if not found.methods:
            continue
        short, shared = without_shared({str(tuned.method): tuned.method for tuned in found.methods})
        of_methods = {short[str(tuned.method)]: tuned for tuned in found.methods}
        title = found.group.labelled_title + (f"; {shared}" if shared else "")
        values = {
            "methods": [reached(tuned, found.columns, found.budget, name) for name, tuned in of_methods.items()],
            "drawn": {name: bool(tuned.ranges) for name, tuned in of_methods.items()},
            "columns": found.columns,
            "budget": found.budget,
            "selection": found.selection,
            "title": f"Tuning by random search: {title}; budget {found.budget:g} multiply-adds",
            "looks": style.Looks(
                {name: tuned.family for name, tuned in of_methods.items()},
                {name: tuned.name for name, tuned in of_methods.items()},
                looks(),
            ),
            "evaluation": found.group.benchmark.evaluation if found.group.benchmark else "",
            "chooser": ", ".join(found.criterion or ("supernet", "validation")),
            "comparable": found.criterion is not None,
        }
        # Several have one name where budgets or criteria differ.
        yield Drawing(numbered(f"tuning-{found.group.file_name}", names), figure_of_tuning, values)
