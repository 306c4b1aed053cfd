"""Live progress display of the active runs; plain lines where the output is not a terminal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from harness.experiment.store import Record, Store
from harness.text import printable, verbatim


class Display:
    """Shows finished runs and, on a terminal, the epoch and loss of each active run.

    It reads the progress files that the workers write, and so works wherever they run. `runs`: (key, label, epochs) of
    the runs to execute.
    """

    INTERVAL_SECONDS = 0.5

    def __init__(self, console: Console, store: Store, runs: Sequence[tuple[str, str, int]]) -> None:
        self.console = console
        self.store = store
        self.runs = runs
        self.finished: set[str] = set()
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
        total = sum(epochs for _, _, epochs in runs)
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
        self.progress.stop()

    def done(self, record: Record, label: str) -> None:
        """Print the line of a finished run."""
        self.finished.add(record["key"])
        if record["status"] == "done":
            result = record["cells"]["last"] if "cells" in record else f"test error {record['test_error']:.2f} %"
            text = f"{label}: {result} in {record['provenance']['seconds']:.1f} s"
        else:
            text = f"{label}: FAILED: {record['failure'].strip().splitlines()[-1]}"
        self.progress.console.print(verbatim(f"[{len(self.finished)}/{len(self.runs)}] {text}"), soft_wrap=True)

    def _watch(self) -> None:
        while not self.stopped.wait(self.INTERVAL_SECONDS):
            self._refresh()

    def _refresh(self) -> None:
        epochs_done = 0
        for key, label, epochs in self.runs:
            progress = {} if key in self.finished else self.store.progress(key)
            if key in self.finished:
                epochs_done += epochs
                if key in self.tasks:
                    self.progress.update(self.tasks[key], visible=False)
            elif progress:
                epochs_done += progress["epoch"]
                if key not in self.tasks:
                    self.tasks[key] = self.progress.add_task(printable(label), total=epochs, note="")
                note = "" if progress["loss"] is None else f"loss {progress['loss']:.3f}"
                self.progress.update(self.tasks[key], completed=progress["epoch"], note=note)
        self.progress.update(self.overall, completed=epochs_done, note=self._count())

    def _count(self) -> str:
        return f"{len(self.finished)} of {len(self.runs)} runs"
