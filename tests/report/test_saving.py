"""Figures as files."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness.report.figures import saving

FORMATS = ("png", "pdf", "svg")


def _figure():
    figure = Figure(figsize=(3, 2), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], clip_on=True)
    axes.scatter(np.arange(5), np.arange(5), rasterized=True)
    axes.set_ylabel("a label\nof two lines")
    figure.legend([], [], title="note", loc="outside lower center")
    return figure


def test_same_figure_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        saving.save(_figure(), tmp_path / folder, "figure")
    for suffix in FORMATS:
        one, two = ((tmp_path / folder / f"figure.{suffix}").read_bytes() for folder in ("one", "two"))
        assert one == two, suffix
        assert len(one) > 1000


def test_formats_are_what_they_say(tmp_path):
    saving.save(_figure(), tmp_path, "figure")
    assert imread(tmp_path / "figure.png").shape == (400, 600, 4)
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert b"/Type3" not in (tmp_path / "figure.pdf").read_bytes()
    assert b"<svg" in (tmp_path / "figure.svg").read_bytes()


def test_nothing_is_cut_off(tmp_path):
    saving.save(_figure(), tmp_path, "figure")
    pixels = imread(tmp_path / "figure.png")[..., :3].mean(axis=2)
    border = np.concatenate([pixels[[0, -1]].ravel(), pixels[:, [0, -1]].ravel()])
    assert (border == 1).all()


def test_figures_of_groups_that_are_no_more_are_removed(results):
    results.run(profile="quick", dataset="digits")
    results.run()
    results.write()
    figures = results.store.folder / "figures"
    groups = ("nasbench201-quick-digits", "nasbench201-paper-cifar10")
    names = [f"{kind}-{group}" for kind in ("entropy", "theta", "cells") for group in groups]
    drawn = {f"{name}.{suffix}" for name in names for suffix in FORMATS}
    assert {path.name for path in figures.iterdir()} == {*drawn, "index.json"}
    own = [figures / name for name in ("final-version.png", "notes.md", "entropy-nasbench201-paper-cifar10.txt")]
    for path in own:
        path.write_bytes(b"the user's")
    for record in (results.store.folder / "runs").glob("*.json"):
        if '"digits"' in record.read_text():
            record.unlink()
    results.write()
    left = {path.name for path in figures.iterdir()}
    assert not [name for name in left if "quick-digits" in name]
    assert "entropy-nasbench201-paper-cifar10.png" in left
    assert {path.name for path in own} <= left
    for path in (results.store.folder / "runs").iterdir():
        path.unlink()
    results.write()
    assert {path.name for path in figures.iterdir()} == {"index.json", *(path.name for path in own)}
