"""From a results folder to tables and figures: a pure function of its records and look-ups and of published results.

Needs no torch, and no matplotlib before a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.experiment.store import Store
from harness.files import write_atomically
from harness.report import site as page
from harness.report.content import Report, gather
from harness.report.figures import cache as drawn
from harness.report.figures.cache import FORMATS
from harness.report.render import latex, markdown, tables
from harness.report.site import Picture

__all__ = ["Report", "gather", "write"]


def write(store: Store, order: Sequence[str], published: Path, formats: Sequence[str] = FORMATS) -> Report:
    """Write `tables/`, `figures/` and `leaderboard.html` of a results folder, and return what they say.

    `order` lists the methods as the leaderboard is to have them; `published` is the file of published results,
    beside which may lie one of published curves, `published_curves.csv`; `formats` are those of the figures, without
    any of which none is drawn.
    The same records and look-ups give the same bytes. OSError if the folder cannot be written or `published` not be
    read, ValueError if `published` is malformed.
    """
    report = gather(store, order, published)
    _write_tables(report, store.folder / "tables")
    curves = published.with_name("published_curves.csv")
    pictures = _write_figures(report, store, store.folder / "figures", curves, formats) if formats else []
    write_atomically(store.folder / "leaderboard.html", page.render(report, pictures).encode())
    return report


def _write_tables(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (
        ("csv", tables.csv(report)),
        ("md", markdown.render(report)),
        ("tex", latex.render(report)),
    ):
        write_atomically(folder / f"leaderboard.{suffix}", text.encode())
    write_atomically(folder / "runs.csv", tables.runs_csv(report).encode())
    write_atomically(folder / "regret.csv", tables.regret_csv(report).encode())
    write_atomically(folder / "headlines.csv", tables.headlines_csv(report).encode())
    write_atomically(folder / "search_cost.csv", tables.costs_csv(report).encode())
    write_atomically(folder / "darts_space.csv", tables.darts_space_csv(report).encode())


def _write_figures(report: Report, store: Store, folder: Path, curves: Path, formats: Sequence[str]) -> list[Picture]:
    """Returns the figures as they stand in the page, which draws the cells itself. Draws only what is new."""
    if (report.runs["failure"] != "").all() and not folder.exists():  # none is done, and none was
        return []
    sha256 = drawn.digest(report, curves, formats)
    known = drawn.read(folder, sha256)
    if known is not None:
        return known
    from harness.report import published_curves
    from harness.report.figures import drawing, gallery

    folder.mkdir(parents=True, exist_ok=True)
    published = published_curves.load(curves) if curves.exists() else []
    figures = drawing.draw(gallery.describe(report, store, published), folder, formats)
    files = {name: digest for figure in figures for name, digest in figure.digests.items()}
    pictures = {figure.png: figure.picture for figure in figures if figure.picture}
    drawn.write(folder, sha256, files, pictures)
    return list(pictures.values())
