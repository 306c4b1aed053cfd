"""Outside methods that go wrong."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from harness.api import LogUniform, OneShot


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


class TakesTurns(Raises):
    """Writes a number of its own before every epoch, and gives others time to do the same."""

    def __init__(self, space):
        super().__init__(space)
        self.number = torch.randint(2**31, ()).item()

    def before_epoch(self, problem):
        with Path(os.environ["TURNS"]).open("a") as file:
            file.write(f"{self.number}\n")
        time.sleep(0.5)

    def step(self):
        pass


class FirstContract(Raises):
    """As methods were written for the first version of the contract."""

    def anneal(self, epoch, epochs):
        pass

    def derive(self, evaluate):
        return self.space.discretize(self.alpha)


class OddSetting(Raises):
    def __init__(self, space, optimizer=torch.optim.Adam):
        super().__init__(space)
        self.optimizer = optimizer


class NoReason(Raises):
    @classmethod
    def unsupported(cls, space):
        raise KeyError(f"no\n{space.name}")


class NoOptions(Raises):
    supernet = None


class OddOptions(Raises):
    supernet: ClassVar = {"partial_channels": "4"}


class OddRange(Raises):
    tunable: ClassVar = {"lr": (0.1, 1.0)}

    def __init__(self, space, lr=0.1):
        super().__init__(space)
        self.lr = lr


class UnknownRange(OddRange):
    tunable: ClassVar = {"rate": LogUniform(0.1, 1.0)}


class NoMethod:
    pass
