"""Data-parallel training: the group of processes started by `torchrun`, or of this process alone.

Only the main process (rank 0) claims runs and writes files. DistributedDataParallel averages the gradients over all
processes. The backend is gloo on CPUs and NCCL on GPUs, where objects and CPU tensors still use gloo.
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

TIMEOUT = timedelta(days=7)
"""Long, because all processes wait while the main process waits for a run that another call has claimed."""


@dataclass(frozen=True)
class Group:
    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """This process's part of `count` items: contiguous parts whose sizes differ by at most one."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def broadcast(self, value: Any) -> Any:
        """Return the main process's `value` in all processes; the values of the others are ignored."""
        if self.size == 1:
            return value
        objects = [value]
        dist.broadcast_object_list(objects, src=0, device=torch.device("cpu"))
        return objects[0]

    def broadcast_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the main process, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


def current_group() -> Group:
    """The group that this process has joined."""
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    return Group()


def launched_by_torchrun() -> bool:
    """Whether `torchrun` started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextmanager
def process_group() -> Iterator[Group]:
    """Join the processes that `torchrun` started, if it did. ValueError if they cannot be reached."""
    if not launched_by_torchrun():
        yield Group()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"cannot join torchrun's processes: {str(error).splitlines()[0]}") from error
    yield current_group()
    dist.destroy_process_group()  # not after an exception: the other processes might never answer


def tells_of_a_lost_process(error: BaseException) -> bool:
    """Whether an error is that another process of the group has ended: NCCL has a type for it, gloo a text."""
    if not dist.is_available():
        return False
    texts = "Connection closed by peer", "Connection reset by peer"
    return isinstance(error, dist.DistError) or any(text in str(error) for text in texts)
