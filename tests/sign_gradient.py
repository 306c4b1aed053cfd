import torch

from harness.api import OneShot
from harness.search.simplex import uniform


class SignGradient(OneShot):
    def __init__(self, space, lr: float = 0.1):
        super().__init__(space)
        self.lr = lr
        self.theta = torch.nn.Parameter(uniform(space))

    def distribution(self):
        return self.theta / self.theta.sum(dim=-1, keepdim=True)

    @torch.no_grad()
    def step(self):
        self.theta *= torch.exp(-self.lr * self.theta.grad.sign())
