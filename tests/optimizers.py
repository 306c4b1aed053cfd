"""Optimizers of a user, for the place of a method's own."""

import torch


class SignDescent(torch.optim.Optimizer):
    """On logits."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad.sign()


class MultiplicativeSign(SignDescent):
    """On the simplex."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p *= (-group["lr"] * p.grad.sign()).exp()
                p /= p.sum(dim=-1, keepdim=True)


class LeavesTheSimplex(SignDescent):
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p += 1


class NoOptimizer:
    pass
