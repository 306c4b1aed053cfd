"""What the values of command-line options may be."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from harness.benchmarks import BENCHMARKS


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


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got ''; the current one is called .")
    return Path(text)


def formats(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    if names == ["none"]:
        return []
    if not set(names) <= {"png", "pdf", "svg"}:
        raise argparse.ArgumentTypeError(f"expected png, pdf, svg or none, got {text!r}")
    return names


def devices(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected devices, each once, got {text!r}")
    return names


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
