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


class LeavesTheSimplexLater(SignDescent):
    """Rows keep their sums, but entries become negative. It does not move where all gradients are equal."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p -= 10 * (p.grad - p.grad.mean(dim=-1, keepdim=True)).sign()


class HiddenMomentum(SignDescent):
    """Keeps its momentum where `state_dict()` does not see it."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, lr)
        self.m = 0.0

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                self.m = 0.9 * self.m + p.grad
                p -= group["lr"] * self.m


class Momentum(SignDescent):
    """Keeps it in `self.state`."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["m"] = 0.9 * state.get("m", 0.0) + p.grad
                p -= group["lr"] * state["m"]


class DrawsItsOwn(SignDescent):
    """Adds noise from a generator that nobody seeds."""

    @torch.no_grad()
    def step(self):
        generator = torch.Generator()
        generator.seed()
        for group in self.param_groups:
            for p in group["params"]:
                p += torch.rand(p.shape, generator=generator)


class NoOptimizer:
    pass
