"""Trains the network of a found cell from scratch, alone or with the other processes of a group.

Each epoch's randomness is a function of (seed, purpose, epoch), so the state between two epochs is nothing but the
state of the network and its optimizer. A group sees the batches that one process alone sees, each process its part.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.benchmarks import Arch
from harness.benchmarks.darts.network import DARTSNetwork, multiply_adds, parameter_count
from harness.data import Batches, load
from harness.data.folders import Augmentation, FolderBatches, class_folders
from harness.data.streams import Batch
from harness.evaluate.distributed import Group
from harness.evaluate.recipes import Recipe
from harness.profiles import FOLDERS
from harness.search.loop import EVALUATION_BATCH, stream

SMALLEST_PART = 2
"""Images of a process in one step, as batch norms need; an incomplete last batch that has fewer is left out."""


@dataclass(frozen=True)
class TrainedEpoch:
    """What is logged after an epoch."""

    epoch: int
    """Counts from 0."""
    learning_rate: float
    loss: float
    """What was minimised, mean over the training images, nats: with label smoothing and the auxiliary's share."""
    train_accuracy: float
    """Of the steps, %."""
    test_accuracy: float
    """Of the network after the epoch, %."""
    test_top5_accuracy: float
    """The same, where the label among the five first counts as correct."""
    seconds: float

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Every value as an array (1,)."""
        names = [field.name for field in fields(self) if field.name != "epoch"]
        return {name: np.array([getattr(self, name)], dtype=np.float64) for name in names}


@dataclass(frozen=True)
class Feed:
    """The batches of a dataset: of each, this process's part."""

    sha256: str
    """Digest of all images."""
    classes: int
    stem: str
    """Of the network: "cifar" or "imagenet"."""
    side: int
    """Height and width of the images, pixels."""
    train_size: int
    test_size: int
    """Images of all processes."""
    training: Callable[[torch.Generator], Iterator[Batch]]
    """Batches of the recipe's size, all processes together; all in random order."""
    testing: Callable[[], Iterator[Batch]]


def feed(dataset: str, folder: Path, recipe: Recipe, device: torch.device, group: Group, workers: int = 0) -> Feed:
    """OSError or ValueError, in one line, if the dataset is not there. workers: processes that decode image files."""
    if dataset in FOLDERS:
        return _from_folders(folder / dataset, recipe, device, group, workers)
    loaded = load(dataset, folder)
    side = loaded.train.pixels.shape[-1]
    train = Batches(
        loaded.train.to(device),
        recipe.batch_size,
        loaded.mean,
        loaded.std,
        crop_padding=side // 8 if recipe.crop else 0,
        flip=recipe.flip,
        cutout=recipe.cutout,
    )
    own = torch.arange(len(loaded.test))[group.share(len(loaded.test))]
    test = Batches(loaded.test[own].to(device), EVALUATION_BATCH, loaded.mean, loaded.std)

    def training(generator: torch.Generator) -> Iterator[Batch]:
        for images, labels in train.one_pass(generator):
            part = group.share(len(labels))
            yield images[part], labels[part]

    return Feed(loaded.sha256, loaded.classes, "cifar", side, len(loaded.train), len(loaded.test), training, test.plain)


def _from_folders(folder: Path, recipe: Recipe, device: torch.device, group: Group, workers: int) -> Feed:
    found = class_folders(folder)
    augmentation = Augmentation(recipe.crop, recipe.flip, recipe.colour_jitter)
    train, test = (
        FolderBatches(files, batch_size, recipe.image_size, augmentation, device, workers, group.share)
        for files, batch_size in ((found.train, recipe.batch_size), (found.test, EVALUATION_BATCH * group.size))
    )
    sizes = recipe.image_size, len(found.train), len(found.test)
    return Feed(found.sha256, found.classes, "imagenet", *sizes, train.one_pass, test.plain)


def build_network(arch: Arch, recipe: Recipe, classes: int, stem: str) -> DARTSNetwork:
    return DARTSNetwork(arch, recipe.channels, recipe.cells, classes, recipe.auxiliary_weight > 0, stem)


