"""The files in which a results folder keeps training-free scores, one for each space and dataset. Needs no torch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.experiment.claims import waited_for
from harness.experiment.store import Store
from harness.files import write_atomically


class Scored(NamedTuple):
    """What a score is of. Where one of these differs, it is another score."""

    score: str
    """Name of the method."""
    version: int
    """Of the method."""
    channels: int
    cells: int
    """Size of the network (`harness.protocol.NetworkSize`)."""
    architecture: str


class Computed(NamedTuple):
    value: float
    seconds: float


COLUMNS = [*Scored._fields, *Computed._fields]
FOLDER = "training-free"
"""Of a results folder: a file for each space and dataset."""


def read(file: Path) -> dict[Scored, Computed]:
    """Everything that is stored; of what is stored twice, the first. ValueError if it is no file of scores."""
    import pandas as pd

    if not file.exists():
        return {}
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    if list(frame.columns) != COLUMNS:
        raise ValueError(
            f"{file} has other columns than {', '.join(COLUMNS)}, as those of earlier versions: move it away, and its"
            " scores are computed again"
        )
    known = dict[Scored, Computed]()
    for name, version, channels, cells, architecture, value, seconds in frame.itertuples(index=False, name=None):
        scored = Scored(name, int(version), int(channels), int(cells), architecture)
        known.setdefault(scored, Computed(float(value), float(seconds)))  # Python's own float() is exact
    return known


def add(store: Store, name: str, new: Mapping[Scored, Computed]) -> dict[Scored, Computed]:
    """Add to a file of a results folder, one process at a time, and return all of it. What is stored stays."""
    import pandas as pd

    file = store.folder / FOLDER / name
    claim = store.claim_path(f"{FOLDER}-{file.stem}")
    for path in (file, claim):
        path.parent.mkdir(parents=True, exist_ok=True)
    with waited_for(claim):
        known = read(file)
        known |= {scored: computed for scored, computed in new.items() if scored not in known}
        content = io.StringIO()
        rows = [(*scored, *computed) for scored, computed in known.items()]
        pd.DataFrame(rows, columns=COLUMNS).to_csv(content, index=False)
        write_atomically(file, content.getvalue().encode())
    return known
