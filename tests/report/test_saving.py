"""Figures as files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from hashlib import sha256
from itertools import islice

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness.files import write_atomically
from harness.report.curves import UNFIT
from harness.report.figures import cache, drawing, finals, saving, style
from harness.report.figures.description import Drawing

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
    assert imread(tmp_path / "figure.png").shape == (400, 600, 3)
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
    results.write(["svg"])
    figures = results.store.folder / "figures"
    groups = ("nasbench201-quick-digits", "nasbench201-paper-cifar10")
    drawn = {f"{kind}-{group}.svg" for kind in ("entropy", "theta", "cells-darts") for group in groups}
    assert {path.name for path in figures.iterdir()} == {*drawn, "index.json"}
    own = [figures / name for name in ("final-version.png", "notes.md", "theta-other-quick-digits.png")]
    for path in own:
        path.write_bytes(b"the user's")
    for record in (results.store.folder / "runs").glob("*.json"):
        if '"digits"' in record.read_text():
            record.unlink()
    results.write(["svg"])
    left = {path.name for path in figures.iterdir()}
    assert not [name for name in left if "nasbench201-quick-digits" in name]
    assert "entropy-nasbench201-paper-cifar10.svg" in left
    assert {path.name for path in own} <= left
    for path in (results.store.folder / "runs").iterdir():
        path.unlink()
    results.write(["svg"])
    assert {path.name for path in figures.iterdir()} == {"index.json", *(path.name for path in own)}


def test_a_report_that_draws_nothing_again_warns_as_the_first_one_did(results):
    for seed in range(3):
        results.run(seed=seed)
    (record, *_) = results.store.records()
    arrays = results.store.arrays(record["key"])
    record.pop("arrays_sha256")
    results.store.write(record, {**arrays, "theta": arrays["theta"][:, :2]})
    warnings = []
    for _ in range(2):
        results.store.warnings = []
        results.write(["svg"])
        warnings.append(results.store.warnings)
    assert warnings[0] == warnings[1] == [UNFIT.format(record["key"])]


def test_overlapping_reports_leave_what_one_after_the_other_leaves(results, monkeypatch):
    """The second begins, of more runs, while the first draws."""
    results.run()
    draw, later = drawing.draw, threading.Thread(target=results.write, args=(["svg"],))

    def overlapped(*words):
        monkeypatch.setattr(drawing, "draw", draw)
        results.run(profile="controlled")
        later.start()
        later.join(timeout=1)
        return draw(*words)

    monkeypatch.setattr(drawing, "draw", overlapped)
    results.write(["svg"])
    later.join()
    folder = results.store.folder / "figures"
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / cache.INDEX).unlink()
    results.write(["svg"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == left
    assert {name for name in left if "controlled" in name} <= json.loads(left[cache.INDEX])["files"].keys()


def test_files_of_earlier_reports_that_have_other_contents_by_now_stay(tmp_path):
    for name in ("old.png", "edited.png", "kept.png"):
        (tmp_path / name).write_bytes(name.encode())
    digests = {path.name: sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    cache.write(tmp_path, "first", digests, {}, [])
    (tmp_path / "edited.png").write_bytes(b"the user's")
    cache.write(tmp_path, "second", {"kept.png": digests["kept.png"]}, {}, [])
    assert {path.name for path in tmp_path.iterdir()} == {"edited.png", "kept.png", "index.json"}


@pytest.mark.parametrize(
    "index",
    [b"", b"[]", b'{"files": ["old.png"]}', b'{"files": {"old.png": "0"}}', b'{"files": {"old.png": null}}'],
)
def test_index_that_does_not_vouch_for_a_file_removes_none(tmp_path, index):
    (tmp_path / "old.png").write_bytes(b"old")
    (tmp_path / "index.json").write_bytes(index)
    assert cache.read(tmp_path, "first") is None
    cache.write(tmp_path, "first", {}, {}, [])
    assert (tmp_path / "old.png").exists()


def test_index_names_no_file_elsewhere(tmp_path):
    figures = tmp_path / "figures"
    figures.mkdir()
    (tmp_path / "record.json").write_bytes(b"a record")
    digest = sha256(b"a record").hexdigest()
    names = ["../record.json", str(tmp_path / "record.json")]
    write_atomically(figures / "index.json", json.dumps({"files": dict.fromkeys(names, digest)}).encode())
    cache.write(figures, "first", {}, {}, [])
    assert (tmp_path / "record.json").exists()


def test_figures_that_were_changed_are_drawn_again(tmp_path):
    (tmp_path / "figure.png").write_bytes(b"drawn")
    cache.write(tmp_path, "first", {"figure.png": sha256(b"drawn").hexdigest()}, {}, ["a warning"])
    assert cache.read(tmp_path, "first") == ([], ["a warning"])
    assert cache.read(tmp_path, "second") is None
    (tmp_path / "figure.png").write_bytes(b"other")
    assert cache.read(tmp_path, "first") is None


def _drawings():
    scores = {"darts": np.array([[90.0], [91.0], [91.0], [92.0]]), "gdas": np.array([[80.0]] * 40)}
    values = {"columns": [("cifar10", "test")], "title": "title", "looks": style.Looks({"darts": "a", "gdas": "b"})}
    for number in range(3):
        yield Drawing(f"final-{number}", finals.final, {"scores": scores, **values})
        yield Drawing(f"profile-{number}", finals.profile, {"scores": scores, "best": np.array([94.0]), **values})


@pytest.mark.faults
def test_number_of_processes_does_not_change_a_byte(tmp_path):
    contents, said = [], []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        said.append(drawing.draw(_drawings(), folder, FORMATS, processes))
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(contents[0]) == 6 * 3
    assert contents[0] == contents[1]
    assert said[0] == said[1]
    digests = {name: digest for figure in said[0] for name, digest in figure.digests.items()}
    assert digests == {name: sha256(content).hexdigest() for name, content in contents[0].items()}


def test_little_to_draw_starts_no_processes(tmp_path, monkeypatch):
    monkeypatch.delattr(drawing.joblib, "Parallel")
    monkeypatch.setattr(drawing.joblib, "cpu_count", lambda: 64)
    monkeypatch.setattr(drawing, "_draw", lambda figure, *_: figure.name)
    assert drawing.draw(_drawings(), tmp_path, FORMATS) == [figure.name for figure in _drawings()]


def test_one_core_starts_no_processes(tmp_path, monkeypatch):
    monkeypatch.delattr(drawing.joblib, "Parallel")
    monkeypatch.setattr(drawing.joblib, "cpu_count", lambda: 1)
    monkeypatch.setattr(drawing, "_WORTH", 1)
    monkeypatch.setattr(drawing, "_draw", lambda figure, *_: figure.name)
    assert drawing.draw(_drawings(), tmp_path, FORMATS) == [figure.name for figure in _drawings()]


def test_settings_of_the_user_change_no_figure(tmp_path):
    for folder, size in (("one", 10.0), ("two", 20.0)):
        (tmp_path / folder).mkdir()
        with matplotlib.rc_context({"xtick.labelsize": size}):
            drawing.draw(islice(_drawings(), 1), tmp_path / folder, ("png",), 1)
    one, two = ((tmp_path / folder / "final-0.png").read_bytes() for folder in ("one", "two"))
    assert one == two


_RANKS = """
import hashlib, tempfile
from pathlib import Path
import numpy as np
from harness.report.figures import saving
from harness.report.figures.ranks import diagram
from harness.report.figures.style import Looks
from harness.report.ranks import Ranking
names = tuple("abcdefgh")
apart = np.subtract.outer(range(8), range(8)) % 3 == 1
ranking = Ranking(names, np.array([1.0, 1, 1, 4, 5, 6, 7, 8]), 0.01, np.where(apart | apart.T, 0.01, 1.0), 20)
with tempfile.TemporaryDirectory() as folder:
    figure = diagram(ranking, "title", Looks(dict.fromkeys(names, "a")))
    (content,) = saving.save(figure, Path(folder), "ranks", ["svg"]).values()
print(hashlib.sha256(content).hexdigest())
"""


@pytest.mark.faults
def test_order_of_sets_does_not_change_a_ranking():
    seen = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        found = subprocess.run([sys.executable, "-c", _RANKS], env=environment, capture_output=True, check=True)
        seen.add(found.stdout)
    assert len(seen) == 1
