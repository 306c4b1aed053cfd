"""How an architecture is trained from scratch: the fields of a recipe and what they admit. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, get_type_hints

from harness.protocol import PRECISIONS, Limits, NotNegative, Positive, check_limits

SCHEDULES = ("cosine", "linear")
LAST_EPOCHS = 5
"""Last epochs of the linear schedule, in which the learning rate falls by a fifth of a usual step per epoch."""

Fraction = Annotated[float, Limits(0, 1)]


@dataclass(frozen=True)
class Recipe:
    """How the network of an architecture is built and trained. All values are part of a retraining's key."""

    cells: Annotated[int, Limits(1, 1000)]
    """NAS-Bench-201: N, cells per stage; elsewhere all cells of the network, reductions included."""
    channels: Annotated[int, Limits(2, 4096)]
    """Channels C of the first cell; even."""
    epochs: Annotated[int, Limits(1, 100_000)]
    batch_size: Annotated[int, Limits(2, 1_000_000)]
    """Images per step, over all processes."""
    learning_rate: Positive
    schedule: str
    """Schedule of the learning rate, set once per epoch: "cosine" to 0, or "linear" (`learning_rate_at`)."""
    warmup_epochs: Annotated[int, Limits(0, 100_000)]
    """Epochs of linear warm-up, in which the learning rate rises to that of the schedule."""
    momentum: Fraction
    weight_decay: NotNegative
    """Applied to all parameters, including those of batch norms."""
    gradient_clip: NotNegative
    """Largest Euclidean norm of the gradient; 0: no clipping."""
    label_smoothing: Fraction
    auxiliary_weight: NotNegative
    """Weight of the auxiliary classifier's loss; 0: no auxiliary classifier."""
    drop_path: Annotated[float, Limits(0, 0.99)]
    """Drop-path probability; grows linearly from 0 towards this value (`drop_path_at`)."""
    crop: bool
    """Random crops: of zero-padded images (padding: an eighth of the side, 4 pixels for 32x32); for images in class
    folders, of random area and aspect ratio."""
    flip: bool
    """Random horizontal flips."""
    cutout: Annotated[int, Limits(0, 10_000)]
    """Side of the Cutout square, pixels; 0: none. For datasets in memory only."""
    colour_jitter: bool
    """Random brightness, contrast, saturation and hue. For images in class folders only."""
    image_size: Annotated[int, Limits(0, 4096)]
    """Side to which images in class folders are cropped or resized, pixels; 0: images keep their size."""
    synchronised_batch_norm: bool
    """Batch norms use statistics over all processes (GPUs only) instead of each process's own."""
    precision: str

    def __post_init__(self) -> None:
        for name, annotation in get_type_hints(type(self), include_extras=True).items():
            for limits in getattr(annotation, "__metadata__", ()):
                check_limits(name, getattr(self, name), limits)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision} is not one of {', '.join(PRECISIONS)}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule={self.schedule} is not one of {', '.join(SCHEDULES)}")
        if self.channels % 2:
            raise ValueError(f"channels={self.channels} is not even: reductions halve the channels")
        if self.schedule == "linear" and self.epochs <= LAST_EPOCHS:
            raise ValueError(f"schedule=linear needs more than {LAST_EPOCHS} epochs, got epochs={self.epochs}")

    def learning_rate_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0.

        cosine: Loshchilov and Hutter (ICLR 2017), Equation 5, to 0, as DARTS (quark0/darts cnn/train.py).
        linear: PC-DARTS (yuhuixu1993/PC-DARTS train_imagenet.py): equal steps, `epochs - 5` of which would reach 0;
        the last one is split into five.
        """
        remaining = self.epochs - epoch
        if self.schedule == "cosine":
            factor = (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        elif remaining > LAST_EPOCHS:
            factor = (remaining - LAST_EPOCHS) / (self.epochs - LAST_EPOCHS)
        else:
            factor = remaining / (self.epochs - LAST_EPOCHS) / LAST_EPOCHS
        warmup = min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else 1.0
        return self.learning_rate * factor * warmup

    def drop_path_at(self, epoch: int) -> float:
        """Drop-path probability of an epoch, counted from 0; it ends one step below `drop_path`."""
        return self.drop_path * epoch / self.epochs
