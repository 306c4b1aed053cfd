"""A benchmark harness for neural architecture search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.results import Results, run

__version__ = "0.2.0.dev0"
__all__ = ["Results", "run"]


def __getattr__(name: str) -> Any:
    """`harness.run` and `harness.Results`, imported when they are asked for."""
    if name in __all__:
        from harness import results

        return getattr(results, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
