"""The search loop of every weight-sharing method.

One epoch: for each batch of the weights' images, a step of the architecture on another batch and a step of the shared
weights (the order is the protocol's). What differs between methods is in the method (harness.api), what differs
between profiles is in the protocol (harness.profiles).

Each epoch's randomness is a function of (seed, purpose, epoch), so the state between two epochs is nothing but the
state of the supernet, its optimizer and the method.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import DARTS, Arch, NASBench201, SearchSpace
from harness.benchmarks.darts.supernet import DARTSSupernet
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.data import SearchData
from harness.data.folders import FolderShares
from harness.data.streams import Batch
from harness.profiles import FolderProtocol, Protocol
from harness.search.simplex import entropy
from harness.search.unrolled import unrolled_gradient

EVALUATION_BATCH = 512
"""Images per batch when a cell is scored or the supernet is validated."""


@dataclass(frozen=True)
class Epoch:
    """What is logged after an epoch."""

    epoch: int
    """Counts from 0."""
    theta: NDArray[np.float32]
    """(E, K)."""
    edge_weights: NDArray[np.float32]
    """(E,)."""
    entropy: NDArray[np.float32]
    """(cell types,) mean over edges, nats."""
    loss: float
    """Mean cross-entropy of the weight steps, nats."""
    train_accuracy: float
    """Of the weight steps, %."""
    valid_accuracy: float
    """Of the supernet on the validation images, %; NaN where nothing is held out."""
    cell: Arch
    seconds: float


class Search:
    """One search, which can be stopped after any epoch and continued from its `state_dict`."""

    def __init__(
        self,
        method: OneShot,
        supernet: nn.Module,
        data: SearchData | FolderShares,
        protocol: Protocol,
        seed: int,
        device: torch.device,
    ) -> None:
        self.method = method.to(device)
        self.supernet = supernet.to(device)
        self.protocol = protocol
        self.seed = seed
        self.device = device
        self.next_epoch = 0
        self.weights = list(supernet.parameters())
        for weight in self.weights:
            # Where only chosen operations run, the others' gradients are zero, not absent, as in the published runs:
            # momentum and weight decay act on them. Set from the start, so that a resumed search has them too.
            weight.grad = torch.zeros_like(weight) if method.sampled else None
        self.optimizer = torch.optim.SGD(
            self.weights,
            lr=protocol.learning_rate,
            momentum=protocol.momentum,
            nesterov=protocol.nesterov,
            weight_decay=protocol.weight_decay,
        )
        self.architecture_clip = protocol.architecture_clip if isinstance(protocol, FolderProtocol) else 0.0
        self.weight_batches, self.architecture_batches, self.scoring_batches = data.streams(
            protocol.batch_size, EVALUATION_BATCH, protocol.crop, protocol.flip, device
        )
        self.has_validation = data.holds_out

    def epochs(self) -> Iterator[Epoch]:
        """Run the epochs that are left; stop asking at any time. FloatingPointError if the loss is not finite."""
        while self.next_epoch < self.protocol.epochs:
            log = self._epoch(self.next_epoch)
            self.next_epoch += 1
            yield log

    def state_dict(self) -> dict[str, Any]:
        return {
            "next_epoch": self.next_epoch,
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next_epoch = state["next_epoch"]
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.method.load_state_dict(state["method"])

    # One epoch -----------------------------------------------------------------------------------------------------

    def _epoch(self, epoch: int) -> Epoch:
        start = time.perf_counter()
        torch.manual_seed(stream(self.seed, "method", epoch))
        self.method.anneal(epoch, self.protocol.epochs)
        self.supernet.train()
        self._set_learning_rate(epoch)
        loss, accuracy = self._steps(epoch)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the training loss became {loss} in epoch {epoch + 1}")
        cell = self._derive(epoch)
        valid_accuracy = self._valid_accuracy(cell) if self.has_validation else math.nan
        return self._log(epoch, loss, accuracy, valid_accuracy, cell, start)

    def _steps(self, epoch: int) -> tuple[float, float]:
        """All steps of an epoch; returns the mean loss (nats) and accuracy (%) of the weight steps."""
        method, first = self.method, self.protocol.architecture_first
        active = epoch >= method.warmup * self.protocol.epochs
        beside = active and method.architecture_steps is None  # one architecture step per weight step
        held_out = self.architecture_batches.forever(self._generator("architecture", epoch))
        totals = torch.zeros(2, device=self.device, dtype=torch.float64)
        for batch in self.weight_batches.one_pass(self._generator("weights", epoch)):
            if beside and first:
                self.architecture_step(next(held_out), batch)
            totals += len(batch[1]) * self.weight_step(batch)
            if beside and not first:
                self.architecture_step(next(held_out), batch)
        for _ in range((method.architecture_steps or 0) if active else 0):
            self.architecture_step(next(held_out))
        loss, accuracy = (totals / self.weight_batches.size).tolist()
        return loss, accuracy

    def architecture_step(self, batch: Batch, training_batch: Batch | None = None) -> None:
        """One step of the method on `batch`; `training_batch`: that of the weight step beside it, if there is one."""
        parameters = list(self.method.parameters())
        self.method.zero_grad()
        if self.method.unrolled and training_batch is not None:
            gradients = unrolled_gradient(
                lambda: self._mixed(training_batch)[0],
                lambda: self.method.objective(*self._mixed(batch)),
                self.optimizer,
                parameters,
            )
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
        else:
            mixed = self._mixed if self.method.architecture_mode == "train" else self._scored
            self.method.objective(*mixed(batch)).backward(inputs=parameters)
        if self.architecture_clip:
            nn.utils.clip_grad_norm_(parameters, self.architecture_clip)
        self.method.step()

    def weight_step(self, batch: Batch) -> Tensor:
        method = self.method
        with torch.no_grad():
            weights, edge_weights = method.weights_for_training(), method.edge_weights()
        loss, accuracy = self._loss(batch, weights, edge_weights, method.sampled)
        self.optimizer.zero_grad(set_to_none=not method.sampled)
        loss.backward(inputs=self.weights)
        if self.protocol.gradient_clip:
            nn.utils.clip_grad_norm_(self.weights, self.protocol.gradient_clip)
        self.optimizer.step()
        return torch.stack([loss.detach(), accuracy])

    def _mixed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and accuracy of an architecture step, with gradients into the method's parameters."""
        return self._loss(batch, self.method(), self.method.edge_weights(), self.method.straight_through)

    def _scored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same in evaluation mode, without gradients through the supernet."""
        weights = self.method()
        self.supernet.eval()
        with torch.no_grad():
            scored = self._loss(batch, weights.detach(), self.method.edge_weights(), self.method.straight_through)
        self.supernet.train()
        return scored

    def _loss(self, batch: Batch, weights: Tensor, edge_weights: Tensor, sampled: bool) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (nats) and accuracy (%) of the supernet on a batch."""
        images, labels = batch
        with self._precision():
            logits = self.supernet(images, weights, edge_weights, sampled)
        loss = F.cross_entropy(logits.float(), labels)
        return loss, 100 * (logits.detach().argmax(dim=1) == labels).float().mean()

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.protocol.precision == "bf16")

    def _set_learning_rate(self, epoch: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.protocol.learning_rate_at(epoch)

    # After an epoch ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _log(self, epoch: int, loss: float, accuracy: float, valid_accuracy: float, cell: Arch, start: float) -> Epoch:
        theta = self.method.distribution()
        per_edge = entropy(theta.double())
        per_type = [float(per_edge[edges].mean()) for edges in self.method.space.cell_types.values()]
        return Epoch(
            epoch=epoch,
            theta=theta.float().cpu().numpy().copy(),
            edge_weights=self.method.edge_weights().float().cpu().numpy().copy(),
            entropy=np.array(per_type, dtype=np.float32),
            loss=loss,
            train_accuracy=accuracy,
            valid_accuracy=valid_accuracy,
            cell=cell,
            seconds=time.perf_counter() - start,
        )

    def _derive(self, epoch: int) -> Arch:
        batches = self.scoring_batches.forever(self._generator("scoring", epoch))

        def evaluate(arch: Arch) -> float:
            return self._accuracy([next(batches)], *self._discrete(arch))

        return self.method.derive(evaluate)

    def _valid_accuracy(self, cell: Arch) -> float:
        """Of the supernet as the method mixes it; where only chosen operations were trained, of the derived cell."""
        with torch.no_grad():
            mixture = (self.method.distribution(), self.method.edge_weights(), False)
        return self._accuracy(self.scoring_batches.plain(), *(self._discrete(cell) if self.method.sampled else mixture))

    def _discrete(self, arch: Arch) -> tuple[Tensor, Tensor, bool]:
        """The supernet's arguments with which it is one cell."""
        weights = torch.as_tensor(self.method.space.one_hot(arch), dtype=torch.float32, device=self.device)
        return weights, torch.ones(len(weights), device=self.device), True

    @torch.no_grad()
    def _accuracy(self, batches: Iterable[Batch], weights: Tensor, edge_weights: Tensor, sampled: bool) -> float:
        """Accuracy (%) of the supernet in evaluation mode."""
        self.supernet.eval()
        correct, total = torch.zeros((), device=self.device), 0
        for images, labels in batches:
            with self._precision():
                logits = self.supernet(images, weights, edge_weights, sampled)
            correct += (logits.argmax(dim=1) == labels).sum()
            total += len(labels)
        self.supernet.train()
        return 100 * correct.item() / total

    def _generator(self, purpose: str, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(stream(self.seed, purpose, epoch))


def build_supernet(space: SearchSpace, protocol: Protocol, classes: int, partial_channels: int = 1) -> nn.Module:
    """The supernet of a space at a protocol's size, mixing operations on 1/`partial_channels` of the channels.

    A user's own space has a method `supernet(channels, cells, classes, track_statistics, partial_channels)` for it.
    """
    size = (protocol.channels, protocol.cells, classes, protocol.track_statistics, partial_channels)
    if isinstance(space, NASBench201):
        return NASBench201Supernet(space, *size)
    if isinstance(space, DARTS):
        return DARTSSupernet(space, *size, stem="imagenet" if isinstance(protocol, FolderProtocol) else "cifar")
    supernet: nn.Module = getattr(space, "supernet")(*size)  # noqa: B009 - a user's own space brings it
    return supernet


def stream(seed: int, purpose: str, epoch: int | None = None) -> int:
    """The seed of one random stream of a run. Streams of different purposes are unrelated; the streams of the
    supernet's initial weights and of the weights' batches are the same for all methods, so runs can be paired."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stacked(epochs: list[Epoch], names: list[str]) -> dict[str, NDArray[Any]]:
    """The logs of all epochs as arrays (T, ...); `names` are the cells as strings."""
    fields = ["theta", "edge_weights", "entropy", "loss", "train_accuracy", "valid_accuracy", "seconds"]
    arrays = {name: np.stack([cast(Any, getattr(log, name)) for log in epochs]) for name in fields}
    return {**arrays, "cells": np.array(names)}
