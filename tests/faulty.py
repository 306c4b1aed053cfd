"""Outside methods that go wrong."""

import os
import signal
import time

import torch
from torch import nn

from harness.api import OneShot


class Raises(OneShot):
    def __init__(self, space):
        super().__init__(space)
        self.alpha = nn.Parameter(torch.zeros(space.shape))

    def distribution(self):
        return self.alpha.softmax(-1)

    def step(self):
        raise RuntimeError("no step today")


class BecomesNan(Raises):
    def step(self):
        with torch.no_grad():
            self.alpha.fill_(torch.nan)


class KillsItsProcess(Raises):
    def step(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Raises):
    def step(self):
        time.sleep(1000)


class OddSetting(Raises):
    def __init__(self, space, optimizer=torch.optim.Adam):
        super().__init__(space)
        self.optimizer = optimizer


class NoMethod:
    pass
