"""How a method is run: the fields of a search protocol, the values that they admit, and what overrides make of them.

Values and their sources are in the folders of the benchmarks. Profiles:

quick       a real, small search, labelled as a proxy everywhere.
controlled  every method under one full-size protocol: the fair comparison for a new optimizer.
paper       each method under its own published protocol; a method without one uses `controlled`, and a note of the
            report names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple, get_type_hints

PROFILES = ("quick", "controlled", "paper")
PRECISIONS = ("fp32", "bf16")
NUMERICS = ("precision", "compiled")
"""Fields of a protocol or recipe that say how numbers are computed and do not define the experiment."""


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
    """NAS-Bench-201: N, search cells per stage; elsewhere all cells of the network, reductions included."""
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
    """Largest Euclidean norm of the weights' gradient; 0: no limit. Codes that derive from quark0/darts have alpha's
    gradient of the architecture step in this norm too, where it is small; here it is of the weights alone."""
    crop: bool
    """Random crops of images padded with zeros, an eighth of their side: 4 pixels for 32x32, 2 for 16x16."""
    flip: bool
    """Random horizontal flips."""
    architecture_first: bool
    """Order of the two steps on a pair of batches: theta, then w; or w, then theta."""
    precision: str
    compiled: bool = field(default=False, kw_only=True)
    """Whether the supernet's training passes are compiled."""

    def __post_init__(self) -> None:
        _check_limits(self)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision} is not one of {', '.join(PRECISIONS)}")
        if self.learning_rate_min > self.learning_rate:
            raise ValueError(f"learning_rate_min={self.learning_rate_min} exceeds learning_rate={self.learning_rate}")
        if self.nesterov and not self.momentum:
            raise ValueError("momentum=0 is not above 0, as nesterov=true needs it")

    @property
    def is_full_size(self) -> bool:
        """Whether a search is long enough for the minutes that compiling takes: it has the size of a published one."""
        return self.channels >= 16 and self.epochs >= 10

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


def as_protocol(values: Mapping[str, Any]) -> Protocol:
    """A protocol of the class that has these fields."""
    return FolderProtocol(**values) if "image_size" in values else Protocol(**values)


@dataclass(frozen=True)
class Simulation:
    """How a black-box method is run on the table. All values are part of a run's key."""

    budget_seconds: Annotated[float, Limits(above=0, at_most=1e9)]
    """Simulated training time that it may spend."""

    def __post_init__(self) -> None:
        _check_limits(self)


@dataclass(frozen=True)
class TrialSimulation(Simulation):
    """The same where architectures were trained several times."""

    mean_of_trials: bool
    """Whether a query returns the mean accuracy of the trials instead of that of a random one."""


def as_simulation(values: Mapping[str, Any]) -> Simulation:
    """A simulation of the class that has these fields."""
    return TrialSimulation(**values) if "mean_of_trials" in values else Simulation(**values)


@dataclass(frozen=True)
class NetworkSize:
    """Of the networks that a training-free method scores. All values are part of a run's key."""

    channels: Annotated[int, Limits(1, 4096)]
    """C, of the first stage."""
    cells: Annotated[int, Limits(1, 1000)]
    """NAS-Bench-201: N, cells per stage; elsewhere all cells of the network, reductions included."""

    def __post_init__(self) -> None:
        _check_limits(self)


def _check_limits(instance: Protocol | Simulation | NetworkSize) -> None:
    for name, annotation in get_type_hints(type(instance), include_extras=True).items():
        for limits in getattr(annotation, "__metadata__", ()):
            check_limits(name, getattr(instance, name), limits)


def check_limits(name: str, value: float, limits: Limits) -> None:
    if isinstance(value, float) and not math.isfinite(value):  # an integer may be too large for a float
        raise ValueError(f"{name}={value} is not a finite number")
    if value < limits.at_least:
        raise ValueError(f"{name}={value} is below {limits.at_least:g}")
    if value > limits.at_most:
        raise ValueError(f"{name}={value} is above {limits.at_most:g}")
    if value <= limits.above:
        raise ValueError(f"{name}={value} is not above {limits.above:g}")


@dataclass(frozen=True)
class Budget:
    """The protocol of one method, and the profile whose protocol it is (`controlled` where `paper` has none)."""

    profile: str
    name: str
    """E.g. `nasbench201/controlled`."""
    protocol: Protocol | Simulation | NetworkSize
    version: int = 1
    """Raised when the numbers of the protocol change."""

    def with_overrides(self, overrides: Mapping[str, Any]) -> Budget:
        """ValueError if a value is out of range."""
        return replace(self, protocol=replace(self.protocol, **overrides))


def split_numerics(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a protocol or recipe that define the experiment, and those that say how numbers are computed, but
    for what is off: so runs have the same key as before it could be on."""
    numerics = {name: value for name, value in values.items() if name in NUMERICS and value is not False}
    return {name: value for name, value in values.items() if name not in NUMERICS}, numerics
