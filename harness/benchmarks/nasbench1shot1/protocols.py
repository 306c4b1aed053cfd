"""Search protocols on NAS-Bench-1Shot1: every value with its source."""

from __future__ import annotations

from dataclasses import replace

from harness.protocol import Budget, Protocol, Simulation

CONTROLLED = Protocol(
    # automl/nasbench-1shot1, train_search.py of darts, pc_darts and gdas, for the 50 epochs of GAEA's figure (the
    # default is 100). theta before w on each pair of batches. There is no zero operation.
    zero_operation=False,
    channels=16,
    cells=9,
    track_statistics=True,
    epochs=50,
    schedule_epochs=0,
    batch_size=96,
    learning_rate=0.025,
    learning_rate_min=0.001,
    momentum=0.9,
    nesterov=False,
    weight_decay=3e-4,
    gradient_clip=5.0,
    crop=True,
    flip=True,
    architecture_first=True,
    precision="fp32",
)

QUICK = replace(
    # Our own choice: the controlled protocol at a size that a CPU core finishes in seconds. Digits do not mirror.
    CONTROLLED,
    channels=4,
    cells=3,
    epochs=15,
    batch_size=32,
    flip=False,
)

PAPER = {
    "darts": CONTROLLED,
    "darts-2nd": CONTROLLED,  # `--unrolled` of the same script
    "pc-darts": CONTROLLED,
    "gaea-pc-darts": CONTROLLED,  # liamcli/nasbench-1shot1, epc_edarts/train_search.py
}
"""The searches that were published with these values; of other methods there is none on these spaces."""

PAPER_SETTINGS: dict[str, dict[str, float]] = {
    # automl/nasbench-1shot1: Adam with 3e-4 and decay 1e-3. The published entropies move from the first epoch on, so
    # neither curve of GAEA's figure has the epochs without architecture steps that its script has by default. The rate
    # of GAEA PC-DARTS is an option there; 0.1, the default of `gaea-pc-darts`, is that of GAEA's other searches.
    "pc-darts": {"lr": 3e-4, "warmup": 0.0},
}
"""Settings with which a method was published, where they are not the defaults of its file."""

TUNING_OF_QUICK: dict[str, float] = {"tuning_epochs": QUICK.epochs // 2}
QUICK_SETTINGS = {"darts-pt": TUNING_OF_QUICK, "darts-pt-fixed": TUNING_OF_QUICK}
"""Our own choice: half of a quick search is the second phase. Full-size searches have that of the methods' files."""

QUERIES = Simulation(
    # google-research/nasbench, NASBench.ipynb: random search and evolution with 5e6 seconds of training.
    budget_seconds=5e6,
)


def of_method(profile: str, method: str) -> Budget:
    """Of a weight-sharing method."""
    if profile == "paper" and method in PAPER:
        return Budget("paper", f"nasbench1shot1/paper/{method}", PAPER[method])
    if profile == "quick":
        return Budget("quick", "nasbench1shot1/quick", QUICK)
    return Budget("controlled", "nasbench1shot1/controlled", CONTROLLED)


def settings_of_method(profile: str, method: str) -> dict[str, float]:
    """Settings of a method in a profile, where they are not the defaults of its file."""
    return {"paper": PAPER_SETTINGS, "quick": QUICK_SETTINGS}.get(profile, {}).get(method, {})


def of_queries(profile: str) -> Budget:
    """Of a black box, in every profile: on the table it costs nothing."""
    return Budget(profile, "nasbench1shot1/queries", QUERIES)
