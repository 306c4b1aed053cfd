"""The table of contents: one file is one method, in leaderboard order.

Targets are strings, so that listing the methods needs no torch.
"""

from harness.registry import Entry

GAEA = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"

METHODS = {
    "gaea-darts-erm": Entry(
        target="methods.gaea_darts_erm:GaeaDartsErm", family="gaea", kind="weight sharing, single level", paper=GAEA
    ),
    "gaea-darts-bilevel": Entry(
        target="methods.gaea_darts_bilevel:GaeaDartsBilevel", family="gaea", kind="weight sharing, bilevel", paper=GAEA
    ),
    "darts": Entry(
        target="methods.darts:Darts",
        family="darts",
        kind="weight sharing, bilevel",
        paper="Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019",
    ),
}

FAMILIES = {
    "gaea": ("gaea-darts-erm", "gaea-darts-bilevel"),
}
