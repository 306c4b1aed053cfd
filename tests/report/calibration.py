"""Error rates of the verdict by simulation: `python -m tests.report.calibration > docs/calibration.md`.

Draws our searches and the published ones, prints the published mean and deviation as papers do (two decimals, ddof 0)
and applies `judge`. Deterministic: seed 0.
"""

from __future__ import annotations

import math
import sys
from functools import partial
from itertools import product

import numpy as np
from scipy import stats

from harness.report.published import PublishedValue
from harness.report.statistics import BOOTSTRAP_RUNS
from harness.report.verdict import AGREES, DIFFERS, judge

SIZES = ((4, 4), (8, 3), (20, 3), (500, 500))
"""Numbers of our and of the published searches."""
DRAWS = 10_000
COVERAGE_DRAWS, BOOTSTRAP_RESAMPLES = 5_000, 2_000
MARGIN = 0.25
"""Of CIFAR-10, in points."""
DEVIATIONS = (0.1, 0.3, 1.0)
"""Of the published searches, in points: below, near and above the margin."""
RATIOS = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
"""Of our deviation to the published one."""


def normal(rng, shape):
    return rng.normal(size=shape)


def skewed(rng, shape):
    """Most searches near the best, some far below; mean 0 and deviation 1."""
    return 1 - rng.exponential(size=shape)


def published(mean, deviation, n, ddof=None):
    """A printed value: two decimals."""
    return PublishedValue(
        registry_name="darts",
        space="nasbench201",
        dataset="cifar10",
        metric="test_accuracy",
        split="test",
        mean=round(mean, 2),
        rounding=0.005,
        std=round(deviation, 2),
        n=n,
        protocol="direct",
        searched_on="cifar10",
        status="seen",
        source="a paper",
        std_recalled=False,
        ddof=ddof,
    )


