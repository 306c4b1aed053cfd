"""Budgets and training protocols: every number that decides how a supernet is trained, with its source.

quick       a real, small search on the digits that scikit-learn ships; a proxy, labelled as one everywhere.
controlled  every method under one full-size protocol: the fair comparison for a new optimizer.
paper       each method under its own published protocol; a method without one uses `controlled`, and its rows say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, NamedTuple, get_type_hints

PROFILES = ("quick", "controlled", "paper")
PRECISIONS = ("fp32", "bf16")
DEFAULT_DATASET = {"quick": "digits", "controlled": "cifar10", "paper": "cifar10"}
NUMERICS = ("precision",)
"""Fields of a protocol or recipe that say how numbers are computed and do not define the experiment."""
FOLDERS = ("imagenet",)
"""Datasets that are read from class folders, image by image."""


class Limits(NamedTuple):
    """What values a field admits."""

    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf


Positive = Annotated[float, Limits(above=0)]
NotNegative = Annotated[float, Limits(at_least=0)]


@dataclass(frozen=True)
class Protocol:
    """How a supernet is searched. All values are part of a run's key."""

    zero_operation: bool
    """Whether the zero operation is among the candidates."""
    channels: Annotated[int, Limits(1, 4096)]
    """C, of the first stage."""
    cells: Annotated[int, Limits(1, 1000)]
    """NAS-Bench-201: N, search cells per stage; DARTS: all cells, reductions included."""
    track_statistics: bool
    """Whether the batch norms of the search cells keep running statistics, for evaluation."""
    epochs: Annotated[int, Limits(1, 100_000)]
    schedule_epochs: Annotated[int, Limits(0, 100_000)]
    """Length of the learning-rate schedule; 0: as many as `epochs`. Where it is shorter, the cosine goes on."""
    batch_size: Annotated[int, Limits(2, 1_000_000)]
    learning_rate: Positive
    """Of the weights: SGD with cosine annealing, per epoch, from this value ..."""
    learning_rate_min: NotNegative
    """... to this one at the end of the schedule."""
    momentum: Annotated[float, Limits(0, 1)]
    nesterov: bool
    weight_decay: NotNegative
    """Of the weights."""
    gradient_clip: NotNegative
    """Largest Euclidean norm of the weights' gradient; 0: no limit."""
    crop: bool
    """Random crops of images padded with zeros, an eighth of their side: 4 pixels for 32x32, 2 for 16x16."""
    flip: bool
    """Random horizontal flips."""
    architecture_first: bool
    """Order of the two steps on a pair of batches: theta, then w; or w, then theta."""
    precision: str

    def __post_init__(self) -> None:
        _check_limits(self)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision} is not one of {', '.join(PRECISIONS)}")
        if self.learning_rate_min > self.learning_rate:
            raise ValueError(f"learning_rate_min={self.learning_rate_min} exceeds learning_rate={self.learning_rate}")

    @property
    def schedule(self) -> int:
        """Epochs that the learning-rate schedule spans."""
        return self.schedule_epochs or self.epochs

    def learning_rate_at(self, epoch: int) -> float:
        """Of the weights in an epoch, which counts from 0: cosine annealing (Loshchilov and Hutter, ICLR 2017, Equation
        5) without restarts; after the schedule's last epoch the rate rises again along the same cosine."""
        cosine = math.cos(math.pi * epoch / self.schedule)
        return self.learning_rate_min + (self.learning_rate - self.learning_rate_min) * (1 + cosine) / 2


@dataclass(frozen=True)
class FolderProtocol(Protocol):
    """The same on images that are read from class folders, of which a search sees a share: ImageNet."""

    warmup_epochs: Annotated[int, Limits(0, 100_000)]
    """Epochs over which the learning rate of the weights rises linearly to the schedule's."""
    architecture_clip: NotNegative
    """Largest Euclidean norm of the gradient of all the method's parameters together; 0: no limit."""
    image_size: Annotated[int, Limits(32, 4096)]
    """Side to which the images are brought, pixels; a multiple of 32, by which the network divides it."""
    weights_share: Annotated[float, Limits(above=0, at_most=1)]
    """Of every class's training images, for the weight steps."""
    architecture_share: Annotated[float, Limits(above=0, at_most=1)]
    """The same for the architecture steps; single-level search uses both shares for both steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size % 32:
            raise ValueError(f"image_size={self.image_size} is not a multiple of 32, by which the network divides it")
        if self.weights_share + self.architecture_share > 1:
            raise ValueError(
                f"weights_share={self.weights_share} and architecture_share={self.architecture_share} exceed 1 together"
            )

    def learning_rate_at(self, epoch: int) -> float:
        warmup = min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else 1.0
        return warmup * super().learning_rate_at(epoch)


def as_protocol(fields: Mapping[str, Any]) -> Protocol:
    """A protocol of the class that has these fields."""
    return FolderProtocol(**fields) if "image_size" in fields else Protocol(**fields)


@dataclass(frozen=True)
class Simulation:
    """How a black-box method is run on the table. All values are part of a run's key."""

    budget_seconds: Annotated[float, Limits(above=0, at_most=1e9)]
    """Simulated training time that it may spend."""

    def __post_init__(self) -> None:
        _check_limits(self)


