"""The command line of run_all.py. Needs no torch."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from harness import __version__
from harness.profiles import PRECISIONS, PROFILES

SPACE_NAMES = ("nasbench201", "darts")
DATASET_NAMES = ("digits", "cifar10", "cifar100", "imagenet16-120", "imagenet")


def parser() -> argparse.ArgumentParser:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    result = argparse.ArgumentParser(
        prog="run_all.py",
        description="Compare neural architecture search methods: run the searches that are missing, look the found "
        "cells up in real NAS-Bench-201 data, write tables and figures.",
        epilog="Run again with the same --results and only what is missing is done.",
    )
    result.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    what = result.add_argument_group("what to run")
    what.add_argument(
        "--methods",
        default="gaea,darts",
        metavar="A,B",
        help="names, families, file.py:Class or package.module:Class (default: %(default)s; see --list)",
    )
    what.add_argument(
        "--seeds", type=seeds, default="4", metavar="S", help="4 means 0..3; 0,3,7 and 2-5 work too (default: 4)"
    )
    what.add_argument(
        "--space",
        type=space,
        default="nasbench201",
        metavar="NAME",
        help=f"search space: {', '.join(SPACE_NAMES)}, or your own as file.py:Class (default: %(default)s)",
    )
    what.add_argument(
        "--dataset",
        type=datasets,
        metavar="NAME[,NAME]",
        help=f"to search on: {', '.join(DATASET_NAMES)}, or your own as file.py:function (default: digits for quick, "
        "cifar10 for the others); cells found on NAS-Bench-201 are always looked up on all three datasets",
    )
    what.add_argument(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick: small, on digits, a proxy; controlled: all methods under one full-size protocol; paper: each "
        "under its published protocol (default: quick)",
    )
    what.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SCOPE.NAME=VALUE",
        help="override protocol.NAME, METHOD.NAME, METHOD.protocol.NAME, or METHOD.optimizer by FILE.py:Class; "
        "repeatable",
    )
    what.add_argument(
        "--retrain",
        choices=("digits", "cifar10", "cifar100", "imagenet", "none"),
        default="digits",
        help="dataset for retraining discovered cells of the DARTS space from scratch (default: digits, briefly)",
    )
    how = result.add_argument_group("how to run")
    how.add_argument("--precision", choices=PRECISIONS, help="of the supernet (default: fp32)")
    how.add_argument(
        "--device",
        type=devices,
        metavar="A[,B]",
        help="cpu, cuda, or several: cuda:0,cuda:1 (default: all GPUs, else cpu)",
    )
    how.add_argument(
        "--jobs", type=positive, default=cores, metavar="N", help="runs at a time on the CPU (default: cores)"
    )
    how.add_argument("--threads", type=positive, default=1, metavar="N", help="threads per run (default: 1)")
    how.add_argument(
        "--jobs-per-device", type=positive, default=1, metavar="N", help="runs at a time on each GPU (default: 1)"
    )
    how.add_argument(
        "--workers",
        type=count,
        default=0,
        metavar="N",
        help="processes that decode image files, for each stream of a run on imagenet (default: 0, the run itself)",
    )
    how.add_argument("--time-limit", type=seconds, metavar="S", help="seconds that one run may take in this call")
    how.add_argument("--backend", choices=("loky", "dask"), default="loky", help="processes here, or a Dask cluster")
    how.add_argument("--scheduler", metavar="ADDRESS", help="of the Dask cluster, e.g. tcp://host:8786")
    how.add_argument("--dry-run", action="store_true", help="print the plan, what is done, and an estimate of time")
    where = result.add_argument_group("files")
    where.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    where.add_argument(
        "--table", type=Path, help="NAS-Bench-201 table made by python -m harness.benchmarks.nasbench201.table.convert"
    )
    where.add_argument(
        "--look-up",
        choices=("all", "found"),
        default="all",
        help="all: every cell that a run passed through, which curves over time need; found: those that it ended "
        "with or chose, a smaller folder (default: all)",
    )
    where.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("NAS_DATA", "data")),
        metavar="DIR",
        help="folder of the image datasets (default: $NAS_DATA, else data)",
    )
    where.add_argument(
        "--figures",
        type=formats,
        default="png,pdf,svg",
        metavar="A[,B]",
        help="formats of the figures, or none (default: %(default)s)",
    )
    other = result.add_argument_group("instead of running")
    other.add_argument("--list", action="store_true", help="list the methods")
    other.add_argument(
        "--compare",
        metavar="A,B",
        help="report what is stored, and say in words how the first method compares with each of the others",
    )
    other.add_argument("--report-only", action="store_true", help="only report what is stored")
    return result


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


def datasets(text: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in DATASET_NAMES and ":" not in name]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"unknown dataset {', '.join(unknown)!r}; known: {', '.join(DATASET_NAMES)}")
    return names


def space(text: str) -> str:
    if text not in SPACE_NAMES and ":" not in text:
        raise argparse.ArgumentTypeError(f"unknown space {text!r}; known: {', '.join(SPACE_NAMES)}")
    return text


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
