"""Outside methods that go wrong in the middle of a search, after `FIRST_STEPS` steps."""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from harness.api import OneShot

FIRST_STEPS = 15
"""More than one epoch of the small searches of these tests, less than two."""


class Sound(OneShot):
    def __init__(self, space):
        super().__init__(space)
        self.alpha = nn.Parameter(torch.zeros(space.shape))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def distribution(self):
        return self.alpha.softmax(-1)

    def step(self):
        with torch.no_grad():
            self.alpha -= 0.1 * self.alpha.grad
            self.steps += 1
        if self.steps > FIRST_STEPS:
            self.go_wrong()

    def go_wrong(self):
        pass


class RunsOutOfMemory(Sound):
    """As the system does to it: the address space is limited in the environment's variable."""

    def go_wrong(self):
        if "MEMORY_IS_SHORT" in os.environ:
            self.limit()

    def limit(self):
        before = resource.getrlimit(resource.RLIMIT_AS)
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**24, before[1]))
        try:
            self.ask()
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    def ask(self):
        return bytearray(2**30)


class RunsOutOfTensorMemory(RunsOutOfMemory):
    def ask(self):
        return torch.ones(2**28)


class ExitsQuietly(Sound):
    def go_wrong(self):
        sys.exit(0)


class ChangesShape(Sound):
    def distribution(self):
        theta = self.alpha.softmax(-1)
        return theta[:, :-1] if self.steps > FIRST_STEPS else theta


class DerivesNoCell(Sound):
    def derive(self, problem):
        return ("warp_drive",) * 6 if self.steps > FIRST_STEPS else super().derive(problem)


class EndsInNan(Sound):
    """In its very last step, which no loss sees."""

    def derive(self, problem):
        if self.steps > FIRST_STEPS:
            self.alpha.data.fill_(torch.nan)
        return super().derive(problem)


class CannotBeInterrupted(Sound):
    """Hangs where no signal reaches Python."""

    def go_wrong(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        while True:
            time.sleep(1000)


class CrashesInC(Sound):
    def go_wrong(self):
        ctypes.string_at(0)
