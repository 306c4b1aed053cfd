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
    "training-free": ("synflow", "snip", "grasp", "fisher", "jacob-cov", "grad-norm", "naswot"),
    "weight-sharing": (
        *("random-search-ws", "darts", "darts-2nd", "pc-darts", "gdas", "setn", "enas"),
        *("drnas", "snas", "shapley-nas", "idarts", "fairdarts", "robust"),
        "gaea-all",
    ),
    "controls": ("gd-simplex", "darts-erm", "random-cell"),
    "all": ("black-box", "training-free", "weight-sharing", "controls"),
}
"""Family -> methods and families, in leaderboard order. A benchmark can override the members of a family
(`Benchmark.families`)."""
DEFAULT = ("gaea", "darts")
"""Methods that run if none are named."""
CONTROLS = ("random-search-ws", "random-cell")
"""Methods that are run as controls of others, and listed last: random search with weight sharing, at the budget of the
most expensive search, and random cells."""
LOOKS = (
    *("darts", "gaea-darts-erm", "gaea-darts-bilevel", "gd-simplex", "random-search-ws", "darts-erm", "pc-darts"),
    *("gaea-gdas", "gdas", "darts-2nd", "gaea-pc-darts", "random-cell", "setn", "enas"),
    *("random-search", "regularized-evolution", "reinforce", "bohb", "local-search", "sdarts-rs", "sdarts-adv"),
    *("darts-pt", "darts-pt-fixed", "beta-darts", "darts-es", "lambda-darts", "oles", "darts-minus"),
    *("shapley-nas", "idarts", "fairdarts", "drnas", "snas", "synflow", "snip"),
    *("grasp", "fisher", "jacob-cov", "grad-norm", "naswot"),
)
"""The index of a method fixes its colour, marker and dashes in every figure: new methods are added at the end. Every
line has each colour once, so methods that are often compared are on one line, or at different places of two."""
