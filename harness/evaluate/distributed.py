"""The processes that train one network together: those that `torchrun` started, or this one alone.

Process 0 leads: it alone claims runs and writes files. Gradients are averaged over all (DistributedDataParallel); over
gloo on CPUs and NCCL on GPUs, where objects and tensors of the CPU still go over gloo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(days=7)
"""While the leader waits for a run that another call has claimed, the others wait for the leader."""


@dataclass(frozen=True)
class Group:
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of `count` items: contiguous parts, which differ by one item at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def from_leader(self, value: Any) -> Any:
        """What the leader calls this with; the others' `value` does not matter."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def copy_from_leader(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with the leader's, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


def current() -> Group:
    """The group that this process has joined."""
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    return Group()


def launched() -> bool:
    """Whether `torchrun` started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextmanager
def joined() -> Iterator[Group]:
    """Join the processes that `torchrun` started. ValueError if they cannot be reached."""
    if not launched():
        yield Group()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"torchrun's processes cannot be joined: {str(error).splitlines()[0]}") from error
    yield current()
    dist.destroy_process_group()  # not after an exception: the others may wait for this process for ever
