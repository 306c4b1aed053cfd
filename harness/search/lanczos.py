"""The largest eigenvalue of a matrix that is known by its products only."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def largest_eigenvalue(product: Callable[[Tensor], Tensor], start: Tensor, products: int) -> Tensor:
    """Lanczos's method, every vector made orthogonal to all before it. Never above the eigenvalue, and exact with as
    many products as the matrix has distinct eigenvalues.

    Args:
        product: of a symmetric matrix with a vector (n,).
        start: (n,) a vector that is in no invariant subspace; a random one.
        products: at most so many.

    Returns:
        () float64.
    """
    basis, diagonal, beside = (start.double() / start.double().norm())[None], [], []
    for _ in range(min(products, len(start))):
        image = product(basis[-1].to(start)).double()
        diagonal.append(basis[-1] @ image)
        for _ in range(2):  # the second time for what rounding has left
            image = image - basis.T @ (basis @ image)
        norm = image.norm()
        if norm <= 1e-12 * torch.stack(diagonal).abs().max():
            break
        beside.append(norm)
        basis = torch.cat([basis, (image / norm)[None]])
    size = len(diagonal)
    tridiagonal = torch.diag(torch.stack(diagonal))
    if size > 1:
        off = torch.diag(torch.stack(beside[: size - 1]), 1)
        tridiagonal = tridiagonal + off + off.T
    largest: Tensor = torch.linalg.eigvalsh(tridiagonal)[-1]
    return largest
