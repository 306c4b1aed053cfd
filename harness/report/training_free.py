"""How well training-free scores rank architectures, and how good the best-scored of N random ones are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.config import Label
from harness.files import write_atomically
from harness.report.published import Published, PublishedValue
from harness.report.render.markdown import table
from harness.report.render.tables import rows_of
from harness.report.render.wording import NOTHING, spread

Floats = NDArray[np.float64]

RESAMPLES, BLOCK = 1000, 50
"""Of the cells, for the interval of a rank correlation, and how many at a time."""
SIZES = (10, 100, 1000)
"""N of the published searches (Mellor et al., ICML 2021, Table 2)."""
SEARCHES = 500
"""As many as there. The largest N is the default of the methods; a search with another one has `cells` in its label."""
RESAMPLED = (
    "Ours is resampled: draws of N cells, with repetition, from a sample of scored cells. The sample was scored on one"
    " batch; every published search had its own batch and initial weights. Where N is not far below the sample, the"
    " same cells win again and again, and the deviation is too small."
)
METRICS = ("test_accuracy", "valid_accuracy")
BY = ["score", "dataset", "split"]


def joined(scores: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """A row for each score, dataset and split of each architecture that has both: `score, dataset, split, x, accuracy`.

    scores: columns `score, architecture, value`; accuracies: those of `harness.benchmarks.base.SCORE_COLUMNS`.
    """
    known = accuracies.rename(columns={"value": "accuracy"})[["architecture", "dataset", "split", "accuracy"]]
    both = scores.rename(columns={"value": "x"}).merge(known, on="architecture")
    return both[["score", "dataset", "split", "architecture", "x", "accuracy"]]


def correlations(both: pd.DataFrame) -> pd.DataFrame:
    """Spearman's and Kendall's rank correlation of each score with each accuracy, and Spearman's 95 % interval, by
    resampling the cells: columns `score, dataset, split, n, spearman, low, high, kendall`."""
    from scipy import stats  # type: ignore[import-untyped]

    rows = []
    for names, group in both.groupby(BY, sort=False):
        x, y = group["x"].to_numpy(dtype=float), group["accuracy"].to_numpy(dtype=float)
        spearman = float(stats.spearmanr(x, y).statistic)
        rng = np.random.default_rng(0)
        drawn = (rng.integers(len(x), size=(BLOCK, len(x))) for _ in range(RESAMPLES // BLOCK))
        resampled = np.concatenate([_spearman(x[chosen], y[chosen]) for chosen in drawn])
        low, high = np.nanquantile(resampled, [0.025, 0.975])
        rows.append((*names, len(x), spearman, low, high, float(stats.kendalltau(x, y).statistic)))
    return pd.DataFrame(rows, columns=[*BY, "n", "spearman", "low", "high", "kendall"])


def _spearman(x: Floats, y: Floats) -> Floats:
    """(n,) Spearman's correlation of each row of (n, cells); NaN where all cells score the same."""
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    ranks = [rankdata(values, axis=1) for values in (x, y)]
    first, second = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    norms = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    correlation: Floats = np.divide((first * second).sum(axis=1), norms, out=np.full(len(x), np.nan), where=norms > 0)
    return correlation


def best_of(both: pd.DataFrame, sizes: Sequence[int] = SIZES, searches: int = SEARCHES) -> pd.DataFrame:
    """Searches by resampling: N of the scored cells are drawn with repetition, and the one with the highest score is
    the result, the first on ties. The same draws for all scores, datasets and splits; no N above the number of cells.

    Columns `score, dataset, split, cells, N, searches, mean, std`; std with ddof 0.
    """
    rows = []
    for names, group in both.groupby(BY, sort=False):
        x, accuracy = group["x"].to_numpy(dtype=float), group["accuracy"].to_numpy(dtype=float)
        for size in (size for size in sizes if size <= len(x)):
            drawn = np.random.default_rng(size).integers(len(x), size=(searches, size))
            found = accuracy[drawn[np.arange(searches), x[drawn].argmax(axis=1)]]
            rows.append((*names, len(x), size, searches, found.mean(), found.std()))
    return pd.DataFrame(rows, columns=[*BY, "cells", "N", "searches", "mean", "std"])


