"""Reference vectors of the methods after GAEA, and methods at a given alpha."""

import numpy as np
import torch
from torch import nn

from tests.problems import problem_of

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def vectors(test_data, name):
    """The arrays of a file as tensors."""
    with np.load(test_data / "golden" / "newer" / f"{name}.npz", allow_pickle=False) as golden:
        return {key: torch.as_tensor(golden[key]) for key in golden.files}


def at(method, alpha):
    """A method in double precision with these logits."""
    method = method.double()
    with torch.no_grad():
        method.alpha.copy_(alpha)
    return method


def alpha_gradient(method, loss):
    """d loss / d alpha, of a method's only parameter."""
    (gradient,) = torch.autograd.grad(loss, method.alpha)
    return gradient


class Toy(nn.Module):
    """Cells h <- h + sum over edges and operations of theta tanh(h W), and a linear classifier. W: (L, E, K, H, H)."""

    def __init__(self, cells, head):
        super().__init__()
        self.cells, self.head = nn.Parameter(cells.clone()), nn.Parameter(head.clone())

    def cell_rows(self):
        return [slice(0, self.cells.shape[1])] * len(self.cells)

    def forward(self, images, weights, edge_weights, sampled=False):
        h = images.flatten(1)
        for kernels, theta in zip(self.cells, weights.expand(len(self.cells), -1, -1), strict=True):
            h = h + torch.einsum("ekbi,ek->bi", torch.einsum("bh,ekhi->ekbi", h, kernels).tanh(), theta)
        return h @ self.head


PLAIN_SGD = {
    **{"learning_rate": 1.0, "learning_rate_min": 1.0, "momentum": 0.0, "weight_decay": 0.0, "gradient_clip": 0.0},
    "nesterov": False,
}
"""With which a weight step subtracts the gradient."""


def toy_problem(method, cells, head, train, held_out, **changes):
    """batches: images (B, H), which get a height and a width, and labels."""
    batches = [(images[:, :, None, None], labels) for images, labels in (train, held_out)]
    return problem_of(method, Toy(cells, head), *batches, **changes)
