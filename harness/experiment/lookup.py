"""What a table says of the cells that stored runs found, written beside the runs."""

from __future__ import annotations

import time

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.table import Table
from harness.experiment.claims import Claim, Watch
from harness.experiment.config import is_search
from harness.experiment.store import REPORTED_EPOCHS, Lookups, Record, Store


def look_up(store: Store, table: Table, found_only: bool = False) -> None:
    """Write what the table says of every cell that a stored run stood at, and of its best cells; with `found_only`, of
    the cells that runs ended with or chose.

    One process at a time, so that none overwrites what another adds.
    """
    path, watch = store.claim_path(table.sha256), Watch()
    while True:
        with Claim(path) as mine:
            if mine:
                _add_lookups(store, table, found_only)
                return
        if not watch.release_if_stale(path):
            time.sleep(0.1)


def _add_lookups(store: Store, table: Table, found_only: bool) -> None:
    known = {cell for found in store.lookups() if found.sha256 == table.sha256 for cell in found.frame["cell"]}
    records = [r for r in store.records() if r["status"] == "done" and is_search(r["config"], NASBench201.name)]
    found = {cell for record in records for cell in _cells(store, record, found_only)}
    cells = sorted((found | set(table.best_cells() if found else ())) - known)
    if cells:
        answers = table.frame(cells)
        reported = answers[answers["epochs"] == REPORTED_EPOCHS]
        store.write_lookups(Lookups(table.sha256, table.source, reported))


def _cells(store: Store, record: Record, found_only: bool) -> set[str]:
    """The cells of a run."""
    found = {record["cells"]["last"], record["cells"].get("best_valid")} - {None}
    if found_only:
        return found
    if record["config"]["kind"] == "black-box":
        return found | {cell for _, _, cell, _ in record["improvements"]}
    return {str(cell) for cell in store.arrays(record["key"])["cells"]}