def _check_limits(instance: Protocol | Simulation) -> None:
    for name, annotation in get_type_hints(type(instance), include_extras=True).items():
        for limits in getattr(annotation, "__metadata__", ()):
            check_limits(name, getattr(instance, name), limits)


def check_limits(name: str, value: float, limits: Limits) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name}={value} is not a finite number")
    if value < limits.at_least:
        raise ValueError(f"{name}={value} is below {limits.at_least:g}")
    if value > limits.at_most:
        raise ValueError(f"{name}={value} is above {limits.at_most:g}")
    if value <= limits.above:
        raise ValueError(f"{name}={value} is not above {limits.above:g}")


CONTROLLED = Protocol(
    # DARTS-V1 of the NAS-Bench-201 paper (D-X-Y/AutoDL-Projects), but for the zero operation, which GAEA's released
    # configuration leaves out (exclude_zero=true), and the order of the steps, which is GAEA's.
    zero_operation=False,
    channels=16,
    cells=5,
    track_statistics=True,
    epochs=50,
    schedule_epochs=0,
    batch_size=64,
    learning_rate=0.025,
    learning_rate_min=0.001,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
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
    cells=1,
    epochs=15,
    batch_size=16,
    flip=False,
)

GAEA = replace(
    # liamcli/gaea_release, configuration of edarts on NAS-Bench-201: 25 epochs of a schedule of 50, C=24, N=5,
    # SGD without Nesterov, decay 3e-4.
    CONTROLLED,
    channels=24,
    epochs=25,
    schedule_epochs=50,
    nesterov=False,
    weight_decay=3e-4,
)

DARTS_V1 = replace(
    # D-X-Y/AutoDL-Projects, DARTS-V1 and configs/nas-benchmark/algos/DARTS.config: all five operations, w before theta.
    CONTROLLED,
    zero_operation=True,
    architecture_first=False,
)

SAMPLING = replace(
    # The same code's GDAS, SETN and RANDOM-NAS: 250 epochs.
    DARTS_V1,
    epochs=250,
)

DARTS_CONTROLLED = replace(
    # First-order DARTS on its own space (quark0/darts, train_search.py): 8 cells, all eight operations in the mixture.
    CONTROLLED,
    zero_operation=True,
    cells=8,
    nesterov=False,
    weight_decay=3e-4,
)

DARTS_QUICK = replace(
    # Our own choice, as QUICK.
    DARTS_CONTROLLED,
    channels=4,
    cells=3,
    epochs=10,
    batch_size=32,
    flip=False,
)

PC_DARTS = replace(
    # yuhuixu1993/PC-DARTS, train_search.py, which GAEA PC-DARTS shares (liamcli/gaea_release, eedarts).
    DARTS_CONTROLLED,
    batch_size=256,
    learning_rate=0.1,
    learning_rate_min=0.0,
)

PC_DARTS_IMAGENET = FolderProtocol(
    # yuhuixu1993/PC-DARTS, train_search_imagenet.py, and GAEA's fork of it (liamcli/PC-DARTS): 8 GPUs of 128 images, w
    # before theta. There is no other published search on ImageNet itself, so other methods share this protocol.
    **asdict(
        replace(
            PC_DARTS,
            batch_size=1024,
            learning_rate=0.5,
            architecture_first=False,
        )
    ),
    warmup_epochs=5,
    architecture_clip=5.0,
    image_size=224,
    weights_share=0.1,
    architecture_share=0.025,
)
IMAGENET_FIELDS = {
    name: value for name, value in asdict(PC_DARTS_IMAGENET).items() if name not in Protocol.__dataclass_fields__
}
"""What a protocol on class folders has besides."""

QUICK_BY_SPACE = {"nasbench201": QUICK, "darts": DARTS_QUICK}
CONTROLLED_BY_SPACE = {"nasbench201": CONTROLLED, "darts": DARTS_CONTROLLED}
"""A user's own space has the protocols of NAS-Bench-201."""

