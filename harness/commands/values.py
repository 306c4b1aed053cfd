"""What the values of command-line options may be."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from harness.benchmarks import BENCHMARKS
from harness.experiment import registry

NONE = "none"
"""What leaves out all."""


def seeds(text: str) -> list[int]:
    """`4` -> 0..3; `0,3,7`; `2-5` (inclusive). A single number counts seeds, a list names them."""
    if re.fullmatch(r"[0-9]{1,6}", text):
        found = list(range(int(text)))
    elif re.fullmatch(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*", text):
        ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
        if any(pair[-1] < pair[0] for pair in ends):
            raise argparse.ArgumentTypeError(f"a range runs upwards, got {text!r}")
        found = sorted({seed for pair in ends for seed in range(pair[0], pair[-1] + 1)})
    else:
        raise argparse.ArgumentTypeError(f"expected a number of seeds, a list 0,3,7 or a range 2-5, got {text!r}")
    if not found:
        raise argparse.ArgumentTypeError("at least one seed is needed")
    return found


def names(text: str) -> list[str]:
    """Between commas, each once."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise argparse.ArgumentTypeError(f"expected at least one name, got {text!r}")
    return found


def controls(text: str) -> list[str]:
    """Methods that are controls, or none."""
    found = names(text)
    if found == [NONE]:
        return []
    known = registry.controls()
    if unknown := [name for name in found if name not in known]:
        raise argparse.ArgumentTypeError(f"expected {', '.join(known)} or {NONE}, got {', '.join(unknown)}")
    return [name for name in known if name in found]


def metrics(text: str) -> list[tuple[str, str]]:
    """`DATASET:SPLIT,DATASET` -> (dataset, split) pairs; an empty split is a dataset's first."""
    pairs = [(dataset, split) for dataset, _, split in (name.partition(":") for name in names(text))]
    if not all(dataset for dataset, _ in pairs):
        raise argparse.ArgumentTypeError(f"expected DATASET or DATASET:SPLIT, got {text!r}")
    return pairs


def space(text: str) -> str:
    """The name of a benchmark, or `file.py:Class`."""
    if text not in BENCHMARKS and ":" not in text:
        raise argparse.ArgumentTypeError(f"unknown space {text!r}; known: {', '.join(BENCHMARKS)}")
    return text


def text(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("expected a name, got an empty one")
    return value.strip()


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got ''; the current one is called .")
    return Path(text)


def absolute_folder(text: str) -> Path:
    return folder(text).absolute()


def formats(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    if names == [NONE]:
        return []
    if not set(names) <= {"png", "pdf", "svg"}:
        raise argparse.ArgumentTypeError(f"expected png, pdf, svg or none, got {text!r}")
    return names


def devices(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected devices, each once, got {text!r}")
    return names


def amount(text: str) -> float:
    """`2e12`, `1500000`: a positive number."""
    if not re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?([eE]\+?[0-9]{1,2})?", text) or not 0 < float(text) <= 1e30:
        raise argparse.ArgumentTypeError(f"expected a positive number such as 2e12, got {text!r}")
    return float(text)


def seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got {text!r}")
    return float(text)


def count(text: str) -> int:
    return 0 if text == "0" else positive(text)


def positive(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
