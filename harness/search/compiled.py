"""Training passes of a supernet at the speed that a long search needs: compiled, and on a GPU replayed as CUDA graphs.

A pass of several thousand small kernels is bound by their launches. A CUDA graph launches all of them at once; one is
captured for each kind of pass, forward and backward, the first time that a pass of this kind is asked for.
"""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn


class TrainingPass(nn.Module):
    """forward(images, weights, edge_weights) -> logits, with every cell compiled."""

    def __init__(self, supernet: nn.Module, bf16: bool) -> None:
        super().__init__()
        self.supernet, self.bf16 = supernet, bf16

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor) -> Tensor:
        with autocast(images.device, self.bf16):
            return cast(Tensor, self.supernet(images, weights, edge_weights, compiled=True))


def autocast(device: torch.device, bf16: bool) -> AbstractContextManager[Any]:
    """Mixed precision, if asked for. No weight is used twice in a pass, so that there is nothing to cache."""
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if bf16 else nullcontext()


class Compiled:
    """The training passes of one supernet."""

    def __init__(self, supernet: nn.Module, batch_size: int) -> None:
        _prepare(next(supernet.parameters()).device)
        self.supernet, self.batch_size = supernet, batch_size
        self._graphs: dict[Kind, Graph] = {}

    def takes(self, images: Tensor) -> bool:
        """Whether a pass is worth a program: full batches, while gradients are recorded. The last batch of an epoch may
        be smaller, and evaluation is a small part of a search."""
        return len(images) == self.batch_size and self.supernet.training and torch.is_grad_enabled()

    def __call__(self, images: Tensor, weights: Tensor, edge_weights: Tensor, bf16: bool) -> Tensor:
        """Logits (B, classes)."""
        run = TrainingPass(self.supernet, bf16)
        if not images.is_cuda:
            return cast(Tensor, run(images, weights, edge_weights))
        inputs = (images, weights, edge_weights)
        kind = Kind.of(inputs, next(self.supernet.parameters()).requires_grad, bf16)
        if kind not in self._graphs:
            self._graphs[kind] = Graph(run, inputs)
        graph = self._graphs[kind]
        return run(*inputs) if graph.is_awaited() else graph(*inputs)


class Kind(NamedTuple):
    """What a program is made for."""

    shapes: tuple[torch.Size, ...]
    gradients: tuple[bool, ...]
    of_w: bool
    bf16: bool

    @staticmethod
    def of(inputs: tuple[Tensor, ...], of_w: bool, bf16: bool) -> Kind:
        return Kind(tuple(x.shape for x in inputs), tuple(x.requires_grad for x in inputs), of_w, bf16)


class Graph:
    """The CUDA graphs of one kind of pass. Its tensors, gradients included, are overwritten by its next replay."""

    def __init__(self, run: TrainingPass, inputs: tuple[Tensor, ...]) -> None:
        samples = tuple(x.detach().clone().requires_grad_(x.requires_grad) for x in inputs)
        buffers = list(run.buffers())
        before = [buffer.clone() for buffer in buffers]
        self._replay = torch.cuda.make_graphed_callables(run, samples, allow_unused_input=True)
        for buffer, value in zip(buffers, before, strict=True):  # which the passes that warm up have moved
            buffer.copy_(value)
        self._backward: weakref.ref[Any] | None = None
        self._used = True

    def is_awaited(self) -> bool:
        """Whether the backward pass of the last replay is still to come, so that another would spoil it."""
        return not self._used and self._backward is not None and self._backward() is not None

    def __call__(self, *inputs: Tensor) -> Tensor:
        logits = cast(Tensor, self._replay(*inputs))
        self._used, self._backward = False, weakref.ref(logits.grad_fn)
        logits.register_hook(self._note_use)
        return logits

    def _note_use(self, _: Tensor) -> None:
        self._used = True


def copies(tensors: list[Tensor]) -> list[Tensor]:
    """Copies that the next replay does not overwrite, in one call."""
    return list(torch._foreach_mul(tensors, 1.0))


def _prepare(device: torch.device) -> None:
    """A cell is compiled for every shape, set of gradients and precision: more than torch expects of one function.

    On a GPU all batches have one shape, for which the fastest convolutions are chosen by trial. On a CPU half of what a
    backward pass needs is computed again instead of kept, as memory is what limits the number of searches at a time.
    """
    torch._dynamo.config.recompile_limit = 64
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        if hasattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch"):
            # A capture leaves nodes of its stream in the graph of w; replays equal eager steps all the same.
            torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    else:
        torch._functorch.config.activation_memory_budget = 0.5
