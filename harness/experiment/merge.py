"""Several results folders as one: records with their arrays, scores, also training-free ones, sources and TensorBoard
files. Needs no torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.experiment import scalars, training_free_files
from harness.experiment.claims import waited_for
from harness.experiment.config import dataset_name, label, recipe_label
from harness.experiment.store import MEASURED, SCORED, Arrays, Record, Scores, Store
from harness.experiment.tuning import add, tunings
from harness.plugins import Source


class ForeignStore(Store):
    """A results folder that is only read: corrupt files are left where they are."""

    def quarantine(self, *paths: Path, why: Exception) -> None:
        self.warnings.append(f"{paths[0].name}: {' '.join(str(why).split())[:300]}")


@dataclass
class Merged:
    """What a merge has done."""

    added: int = 0
    equal: int = 0
    """Runs that both folders have, with the same result."""
    conflicts: list[str] = field(default_factory=list)
    """One line for every run or score that both have, with different results: the target's stays."""
    corrupt: list[str] = field(default_factory=list)
    """One line for every corrupt file, which is left out."""


def merge(folders: Sequence[Path], into: Path) -> Merged:
    """Add the content of results folders to another one, which may exist; unfinished runs are left out.

    ValueError if a folder is no results folder; OSError if the target cannot be written.
    """
    for folder in folders:
        Store(folder).check()
    target, merged = Store(into), Merged()
    target.prepare()
    for folder in folders:
        if folder.resolve() == into.resolve():
            continue
        source = ForeignStore(folder)
        for record in source.records():
            _add_run(source, target, record, merged)
        for scores in source.scores():
            merged.conflicts += _add_scores(target, scores)
        for file in sorted((folder / training_free_files.FOLDER).glob("*.csv")):
            _add_training_free(target, file, merged)
        for name, tuning in tunings(source):
            add(target, name, tuning, replace_known=False)
        for path in sorted((folder / "sources").glob("*.py")):
            target.write_source(Source(path.name, path.read_bytes()))
        merged.corrupt += [f"{folder}: {line}" for line in source.warnings]
    return merged


def _add_run(source: Store, target: Store, record: Record, merged: Merged) -> None:
    known = target.read(record["key"])
    if known is None or (known["status"] != "done" and record["status"] == "done"):
        target.adopt(source, record)
        for written in scalars.written(source.folder, record["key"]):
            if not (place := target.folder / scalars.FOLDER / written.name).exists():
                shutil.copytree(written, place)
        merged.added += 1
    elif record["status"] != "done" or not (found := differences(target, known, source, record)):
        merged.equal += 1
    else:
        merged.conflicts.append(f"{named(record)}: {'; '.join(found)}")


def named(record: Record) -> str:
    """A run in words."""
    config = record["config"]
    row = label(record) if "method" in config else recipe_label(record)
    return f"{row} on {dataset_name(config)}, seed {config['seed']} ({record['key'][:12]})"


def differences(first_store: Store, first: Record, second_store: Store, second: Record) -> list[str]:
    """In what the results of two records of one run differ, whatever their times and provenance: a phrase each."""
    left_out = ("provenance", "arrays_sha256")
    texts = [{name: value for name, value in each.items() if name not in left_out} for each in (first, second)]
    found = [f"{name} differs" for name in sorted(texts[0].keys() | texts[1].keys()) if _differ(name, *texts)]
    if "arrays_sha256" in first and "arrays_sha256" in second:
        found += _array_differences(first_store.arrays(first["key"]), second_store.arrays(second["key"]))
    return found


def _differ(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return bool(first.get(name) != second.get(name))


def _array_differences(first: Arrays, second: Arrays) -> Iterator[str]:
    for name in sorted((first.keys() | second.keys()).difference(MEASURED)):
        ours, theirs = first.get(name), second.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            yield f"{name} has another shape"
        elif ours.dtype.kind == "f" and not np.array_equal(ours, theirs, equal_nan=True):
            yield f"{name} differs by up to {np.nanmax(np.abs(ours - theirs)):.2g}"
        elif ours.dtype.kind != "f" and not np.array_equal(ours, theirs):
            yield f"{name} differs in {np.mean(ours != theirs):.0%} of its entries"


def _add_scores(target: Store, scores: Scores) -> list[str]:
    """Write scores that are not there yet; returns a line for those that differ from what is there."""
    with waited_for(target.claim_path(scores.sha256)):
        known = [stored for stored in target.scores() if stored.file_name == scores.file_name]
        has_best = scores.has_best or any(stored.has_best for stored in known)
        target.write_scores(Scores(scores.benchmark, scores.sha256, scores.source, scores.frame, has_best))
    if not known:
        return []
    both = pd.merge(known[0].frame, scores.frame, on=SCORED, suffixes=("", "_other"))
    differing = both[both["value"] != both["value_other"]]
    if differing.empty:
        return []
    first = differing.iloc[0]
    return [
        f"{len(differing)} accuracies of table {scores.sha256[:12]} differ, first {first['dataset']} {first['split']}"
        f" of {first['architecture'][:80]}: {first['value']} and {first['value_other']}"
    ]


def _add_training_free(target: Store, file: Path, merged: Merged) -> None:
    """Add the training-free scores of a file, without those that are there."""
    try:
        ours = training_free_files.read(file)
        stored = training_free_files.add(target, file.name, ours)
    except ValueError as error:
        merged.corrupt.append(f"{file}: {error}")
        return
    differing = [scored for scored, computed in ours.items() if stored[scored].value != computed.value]
    if differing:
        first = differing[0]
        merged.conflicts.append(
            f"{len(differing)} training-free scores of {file.name} differ, first {first.score} of"
            f" {first.architecture[:80]}: {stored[first].value:g} and {ours[first].value:g}"
        )
