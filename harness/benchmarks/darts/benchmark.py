"""The DARTS space (Liu, Simonyan and Yang, ICLR 2019) as a benchmark: architectures are retrained from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import Arch, Benchmark, Headline, SearchSpace
from harness.benchmarks.darts import protocols, recipes
from harness.benchmarks.darts.genotypes import published_cell
from harness.benchmarks.darts.space import DARTS
from harness.evaluate.recipe import Recipe
from harness.protocol import Budget, FolderProtocol, NetworkSize, Protocol

if TYPE_CHECKING:
    from torch import nn

    from harness.evaluate.network import Network

IMAGENET_CELL = "GAEA_PC_DARTS_imagenet_156"
RETRAIN = f"torchrun --nproc-per-node 8 -m harness retrain --cell {IMAGENET_CELL} --dataset imagenet"


class DARTSBenchmark(Benchmark):
    name = DARTS.name
    title = "DARTS space"
    full_space = DARTS()
    supernet_options = ("partial_channels", "auxiliary_skip")
    compiles = True
    gains_on_cpu = False  # results/benchmarks.md; and a program for one of its cells takes minutes to compile
    datasets = ("digits", "cifar10", "cifar100", "imagenet16-120", "imagenet")
    families: Mapping[str, tuple[str, ...]] = {"gaea": ("gaea-pc-darts",)}
    dataset_order = ("cifar10", "cifar100", "imagenet16-120", "imagenet")
    split_order = ("test",)
    primary = ("cifar10", "test")
    margins: Mapping[tuple[str, str], float] = {("cifar10", "test"): 0.09}
    margin_source = "standard deviation between ten trainings of one cell (quark0/darts README: 2.76 ± 0.09)"
    published_columns = (
        ("cifar10", "test_error"),
        ("cifar10", "params_millions"),
        ("cifar10", "search_gpu_days"),
        ("imagenet", "top1_error"),
        ("imagenet", "top5_error"),
        ("imagenet", "params_millions"),
        ("imagenet", "search_gpu_days"),
    )
    # Liu, Simonyan and Yang (ICLR 2019), Section 3.3; PC-DARTS (ICLR 2020).
    published_epochs: Mapping[str, int] = {"cifar10": 600, "cifar100": 600, "imagenet": 250}
    headlines = tuple(
        Headline(
            "DARTS space, searched on ImageNet",
            "gaea-pc-darts",
            "imagenet",
            metric,
            "",
            RETRAIN,
            architecture=DARTS().to_string(published_cell(IMAGENET_CELL).arch),
            processes=8,
        )
        for metric in ("top1_error", "params_millions")
    )

    def supernet(self, space: SearchSpace, protocol: Protocol, classes: int, options: Mapping[str, Any]) -> nn.Module:
        from harness.benchmarks.darts.supernet import DARTSSupernet

        assert isinstance(space, DARTS)
        stem = "imagenet" if isinstance(protocol, FolderProtocol) else "cifar"
        size = (protocol.channels, protocol.cells, classes, protocol.track_statistics)
        return DARTSSupernet(space, *size, **options, stem=stem)

    def default_protocol(self, profile: str, dataset: str, method: str) -> Budget:
        return protocols.of_method(profile, dataset, method)

    def default_simulation(self, profile: str) -> Budget:
        """There is nothing to query here: of a control that asks for nothing."""
        return protocols.of_control(profile)

    def default_scoring(self, profile: str, method: str) -> Budget:
        return protocols.of_scoring(profile)

    def method_settings(self, profile: str, dataset: str, method: str) -> Mapping[str, Any]:
        return protocols.settings_of_method(profile, dataset, method)

    def unsuited(self, datasets: Sequence[str]) -> str | None:
        if protocols.IMAGENET in datasets and len(datasets) > 1:
            return "imagenet is searched on its own: its protocol has other fields"
        return None

    def recipes(self) -> Mapping[str, Recipe]:
        return recipes.RECIPES

    def own_recipe(self, full: bool) -> Recipe:
        """Without what depends on the size of the images (auxiliary classifier, Cutout), and without mirroring."""
        return replace(recipes.CIFAR, auxiliary_weight=0.0, flip=False, cutout=0) if full else recipes.DIGITS

    def network(self, arch: Arch, recipe: Recipe, classes: int, large: bool) -> Network:
        from harness.benchmarks.darts.network import DARTSNetwork

        stem = "imagenet" if large else "cifar"
        return DARTSNetwork(arch, recipe.channels, recipe.cells, classes, recipe.auxiliary_weight > 0, stem)

    def untrained(self, arch: Arch, size: NetworkSize, classes: int, affine: bool) -> nn.Module:
        from harness.benchmarks.darts.plain import PlainDARTSNetwork

        return PlainDARTSNetwork(arch, size.channels, size.cells, classes, affine)

    def unsuited_recipe(self, dataset: str, recipe: Recipe) -> str | None:
        return recipes.unsuited(dataset, recipe)

    def named(self, text: str) -> tuple[str, str]:
        published = published_cell(text)
        return published.name, self.full_space.to_string(published.arch)


BENCHMARK = DARTSBenchmark()
