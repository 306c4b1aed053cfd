"""How a found cell is trained from scratch: every number that decides it, with its source. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, get_type_hints

from harness.profiles import PRECISIONS, Limits, NotNegative, Positive, check_limits

SCHEDULES = ("cosine", "linear")
LAST_EPOCHS = 5
"""Of the linear schedule, in which the rate falls by a fifth of an ordinary step per epoch."""

Share = Annotated[float, Limits(0, 1)]


@dataclass(frozen=True)
class Recipe:
    """How the network of a cell is built and trained. All values are part of a retraining's key."""

    cells: Annotated[int, Limits(1, 1000)]
    """All cells of the network, reductions included."""
    channels: Annotated[int, Limits(2, 4096)]
    """C, of the first cell; even."""
    epochs: Annotated[int, Limits(1, 100_000)]
    batch_size: Annotated[int, Limits(2, 1_000_000)]
    """Images per step, all processes together."""
    learning_rate: Positive
    schedule: str
    """Of the learning rate, set once per epoch: "cosine" to 0, or "linear" (`learning_rate_at`)."""
    warmup_epochs: Annotated[int, Limits(0, 100_000)]
    """Epochs over which the learning rate rises linearly to the schedule's."""
    momentum: Share
    weight_decay: NotNegative
    """Of all parameters, those of batch norms too."""
    gradient_clip: NotNegative
    """Largest Euclidean norm of the gradient; 0: no limit."""
    label_smoothing: Share
    auxiliary_weight: NotNegative
    """Factor of the auxiliary classifier's loss; 0: the network has none."""
    drop_path: Annotated[float, Limits(0, 0.99)]
    """Probability that grows linearly from 0 towards this value (`drop_path_at`)."""
    crop: bool
    """Random crops: of images padded with zeros, an eighth of their side (4 pixels for 32x32), or, where images are
    read from class folders, of a random share of the image."""
    flip: bool
    """Random horizontal flips."""
    cutout: Annotated[int, Limits(0, 10_000)]
    """Side of the square that is cut out, pixels; 0: none. Of datasets in memory."""
    colour_jitter: bool
    """Random brightness, contrast, saturation and hue. Of images in class folders."""
    image_size: Annotated[int, Limits(0, 4096)]
    """Side to which images in class folders are brought, pixels; 0: the images are taken as they are."""
    synchronised_batch_norm: bool
    """Batch norms use the statistics of all processes' images (GPUs only) instead of each process's own."""
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
        """Of an epoch, which counts from 0.

        cosine: Loshchilov and Hutter (ICLR 2017), Equation 5, to 0, as DARTS (quark0/darts cnn/train.py).
        linear: PC-DARTS (yuhuixu1993/PC-DARTS train_imagenet.py): equal steps, `epochs - 5` of which would end at 0;
        the last of them is taken in five parts.
        """
        left = self.epochs - epoch
        if self.schedule == "cosine":
            share = (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        elif left > LAST_EPOCHS:
            share = (left - LAST_EPOCHS) / (self.epochs - LAST_EPOCHS)
        else:
            share = left / (self.epochs - LAST_EPOCHS) / LAST_EPOCHS
        warmup = min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else 1.0
        return self.learning_rate * share * warmup

    def drop_path_at(self, epoch: int) -> float:
        """Probability of an epoch, which counts from 0: the last one's is one step short of `drop_path`."""
        return self.drop_path * epoch / self.epochs


CIFAR = Recipe(
    # Liu, Simonyan and Yang (ICLR 2019), Section 3.3 and quark0/darts cnn/train.py; drop path 0.3 instead of 0.2 and
    # everything else as in PC-DARTS and GAEA (liamcli/gaea_release, README and eval.yaml).
    cells=20,
    channels=36,
    epochs=600,
    batch_size=96,
    learning_rate=0.025,
    schedule="cosine",
    warmup_epochs=0,
    momentum=0.9,
    weight_decay=3e-4,
    gradient_clip=5.0,
    label_smoothing=0.0,
    auxiliary_weight=0.4,
    drop_path=0.3,
    crop=True,
    flip=True,
    cutout=16,
    colour_jitter=False,
    image_size=0,
    synchronised_batch_norm=False,
    precision="fp32",
)

IMAGENET = replace(
    # PC-DARTS (yuhuixu1993/PC-DARTS train_imagenet.py), which GAEA uses (liamcli/PC-DARTS): 8 GPUs of 128 images.
    CIFAR,
    cells=14,
    channels=48,
    epochs=250,
    batch_size=1024,
    learning_rate=0.5,
    schedule="linear",
    warmup_epochs=5,
    weight_decay=3e-5,
    label_smoothing=0.1,
    drop_path=0.0,
    cutout=0,
    colour_jitter=True,
    image_size=224,
)

DIGITS = replace(
    # Our own choice, a proxy: the CIFAR recipe at a size that a CPU core finishes in ten seconds. Digits do not mirror,
    # and their maps are too small for the auxiliary classifier.
    CIFAR,
    cells=6,
    channels=8,
    epochs=10,
    batch_size=64,
    learning_rate=0.1,
    auxiliary_weight=0.0,
    drop_path=0.0,
    flip=False,
    cutout=0,
)

RECIPES = {"digits": DIGITS, "cifar10": CIFAR, "cifar100": CIFAR, "imagenet": IMAGENET}
"""By dataset. CIFAR-100 is trained as CIFAR-10."""
PROXIES = ("digits",)
"""Datasets whose results stand in for a real evaluation and must be labelled so."""
