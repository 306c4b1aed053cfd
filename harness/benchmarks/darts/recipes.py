"""How cells of the DARTS space are trained from scratch: every value with its source. Needs no torch."""

from __future__ import annotations

from dataclasses import replace

from harness.evaluate.recipe import Recipe

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

SIDES = {"digits": 8, "cifar10": 32, "cifar100": 32}
"""Of images in memory, pixels."""


def unsuited(dataset: str, recipe: Recipe) -> str | None:
    """Why cells cannot be retrained on a dataset by this recipe; None if they can."""
    if dataset == "imagenet":
        return _unsuited_to_folders(dataset, recipe)
    if recipe.auxiliary_weight and SIDES.get(dataset) != 32:
        return (
            f"the auxiliary classifier is for the images of cifar10 and cifar100, not of {dataset}: auxiliary_weight=0"
        )
    if recipe.auxiliary_weight and recipe.cells < 2:
        return "the auxiliary classifier needs a network of two cells or more: auxiliary_weight=0"
    for name in ("colour_jitter", "image_size"):
        if getattr(recipe, name):
            return f"{name} is for images in class folders, not for {dataset}"
    return None


def _unsuited_to_folders(dataset: str, recipe: Recipe) -> str | None:
    if recipe.image_size == 0 or recipe.image_size % 32:
        return f"image_size={recipe.image_size} is not a multiple of 32, by which the network divides it"
    if recipe.auxiliary_weight and recipe.image_size != 224:
        return "images of another size than 224 need auxiliary_weight=0"
    return f"there is no cutout for {dataset}" if recipe.cutout else None