def rates(n, n_published, difference, deviation, ratio, draw=normal, draws=DRAWS):
    """Shares of the verdicts differs and agrees, and of "differs" by the earlier rule, at a true difference."""
    rng = np.random.default_rng(0)
    counts = np.zeros(3)
    batch = max(1, 1_000_000 // (n + n_published))
    for start in range(0, draws, batch):
        size = min(batch, draws - start)
        ours = 90 + difference + deviation * ratio * draw(rng, (size, n))
        theirs = 90 + deviation * draw(rng, (size, n_published))
        rows = zip(
            ours.mean(axis=1), ours.std(axis=1, ddof=1), theirs.mean(axis=1), theirs.std(axis=1, ddof=0), strict=True
        )
        for mean, std, mean_published, std_published in rows:
            value = published(mean_published, std_published, n_published)
            verdict = judge(mean, std, n, value, True, margin=MARGIN).verdict
            bound = 2 * math.sqrt(std**2 / n + value.std**2 / n_published) + value.rounding
            counts += verdict == DIFFERS, verdict == AGREES, abs(mean - value.mean) > bound
    return counts / draws


def false_differs(n, n_published, draw=normal, draws=DRAWS):
    """The largest rates of a false "differs", by the rule and by the earlier one."""
    found = [rates(n, n_published, 0.0, *case, draw, draws) for case in product(DEVIATIONS, RATIOS)]
    return max(rate[0] for rate in found), max(rate[2] for rate in found)


def false_agrees(n, n_published, draw=normal, draws=DRAWS):
    """The largest rate of "agrees" at a true difference of the margin."""
    return max(rates(n, n_published, MARGIN, *case, draw, draws)[1] for case in product(DEVIATIONS, RATIOS))


def share_errors(n, n_published):
    """For a published deviation of zero, exactly: the largest probability, over all shares of searches that end in the
    cell, that all published ones do and ours differ; and that of a false "agrees" at a share of one half."""
    value = published(90.0, 0.0, n_published)
    value = PublishedValue(**{**vars(value), "cells": ("cell",)})
    verdicts = [judge(90.0, 0.0, n, value, True, hits=hits).verdict for hits in range(n + 1)]
    differ = [hits for hits, verdict in enumerate(verdicts) if verdict == DIFFERS]
    agree = [hits for hits, verdict in enumerate(verdicts) if verdict == AGREES]
    shares = np.linspace(0, 1, 201)
    wrong = [share**n_published * stats.binom.pmf(differ, n, share).sum() for share in shares]
    return max(wrong), stats.binom.pmf(agree, n, 0.5).sum()


def coverage(n, draws=COVERAGE_DRAWS):
    """Shares of the t and of the percentile bootstrap intervals of n normal values that contain their mean."""
    samples = np.random.default_rng(0).normal(size=(draws, n))
    t = stats.t.interval(0.95, n - 1, samples.mean(axis=1), stats.sem(samples, axis=1))
    options = {"vectorized": True, "n_resamples": BOOTSTRAP_RESAMPLES, "method": "percentile", "rng": 0}
    bounds = [stats.bootstrap((sample,), np.mean, **options).confidence_interval for sample in samples]
    bootstrap = np.transpose(bounds)
    return [((low <= 0) & (high >= 0)).mean() for low, high in (t, bootstrap)]


def document():
    """Lines of docs/calibration.md."""
    yield "# Calibration of the verdict\n"
    yield (
        "Error rates of the rule in [rules.md](rules.md), and coverage of the intervals. Generated by"
        " `python -m tests.report.calibration`.\n"
    )
    yield (
        f"{DRAWS:,} draws per case. Published values are printed with two decimals and ddof 0, which the rule does not"
        f" know. Each rate is the largest over published deviations of {', '.join(map(str, DEVIATIONS))} points and"
        " ratios of ours to the published one of 1/3, 1/2, 1, 2 and 3. The margin is that of CIFAR-10,"
        f" {MARGIN} points. The earlier rule: the difference exceeds 2 standard errors, deviations as printed.\n"
    )
    yield from header(
        "n, published n",
        "false differs",
        "by the earlier rule",
        "false agrees at the margin",
        "false differs, skewed",
        "false agrees, skewed",
    )
    for sizes in SIZES:
        (differs, earlier), (skew, _) = false_differs(*sizes), false_differs(*sizes, draw=skewed)
        yield row(sizes, differs, earlier, false_agrees(*sizes), skew, false_agrees(*sizes, draw=skewed))
    yield (
        "\nThe first three rates are of normal data, which the rule assumes. Skewed: one minus an exponential"
        " variable, as of searches that sometimes fail; with few searches the rule then errs more than 5 %.\n"
    )
    yield "What the rule can tell apart, with equal deviations (normal):\n"
    yield from header(
        "n, published n",
        "deviation",
        "agrees if equal",
        "differs if one deviation apart",
        "agrees if one deviation apart",
    )
    for sizes, deviation in product(SIZES, (0.1, 0.3)):
        at = partial(rates, *sizes, deviation=deviation, ratio=1.0)
        equal, apart = at(difference=0.0), at(difference=deviation)
        yield row(sizes, str(deviation), equal[1], apart[0], apart[1])
    yield "\nPublished deviation of zero, where shares of searches are compared (exact, no simulation):\n"
    yield from header("n, published n", "false differs", "false agrees at a share of one half")
    for sizes in SIZES:
        yield row(sizes, *share_errors(*sizes))
    yield f"\nCoverage of 95 % intervals of the mean of n searches (normal, {COVERAGE_DRAWS:,} draws):\n"
    yield from header("n", "t", "percentile bootstrap")
    for n in (4, 8, BOOTSTRAP_RUNS):
        yield row([n], *coverage(n))


def header(*titles):
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"


def row(sizes, *entries):
    texts = [entry if isinstance(entry, str) else f"{100 * entry:.1f} %" for entry in entries]
    return f"| {' | '.join([', '.join(map(str, sizes)), *texts])} |"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in document())