class Training:
    """The training of one network, which can be stopped after any epoch and continued from its `state_dict`."""

    def __init__(
        self,
        network: DARTSNetwork,
        feed: Feed,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        group: Group,
        name: str = "",
    ) -> None:
        """name: by which the leader of a group calls the others to this training.

        ValueError if batch norms are to be synchronised on other devices than GPUs, or for want of images.
        """
        if recipe.synchronised_batch_norm:
            if device.type != "cuda":
                raise ValueError("synchronised_batch_norm needs GPUs")
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network = network.to(device)
        self.feed = feed
        self.recipe = recipe
        self.seed = seed
        self.device = device
        self.group = group
        self.name = name
        self.next_epoch = 0
        if not self.batch_sizes():
            raise ValueError(f"{feed.train_size} training images are too few for {group.size} processes")
        self.weights = list(self.network.parameters())
        self.optimizer = torch.optim.SGD(
            self.weights, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )

    def epochs(self) -> Iterator[TrainedEpoch]:
        """Train the epochs that are left; stop asking at any time. FloatingPointError if the loss is not finite.

        The leader of a group sends the others name and state first; they must begin there and ask for the same epochs.
        """
        model = self._joined()
        while self.next_epoch < self.recipe.epochs:
            log = self._epoch(model, self.next_epoch)
            self.next_epoch += 1
            yield log

    def state_dict(self) -> dict[str, Any]:
        return {
            "next_epoch": self.next_epoch,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next_epoch = state["next_epoch"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def sizes(self) -> dict[str, int]:
        """Of the network, as papers count: without the auxiliary classifier; multiply-adds of one image."""
        return {
            "parameters": parameter_count(self.network),
            "multiply_adds": multiply_adds(self.network, self.feed.side),
        }

    def _joined(self) -> nn.Module:
        """The network, with gradients averaged over the group, whose processes are called together first."""
        if self.group.size == 1:
            return self.network
        if self.group.leads:
            state = io.BytesIO()
            torch.save(self.state_dict(), state)
            self.group.from_leader((self.name, state.getvalue()))
        return DistributedDataParallel(self.network)

    # One epoch -----------------------------------------------------------------------------------------------------

    def _epoch(self, model: nn.Module, epoch: int) -> TrainedEpoch:
        start = time.perf_counter()
        torch.manual_seed(stream(self.seed, f"drop path {self.group.rank}", epoch))
        learning_rate = self.recipe.learning_rate_at(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.network.drop_path = self.recipe.drop_path_at(epoch)
        loss, train_accuracy = self._steps(model, epoch)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the training loss became {loss} in epoch {epoch + 1}")
        accuracy, top5 = self._test()
        seconds = time.perf_counter() - start
        return TrainedEpoch(epoch, learning_rate, loss, train_accuracy, accuracy, top5, seconds)

    def _steps(self, model: nn.Module, epoch: int) -> tuple[float, float]:
        """One pass; returns the mean loss (nats) and accuracy (%)."""
        model.train()
        generator = torch.Generator().manual_seed(stream(self.seed, "batches", epoch))
        totals = torch.zeros(3, device=self.device, dtype=torch.float64)  # loss, correct, images
        for size, batch in zip(self.batch_sizes(), self.feed.training(generator), strict=False):
            totals += self.step(model, batch, size)
        loss, correct, images = self.group.total(totals).tolist()
        return loss / images, 100 * correct / images

    def batch_sizes(self) -> list[int]:
        """Images of every step, all processes together."""
        whole, rest = divmod(self.feed.train_size, self.recipe.batch_size)
        sizes = [self.recipe.batch_size] * whole + [rest]
        return [size for size in sizes if size >= SMALLEST_PART * self.group.size]

    def step(self, model: nn.Module, batch: Batch, size: int) -> Tensor:
        """One step on this process's part of a batch of `size` images; returns the part's (3,) sum of losses, number
        of correct answers and number of images."""
        images, labels = batch
        with self._precision():
            logits, of_auxiliary = model(images)
        loss = self._loss(logits, labels)
        if of_auxiliary is not None:
            loss = loss + self.recipe.auxiliary_weight * self._loss(of_auxiliary, labels)
        self.optimizer.zero_grad()
        # Parts can differ by an image: their mean over the processes is the batch's mean only with such weights.
        (loss * (len(labels) * self.group.size / size)).backward()
        if self.recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self.weights, self.recipe.gradient_clip)
        self.optimizer.step()
        correct = (logits.detach().argmax(dim=1) == labels).sum()
        return torch.stack([loss.detach() * len(labels), correct, torch.full_like(correct, len(labels))])

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)

    @torch.no_grad()
    def _test(self) -> tuple[float, float]:
        """Accuracy and top-5 accuracy (%) on all test images, each of which one process sees."""
        self.group.copy_from_leader(self.network.buffers())
        self.network.eval()
        totals = torch.zeros(3, device=self.device, dtype=torch.float64)  # correct, among the first five, images
        for images, labels in self.feed.testing():
            with self._precision():
                logits, _ = self.network(images)
            first = logits.float().topk(min(5, logits.shape[1])).indices == labels[:, None]  # (B, 5)
            totals += torch.stack([first[:, 0].sum(), first.sum(), torch.full_like(labels.sum(), len(labels))])
        correct, among_five, images_seen = self.group.total(totals).tolist()
        if images_seen != self.feed.test_size:
            raise RuntimeError(f"{images_seen:.0f} test images were seen instead of {self.feed.test_size}")
        return 100 * correct / images_seen, 100 * among_five / images_seen

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")
