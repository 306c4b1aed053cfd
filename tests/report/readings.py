"""The tables of results/README.md, computed from the reference results.

    python -m tests.report.readings

writes each between its two marks; a test asserts that they are up to date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.store import Record
from harness.report.costs import Cost
from harness.report.groups import Group
from tests.report.claims import claims
from tests.report.reference import (
    DIGITS,
    RETRAINED,
    ROOT,
    SMALL,
    compared,
    interval,
    labels,
    p,
    reference,
    report,
    runs,
    short,
)

README = ROOT / "results" / "README.md"
SPARSIFICATION = [
    ("GAEA DARTS (ERM)", "gaea-darts-erm"),
    ("GAEA DARTS (bilevel)", "gaea-darts-bilevel"),
    ("DARTS, Adam with lr 3e-4 on the logits", "darts"),
    ("`gd-simplex`, released step of 3e-4", "gd-simplex"),
    ("`gd-simplex`, step of 0.025", "gd-simplex [lr=0.025]"),
    ("`gd-simplex`, step of 0.1", "gd-simplex [lr=0.1]"),
]
MODES = [("bf16", "precision=bf16"), ("compiled", "compiled=true")]
IN_MODES = ["gaea-darts-erm", "gaea-darts-bilevel", "darts"]


# The searches of a group ---------------------------------------------------------------------------------------------


@cache
def searches(group: Group) -> Mapping[str, Mapping[int, Record]]:
    """The records of a group by short name and seed."""
    records = {record["key"]: record for record in report().records}
    found: dict[str, dict[int, Record]] = {}
    for run in runs(group).sort_values("seed").to_dict("records"):
        found.setdefault(short(run["method"]), {})[run["seed"]] = records[run["key"]]
    return found


def cells(group: Group, name: str) -> list[str]:
    """The final cells by seed."""
    return [record["cells"]["last"] for record in searches(group)[name].values()]


def last(group: Group, name: str, array: str) -> list[NDArray[np.floating]]:
    """What an array of each search has for the last epoch, by seed."""
    return [reference().arrays(record["key"])[array][-1] for record in searches(group)[name].values()]


def spread(values: Sequence[float], digits: int) -> str:
    """Mean and sample standard deviation."""
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


# The tables ----------------------------------------------------------------------------------------------------------


def against_darts(group: Group, dataset: str) -> str:
    """Every method of a group and DARTS: difference of the scores, skip connections of the final cells, and cost."""
    others = tuple(name for name in labels(group) if name != "darts" and "[" not in name)
    found = compared(group, "darts", others)
    costs = {short(cost.method): cost for cost in report().costs if cost.group == group}
    lines = [
        "| method | n | minus DARTS | interval | p | skip connections, mean (max) | images, times DARTS "
        "| multiply-adds, times DARTS |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for name in ("darts", *others):
        skips = [cell.count("skip_connect") for cell in cells(group, name)]
        difference = ["", "", ""]
        if name != "darts":
            darts = found[name, dataset]
            low, high = darts.interval or (np.nan, np.nan)
            difference = [f"{-darts.mean:+.2f}", f"[{-high:.2f}, {-low:.2f}]", p(darts.corrected)]
        images = relative(costs, name, "passes")
        multiply_adds = relative(costs, name, "multiply_adds")
        row = [f"`{name}`", str(len(skips)), *difference, f"{np.mean(skips):.1f} ({max(skips)})"]
        row += [images, multiply_adds]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def relative(costs: Mapping[str, Cost], name: str, kind: str) -> str:
    """Cost of a search, times that of DARTS."""
    if name not in costs:
        return "–"
    times = getattr(costs[name], kind) / getattr(costs["darts"], kind)
    return "–" if np.isnan(times) else f"{times:.0f}" if times >= 10 else f"{times:.2g}"


def sparsification() -> str:
    """Mean entropy of the operation weights after the last epoch, nats."""
    lines = ["| method | digits, after 15 epochs (n = 8) | CIFAR-10 images, after 25 epochs (n = 4) |", "|---|---|---|"]
    for title, name in SPARSIFICATION:
        found = [
            spread([each.mean() for each in last(group, name, "entropy")], 3) if name in searches(group) else "–"
            for group in (DIGITS, SMALL)
        ]
        lines.append(f"| {title} | {' | '.join(found)} |")
    return "\n".join(lines)


def modes() -> str:
    """Searches in another numerical mode against those of the same seeds in fp32, not compiled."""
    lines = [
        "| method | mode | n | difference on CIFAR-10, test | interval | p | of entropy | of weights | same cell |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for name in IN_MODES:
        for title, detail in MODES:
            other = f"{name} [{detail}]"
            found = compared(DIGITS, other, (name,), paired=True)[name, "cifar10"]
            same = sum(map(str.__eq__, cells(DIGITS, other), cells(DIGITS, name)))
            ours, theirs = (np.stack(last(DIGITS, each, "entropy")) for each in (other, name))
            weights, others = (np.stack(last(DIGITS, each, "theta")) for each in (other, name))
            largest = np.abs(weights - others).max(axis=(1, 2))
            row = [f"`{name}`", title, str(found.n[0]), f"{found.mean:+.2f}", interval(found), p(found.test.p)]
            row += [f"{round((ours - theirs).mean(), 4) + 0.0:+.4f}", f"{np.median(largest):.3f}", str(same)]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def training_free() -> str:
    """Rank correlation of each training-free score with the accuracies, and the accuracy of the best-scored cells."""
    tables = ROOT / "results" / "reference" / "tables"
    found = pd.read_csv(tables / "training-free-correlation.csv")
    best = pd.read_csv(tables / "training-free-best-of-n.csv")
    best = best[(best["dataset"] == "cifar10") & (best["split"] == "test")].set_index(["score", "N"])
    columns = [("cifar10", "test"), ("cifar100", "x-test"), ("imagenet16-120", "x-test")]
    lines = [
        "| score | CIFAR-10 test | CIFAR-100 x-test | ImageNet16-120 x-test | best of 10 | best of 100 |",
        "|---|---|---|---|---|---|",
    ]
    for score, rows in found.groupby("score", sort=False):
        values = rows.set_index(["dataset", "split"]).loc[columns]
        ranks = [f"{v.spearman:.2f} ({v.low:.2f} to {v.high:.2f})" for v in values.itertuples()]
        of_ten, of_hundred = (best.loc[(score, size)] for size in (10, 100))
        ours = [f"{each['mean']:.2f} ± {each['std']:.2f}" for each in (of_ten, of_hundred)]
        lines.append(f"| `{score}` | {' | '.join(ranks + ours)} |")
        if of_ten["published_n"] > 0:
            theirs = [f"{each['published']:.2f} ± {each['published_std']:.2f}" for each in (of_ten, of_hundred)]
            lines.append(f"| `{score}`, published, {of_ten['published_n']:.0f} searches | | | | {' | '.join(theirs)} |")
    return "\n".join(lines)


TABLES = {
    "claims": claims,
    "against DARTS, digits": lambda: against_darts(DIGITS, "cifar10"),
    "against DARTS, DARTS space": lambda: against_darts(RETRAINED, "digits"),
    "sparsification": sparsification,
    "modes": modes,
    "training-free scores": training_free,
}


def up_to_date(text: str) -> str:
    """results/README.md with the tables of today's results."""
    for name, table in TABLES.items():
        before, begin, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not begin or not end:
            raise SystemExit(f"results/README.md has no marks of the table {name!r}")
        text = f"{before}{begin}\n\n{table()}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(up_to_date(README.read_text()))
