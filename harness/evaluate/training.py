"""Retrains the network of an architecture from scratch, in one process or in a group.

The randomness of an epoch is a function of (seed, purpose, epoch), so the state between two epochs is only that of the
network and the optimizer. A group trains on the same batches as a single process; each process takes its part of them.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from harness.data import Batches, load
from harness.data.folders import CLASS_FOLDERS, Augmentation, FolderBatches, class_folders
from harness.data.streams import Batch
from harness.evaluate.distributed import Group
from harness.evaluate.network import Network
from harness.evaluate.recipe import Recipe
from harness.search.estimate import STEPS, measured_seconds
from harness.search.loop import EVALUATION_BATCH, stream

SMALLEST_PART = 2
"""Images per process and step that batch norms need; an incomplete last batch with fewer is dropped."""


@dataclass(frozen=True)
class TrainedEpoch:
    """Log of an epoch."""

    epoch: int
    """Counted from 0."""
    learning_rate: float
    loss: float
    """Training objective, mean over the training images, nats; includes label smoothing and the auxiliary loss."""
    train_accuracy: float
    """During the training steps, %."""
    test_accuracy: float
    """After the epoch, %."""
    test_top5_accuracy: float
    """After the epoch, %."""
    seconds: float

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Every value as an array (1,)."""
        names = [field.name for field in fields(self) if field.name != "epoch"]
        return {name: np.array([getattr(self, name)], dtype=np.float64) for name in names}


@dataclass(frozen=True)
class Feed:
    """A dataset's batches, of which each process gets its part."""

    sha256: str
    """Digest of all images."""
    classes: int
    large: bool
    """Whether the images come from class folders, of the recipe's size."""
    side: int
    """Height and width of the images, pixels."""
    train_size: int
    test_size: int
    """Images over all processes."""
    training: Callable[[torch.Generator], Iterator[Batch]]
    """One pass in random order, in batches of the recipe's size over all processes."""
    testing: Callable[[], Iterator[Batch]]


def feed(dataset: str, folder: Path, recipe: Recipe, device: torch.device, group: Group, workers: int = 0) -> Feed:
    """OSError or ValueError, in one line, if the dataset is not there. workers: processes that decode image files."""
    if dataset in CLASS_FOLDERS:
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
    test_indices = torch.arange(len(loaded.test))[group.shard(len(loaded.test))]
    test = Batches(loaded.test[test_indices].to(device), EVALUATION_BATCH, loaded.mean, loaded.std)

    def training(generator: torch.Generator) -> Iterator[Batch]:
        for images, labels in train.one_pass(generator):
            part = group.shard(len(labels))
            yield images[part], labels[part]

    sizes = side, len(loaded.train), len(loaded.test)
    return Feed(loaded.sha256, loaded.classes, False, *sizes, training, test.in_order)


def _from_folders(folder: Path, recipe: Recipe, device: torch.device, group: Group, workers: int) -> Feed:
    images = class_folders(folder)
    augmentation = Augmentation(recipe.crop, recipe.flip, recipe.colour_jitter)
    train, test = (
        FolderBatches(files, batch_size, recipe.image_size, augmentation, device, workers, group.shard)
        for files, batch_size in ((images.train, recipe.batch_size), (images.test, EVALUATION_BATCH * group.size))
    )
    sizes = recipe.image_size, len(images.train), len(images.test)
    return Feed(images.sha256, images.classes, True, *sizes, train.one_pass, test.in_order)


