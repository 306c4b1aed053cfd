"""Search protocols on the DARTS space: every value with its source."""

from __future__ import annotations

from dataclasses import asdict, replace

from harness.protocol import Budget, FolderProtocol, NetworkSize, Protocol, Simulation

IMAGENET = "imagenet"
"""Searched on a share of its images, which are read from class folders."""

CONTROLLED = Protocol(
    # First-order DARTS on its own space (quark0/darts, train_search.py): 8 cells, all eight operations in the mixture.
    # The order of the steps is theirs and GAEA's.
    zero_operation=True,
    channels=16,
    cells=8,
    track_statistics=True,
    epochs=50,
    schedule_epochs=0,
    batch_size=64,
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
    epochs=10,
    batch_size=32,
    flip=False,
)

PC_DARTS = replace(
    # yuhuixu1993/PC-DARTS, train_search.py, which GAEA PC-DARTS shares (liamcli/gaea_release, eedarts).
    CONTROLLED,
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

SMOOTH = replace(
    # xiangning-chen/SmoothDARTS, sota/cnn/train_search.py: that of DARTS, without the zero operation.
    CONTROLLED,
    zero_operation=False,
)

PERTURBATION = replace(
    # ruocwang/darts-pt, sota/cnn: the same for 50 epochs, then 81 (projection.py: 5 after each of the 14 edges and 3
    # nodes but the last, and 1), with a learning rate that is a setting of the methods.
    SMOOTH,
    epochs=131,
    schedule_epochs=50,
)

PAPER = {
    "darts": CONTROLLED,
    "darts-2nd": CONTROLLED,
    "pc-darts": PC_DARTS,
    "gaea-pc-darts": PC_DARTS,
    "sdarts-rs": SMOOTH,
    "sdarts-adv": SMOOTH,
    "darts-pt": PERTURBATION,
    "darts-pt-fixed": PERTURBATION,
    # Not beta-darts: its released search on this space stops with an error, and the schedule of its penalty here is not
    # published. Not darts-es: the released code (automl/RobustDARTS) has only spaces with fewer operations.
    # dr-faustus/Lambda-DARTS, sota/cnn/train_search.py: DARTS's, without the zero operation. Its script for SVHN and a
    # smaller space has batches of 96.
    "lambda-darts": replace(CONTROLLED, zero_operation=False),
    "oles": CONTROLLED,  # PasaLab/oles, train_search.py
    "darts-minus": CONTROLLED,  # Meituan-AutoML/DARTS-, src/search/args.py: DARTS's, with all eight operations
    # xiaomi-automl/FairDARTS, fairdarts/train_search.py.
    "fairdarts": replace(CONTROLLED, zero_operation=False, batch_size=128, learning_rate=0.005),
    # Euphoria16/Shapley-NAS, train_search.py: PC-DARTS's, without the zero operation.
    "shapley-nas": replace(PC_DARTS, zero_operation=False),
}

TUNING = {"tuning_epochs": 81, "tuning_lr": 2.5e-3, "tuning_lr_min": 1e-3}
"""Source as for PERTURBATION: a tenth of the learning rate, which a cosine lowers to its minimum."""
PAPER_SETTINGS: dict[str, dict[str, float]] = {
    "darts-pt": TUNING,
    "darts-pt-fixed": TUNING,
    "lambda-darts": {"lr": 3e-4, "epsilon": 1e-3},  # dr-faustus/Lambda-DARTS, sota/cnn: run_search.sh
}
"""Settings with which a method was searched on CIFAR-10, where they are not the defaults of its file."""

TUNING_OF_QUICK: dict[str, float] = {"tuning_epochs": QUICK.epochs // 2}
QUICK_SETTINGS = {"darts-pt": TUNING_OF_QUICK, "darts-pt-fixed": TUNING_OF_QUICK}
"""Our own choice: half of a quick search is the second phase. Full-size searches have that of the methods' files."""

IMAGENET_SETTINGS: dict[str, dict[str, float]] = {
    # Settings with which a method was searched on ImageNet, where they are not the defaults of its file. Both freeze
    # the architecture for 35 of 50 epochs; sources as for PC_DARTS_IMAGENET.
    "gaea-pc-darts": {"warmup": 0.7},
    "pc-darts": {"warmup": 0.7, "lr": 6e-3},
}


SCORING = NetworkSize(
    # Our own choice: the size at which DARTS searches on this space. There is no published search by the best of N.
    channels=16,
    cells=8,
)


def of_method(profile: str, dataset: str, method: str) -> Budget:
    """Of a weight-sharing method."""
    if dataset == IMAGENET:
        return _on_imagenet(profile, method)
    if profile == "paper" and method in PAPER:
        return Budget("paper", f"darts/paper/{method}", PAPER[method])
    if profile == "quick":
        return Budget("quick", "darts/quick", QUICK)
    return Budget("controlled", "darts/controlled", CONTROLLED)


def settings_of_method(profile: str, dataset: str, method: str) -> dict[str, float]:
    """Settings of a method in a profile, where they are not the defaults of its file."""
    published = IMAGENET_SETTINGS if dataset == IMAGENET else PAPER_SETTINGS
    return {"paper": published, "quick": QUICK_SETTINGS}.get(profile, {}).get(method, {})


def _on_imagenet(profile: str, method: str) -> Budget:
    if profile == "quick":
        quick = FolderProtocol(**asdict(replace(QUICK, flip=True)), **IMAGENET_FIELDS)
        return Budget("quick", "darts/quick-imagenet", quick)
    published = profile == "paper" and method in IMAGENET_SETTINGS
    return Budget("paper" if published else "controlled", "darts/imagenet", PC_DARTS_IMAGENET)


def of_control(profile: str) -> Budget:
    """Of a control that queries nothing: under the identifier of queries of NAS-Bench-201, which is part of the keys of
    such runs. NAS-Bench-1Shot1 has one of its own."""
    return Budget(profile, "nasbench201/queries", Simulation(budget_seconds=12_000.0))


def of_scoring(profile: str) -> Budget:
    """Of a training-free method."""
    return Budget("controlled" if profile == "paper" else profile, "darts/scoring", SCORING)
