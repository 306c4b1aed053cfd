"""Tables, figures and the leaderboard page of a results folder: a pure function of its records, its stored look-ups,
the published results, the complete tables that rank its cells, and the files of its methods.

Does not import torch, and imports matplotlib only when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.benchmarks.base import Evaluator
from harness.experiment.claims import waited_for
from harness.experiment.store import Record, Store
from harness.files import write_atomically
from harness.report import site as page
from harness.report.content import Report, gather
from harness.report.figures import cache as drawn
from harness.report.figures.cache import FORMATS
from harness.report.render import latex, markdown, tables
from harness.report.render.tuning import trials_csv
from harness.report.site import Picture
from harness.report.submissions import Submitted, load

__all__ = ["Report", "gather", "write"]


def write(
    store: Store,
    order: Sequence[str],
    published: Path,
    formats: Sequence[str] = FORMATS,
    complete: Sequence[tuple[str, Evaluator]] = (),
    submissions: Path | None = None,
    records: Sequence[Record] | None = None,
) -> Report:
    """Write `tables/`, `figures/` and `leaderboard.html` of a results folder and return their content.

    The same records and look-ups give the same bytes. One process at a time: figures of one report under the index of
    another would stay.

    Args:
        order: registry names of the methods in leaderboard order.
        published: CSV file of published results; published curves are read from `published_curves.csv` in the same
            folder if it exists.
        formats: file formats of the figures; no figure is drawn if empty.
        complete: complete tables with the space of each, for ranks.
        submissions: folder with submitted results folders, which the page shows in a section of their own.
        records: the folder's records, if they were read before.

    Raises:
        OSError: if the folder cannot be written or `published` cannot be read.
        ValueError: if `published` or a submission is malformed.
    """
    lock = store.claim_path("report")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with waited_for(lock):
        report = gather(store, order, published, complete, records)
        submitted = load(submissions, order, published) if submissions else []
        _write(report, store, published, formats, submitted)
    return report


def _write(
    report: Report, store: Store, published: Path, formats: Sequence[str], submitted: Sequence[Submitted]
) -> None:
    _write_tables(report, store.folder / "tables")
    curves = published.with_name("published_curves.csv")
    pictures = _write_figures(report, store, store.folder / "figures", curves, formats) if formats else []
    write_atomically(store.folder / "leaderboard.html", page.render(report, pictures, submitted).encode())


def _write_tables(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: tables.csv(name, report) for name in tables.FILES}
    texts |= {"leaderboard.md": markdown.render(report), "leaderboard.tex": latex.render(report)}
    if report.tunings:
        texts["tuning.csv"] = trials_csv(report.tunings)
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())


def _write_figures(report: Report, store: Store, folder: Path, curves: Path, formats: Sequence[str]) -> list[Picture]:
    """Draw the figures unless cached ones are current; return those that the page embeds (it draws cells itself)."""
    if (report.runs["failure"] != "").all() and not folder.exists():  # no finished run, and no earlier figures
        return []
    sha256 = drawn.digest(report, curves, formats)
    cached = drawn.read(folder, sha256)
    if cached is not None:
        pictures, warnings = cached
        store.warnings += warnings
        return pictures
    from harness.report import published_curves
    from harness.report.figures import drawing, gallery

    folder.mkdir(parents=True, exist_ok=True)
    published = published_curves.load(curves) if curves.exists() else []
    known = len(store.warnings)
    figures = drawing.draw(gallery.describe(report, store, published), folder, formats)
    files = {name: digest for figure in figures for name, digest in figure.digests.items()}
    named = {figure.png: figure.picture for figure in figures if figure.picture}
    drawn.write(folder, sha256, files, named, store.warnings[known:])
    return list(named.values())
