"""The table of contents: one file is one method, in leaderboard order.

Targets are strings, so that listing the methods needs no torch.
"""

from harness.experiment.registry import Entry, Family

GAEA = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"
DARTS = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
BLACK_BOX = "black box"
BILEVEL = "weight sharing, bilevel"
SINGLE_LEVEL = "weight sharing, single level"
NASBENCH201 = ("nasbench201",)

METHODS = {
    "random-search": Entry(
        target="methods.random_search:RandomSearch",
        family="black-box",
        kind=BLACK_BOX,
        paper="Bergstra, Bengio, Random Search for Hyper-Parameter Optimization, JMLR 2012",
        spaces=NASBENCH201,
    ),
    "regularized-evolution": Entry(
        target="methods.regularized_evolution:RegularizedEvolution",
        family="black-box",
        kind=BLACK_BOX,
        paper="Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019",
        spaces=NASBENCH201,
    ),
    "reinforce": Entry(
        target="methods.reinforce:Reinforce",
        family="black-box",
        kind=BLACK_BOX,
        paper="Williams, Simple Statistical Gradient-Following Algorithms, Machine Learning 1992",
        spaces=NASBENCH201,
    ),
    "bohb": Entry(
        target="methods.bohb:Bohb",
        family="black-box",
        kind=BLACK_BOX,
        paper="Falkner et al., BOHB, ICML 2018",
        spaces=NASBENCH201,
    ),
    "local-search": Entry(
        target="methods.local_search:LocalSearch",
        family="black-box",
        kind=BLACK_BOX,
        paper="White et al., Exploring the Loss Landscape in NAS, UAI 2021",
        spaces=NASBENCH201,
    ),
    "random-search-ws": Entry(
        target="methods.random_search_ws:RandomSearchWs",
        family="random-search-ws",
        kind=BILEVEL,
        paper="Li, Talwalkar, Random Search and Reproducibility for NAS, UAI 2019",
    ),
    "darts": Entry(target="methods.darts:Darts", family="darts", kind=BILEVEL, paper=DARTS),
    "darts-2nd": Entry(target="methods.darts_2nd:Darts2nd", family="darts", kind=BILEVEL, paper=DARTS),
    "pc-darts": Entry(
        target="methods.pc_darts:PcDarts",
        family="darts",
        kind=BILEVEL,
        paper="Xu et al., PC-DARTS, ICLR 2020",
    ),
    "gdas": Entry(
        target="methods.gdas:Gdas",
        family="gdas",
        kind=BILEVEL,
        paper="Dong, Yang, Searching for A Robust Neural Architecture in Four GPU Hours, CVPR 2019",
    ),
    "setn": Entry(
        target="methods.setn:Setn",
        family="setn",
        kind=BILEVEL,
        paper="Dong, Yang, One-Shot NAS via Self-Evaluated Template Network, ICCV 2019",
        spaces=NASBENCH201,
    ),
    "enas": Entry(
        target="methods.enas:Enas",
        family="enas",
        kind=BILEVEL,
        paper="Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018",
        spaces=NASBENCH201,
    ),
    "gaea-darts-erm": Entry(target="methods.gaea_darts_erm:GaeaDartsErm", family="gaea", kind=SINGLE_LEVEL, paper=GAEA),
    "gaea-darts-bilevel": Entry(
        target="methods.gaea_darts_bilevel:GaeaDartsBilevel", family="gaea", kind=BILEVEL, paper=GAEA
    ),
    "gaea-pc-darts": Entry(target="methods.gaea_pc_darts:GaeaPcDarts", family="gaea", kind=BILEVEL, paper=GAEA),
    "gaea-gdas": Entry(
        target="methods.gaea_gdas:GaeaGdas", family="gaea", kind=BILEVEL, paper=GAEA, spaces=NASBENCH201
    ),
    "gd-simplex": Entry(target="methods.gd_simplex:GdSimplex", family="controls", kind=BILEVEL, paper=GAEA),
    "darts-erm": Entry(target="methods.darts_erm:DartsErm", family="controls", kind=SINGLE_LEVEL, paper=DARTS),
    "random-cell": Entry(
        target="methods.random_cell:RandomCell",
        family="controls",
        kind=BLACK_BOX,
        paper="Yang et al., NAS Evaluation is Frustratingly Hard, ICLR 2020",
    ),
}

_GAEA = ("gaea-darts-erm", "gaea-darts-bilevel", "gaea-pc-darts", "gaea-gdas")
_CONTROLS = ("gd-simplex", "darts-erm", "random-cell")
_BLACK_BOX = tuple(name for name, entry in METHODS.items() if entry.family == "black-box")

FAMILIES: dict[str, Family] = {
    "gaea": {"nasbench201": ("gaea-darts-erm", "gaea-darts-bilevel"), "darts": ("gaea-pc-darts",)},
    "gaea-all": _GAEA,
    "black-box": _BLACK_BOX,
    "weight-sharing": tuple(name for name in METHODS if name not in (*_BLACK_BOX, *_CONTROLS)),
    "controls": _CONTROLS,
    "all": tuple(METHODS),
}
"""Family -> members, or where the paper's own choice differs, space -> members."""
