"""The search loop of every weight-sharing method.

One epoch: for each batch of the training images, the method's two steps (their order is the protocol's). What differs
between methods is in the method, what it may use is a `Problem` (both in harness.api); what differs between profiles is
in the protocol (harness.protocol).

Each epoch's randomness is a function of (seed, purpose, epoch), so the state between two epochs is nothing but the
state of the supernet, its optimizer and the method.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks.base import Arch
from harness.data import SearchData
from harness.data.folders import FolderShares
from harness.protocol import Protocol
from harness.search.problem import EVALUATION_BATCH as EVALUATION_BATCH
from harness.search.problem import Parts, SupernetProblem
from harness.search.problem import stream as stream
from harness.search.simplex import entropy


@dataclass(frozen=True)
class Epoch:
    """What is logged after an epoch."""

    epoch: int
    """Counts from 0."""
    theta: NDArray[np.float32]
    """(R, K)."""
    edge_weights: NDArray[np.float32]
    """(R,)."""
    entropy: NDArray[np.float32]
    """(cell types,) mean over edges, nats."""
    loss: float
    """Mean cross-entropy of the weight steps, nats."""
    train_accuracy: float
    """Of the weight steps, %."""
    valid_accuracy: float
    """Of the supernet on the validation images, %; NaN where nothing is held out."""
    cell: Arch
    forward_images: NDArray[np.int64]
    """(3,) images that passed through the supernet, by kind of pass (`harness.search.cost.KINDS`)."""
    backward_images: NDArray[np.int64]
    """(3,) the same of backward passes."""
    multiply_adds: NDArray[np.float64]
    """(2,) of the forward and of the backward passes; NaN for a supernet that does not count them."""
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
        self.parts = Parts(method, supernet, data, protocol, seed, device)
        self.method, self.supernet, self.protocol = self.parts.method, self.parts.supernet, protocol
        self.next_epoch = 0

    def epochs(self) -> Iterator[Epoch]:
        """Run the epochs that are left, until the method has finished; stop asking at any time.

        FloatingPointError if the loss is not finite.
        """
        while self.next_epoch < self.protocol.epochs and not (self.next_epoch and self.method.finished()):
            log = self._epoch(self.next_epoch)
            self.next_epoch += 1
            yield log

    def state_dict(self) -> dict[str, Any]:
        return {
            "next_epoch": self.next_epoch,
            "supernet": self.supernet.state_dict(),
            "optimizer": self.parts.weight_optimizer.state_dict(),
            "method": self.method.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next_epoch = state["next_epoch"]
        self.supernet.load_state_dict(state["supernet"])
        self.parts.weight_optimizer.load_state_dict(state["optimizer"])
        self.method.load_state_dict(state["method"])

    # One epoch -----------------------------------------------------------------------------------------------------

    def problem(self, epoch: int) -> SupernetProblem:
        """What the method may use in an epoch; the supernet is in training mode, the learning rate set."""
        self.supernet.train()
        for group in self.parts.weight_optimizer.param_groups:
            group["lr"] = self.protocol.learning_rate_at(epoch)
        return SupernetProblem(self.parts, epoch)

    def has_architecture_steps(self, epoch: int) -> bool:
        return epoch >= self.method.warmup * self.protocol.epochs

    def _epoch(self, epoch: int) -> Epoch:
        start = time.perf_counter()
        torch.manual_seed(stream(self.parts.seed, "method", epoch))
        problem = self.problem(epoch)
        self.method.before_epoch(problem)
        loss, accuracy = self._steps(problem)
        if not math.isfinite(loss):  # seen before what the method computes of such weights raises anything else
            raise FloatingPointError(f"the training loss became {loss} in epoch {epoch + 1}")
        self.method.after_epoch(problem)
        cell = self.method.derive(problem)
        valid_accuracy = self._valid_accuracy(problem, cell) if self.parts.data.holds_out else math.nan
        return self._log(problem, loss, accuracy, valid_accuracy, cell, start)

    def _steps(self, problem: SupernetProblem) -> tuple[float, float]:
        """All iterations of an epoch; returns the mean loss (nats) and accuracy (%) of the weight steps."""
        method, first = self.method, self.protocol.architecture_first
        active = self.has_architecture_steps(problem.epoch)
        totals = torch.zeros(2, device=self.parts.device, dtype=torch.float64)
        for _ in problem.pairs():
            if active and first:
                method.architecture_step(problem)
            loss, accuracy = method.weight_step(problem)
            totals += len(problem.train_batch[1]) * torch.stack([loss.detach(), accuracy])
            if active and not first:
                method.architecture_step(problem)
        loss_and_accuracy = totals / self.parts.streams.train.size
        return cast(tuple[float, float], tuple(loss_and_accuracy.tolist()))

    # After an epoch ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _valid_accuracy(self, problem: SupernetProblem, cell: Arch) -> float:
        """Of the supernet as the method mixes it, or of the derived cell."""
        weights, edge_weights = self.method.evaluation_weights(), self.method.edge_weights()
        return problem.accuracy(cell) if weights is None else problem.accuracy(weights, edge_weights=edge_weights)

    @torch.no_grad()
    def _log(
        self,
        problem: SupernetProblem,
        loss: float,
        accuracy: float,
        valid_accuracy: float,
        cell: Arch,
        start: float,
    ) -> Epoch:
        theta, edge_weights = self.method.distribution(), self.method.edge_weights()
        edge_weights = theta.new_ones(len(theta)) if edge_weights is None else edge_weights
        per_edge = entropy(theta.double())
        per_type = [float(per_edge[edges].mean()) for edges in self.method.space.groups.values()]
        forward_images, backward_images = problem.counter.images
        return Epoch(
            epoch=problem.epoch,
            theta=_array(theta),
            edge_weights=_array(edge_weights),
            entropy=np.array(per_type, dtype=np.float32),
            loss=loss,
            train_accuracy=accuracy,
            valid_accuracy=valid_accuracy,
            cell=cell,
            forward_images=forward_images,
            backward_images=backward_images,
            multiply_adds=problem.counter.multiply_adds(),
            seconds=time.perf_counter() - start,
        )


def _array(x: Tensor) -> NDArray[np.float32]:
    """A copy, which later steps do not change."""
    return x.float().cpu().numpy().copy()


COSTS = ["forward_images", "backward_images", "multiply_adds"]
"""Arrays of a record that say what an epoch cost; records of before they were counted lack them."""


def stacked(epochs: list[Epoch], names: list[str]) -> dict[str, NDArray[Any]]:
    """The logs of all epochs as arrays (T, ...); `names` are the cells as strings."""
    fields = ["theta", "edge_weights", "entropy", "loss", "train_accuracy", "valid_accuracy", "seconds", *COSTS]
    arrays = {name: np.stack([cast(Any, getattr(log, name)) for log in epochs]) for name in fields}
    return {**arrays, "cells": np.array(names)}
