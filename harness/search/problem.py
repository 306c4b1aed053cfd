"""The implementation of `harness.api.Problem`: supernet, data and budget as a method may use them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import OneShot, Outcome, Part
from harness.benchmarks import Arch
from harness.data import SearchData
from harness.data.folders import FolderShares
from harness.data.streams import Batch, Stream, Streams
from harness.protocol import FolderProtocol, Protocol
from harness.search.compiled import Compiled, autocast, copies
from harness.search.cost import Counter

EVALUATION_BATCH = 512
"""Images per batch when an architecture is scored or the supernet is validated."""

Source = Literal["train", "held_out", "validation"]
PURPOSES = {"train": "further weights", "held_out": "architecture", "validation": "scoring"}
"""The names of the random streams of further batches; another name would draw other batches."""


class Parts:
    """What the epochs of a search have in common."""

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
        self.data = data
        self.protocol = protocol
        self.seed = seed
        self.device = device
        self.compiled = Compiled(self.supernet, protocol.batch_size) if protocol.compiled else None
        self.w: list[Tensor] = list(supernet.parameters())
        self.ids_of_w = {id(weight) for weight in self.w}
        self.weight_optimizer = torch.optim.SGD(
            self.w,
            lr=protocol.learning_rate,
            momentum=protocol.momentum,
            nesterov=protocol.nesterov,
            weight_decay=protocol.weight_decay,
        )
        self.streams = self._streams(protocol.batch_size, EVALUATION_BATCH, augmented=True)
        self._further: dict[tuple[Source, int, bool], Stream] = {}

    def stream(self, source: Source, size: int, augmented: bool) -> Stream:
        """Images of a source, apart from the streams of the iterations and of the validation."""
        wanted = (source, size, augmented)
        if wanted not in self._further:
            train, held_out, validation = self._streams(size, size, augmented)
            plain = validation if self.data.holds_out else held_out
            self._further[wanted] = train if source == "train" else held_out if augmented else plain
        return self._further[wanted]

    def _streams(self, size: int, validation_size: int, augmented: bool) -> Streams:
        crop, flip = self.protocol.crop and augmented, self.protocol.flip and augmented
        return self.data.streams(size, validation_size, crop, flip, self.device)


@dataclass
class _Pair:
    """The batches of an iteration, once they are drawn."""

    train: Batch | None = None
    held_out: Batch | None = None


class SupernetProblem:
    """A `Problem`, for one epoch. See there for what its members mean."""

    def __init__(self, parts: Parts, epoch: int) -> None:
        self.parts = parts
        self.space = parts.method.space
        self.supernet = parts.supernet
        self.w, self.weight_optimizer = parts.w, parts.weight_optimizer
        self.epoch, self.epochs = epoch, parts.protocol.epochs
        self.iteration, self.iterations = 0, len(parts.streams.train)
        self.counter = Counter(parts.supernet)
        self._train = parts.streams.train.one_pass(self._generator("weights"))
        self._others: dict[tuple[Source, int, bool], Iterator[Batch]] = {}
        self._pair: _Pair | None = None
        self._of_w = False
        """Whether the backward pass that runs has gradients of `w`, for the hooks that count it."""

    @property
    def cells(self) -> list[slice]:
        rows = getattr(self.supernet, "cell_rows", None)
        return rows() if rows else [slice(0, self.space.shape[0])]

    # Data ----------------------------------------------------------------------------------------------------------

    def pairs(self) -> Iterator[None]:
        """For the loop: within each of its iterations, the epoch's next pair of batches is at hand."""
        for iteration in range(self.iterations):
            self.iteration, self._pair = iteration, _Pair()
            yield
        self._pair = None

    @property
    def train_batch(self) -> Batch:
        pair = self._of_iteration()
        if pair.train is None:
            pair.train = next(self._train)
        return pair.train

    @property
    def held_out_batch(self) -> Batch:
        pair = self._of_iteration()
        if pair.held_out is None:
            pair.held_out = self.batch("held_out")
        return pair.held_out

    def _of_iteration(self) -> _Pair:
        if self._pair is None:
            raise RuntimeError("the pair of batches belongs to an iteration: use problem.batch(...) elsewhere")
        return self._pair

    def batch(self, source: Source, size: int | None = None, augmented: bool | None = None) -> Batch:
        wanted = self._wanted(source, size, augmented)
        if wanted not in self._others:
            self._others[wanted] = self._stream(*wanted).infinite(self._generator(self._purpose(*wanted)))
        return next(self._others[wanted])

    def _wanted(self, source: Source, size: int | None, augmented: bool | None) -> tuple[Source, int, bool]:
        """With what is usual where it is left open."""
        usual_size = EVALUATION_BATCH if source == "validation" else self.parts.protocol.batch_size
        return source, size or usual_size, source != "validation" if augmented is None else augmented

    def _stream(self, source: Source, size: int, augmented: bool) -> Stream:
        usual: dict[tuple[Source, int, bool], Stream] = {
            ("held_out", self.parts.protocol.batch_size, True): self.parts.streams.held_out,
            ("validation", EVALUATION_BATCH, False): self.parts.streams.validation,
        }
        wanted = (source, size, augmented)
        return usual[wanted] if wanted in usual else self.parts.stream(*wanted)

    def _purpose(self, source: Source, size: int, augmented: bool) -> str:
        usual_size = EVALUATION_BATCH if source == "validation" else self.parts.protocol.batch_size
        if (size, augmented) == (usual_size, source != "validation"):
            return PURPOSES[source]
        return f"{PURPOSES[source]}, {size}{', augmented' * augmented}"

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(stream(self.parts.seed, purpose, self.epoch))

    # Forward -------------------------------------------------------------------------------------------------------

    def loss(
        self,
        weights: Tensor,
        batch: Batch,
        *,
        edge_weights: Tensor | None = None,
        training: bool = True,
        sampled: bool = False,
        fp32: bool = False,
        fixed_w: bool = False,
    ) -> Outcome:
        if sampled:
            check_sampled(weights, self.space.keep)
        images, labels = batch
        kind = "evaluation" if not training else "sampled" if sampled else "mixture"
        self._set_mode(training)
        with self._constant(self.w if fixed_w else []):
            logits = self._logits(images, weights, edge_weights, sampled, kind, fp32)
        single_at_least = torch.promote_types(logits.dtype, torch.float32)
        loss = F.cross_entropy(logits.to(single_at_least), labels)
        if loss.requires_grad:
            loss.register_hook(lambda _: self.counter.backward(images, weights, kind, sampled, self._of_w))
        return Outcome(loss, 100 * (logits.detach().argmax(dim=1) == labels).float().mean())

    @torch.no_grad()
    def accuracy(
        self,
        architecture: Tensor | Arch,
        batch: Batch | None = None,
        *,
        edge_weights: Tensor | None = None,
        training: bool = False,
    ) -> float:
        mixture = isinstance(architecture, Tensor)
        weights = architecture if isinstance(architecture, Tensor) else self._one_hot(architecture)
        correct, total = torch.zeros((), device=self.parts.device), 0
        self._set_mode(training)
        for images, labels in self.parts.streams.validation.in_order() if batch is None else [batch]:
            logits = self._logits(images, weights, edge_weights, not mixture, "evaluation", fp32=False)
            correct += (logits.argmax(dim=1) == labels).sum()
            total += len(labels)
        return 100 * correct.item() / total

    def _one_hot(self, architecture: Arch) -> Tensor:
        """(R, K) weights with which the supernet is one architecture."""
        return torch.as_tensor(self.space.one_hot(architecture), dtype=self.w[0].dtype, device=self.parts.device)

    def _logits(
        self,
        images: Tensor,
        weights: Tensor,
        edge_weights: Tensor | None,
        sampled: bool,
        kind: str,
        fp32: bool,
        twice: bool = False,
    ) -> Tensor:
        """twice: the result can be differentiated twice, as that of compiled passes cannot."""
        if edge_weights is None:
            edge_weights = weights.new_ones(weights.shape[-2])
        bf16 = self.parts.protocol.precision == "bf16" and not fp32
        compiled = self.parts.compiled
        if compiled and not sampled and not twice and compiled.takes(images):
            logits = compiled(images, weights, edge_weights, bf16)
        else:
            with autocast(self.parts.device, bf16):
                logits = self.supernet(images, weights, edge_weights, sampled)
        self.counter.forward(images, weights, kind, sampled)
        return logits

    def _set_mode(self, training: bool) -> None:
        """Of the supernet, until the next pass: to walk through all of its modules takes as long as a small pass."""
        if self.supernet.training != training:
            self.supernet.train(training)

    @contextmanager
    def _constant(self, parameters: Sequence[Tensor]) -> Iterator[None]:
        """Within, no gradients into these parameters are recorded."""
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)

    # Backward ------------------------------------------------------------------------------------------------------

    def gradients(self, loss: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
        self._of_w = any(id(x) in self.parts.ids_of_w for x in inputs)
        found = torch.autograd.grad(loss, list(inputs), allow_unused=True)
        gradients = [_like(gradient, x) for gradient, x in zip(found, inputs, strict=True)]
        return copies(gradients) if self.parts.compiled and loss.is_cuda else gradients

    def curvature(self, mixture: Callable[[Tensor], Tensor], x: Tensor, batch: Batch) -> Callable[[Tensor], Tensor]:
        x, (images, labels) = x.detach().requires_grad_(), batch
        weights = mixture(x)
        self._set_mode(training=True)
        with self._constant(self.w):
            logits = self._logits(images, weights, None, False, "mixture", fp32=True, twice=True)
        loss = F.cross_entropy(logits, labels)
        (gradient,) = torch.autograd.grad(loss, [x], create_graph=True)
        self.counter.backward(images, weights, "mixture", sampled=False, of_w=False)

        def product(vector: Tensor) -> Tensor:
            """Passes back through both passes of the gradient: as much work as with gradients of `w`."""
            self.counter.backward(images, weights, "mixture", sampled=False, of_w=True)
            return torch.autograd.grad(gradient, [x], grad_outputs=vector, retain_graph=True)[0]

        return product

    def set_gradient(self, loss: Tensor | Sequence[Tensor]) -> None:
        parameters = list(self.parts.method.parameters())
        self.parts.method.zero_grad()
        if isinstance(loss, Tensor):
            self._of_w = False
            loss.backward(inputs=parameters)
        else:
            for parameter, gradient in zip(parameters, loss, strict=True):
                parameter.grad = gradient
        protocol = self.parts.protocol
        if isinstance(protocol, FolderProtocol) and protocol.architecture_clip:
            nn.utils.clip_grad_norm_(parameters, protocol.architecture_clip)

    def update(self, gradients: Sequence[Tensor], *, frozen: Iterable[Part] = ()) -> None:
        kept = [(index, rows) for index, rows in frozen]
        for index, rows in kept:
            gradients[index][rows] = 0
        for weight, gradient in zip(self.w, gradients, strict=True):
            weight.grad = gradient
        if self.parts.protocol.gradient_clip:
            nn.utils.clip_grad_norm_(self.w, self.parts.protocol.gradient_clip)
        with self._unmoved(kept):
            self.weight_optimizer.step()
        self.weight_optimizer.zero_grad()  # so that no two sets of gradients are in memory during a backward pass

    @contextmanager
    def _unmoved(self, parts: Sequence[Part]) -> Iterator[None]:
        """Afterwards, these weights and their momentum are what they were before; momentum that was not, is zero."""
        weights = [self.w[index].detach()[rows].clone() for index, rows in parts]
        buffers = [self._momentum(index) for index, _ in parts]
        momenta = [None if b is None else b[rows].clone() for b, (_, rows) in zip(buffers, parts, strict=True)]
        yield
        for (index, rows), weight, momentum in zip(parts, weights, momenta, strict=True):
            self.w[index].detach()[rows] = weight
            buffer = self._momentum(index)
            if buffer is not None:
                buffer[rows] = 0 if momentum is None else momentum

    def _momentum(self, index: int) -> Tensor | None:
        buffer: Tensor | None = self.weight_optimizer.state[self.w[index]].get("momentum_buffer")
        return buffer

    def shifted(self, direction: Sequence[Tensor], scale: float | Tensor) -> AbstractContextManager[None]:
        return self._shifted(direction, scale)

    @contextmanager
    def _shifted(self, direction: Sequence[Tensor], scale: float | Tensor) -> Iterator[None]:
        origin = [weight.detach().clone() for weight in self.w]
        try:
            with torch.no_grad():
                for weight, start, step in zip(self.w, origin, direction, strict=True):
                    weight.copy_(start + scale * step)
            yield
        finally:
            with torch.no_grad():
                for weight, start in zip(self.w, origin, strict=True):
                    weight.copy_(start)

    def operations(self) -> Mapping[tuple[int, int, str], list[Part]]:
        if not hasattr(self.supernet, "operation_rows"):
            raise TypeError(f"{type(self.supernet).__name__} must define operation_rows() for this method")
        index = {name: number for number, (name, _) in enumerate(self.supernet.named_parameters())}
        places: Mapping[tuple[int, int, str], list[tuple[str, slice]]]
        places = cast(Any, self.supernet).operation_rows()
        return {key: [(index[name], rows) for name, rows in parts] for key, parts in places.items()}


def check_sampled(weights: Tensor, keep: Sequence[int]) -> None:
    """ValueError if weights are not (R, K), or a row has other values than zero and one, up to rounding, or more ones
    than `keep` (R,)."""
    if weights.dim() != 2:
        raise ValueError(f"sampled weights (R, K) are the same in all cells, got {tuple(weights.shape)}")
    for row, ones in zip(weights.detach().tolist(), keep, strict=True):
        off = sum(min(abs(value), abs(value - 1)) for value in row)
        if off > 0.01 or sum(value > 0.5 for value in row) > ones:
            raise ValueError(f"sampled weights must be one-hot in every row, got {row}")


def _like(gradient: Tensor | None, x: Tensor) -> Tensor:
    """A gradient in the memory layout of its input, as `backward` leaves it: the order in which a norm is summed, and
    with it its last bits, follow the layout."""
    if gradient is None:
        return torch.zeros_like(x)
    return gradient if gradient.stride() == x.stride() else torch.empty_like(x).copy_(gradient)


def stream(seed: int, purpose: str, epoch: int | None = None) -> int:
    """The seed of one random stream of a run. Streams of different purposes are unrelated; the streams of the
    supernet's initial weights and of the weights' batches are the same for all methods, so runs can be paired."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