class Training:
    """The training of one network; can be stopped after any epoch and resumed from its `state_dict`.

    `name` identifies it to the other processes of a group. ValueError if batch norms are to be synchronised on other
    devices than GPUs, or if there are too few images, in all or in a batch.
    """

    def __init__(
        self,
        network: Network,
        feed: Feed,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        group: Group,
        name: str = "",
    ) -> None:
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
            least = SMALLEST_PART * group.size
            few = f"{feed.train_size} training images are too few"
            reason = few if feed.train_size < least else f"batch_size={recipe.batch_size} is too small"
            raise ValueError(f"{reason} for {group.size} processes, of which each needs {SMALLEST_PART} images")
        self.weights = list(self.network.parameters())
        self.optimizer = torch.optim.SGD(
            self.weights, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )

    def epochs(self) -> Iterator[TrainedEpoch]:
        """Train the remaining epochs, one per item; the caller may stop after any of them.

        The main process of a group first sends name and state to the others, which must load them and iterate over the
        same epochs. FloatingPointError if the loss is not finite.
        """
        model = self._parallel()
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
        """Of the network, as papers count."""
        return self.network.sizes(self.feed.side)

    def epoch_seconds(self) -> float:
        """How long an epoch takes, from a few measured steps; tests are not counted."""
        self.network.train()
        sizes = self.batch_sizes()
        batches = list(islice(self.feed.training(torch.Generator().manual_seed(0)), min(STEPS, len(sizes))))
        turns = iter([*zip(sizes, batches, strict=False)] * STEPS)

        def step() -> None:
            size, batch = next(turns)
            self.step(self.network, batch, size)

        return measured_seconds(step, self.device) * len(sizes)

    def _parallel(self) -> nn.Module:
        """The network with gradients averaged over the group, after the main process has sent name and state."""
        if self.group.size == 1:
            return self.network
        if self.group.is_main:
            state = io.BytesIO()
            torch.save(self.state_dict(), state)
            self.group.broadcast((self.name, state.getvalue()))
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
        """Train on one pass; returns the mean loss (nats) and accuracy (%)."""
        model.train()
        generator = torch.Generator().manual_seed(stream(self.seed, "batches", epoch))
        totals = torch.zeros(3, device=self.device, dtype=torch.float64)  # loss, correct, images
        for size, batch in zip(self.batch_sizes(), self.feed.training(generator), strict=False):
            totals += self.step(model, batch, size)
        loss, correct, images = self.group.all_reduce(totals).tolist()
        return loss / images, 100 * correct / images

    def batch_sizes(self) -> list[int]:
        """Images of every step of an epoch, over all processes."""
        full, rest = divmod(self.feed.train_size, self.recipe.batch_size)
        sizes = [self.recipe.batch_size] * full + [rest]
        return [size for size in sizes if size >= SMALLEST_PART * self.group.size]

    def step(self, model: nn.Module, batch: Batch, size: int) -> Tensor:
        """One SGD step on this process's part of a batch of `size` images; returns the part's (3,) sum of losses,
        number of correct predictions and number of images."""
        images, labels = batch
        with self._precision():
            logits, auxiliary_logits = model(images)
        loss = self._loss(logits, labels)
        if auxiliary_logits is not None:
            loss = loss + self.recipe.auxiliary_weight * self._loss(auxiliary_logits, labels)
        self.optimizer.zero_grad()
        # Parts can differ by an image: the average over processes is the batch's mean only with these weights.
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
        """Accuracy and top-5 accuracy (%) on all test images, which are split over the processes."""
        self.group.broadcast_tensors(self.network.buffers())
        self.network.eval()
        totals = torch.zeros(3, device=self.device, dtype=torch.float64)  # correct, correct among the top five, images
        for images, labels in self.feed.testing():
            with self._precision():
                logits, _ = self.network(images)
            hits = logits.float().topk(min(5, logits.shape[1])).indices == labels[:, None]  # (B, 5)
            totals += torch.stack([hits[:, 0].sum(), hits.sum(), torch.full_like(labels.sum(), len(labels))])
        correct, correct_in_five, images_seen = self.group.all_reduce(totals).tolist()
        if images_seen != self.feed.test_size:
            raise RuntimeError(f"evaluated on {images_seen:.0f} test images instead of {self.feed.test_size}")
        return 100 * correct / images_seen, 100 * correct_in_five / images_seen

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")