def with_published(best: pd.DataFrame, published: Published, space: str, searched_on: str) -> pd.DataFrame:
    """`best_of` with the published values of searches by the best of N on the same images: columns `published`,
    `published_std`, `published_n` besides, missing where there is none."""
    values = [_published(published, row, space, searched_on) for row in rows_of(best)]
    return best.assign(
        published=[value.mean if value else np.nan for value in values],
        published_std=[value.std if value else np.nan for value in values],
        published_n=pd.array([value.n if value else None for value in values], dtype="Int64"),
    )


def _published(published: Published, row: Any, space: str, searched_on: str) -> PublishedValue | None:
    name = str(Label(row.score, () if max(SIZES) == row.N else (f"cells={row.N}",)))
    values = (value for metric in METRICS for value in published.values(name, space, row.dataset, metric))
    protocol = "direct" if row.dataset == searched_on else "transfer"
    fitting = (v for v in values if (v.split, v.protocol, v.searched_on) == (row.split, protocol, searched_on))
    return next(fitting, None)


def write(
    results: Path,
    scores: pd.DataFrame,
    accuracies: pd.DataFrame,
    published: Published,
    scored: tuple[str, str],
    drawn: Sequence[tuple[str, str]],
    formats: Sequence[str],
) -> Path:
    """Write tables and figure into a results folder; returns the file to read first.

    scored: the space, and the dataset of the images. drawn: (dataset, split) of the figure's panels, if there are such
    accuracies; else all.
    """
    from harness.report.figures.saving import save
    from harness.report.figures.training_free import correlation

    both = joined(scores, accuracies)
    found, best = correlations(both), with_published(best_of(both), published, *scored)
    tables, figures = results / "tables", results / "figures"
    tables.mkdir(exist_ok=True)
    for name, frame in (("correlation", found), ("best-of-n", best)):
        write_atomically(tables / f"training-free-{name}.csv", frame.to_csv(index=False, float_format="%.6g").encode())
    document = tables / "training-free.md"
    write_atomically(document, markdown(found, best, scored).encode())
    if formats:
        figures.mkdir(exist_ok=True)
        chosen = found[[pair in drawn for pair in zip(found["dataset"], found["split"], strict=True)]]
        title = f"{scored[0]}, scored on {scored[1]}"
        save(correlation(chosen if len(chosen) else found, title), figures, "training-free", formats)
    return document


def markdown(found: pd.DataFrame, best: pd.DataFrame, scored: tuple[str, str]) -> str:
    """Both tables, as a document. scored: the space, and the dataset of the images."""
    lines = [
        "# Training-free scores",
        "",
        f"{scored[0]}, scored on {scored[1]}.",
        "",
        "## Rank correlation with the accuracy",
        "",
    ]
    lines += table(["score", "dataset", "split", "cells", "Spearman (95 %)", "Kendall"], [
        (r.score, r.dataset, r.split, str(r.n), f"{r.spearman:.2f} ({r.low:.2f} to {r.high:.2f})", f"{r.kendall:.2f}")
        for r in rows_of(found)
    ])  # fmt: skip
    lines += ["", "## Accuracy of the best-scored of N random cells", ""]
    lines += [RESAMPLED, ""]
    head = ["score", "dataset", "split", "N", "draws", "sample", "ours, resampled (%)", "published (%)", "searches"]
    lines += table(head, [
        (r.score, r.dataset, r.split, *map(str, (r.N, r.searches, r.cells)), spread(r.mean, r.std), *_printed(r))
        for r in rows_of(best)
    ])  # fmt: skip
    return "\n".join(lines) + "\n"


def _printed(row: Any) -> tuple[str, str]:
    """Published mean and deviation, and the number of searches."""
    if pd.isna(row.published):
        return NOTHING, NOTHING
    return spread(row.published, row.published_std), NOTHING if pd.isna(row.published_n) else str(row.published_n)