PAPER: dict[tuple[str, str], Protocol] = {
    ("darts", "darts"): DARTS_CONTROLLED,
    ("darts", "darts-2nd"): DARTS_CONTROLLED,
    ("darts", "pc-darts"): PC_DARTS,
    ("darts", "gaea-pc-darts"): PC_DARTS,
    ("nasbench201", "gaea-darts-erm"): GAEA,
    # The curves shipped for the published bilevel row carry "8layers" in their name, the released configuration says
    # N=5, and the curves named "5layers" end lower. We take N=8; the other one is
    # `--set gaea-darts-bilevel.protocol.cells=5`.
    ("nasbench201", "gaea-darts-bilevel"): replace(GAEA, cells=8),
    # The released configuration of egdas leaves the number of epochs open; it must exceed the 50 without architecture
    # steps. 250 is GDAS's. All five operations: the configuration, without the flag of the DARTS runs.
    ("nasbench201", "gaea-gdas"): replace(GAEA, zero_operation=True, epochs=250, schedule_epochs=0),
    ("nasbench201", "darts"): DARTS_V1,
    ("nasbench201", "darts-2nd"): replace(DARTS_V1, architecture_first=True),  # DARTS-V2
    ("nasbench201", "gdas"): SAMPLING,
    ("nasbench201", "setn"): replace(SAMPLING, gradient_clip=0.0),
    ("nasbench201", "random-search-ws"): SAMPLING,
    # configs/nas-benchmark/algos/ENAS.config; a cosine of half period 10 that goes on. That file says 310 epochs in a
    # later version; 250 belong to the published row.
    ("nasbench201", "enas"): replace(
        SAMPLING,
        schedule_epochs=10,
        batch_size=128,
        learning_rate=0.05,
        learning_rate_min=0.0005,
        weight_decay=2.5e-4,
    ),
}

PAPER_SETTINGS: dict[tuple[str, str], dict[str, float]] = {
    # Settings with which a method was published on a dataset, where they are not the defaults of its file.
    # Both freeze the architecture for 35 of 50 epochs; sources as for PC_DARTS_IMAGENET.
    ("imagenet", "gaea-pc-darts"): {"warmup": 0.7},
    ("imagenet", "pc-darts"): {"warmup": 0.7, "lr": 6e-3},
}

SIMULATION = Simulation(
    # Section 5 of the NAS-Bench-201 paper. Black boxes search under it in every profile: on the table it costs nothing.
    budget_seconds=12_000.0,
)


@dataclass(frozen=True)
class Budget:
    """The protocol of one method, and the profile whose protocol it is (`controlled` where `paper` has none)."""

    profile: str
    name: str
    """Which of the protocols of this module, e.g. `nasbench201/controlled`."""
    protocol: Protocol | Simulation
    version: int = 1
    """Raised when the numbers of the protocol change."""


def budget(profile: str, space: str, dataset: str, method: str, overrides: Mapping[str, Any]) -> Budget:
    """The protocol of a weight-sharing method under a profile, with `--set` overrides. ValueError if out of range."""
    chosen = _on_folders(profile, method) if dataset in FOLDERS else _in_memory(profile, space, method)
    return replace(chosen, protocol=replace(chosen.protocol, **overrides))


def _on_folders(profile: str, method: str) -> Budget:
    if profile == "quick":
        quick = FolderProtocol(**asdict(replace(DARTS_QUICK, flip=True)), **IMAGENET_FIELDS)
        return Budget("quick", "darts/quick-imagenet", quick)
    published = profile == "paper" and (FOLDERS[0], method) in PAPER_SETTINGS
    return Budget("paper" if published else "controlled", "darts/imagenet", PC_DARTS_IMAGENET)


def _in_memory(profile: str, space: str, method: str) -> Budget:
    if profile == "paper" and (space, method) in PAPER:
        return Budget("paper", f"{space}/paper/{method}", PAPER[space, method])
    profile = "controlled" if profile == "paper" else profile
    by_space = {"quick": QUICK_BY_SPACE, "controlled": CONTROLLED_BY_SPACE}[profile]
    known = space if space in by_space else "nasbench201"  # a user's own space
    return Budget(profile, f"{known}/{profile}", by_space[known])


def simulation(profile: str, overrides: Mapping[str, Any]) -> Budget:
    """The same for a black-box method, whose protocol is the paper's in every profile."""
    return Budget(profile, "nasbench201/queries", replace(SIMULATION, **overrides))
