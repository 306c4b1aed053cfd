"""The table of all measured figures: rows, what machine they are from, and both as Markdown."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from harness.experiment.provenance import version_control

GOALS = {
    "supernet": "NAS-Bench-201 supernet: forward and backward",
    "sampled": "Sampled operations: forward and backward",
    "darts": "Supernets of the DARTS space: forward and backward",
    "before": "Supernets against the hand-written passes that they replaced (commit 0d323e2)",
    "precision": "Errors of bf16 passes",
    "memory": "Memory",
    "look-ups": "Look-ups in the table",
    "black boxes": "Methods that search on the table",
    "overhead": "What a search does besides forward, backward and optimizer steps",
    "jobs": "Runs side by side",
    "start": "Start-up",
    "report": "Report of 10,000 runs",
    "growth": "How cost grows",
    "gpu": "On a GPU",
}
"""Key -> heading, in the order of the tables."""


@dataclass(frozen=True)
class Row:
    """One figure."""

    goal: str
    """Key of `GOALS`."""
    what: str
    value: float
    unit: str
    """"x" for ratios, "%" for shares, or a unit of measurement."""
    how: str
    """Rounds, threads, what was subtracted or extrapolated."""
    at_most: float | None = None
    at_least: float | None = None
    """The goal; at most one of the two."""
    least: float | None = None
    """The limit that must hold even where the goal is not reached."""

    @property
    def goal_value(self) -> float | None:
        return self.at_least if self.at_most is None else self.at_most

    def within(self, limit: float | None) -> bool:
        """Whether the value is on the right side of a limit, which None always is."""
        return limit is None or (self.value <= limit if self.at_least is None else self.value >= limit)

    @property
    def acceptable(self) -> bool:
        """Whether the value is on the right side of `least`. True where there is no such limit."""
        return self.within(self.least)

    @property
    def met(self) -> str:
        if self.goal_value is None:
            return ""
        if self.within(self.goal_value):
            return "yes"
        if math.isnan(self.value):
            return "no"
        apart = f"{abs(self.value / self.goal_value - 1):.0%}".replace("%", " %") if self.goal_value else "not zero"
        beyond = "" if self.acceptable else ", beyond the limit"
        return f"no: {apart} {'above' if self.at_least is None else 'below'}{beyond}"

    def cells(self) -> list[str]:
        side = "at least" if self.at_least is not None else "at most"
        limits = (
            "" if limit is None else f"{side} {number(limit, self.unit)}" for limit in (self.goal_value, self.least)
        )
        return [self.what, number(self.value, self.unit), *limits, self.met, self.how]


def number(value: float, unit: str) -> str:
    """Three significant digits, but no more than three decimals and no exponent, and the unit."""
    if math.isnan(value):
        return "did not finish"
    if 0 < abs(value) < 0.0005:
        text = "under 0.001"
    else:
        decimals = min(3, max(0, 2 - int(f"{value:e}".rpartition("e")[2])))
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip()


def render(rows: Iterable[Row], missing: Iterable[tuple[str, str]], facts: Sequence[tuple[str, str]]) -> str:
    """The Markdown file. `missing`: what was skipped or failed, and why; `facts`: name and value, of the header."""
    parts = ["# Measured speed, memory and overhead", ""]
    parts += [f"- {name}: {value}" for name, value in facts]
    parts += ["", *NOTES, ""]
    rows = sorted(rows, key=lambda row: row.what)
    for goal, heading in GOALS.items():
        body = [row.cells() for row in rows if row.goal == goal]
        if body:
            parts += [f"## {heading}", "", *markdown(COLUMNS, body), ""]
    absent = sorted(set(missing))
    if absent:
        parts += ["## Skipped and failed", "", *markdown(["What", "Why"], absent), ""]
    return "\n".join(parts)


NOTES = [
    "Ratios and shares compare what was measured in the same run, the candidates in turn; a figure is the median over",
    "its rounds. x: times as much. Goal: what was aimed at, and by how much it was missed. Limit: what no change may",
    "miss. Conditions: number of rounds, threads, sizes, and what was subtracted or extrapolated.",
]
COLUMNS = ["What", "Measured", "Goal", "Limit", "Met", "Conditions"]


def markdown(columns: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (columns, *body)]
    text = [f"| {' | '.join(row)} |" for row in lines]
    return [text[0], f"|{' --- |' * len(columns)}", *text[1:]]


def facts(command: str) -> list[tuple[str, str]]:
    """What one must know to read the figures: where, with what and how they were taken."""
    commit, dirty = version_control()
    code = f"{commit or 'unknown'}{', with changes that are not committed' if dirty else ''}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "pandas"))
    return [
        ("Machine", f"{processor()}, {os.cpu_count()} cores, {memory_gib():.0f} GiB of memory, {platform.system()}"),
        ("Versions", f"Python {platform.python_version()}, {packages}"),
        ("Commit", code),
        ("Date", datetime.now(timezone.utc).strftime("%Y-%m-%d")),
        ("Command", f"`{command}`"),
        ("Load of the machine", f"{os.getloadavg()[0]:.1f} processes in the minute before"),
    ]


def processor() -> str:
    """What the system calls the processor; its architecture where the system does not say."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
