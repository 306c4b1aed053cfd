"""What the figures show and how it is labelled."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from harness.report import figures, gallery
from harness.report.curves import Curves, columns, covered, read

SHORT = {"profile": "quick", "dataset": "digits"}


def _figures(results):
    report = results.report()
    return report, dict(gallery.draw(report, results.store))


def _texts(figure):
    return [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]


def _curves(method="darts", accuracy=((50.0, 60.0), (70.0, 80.0)), operations=4):
    entropy = np.array([[1.3, 1.0], [1.1, 0.4]])[:, :, None]
    return Curves(method, operations, entropy, np.array(accuracy, dtype=float)[:, :, None])


def test_every_group_has_its_three_figures_as_png_and_pdf(results):
    results.runs_with("darts", [50.0, 60.0], **SHORT)
    results.runs_with("gaea-darts-erm", [94.0])
    results.write()
    kinds = ("accuracy", "entropy", "final")
    groups = ("nasbench201-quick-digits", "nasbench201-paper-cifar10")
    expected = {f"{kind}-{group}.{suffix}" for kind in kinds for group in groups for suffix in ("png", "pdf")}
    assert {path.name for path in (results.store.folder / "figures").iterdir()} == expected


def test_curves_are_stored_epoch_by_epoch(results):
    results.run(cells=("a", "b"), seed=0)
    results.run(cells=("b", "a"), seed=1)
    results.look_up({("a", "cifar10", "test"): 10.0, ("b", "cifar10", "test"): 20.0})
    report = results.report()
    (curves,) = read(results.store, report.runs, report.accuracies, report.methods)
    assert columns(report.accuracies) == [("cifar10", "test")]
    assert sorted(curves.accuracy[:, :, 0].tolist()) == [[10.0, 20.0], [20.0, 10.0]]
    assert curves.operations == 4
    assert curves.entropy[0, 0, 0] == pytest.approx(log(4))  # the first epoch of these runs is uniform


def test_run_that_misses_an_accuracy_is_left_out_of_every_panel():
    (kept,) = covered([_curves(accuracy=((50.0, 60.0), (70.0, np.nan))), _curves(accuracy=((np.nan,) * 2,) * 2)])
    assert kept.accuracy[:, :, 0].tolist() == [[50.0, 60.0]]
    assert len(kept.entropy) == 1


def test_line_is_the_mean_and_band_spans_the_seeds():
    figure = figures.accuracy([_curves()], [("cifar10", "test")], "title", figures.looks(["darts"]))
    (axes,) = figure.axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2]
    assert axes.lines[0].get_ydata().tolist() == [60.0, 70.0]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (50.0, 80.0)


def test_entropy_has_the_uniform_level_of_every_number_of_operations():
    curves = [_curves("darts", operations=5), _curves("gdas", operations=4)]
    figure = figures.entropy(curves, ["normal"], "title", figures.looks(["darts", "gdas"]))
    levels = {line.get_ydata()[0] for line in figure.axes[0].lines if line.get_color() == "0.4"}
    assert levels == {log(4), log(5)}
    assert {"ln 4 (uniform)", "ln 5 (uniform)", "entropy of operation weights,\nmean over edges (nats)"} <= set(
        _texts(figure)
    )


def test_final_figure_has_a_point_per_seed_and_the_mean(results):
    results.runs_with("darts", [50.0, 60.0, 60.0], on=("cifar10", "x-valid"), **SHORT)
    _, drawn = _figures(results)
    points, mean = drawn["final-nasbench201-quick-digits"].axes[0].lines
    assert sorted(points.get_xdata().tolist()) == [50.0, 60.0, 60.0]
    assert len(set(points.get_ydata().tolist())) == 3  # equal values stay apart
    assert mean.get_xdata() == pytest.approx([170 / 3] * 2)


def test_final_figure_never_mixes_selections(results):
    results.run(cells=("a", "b"), best_valid="a")
    results.look_up({("a", "cifar10", "test"): 10.0, ("b", "cifar10", "test"): 20.0})
    _, drawn = _figures(results)
    assert drawn["final-nasbench201-paper-cifar10"].axes[0].lines[0].get_xdata().tolist() == [20.0]


def test_labels_state_split_number_of_searches_and_proxy(results):
    results.runs_with("darts", [50.0, 60.0], on=("cifar100", "x-test"), **SHORT)
    _, drawn = _figures(results)
    for figure in drawn.values():
        texts = [text.replace("\xa0", " ") for text in _texts(figure)]
        assert "nasbench201, quick profile, searched on digits (digits proxy)" in texts
        assert "darts (n = 2)" in texts
    for kind in ("accuracy", "final"):
        assert "cifar100, x-test" in _texts(drawn[f"{kind}-nasbench201-quick-digits"])


def test_methods_are_told_apart_without_colour():
    looks = figures.looks([f"method {number}" for number in range(20)])
    assert len({(look.marker, look.linestyle) for look in looks.values()}) == 20


@pytest.mark.parametrize("name", ["_hidden", "$x$", "two$"])
def test_names_that_matplotlib_would_interpret_are_drawn(name):
    figure = figures.accuracy([_curves(name)], [("cifar10", "test")], name, figures.looks([name]))
    figure.draw_without_rendering()
    assert figure.legends[0].get_texts()[0].get_text().strip() == f"{name} (n = 2)".replace("$", r"\$")


def test_legend_covers_no_panel():
    names = [f"a method with a long name {number}" for number in range(9)]
    figure = figures.accuracy([_curves(name) for name in names], [("cifar10", "test")], "title", figures.looks(names))
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.y1 <= min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


def test_runs_without_look_ups_still_have_their_entropy(results):
    results.run()
    _, drawn = _figures(results)
    assert list(drawn) == ["entropy-nasbench201-paper-cifar10"]
