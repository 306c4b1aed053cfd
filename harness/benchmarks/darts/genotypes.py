"""Published architectures of the DARTS space, as in their authors' code."""

from __future__ import annotations

from dataclasses import dataclass

from harness.benchmarks.base import Arch
from harness.benchmarks.darts.space import STATES


@dataclass(frozen=True)
class PublishedCell:
    name: str
    method: str
    searched_on: str
    source: str
    """Repository and file."""
    normal: str
    """Operations and input states of the two edges into each of the four nodes."""
    reduce: str
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def arch(self) -> Arch:
        return _pairs(self.normal), _pairs(self.reduce)


def _pairs(cell: str) -> tuple[tuple[str, int], ...]:
    edges = [edge.split() for node in cell.split(" | ") for edge in node.split(", ")]
    assert len(edges) == 2 * len(STATES)
    return tuple((operation, int(source)) for operation, source in edges)


def published_cell(name: str) -> PublishedCell:
    """Find a published cell by its name or an alias. ValueError if there is none."""
    for cell in PUBLISHED_CELLS:
        if name in (cell.name, *cell.aliases):
            return cell
    raise ValueError(f"no published cell {name!r}; known: {', '.join(cell.name for cell in PUBLISHED_CELLS)}")


PUBLISHED_CELLS = (
    PublishedCell(
        name="GAEA_PC_DARTS_cifar10_3103",
        method="GAEA PC-DARTS",
        searched_on="cifar10",
        source="liamcli/PC-DARTS genotypes.py (also rtu715/NAS-Bench-360)",
        normal="sep_conv_3x3 1, skip_connect 0 | sep_conv_3x3 1, skip_connect 2 | "
        "sep_conv_3x3 1, sep_conv_3x3 2 | sep_conv_3x3 0, dil_conv_3x3 4",
        reduce="max_pool_3x3 0, max_pool_3x3 1 | sep_conv_5x5 0, sep_conv_5x5 2 | "
        "dil_conv_3x3 3, sep_conv_5x5 2 | sep_conv_5x5 4, sep_conv_3x3 1",
        aliases=("pcdartseedartscifar103103",),
        note="Most likely the cell of the paper's CIFAR-10 row; inferred from its size and seed.",
    ),
    PublishedCell(
        name="GAEA_PC_DARTS_cifar10_1307",
        method="GAEA PC-DARTS",
        searched_on="cifar10",
        source="liamcli/PC-DARTS genotypes.py (also rtu715/NAS-Bench-360)",
        normal="sep_conv_3x3 1, skip_connect 0 | sep_conv_3x3 0, sep_conv_3x3 2 | "
        "sep_conv_3x3 2, sep_conv_5x5 1 | sep_conv_3x3 1, sep_conv_5x5 0",
        reduce="max_pool_3x3 0, sep_conv_5x5 1 | dil_conv_5x5 2, max_pool_3x3 0 | "
        "sep_conv_3x3 2, skip_connect 0 | dil_conv_3x3 4, max_pool_3x3 0",
        aliases=("pcdartseedartscifar101307",),
        note="A second search seed.",
    ),
    PublishedCell(
        name="GAEA_PC_DARTS_imagenet_156",
        method="GAEA PC-DARTS",
        searched_on="imagenet",
        source="rtu715/NAS-Bench-360 darts/gaea/search/genotypes.py",
        normal="skip_connect 1, skip_connect 0 | sep_conv_3x3 2, sep_conv_3x3 1 | "
        "sep_conv_5x5 2, sep_conv_3x3 0 | sep_conv_5x5 3, sep_conv_5x5 2",
        reduce="max_pool_3x3 1, sep_conv_3x3 0 | sep_conv_5x5 1, dil_conv_5x5 2 | "
        "sep_conv_3x3 1, sep_conv_3x3 3 | sep_conv_5x5 1, max_pool_3x3 2",
        aliases=("pcdartseedartsimagenet156",),
        note="A port's comment calls it the cell of the paper's ImageNet row.",
    ),
    PublishedCell(
        name="GAEA_DARTS_edarts4",
        method="GAEA DARTS",
        searched_on="cifar10",
        source="liamcli/gaea_release cnn/search_spaces/darts/genotypes.py",
        normal="sep_conv_3x3 0, skip_connect 1 | skip_connect 0, skip_connect 1 | "
        "skip_connect 0, skip_connect 2 | skip_connect 0, dil_conv_3x3 3",
        reduce="dil_conv_3x3 1, max_pool_3x3 0 | skip_connect 2, avg_pool_3x3 0 | "
        "skip_connect 3, skip_connect 2 | skip_connect 3, skip_connect 4",
        aliases=("edarts4",),
        note="An earlier search, nearly all skip connections; no published result.",
    ),
    PublishedCell(
        name="DARTS_V1",
        method="DARTS (first order)",
        searched_on="cifar10",
        source="quark0/darts cnn/genotypes.py",
        normal="sep_conv_3x3 1, sep_conv_3x3 0 | skip_connect 0, sep_conv_3x3 1 | "
        "skip_connect 0, sep_conv_3x3 1 | sep_conv_3x3 0, skip_connect 2",
        reduce="max_pool_3x3 0, max_pool_3x3 1 | skip_connect 2, max_pool_3x3 0 | "
        "max_pool_3x3 0, skip_connect 2 | skip_connect 2, avg_pool_3x3 0",
    ),
    PublishedCell(
        name="DARTS_V2",
        method="DARTS (second order)",
        searched_on="cifar10",
        source="quark0/darts cnn/genotypes.py",
        normal="sep_conv_3x3 0, sep_conv_3x3 1 | sep_conv_3x3 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 1, skip_connect 0 | skip_connect 0, dil_conv_3x3 2",
        reduce="max_pool_3x3 0, max_pool_3x3 1 | skip_connect 2, max_pool_3x3 1 | "
        "max_pool_3x3 0, skip_connect 2 | skip_connect 2, max_pool_3x3 1",
        aliases=("DARTS",),
    ),
    PublishedCell(
        name="PC_DARTS_cifar",
        method="PC-DARTS",
        searched_on="cifar10",
        source="yuhuixu1993/PC-DARTS genotypes.py",
        normal="sep_conv_3x3 1, skip_connect 0 | sep_conv_3x3 0, dil_conv_3x3 1 | "
        "sep_conv_5x5 0, sep_conv_3x3 1 | avg_pool_3x3 0, dil_conv_3x3 1",
        reduce="sep_conv_5x5 1, max_pool_3x3 0 | sep_conv_5x5 1, sep_conv_5x5 2 | "
        "sep_conv_3x3 0, sep_conv_3x3 3 | sep_conv_3x3 1, sep_conv_3x3 2",
    ),
    PublishedCell(
        name="PC_DARTS_image",
        method="PC-DARTS",
        searched_on="imagenet",
        source="yuhuixu1993/PC-DARTS genotypes.py",
        normal="skip_connect 1, sep_conv_3x3 0 | sep_conv_3x3 0, skip_connect 1 | "
        "sep_conv_3x3 1, sep_conv_3x3 3 | sep_conv_3x3 1, dil_conv_5x5 4",
        reduce="sep_conv_3x3 0, skip_connect 1 | dil_conv_5x5 2, max_pool_3x3 1 | "
        "sep_conv_3x3 2, sep_conv_3x3 1 | sep_conv_5x5 0, sep_conv_3x3 3",
    ),
    PublishedCell(
        name="PDARTS",
        method="P-DARTS",
        searched_on="cifar10",
        source="chenxin061/pdarts genotypes.py",
        normal="skip_connect 0, dil_conv_3x3 1 | skip_connect 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 1, sep_conv_3x3 3 | sep_conv_3x3 0, dil_conv_5x5 4",
        reduce="avg_pool_3x3 0, sep_conv_5x5 1 | sep_conv_3x3 0, dil_conv_5x5 2 | "
        "max_pool_3x3 0, dil_conv_3x3 1 | dil_conv_3x3 1, dil_conv_5x5 3",
    ),
    PublishedCell(
        name="GDAS_V1",
        method="GDAS",
        searched_on="cifar10",
        source="D-X-Y/AutoDL-Projects xautodl/nas_infer_model/DXYs/genotypes.py",
        normal="skip_connect 0, skip_connect 1 | skip_connect 0, sep_conv_5x5 2 | "
        "sep_conv_3x3 3, skip_connect 0 | sep_conv_5x5 4, sep_conv_3x3 3",
        reduce="sep_conv_5x5 0, sep_conv_3x3 1 | sep_conv_5x5 2, sep_conv_5x5 1 | "
        "dil_conv_5x5 2, sep_conv_3x3 1 | sep_conv_5x5 0, sep_conv_5x5 1",
        note="Of the search that learns the reduction cell; the fixed reduction cell is another network.",
    ),
    PublishedCell(
        name="DrNAS_cifar10",
        method="DrNAS",
        searched_on="cifar10",
        source="xiangning-chen/DrNAS DARTS-space/genotypes.py",
        normal="sep_conv_3x3 0, sep_conv_5x5 1 | sep_conv_3x3 1, sep_conv_3x3 2 | "
        "skip_connect 0, sep_conv_3x3 1 | sep_conv_3x3 2, dil_conv_5x5 3",
        reduce="max_pool_3x3 0, sep_conv_5x5 1 | dil_conv_5x5 2, sep_conv_5x5 1 | "
        "sep_conv_5x5 1, dil_conv_5x5 3 | skip_connect 4, sep_conv_5x5 1",
    ),
    PublishedCell(
        name="DrNAS_imagenet",
        method="DrNAS",
        searched_on="imagenet",
        source="xiangning-chen/DrNAS DARTS-space/genotypes.py",
        normal="sep_conv_3x3 1, sep_conv_3x3 0 | sep_conv_3x3 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 0, dil_conv_3x3 3 | skip_connect 0, sep_conv_3x3 1",
        reduce="max_pool_3x3 0, sep_conv_3x3 1 | sep_conv_3x3 0, skip_connect 2 | "
        "sep_conv_3x3 0, sep_conv_3x3 2 | sep_conv_3x3 3, sep_conv_3x3 1",
    ),
    PublishedCell(
        name="NoisyDARTS_a",
        method="NoisyDARTS",
        searched_on="cifar10",
        source="xiaomi-automl/NoisyDARTS genotypes.py",
        normal="sep_conv_3x3 1, sep_conv_3x3 0 | skip_connect 0, dil_conv_3x3 2 | "
        "dil_conv_3x3 3, sep_conv_3x3 1 | dil_conv_5x5 4, dil_conv_3x3 3",
        reduce="max_pool_3x3 0, dil_conv_5x5 1 | skip_connect 2, max_pool_3x3 0 | "
        "skip_connect 2, skip_connect 3 | skip_connect 2, dil_conv_5x5 4",
        aliases=("noisy_darts_a",),
    ),
    PublishedCell(
        name="Shapley_NAS_cifar10",
        method="Shapley-NAS",
        searched_on="cifar10",
        source="Euphoria16/Shapley-NAS genotypes.py",
        normal="sep_conv_3x3 0, sep_conv_3x3 1 | sep_conv_3x3 1, dil_conv_3x3 0 | "
        "dil_conv_3x3 2, skip_connect 3 | sep_conv_3x3 1, dil_conv_5x5 3",
        reduce="sep_conv_3x3 1, max_pool_3x3 0 | dil_conv_5x5 2, sep_conv_3x3 0 | "
        "sep_conv_3x3 2, max_pool_3x3 0 | dil_conv_3x3 3, skip_connect 2",
    ),
    PublishedCell(
        name="Shapley_NAS_imagenet",
        method="Shapley-NAS",
        searched_on="imagenet",
        source="Euphoria16/Shapley-NAS genotypes.py",
        normal="sep_conv_3x3 1, sep_conv_5x5 0 | dil_conv_5x5 2, skip_connect 1 | "
        "sep_conv_3x3 2, sep_conv_5x5 0 | sep_conv_3x3 1, skip_connect 2",
        reduce="sep_conv_3x3 1, dil_conv_3x3 0 | avg_pool_3x3 2, sep_conv_5x5 1 | "
        "sep_conv_3x3 3, skip_connect 1 | sep_conv_3x3 2, sep_conv_3x3 4",
    ),
    PublishedCell(
        name="DOTS_cifar10",
        method="DOTS",
        searched_on="cifar10",
        source="guyuchao/DOTS pytorch/genotypes.py",
        normal="skip_connect 0, sep_conv_3x3 1 | sep_conv_3x3 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 0, sep_conv_3x3 1 | skip_connect 1, dil_conv_3x3 3",
        reduce="sep_conv_3x3 0, sep_conv_3x3 1 | max_pool_3x3 0, max_pool_3x3 1 | "
        "max_pool_3x3 0, dil_conv_5x5 3 | max_pool_3x3 0, dil_conv_5x5 4",
        aliases=("DOTS_final_C10",),
    ),
    PublishedCell(
        name="DOTS_cifar100",
        method="DOTS",
        searched_on="cifar100",
        source="guyuchao/DOTS pytorch/genotypes.py",
        normal="sep_conv_3x3 0, sep_conv_3x3 1 | skip_connect 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 1, sep_conv_3x3 3 | sep_conv_3x3 1, dil_conv_3x3 4",
        reduce="avg_pool_3x3 0, avg_pool_3x3 1 | sep_conv_5x5 0, sep_conv_5x5 1 | "
        "sep_conv_3x3 0, dil_conv_5x5 3 | sep_conv_3x3 3, dil_conv_3x3 4",
        aliases=("DOTS_final_C100",),
    ),
    PublishedCell(
        name="DOTS_imagenet",
        method="DOTS",
        searched_on="imagenet",
        source="guyuchao/DOTS pytorch/genotypes.py",
        normal="dil_conv_5x5 0, skip_connect 1 | skip_connect 0, sep_conv_3x3 1 | "
        "sep_conv_3x3 0, sep_conv_3x3 1 | sep_conv_3x3 0, sep_conv_5x5 1",
        reduce="sep_conv_5x5 0, sep_conv_3x3 1 | sep_conv_3x3 0, sep_conv_5x5 1 | "
        "max_pool_3x3 0, dil_conv_5x5 3 | sep_conv_3x3 0, max_pool_3x3 1",
        aliases=("DOTS_ImageNet",),
    ),
)
