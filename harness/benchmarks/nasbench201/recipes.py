"""How cells of NAS-Bench-201 are trained from scratch on images of a user's own, which no table has. Needs no torch."""

from __future__ import annotations

from dataclasses import replace

from harness.evaluate.recipe import Recipe

FULL = Recipe(
    # Dong and Yang (ICLR 2020), Section 2.3 and Table 1, but without Nesterov's momentum; N = 5 cells per stage.
    cells=5,
    channels=16,
    epochs=200,
    batch_size=256,
    learning_rate=0.1,
    schedule="cosine",
    warmup_epochs=0,
    momentum=0.9,
    weight_decay=5e-4,
    gradient_clip=0.0,
    label_smoothing=0.0,
    auxiliary_weight=0.0,
    drop_path=0.0,
    crop=True,
    flip=True,
    cutout=0,
    colour_jitter=False,
    image_size=0,
    synchronised_batch_norm=False,
    precision="fp32",
)

SHORT = replace(FULL, cells=2, channels=8, epochs=10, batch_size=64, flip=False)
"""Our own choice, a proxy of some seconds on a CPU core; images are not mirrored, as some must not be."""
