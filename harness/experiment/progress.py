"""Live progress display of the active runs; plain lines where the output is not a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from harness.experiment.store import Record, Store
from harness.text import printable, verbatim

BRIEF_SECONDS = 1.0
"""Runs that take less are summed up at the end."""


class Shown(NamedTuple):
    """A run to execute."""

    key: str
    name: str
    """What all seeds of it share, e.g. `darts [lr=0.1] on digits`."""
    seed: int
    epochs: int

    @property
    def label(self) -> str:
        return f"{self.name}, seed {self.seed}"


class Display:
    """Shows finished runs and, on a terminal, the epoch and loss of each active run.

    It reads the progress files that the workers write, and so works wherever they run.

    Args:
        runs: those to execute.
        result: a few words about the result of a finished run.
    """

    INTERVAL_SECONDS = 0.5

    def __init__(
        self, console: Console, store: Store, runs: Sequence[Shown], result: Callable[[Record], str] = lambda _: "done"
    ) -> None:
        self.console = console
        self.store = store
        self.runs = {run.key: run for run in runs}
        self.result = result
        self.finished: set[str] = set()
        self.brief: dict[str, list[Record]] = {}
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        total = sum(run.epochs for run in runs)
        self.overall = self.progress.add_task("epochs of all runs", total=total, note=self._count())
        self.tasks: dict[str, TaskID] = {}
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Display:
        self.progress.start()
        if self.console.is_terminal:
            self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stopped.set()
        if self.thread.is_alive():
            self.thread.join()
        self._sum_up()
        self.progress.stop()

    def done(self, record: Record) -> None:
        """Print the line of a finished run, unless it was brief."""
        run = self.runs[record["key"]]
        self.finished.add(run.key)
        if record["status"] != "done":
            self._print(f"{run.label}: FAILED: {record['failure'].strip().splitlines()[-1]}")
        elif _seconds(record) < BRIEF_SECONDS:
            self.brief.setdefault(run.name, []).append(record)
        else:
            self._print(f"{run.label}: {self.result(record)}, {_seconds(record):.1f} s")

    def _sum_up(self) -> None:
        """One line for the brief runs of every name."""
        for name, records in self.brief.items():
            (first, *others), seconds = records, sum(map(_seconds, records))
            if others:
                self._print(f"{name}: {len(records)} runs, {seconds:.1f} s together")
            else:
                self._print(f"{self.runs[first['key']].label}: {self.result(first)}, {seconds:.1f} s")
        self.brief.clear()

    def _print(self, text: str) -> None:
        self.progress.console.print(verbatim(f"[{len(self.finished)}/{len(self.runs)}] {text}"), soft_wrap=True)

    def _watch(self) -> None:
        while not self.stopped.wait(self.INTERVAL_SECONDS):
            self._refresh()

    def _refresh(self) -> None:
        epochs_done = 0
        for key, run in self.runs.items():
            progress = {} if key in self.finished else self.store.progress(key)
            if key in self.finished:
                epochs_done += run.epochs
                if key in self.tasks:
                    self.progress.update(self.tasks[key], visible=False)
            elif progress:
                epochs_done += progress["epoch"]
                if key not in self.tasks:
                    self.tasks[key] = self.progress.add_task(printable(run.label), total=run.epochs, note="")
                note = "" if progress["loss"] is None else f"loss {progress['loss']:.3f}"
                self.progress.update(self.tasks[key], completed=progress["epoch"], note=note)
        self.progress.update(self.overall, completed=epochs_done, note=self._count())

    def _count(self) -> str:
        return f"{len(self.finished)} of {len(self.runs)} runs"


def _seconds(record: Record) -> float:
    return float(record["provenance"]["seconds"])
