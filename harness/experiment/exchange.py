"""What a method's settings and an external optimizer must satisfy before a search: every setting that is changed has an
effect, and the optimizer resumes exactly from its `state_dict()`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.api import BlackBox, OneShot, TrainingFree

STEPS = 4
"""Of the optimizer, on random gradients."""
Exchange = tuple[type[Any], Mapping[str, Any]]
"""An optimizer class and its settings."""


def blamed(optimizer: str, lines: Iterable[str]) -> list[str]:
    """Lines on what is wrong with this optimizer, not with the method."""
    return [f"{optimizer}, in the place of the method's own optimizer: {line}" for line in lines]


def exchange(method: OneShot, optimizer: Exchange) -> None:
    """Put an optimizer in the place of the method's own."""
    make: Callable[..., torch.optim.Optimizer] = optimizer[0]
    method.exchange_optimizers(partial(make, **optimizer[1]))


def problems(method: BlackBox | OneShot | TrainingFree, make: Callable[[], Any], optimizer: Exchange) -> list[str]:
    """What is wrong with an optimizer in the place of a method's own; the method is left with it, after one step.

    make: returns a new instance of the method, with its own optimizer.
    """
    cls = optimizer[0]
    name = cls.__name__
    if not issubclass(cls, torch.optim.Optimizer):
        return [f"{name} must derive from torch.optim.Optimizer"]
    if not isinstance(method, OneShot):
        kind = "a black box" if isinstance(method, BlackBox) else "training-free"
        return [f"{type(method).__name__} is {kind}: it has no optimizer to exchange"]

    def exchanged() -> OneShot:
        torch.manual_seed(0)
        made: OneShot = make()
        exchange(made, optimizer)
        return made

    try:
        exchange(method, optimizer)
        for parameter in method.parameters():
            parameter.grad = torch.ones_like(parameter)
        method.step()
        whole = list(_stepped(exchanged, resumed=False))
        if not _same(whole, list(_stepped(exchanged, resumed=False))):
            return [f"{name}: two runs from one seed differ: draw from torch's global generator only"]
        if not _same(whole, list(_stepped(exchanged, resumed=True))):
            return [
                f"{name} resumed from state_dict() differs from an uninterrupted run: keep what changes in"
                " self.state[parameter] or self.param_groups"
            ]
    except Exception as error:  # whatever an outside optimizer raises
        return blamed(name, [f"{type(error).__name__}: {error}"])
    return []


def _stepped(make: Callable[[], OneShot], resumed: bool) -> Iterator[list[Tensor]]:
    """The parameters after every step of the optimizers; `resumed`: from a checkpoint before every step."""
    method, gradients = make(), torch.Generator().manual_seed(0)
    for number in range(STEPS):
        if resumed:
            checkpoint = io.BytesIO()
            torch.save(method.state_dict(), checkpoint)
            checkpoint.seek(0)
            method = make()
            method.load_state_dict(torch.load(checkpoint, weights_only=True))
        torch.manual_seed(number)  # as before every epoch
        for _, optimizer in method.held_optimizers():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.randn(parameter.shape, generator=gradients)
            optimizer.step()
        yield [parameter.detach().clone() for parameter in method.parameters()]


def without_effect(
    make: Callable[..., BlackBox | OneShot | TrainingFree],
    settings: Mapping[str, Any],
    changed: Mapping[str, Any],
    exchanged: bool,
) -> list[str]:
    """The changed settings that leave no trace in a new instance of a method.

    Args:
        make: the method's class, all arguments but its settings filled in.
        settings: defaults of all settings.
        changed: other values of some of them.
        exchanged: whether another optimizer takes the place of the method's own, so that what only those read has no
            effect.
    """

    def made(values: Mapping[str, Any]) -> dict[str, Any]:
        torch.manual_seed(0)
        attributes = vars(make(**values))
        return {name: value for name, value in attributes.items() if not (exchanged and _is_optimizer(value))}

    everything = {**settings, **changed}
    return [name for name in changed if _same(made(everything), made({**everything, name: settings[name]}))]


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, torch.optim.Optimizer)


def _same(a: Any, b: Any) -> bool:
    """Whether two values are equal; what cannot be compared is not."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor | np.ndarray):
        first, second = (value.detach().numpy() if isinstance(value, Tensor) else value for value in (a, b))
        return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, torch.optim.Optimizer):
        return _same(a.param_groups, b.param_groups)
    if isinstance(a, nn.Module):
        return repr(a) == repr(b) and _same(a.state_dict(), b.state_dict())
    try:
        return bool(a == b)
    except Exception:  # of a user's own type
        return False
