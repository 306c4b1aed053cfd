"""The built-in methods, one per file: `random-search` is the class in random_search.py."""

FAMILIES = {
    "gaea": ("gaea-darts-erm", "gaea-darts-bilevel"),
    "gaea-all": ("gaea-darts-erm", "gaea-darts-bilevel", "gaea-pc-darts", "gaea-gdas"),
    "robust": (
        *("sdarts-rs", "sdarts-adv", "darts-pt", "darts-pt-fixed", "beta-darts", "darts-es"),
        *("lambda-darts", "oles", "darts-minus"),
    ),
    "stochastic": ("drnas", "snas", "gdas", "gaea-gdas"),
    "black-box": ("random-search", "regularized-evolution", "reinforce", "bohb", "local-search"),
    "weight-sharing": (
        *("random-search-ws", "darts", "darts-2nd", "pc-darts", "gdas", "setn", "enas"),
        *("drnas", "snas", "shapley-nas", "idarts", "fairdarts", "robust"),
        "gaea-all",
    ),
    "controls": ("gd-simplex", "darts-erm", "random-cell"),
    "all": ("black-box", "weight-sharing", "controls"),
}
"""Family -> methods and families, in leaderboard order. A benchmark can override the members of a family
(`Benchmark.families`)."""
DEFAULT = ("gaea", "darts")
"""Methods that run if none are named."""
