import torch
from torch import nn

from harness.api import OneShot


class SignGradient(OneShot):
    def __init__(self, space, lr: float = 0.1):
        super().__init__(space)
        self.lr = lr
        self.theta = nn.Parameter(torch.full(space.shape, 1 / space.shape[1]))

    def distribution(self):
        return self.theta / self.theta.sum(dim=-1, keepdim=True)

    @torch.no_grad()
    def step(self):
        self.theta *= torch.exp(-self.lr * self.theta.grad.sign())
