"""What the figures show and how it is labelled."""

from __future__ import annotations

from itertools import islice, product
from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from harness.benchmarks import NASBench201
from harness.experiment.registry import built_in, looks
from harness.report import published_curves
from harness.report.curves import Curves, columns, covered, read
from harness.report.figures import cells, epochs, finals, gallery, page, search_time, style, supernets, weights
from harness.report.figures.ranks import diagram
from harness.report.ranks import rank
from harness.report.traces import Trace, Traces, weight_sharing
from tests.report.conftest import CELLS, PUBLISHED, genotype

SHORT = {"profile": "quick", "dataset": "digits"}
CIFAR10 = [("cifar10", "test")]
KNOWN = published_curves.load(PUBLISHED.with_name("published_curves.csv"))


def _figures(results):
    report = results.report()
    return report, {drawing.name: drawing.figure() for drawing in gallery.describe(report, results.store, KNOWN)}


def _texts(figure):
    texts = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
    return [" ".join(text.replace("\xa0", " ").split()) for text in texts]


def _curves(
    method="darts",
    accuracy=((50.0, 60.0), (70.0, 80.0)),
    operations=4,
    name=None,
    supernet=None,
    passes=(1000.0, 3000.0),
):
    accuracy = np.array(accuracy, dtype=float)
    entropy = np.linspace(1.3, 0.4, accuracy.size).reshape(*accuracy.shape, 1)
    theta = np.full((*accuracy.shape, 6, operations), 1 / operations)
    supernet = np.full(accuracy.shape, np.nan) if supernet is None else np.array(supernet, dtype=float)
    totals = np.resize(np.array(passes), len(accuracy))
    until = totals[:, None] * np.arange(1, accuracy.shape[1] + 1) / accuracy.shape[1]
    name = method if name is None else name
    return Curves(method, name, theta, entropy, supernet, accuracy[:, :, None], until)


def _accuracies(curves):
    return [epochs.Series(one.method, one.name, one.operations, (log(one.operations),), one.accuracy) for one in curves]


def _entropies(curves):
    return [epochs.Series(one.method, one.name, one.operations, (log(one.operations),), one.entropy) for one in curves]


def _looks(*methods, family="darts"):
    return style.Looks(dict.fromkeys(methods, family), {}, methods)


def _traces(method="reinforce", runs=(((10.0, 100.0), (80.0, 94.0)),), simulated=True):
    steps = [Trace(np.array(seconds), np.array(accuracy)[:, None]) for seconds, accuracy in runs]
    return Traces(method, simulated, tuple(steps))


def _line(axes, look):
    (line,) = [line for line in axes.lines if line.get_color() == look.color and len(line.get_xdata())]
    return line


# Which figures --------------------------------------------------------------------------------------------------------


def test_every_group_has_its_figures(results):
    results.runs_with("darts", [60.0, 94.0], **SHORT)
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    _, drawn = _figures(results)
    kinds = ("accuracy", "entropy", "final", "hits-by-passes", "profile", "regret-by-passes", "theta")
    groups = ("nasbench201-quick-digits", "nasbench201-paper-cifar10")
    assert set(drawn) == {f"{kind}-{group}" for kind in kinds for group in groups}


def test_runs_without_look_ups_still_have_entropy_and_weights(results):
    results.run()
    _, drawn = _figures(results)
    assert list(drawn) == [f"{kind}-nasbench201-paper-cifar10" for kind in ("entropy", "theta", "cells-darts")]


def test_black_boxes_of_a_space_without_a_table_have_no_accuracies_over_time(results):
    results.black_box("random-cell", [], seconds=0.0, choice=genotype(0), space="darts", table=None, **SHORT)
    _, drawn = _figures(results)
    assert list(drawn) == ["cells-random-cell-darts-quick-digits"]


def test_seconds_and_images_are_never_on_one_axis(results):
    results.black_box("reinforce", [(10.0, CELLS[1]), (20.0, CELLS[0])], seconds=30.0)
    results.black_box("random-cell", [], seconds=0.0, choice=CELLS[1], table=None)
    results.run(cells=(CELLS[1], CELLS[0]))
    results.run("gdas", cells=(CELLS[1], CELLS[0]), counted=False)
    results.look_up({(CELLS[0], *CIFAR10[0]): 94.0, (CELLS[1], *CIFAR10[0]): 90.0})
    _, drawn = _figures(results)
    seconds, images = (_texts(drawn[f"{kind}-nasbench201-paper-cifar10"]) for kind in ("regret", "regret-by-passes"))
    assert {"reinforce (n = 1)", "random-cell (n = 1)", "simulated search time (s)"} <= set(seconds)
    assert {"darts (n = 1)", "random-cell (n = 1)", "images passed (thousands)"} <= set(images)
    assert not {"darts (n = 1)", "gdas (n = 1)"} & set(seconds)
    assert not {"reinforce (n = 1)", "gdas (n = 1)"} & set(images)
    assert any("Not drawn, as their runs count no images: gdas" in text for text in images)
    assert not any("wall" in text for text in (*seconds, *images))
    assert not [name for name in drawn if name.startswith("supernet")]  # no supernet accuracy was measured


def test_searches_that_count_no_images_have_no_figure_over_images(results):
    results.runs_with("darts", [50.0, 60.0], counted=False)
    _, drawn = _figures(results)
    kinds = {name.removesuffix("-nasbench201-paper-cifar10") for name in drawn}
    assert kinds == {"accuracy", "entropy", "final", "profile", "theta"}


def test_methods_without_a_hit_are_named_and_not_drawn(results):
    results.runs_with("darts", [94.0, 94.0])
    results.runs_with("gdas", [60.0, 70.0])
    _, drawn = _figures(results)
    texts = _texts(drawn["hits-by-passes-nasbench201-paper-cifar10"])
    assert "darts (n = 2)" in texts
    assert "gdas (n = 2)" not in texts
    assert any("Always 0 %: gdas." in text for text in texts)


def test_ranks_omit_methods_with_few_seeds(results):
    for number, method in enumerate(("darts", "gdas", "enas")):
        results.runs_with(method, [50.0 + number] * 13)
    results.runs_with("setn", [90.0] * 6)
    _, drawn = _figures(results)
    texts = _texts(drawn["ranks-cifar10-nasbench201-paper-cifar10"])
    assert any("over the 13 seeds" in text and "Omitted, less than half of the seeds: setn" in text for text in texts)


def test_labels_state_split_number_of_searches_and_proxy(results):
    results.runs_with("darts", [50.0, 60.0], on=("cifar100", "x-test"), **SHORT)
    _, drawn = _figures(results)
    for name, figure in drawn.items():
        texts = _texts(figure)
        assert "nasbench201, quick profile, searched on digits (digits proxy)" in texts
        assert "darts (n = 2)" in texts
        if not name.startswith(("entropy", "theta")):
            assert "cifar100, x-test" in texts


# Many methods ---------------------------------------------------------------------------------------------------------


def test_methods_are_told_apart_without_colour():
    methods = [f"method {number}" for number in range(20)]
    looks = _looks(*methods)
    assert len({(looks[method].marker, looks[method].linestyle) for method in methods}) == 20


@pytest.mark.parametrize("last", [2.3, 10.0, 100.0])
def test_a_logarithmic_axis_has_several_ticks_however_short(last):
    axes = Figure().subplots()
    style.log_scale(axes, 7.6, 7.6 * last)
    axes.set_xlim(7.6, 7.6 * last)
    assert sum(7.6 <= tick <= 7.6 * last for tick in axes.get_xticks()) >= 2


def test_rows_of_one_method_share_the_colour_and_neither_marker_nor_dashes():
    rows = ["gd-simplex", "gd-simplex [lr=0.025]", "gd-simplex [lr=0.1]"]
    others = ["darts", "pc-darts", "gaea-gdas", "gdas", "darts-2nd", "gaea-pc-darts", "setn", "enas", "darts-erm"]
    names = {method: method.partition(" ")[0] for method in (*others, *rows)}
    drawn = style.Looks(dict.fromkeys(names, "family"), names, looks())
    colours, markers, dashes = zip(*(drawn[row] for row in rows), strict=True)
    assert len(set(colours)) == 1
    assert len(set(markers)) == len(set(dashes)) == 3


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40))
def test_rows_hold_every_method_once_and_never_too_many(families):
    looks = style.Looks({str(number): family for number, family in enumerate(families)})
    rows = looks.rows(looks.families)
    assert sorted(method for row in rows for method in row.methods) == sorted(looks.families)
    assert all(1 <= len(row.methods) <= style.MOST for row in rows)
    assert (len(rows) == 1) == (len(families) <= style.MOST)
    for row in rows:
        titles = row.title.split(", ")
        assert row.title == "" or {looks.families[method] for method in row.methods} <= {*titles} or "others" in titles


def test_small_families_share_a_row_only_where_a_page_would_not_hold_them():
    sizes = {"darts": 6, "stochastic": 2, "robust": 9, "gaea": 8, "controls": 5}
    families = [family for family, size in sizes.items() for _ in range(size)]
    rows = style.Looks({str(number): family for number, family in enumerate(families)}).rows(map(str, range(30)))
    assert [row.title for row in rows] == list(sizes)
    families += ["one", "two", "three"]
    rows = style.Looks({str(number): family for number, family in enumerate(families)}).rows(map(str, range(33)))
    assert [row.title for row in rows] == ["darts, stochastic", "robust", "gaea", "controls", "others"]
    assert rows[0].methods == tuple(map(str, range(8)))


def test_look_of_a_method_does_not_depend_on_which_others_a_figure_shows():
    looks = _looks("darts", "gdas", "enas")
    assert looks.rows(["enas"])[0].methods == ("enas",)
    assert len({looks[method] for method in looks.families}) == 3


def test_other_families_stand_grey_behind():
    names = [f"method {number}" for number in range(10)]
    looks = style.Looks({name: "one" if number < 5 else "two" for number, name in enumerate(names)})
    figure = epochs.accuracy(_accuracies(_curves(name) for name in names), CIFAR10, "title", looks)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        (others,) = [line for line in axes.lines if line.get_color() == "0.85"]
        assert np.isnan(others.get_ydata()).sum() == 5  # the gap after each
        assert len(axes.get_legend().get_texts()) == 5


@pytest.mark.parametrize("count", [3, 20])
def test_legends_cover_no_panel_and_stay_inside(count):
    names = [f"a method [with=many, changed_settings=0.1, epochs={number}]" for number in range(count)]
    figure = epochs.accuracy(_accuracies(_curves(name) for name in names), CIFAR10, "title", _looks(*names))
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    legends = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()))]
    extents = [legend.get_window_extent() for legend in legends]
    assert not any(extent.overlaps(box) for extent in extents for box in boxes)
    assert not any(one.overlaps(other) for one in extents for other in extents if one is not other)
    assert all(extent.x0 >= 0 and extent.x1 <= figure.bbox.x1 for extent in extents)
    assert all(extent.y0 >= 0 and extent.y1 <= figure.bbox.y1 for extent in extents)
    assert all(box.height > 0.3 * extent.height for box in boxes for extent in extents)


_RUNS = [((10.0, 100.0), (80.0, 94.0))] * 2


def _many(kind, count=gallery.MOST, details="with=many, changed_settings=0.1"):
    """A figure of as many methods as a report draws, each of a family of its own, with long names."""
    names = [f"a-method-{number} [{details}]" for number in range(count)]
    looks = style.Looks({name: f"family {number // 3}" for number, name in enumerate(names)})
    curves = [_curves(name, supernet=((1, 2), (1, 3))) for name in names]
    progress = search_time.progress([_traces(name, _RUNS) for name in names], np.array([94.0]))
    edges = [f"edge {number}" for number in range(6)]
    maps = [weights.Map(name, 4, np.full((3, 6, 4), 0.25), [("a", "b", "c", "d")] * 6) for name in names]
    scores = {name: np.array([[80.0], [81.0], [82.0]]) for name in names}
    found = {"-".join(arch): range(5000) for arch in islice(product(NASBench201().operations, repeat=6), 40)}
    pictures = {cell: NASBench201().graph(tuple(cell.split("-"))) for cell in found}
    ranked = pd.DataFrame({name: [80.0 + at] * 3 for at, name in enumerate(names)})
    agreements = [supernets.Agreement(name, np.ones((1, 2)), np.ones((1, 2)), 0.5, 0.5) for name in names]
    return {
        "accuracy": lambda: epochs.accuracy(_accuracies(curves), CIFAR10, "title", looks),
        "regret": lambda: search_time.regret(progress, CIFAR10, "title", looks, search_time.SECONDS),
        "final": lambda: finals.final(scores, CIFAR10, "title", looks),
        "theta": lambda: weights.weights(maps, edges, "title"),
        "supernet": lambda: supernets.supernet(agreements, CIFAR10[0], "title"),
        "cells": lambda: cells.figure(found, pictures, f"{names[0]}; title", dict.fromkeys(found, "90.00 %")),
        "entropy": lambda: epochs.entropy(_entropies(curves), [""], "title", looks),
        "hits": lambda: search_time.hits(progress, CIFAR10, "title", looks, search_time.IMAGES),
        "passes": lambda: search_time.passes(weight_sharing(curves), CIFAR10, "title", looks),
        "profile": lambda: finals.profile(scores, CIFAR10, np.array([94.0]), "title", looks),
        "ranks": lambda: diagram(rank(ranked), "title", looks),
    }[kind]()


LARGEST = ("accuracy", "cells", "final", "regret", "supernet", "theta")


@pytest.mark.parametrize("kind", LARGEST)
def test_many_methods_fit_a_page_and_what_is_left_out_is_said(kind):
    figure = _many(kind)
    width, height = figure.get_size_inches()
    assert height <= page.HEIGHT + 1.5  # the title and the note
    assert width <= 13
    note = " ".join(figure.get_supxlabel().split())
    assert "of 40" in note or "Omitted for lack of space: " in note
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    assert min(text.get_size() for text in texts) >= 6
    _assert_inside(figure)


@pytest.mark.parametrize("kind", [*LARGEST, "entropy", "hits", "passes", "profile", "ranks"])
def test_nothing_of_few_methods_is_clipped(kind):
    figure = _many(kind, 3, "with=many, changed_settings=0.1, images=10000 of 50000@6ddc6052, precision=bf16")
    _assert_inside(figure)
    heading, *_ = (text for text in figure.texts if text.get_text() == figure.get_suptitle())
    below = heading.get_window_extent().y0
    assert all(axes.title.get_window_extent().y1 <= below for axes in figure.axes if axes.get_title())


def _assert_inside(figure):
    """Everything that is drawn, texts among it, is on the canvas."""
    FigureCanvasAgg(figure)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height


@pytest.mark.parametrize("name", ["_hidden", "$x$", "two$"])
def test_names_that_matplotlib_would_interpret_are_drawn(name):
    figure = epochs.accuracy(_accuracies([_curves(name)]), CIFAR10, name, _looks(name))
    figure.draw_without_rendering()
    (text,) = figure.legends[0].get_texts()[:1]
    assert text.get_text().strip().replace("\xa0", " ") == f"{name} (n = 2)"
    assert not text.get_parse_math()


# Every epoch ----------------------------------------------------------------------------------------------------------


def test_curves_are_stored_epoch_by_epoch(results):
    results.run(cells=("a", "b"), seed=0)
    results.run(cells=("b", "a"), seed=1)
    results.look_up({("a", "cifar10", "test"): 10.0, ("b", "cifar10", "test"): 20.0})
    report = results.report()
    (curves,) = read(results.store, report.runs, report.accuracies, report.methods)
    assert columns(report.accuracies) == CIFAR10
    assert sorted(curves.accuracy[:, :, 0].tolist()) == [[10.0, 20.0], [20.0, 10.0]]
    assert curves.operations == 4
    assert curves.entropy[0, 0, 0] == pytest.approx(log(4))  # the first epoch of these runs is uniform
    assert curves.passes.tolist() == [[1000.0, 2000.0]] * 2


def test_run_that_misses_an_accuracy_is_left_out_of_every_panel():
    (kept,) = covered([_curves(accuracy=((50.0, 60.0), (70.0, np.nan))), _curves(accuracy=((np.nan,) * 2,) * 2)])
    assert kept.accuracy[:, :, 0].tolist() == [[50.0, 60.0]]
    assert len(kept.entropy) == len(kept.theta) == len(kept.passes) == len(kept.supernet) == 1


def test_line_is_the_mean_and_band_spans_the_seeds():
    looks = _looks("darts")
    (axes,) = epochs.accuracy(_accuracies([_curves()]), CIFAR10, "title", looks).axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2]
    assert axes.lines[0].get_ydata().tolist() == [60.0, 70.0]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (50.0, 80.0)


@pytest.mark.parametrize("methods, bands", [(4, 4), (5, 0)])
def test_many_methods_of_a_row_have_no_bands_as_the_note_says(methods, bands):
    names = [f"method-{number}" for number in range(methods)]
    figure = epochs.accuracy(_accuracies([_curves(name) for name in names]), CIFAR10, "title", _looks(*names))
    assert len(figure.axes[0].collections) == bands
    (note,) = (text for text in _texts(figure) if "mean over n searches" in text)
    assert ("band:" in note, "(no bands for more than 4 methods)" in note) == (bool(bands), not bands)


def test_band_is_the_middle_of_many_and_all_of_few():
    assert [ends.tolist() for ends in style.middle(np.arange(1.0, 101.0))] == [5.0, 95.0]
    assert [ends.tolist() for ends in style.middle(np.arange(19.0))] == [0.0, 18.0]


def test_interval_of_the_mean_shrinks_with_the_root_of_the_searches():
    values = np.tile([0.0, 2.0], 200)
    low, high = style.mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(399))  # ddof 1: std = sqrt(400 / 399)


def test_entropy_has_the_uniform_level_of_every_number_of_operations():
    curves = [_curves("darts", operations=5), _curves("gdas", operations=4)]
    figure = epochs.entropy(_entropies(curves), ["normal"], "title", _looks("darts", "gdas"))
    levels = {line.get_ydata()[0] for line in figure.axes[0].lines if line.get_color() == "0.4"}
    assert levels == {log(4), log(5)}
    labels = {"ln 4 (uniform)", "ln 5 (uniform)", "entropy of operation weights, mean over edges (nats)"}
    assert labels <= set(_texts(figure))


@pytest.mark.parametrize("ends, zoomed", [((1.38, 1.36), True), ((1.38, 0.5), False), ((1.3801, 1.3800), False)])
def test_entropy_is_zoomed_where_its_values_hardly_differ_and_says_so(ends, zoomed):
    values = np.array(ends).reshape(1, 2, 1)
    series = [epochs.Series("darts", "darts", 4, (log(4),), values)]
    figure = epochs.entropy(series, [""], "title", _looks("darts"))
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    assert low < min(ends) < max(ends) < high
    assert (low > 0) == (high - low < 0.1) == zoomed
    said = [text for text in _texts(figure) if "zoomed" in text.lower()]
    assert sorted(said) == (
        [
            "entropy of operation weights, mean over edges (nats), zoomed",
            next(text for text in said if "Zoomed axes do not begin at 0" in text),
            "zoomed axis",
        ]
        if zoomed
        else []
    )


def _published_lines(figure):
    return [line for axes in figure.axes for line in axes.lines if line.get_color() == "0.45"]


def test_published_entropy_stands_beside_its_method_only():
    entropies = [curve for curve in KNOWN if curve.quantity == "entropy" and curve.space == "nasbench201"]
    figure = epochs.entropy(_entropies([_curves("darts")]), ["normal"], "title", _looks("darts"), entropies)
    (line,) = _published_lines(figure)
    assert line.get_xdata()[[0, -1]].tolist() == [1, 50]
    assert line.get_ydata()[[0, -1]] == pytest.approx([1.38629, 1.310428])  # gaea.md: 1.386 to 1.310
    assert "published DARTS (first order) (n = 1)" in _texts(figure)
    assert any("other protocol: searched on CIFAR-10, 50 epochs" in text for text in _texts(figure))
    assert figure.axes[0].get_xlim()[1] < 4  # our two epochs set the axis


@pytest.mark.parametrize("curves", [_curves("darts", operations=5), _curves("darts", name=""), _curves("gdas")])
def test_published_entropy_of_other_operations_or_methods_is_not_drawn(curves):
    entropies = [curve for curve in KNOWN if curve.quantity == "entropy" and curve.space == "nasbench201"]
    figure = epochs.entropy(_entropies([curves]), ["normal"], "title", _looks(curves.method), entropies)
    assert not _published_lines(figure)
    assert not any("published" in text for text in _texts(figure))


@pytest.mark.parametrize("split,drawn", [("ori-test", 4), ("x-test", 0)])
def test_published_accuracy_is_drawn_on_its_own_split_only(split, drawn):
    accuracies = [curve for curve in KNOWN if curve.quantity == "accuracy"]
    name = "gaea-darts-bilevel"
    figure = epochs.accuracy(_accuracies([_curves(name)]), [("cifar100", split)], "title", _looks(name), accuracies)
    assert len(_published_lines(figure)) == drawn
    (note,) = {text for text in _texts(figure) if "mean over n searches" in text}
    assert ("cifar100 ori-test" in note) == (drawn == 0)


def test_published_regret_is_drawn_behind_ours():
    regrets = [curve for curve in KNOWN if curve.quantity == "regret" and curve.space == "nasbench1shot1-1"]
    ours = _accuracies([_curves("pc-darts", operations=5)])
    figure = epochs.regret(ours, CIFAR10, "title", _looks("pc-darts"), regrets, "after 108 epochs of training")
    (line,) = _published_lines(figure)
    assert line.get_xdata()[[0, -1]].tolist() == [1, 49]
    assert line.get_ydata()[[0, -1]] == pytest.approx([1.4263, 1.0013])  # of 49 epochs after the start
    texts = _texts(figure)
    assert "published PC-DARTS, mean of 4 searches" in texts
    assert "regret of the current cell after 108 epochs of training (points)" in texts
    assert figure.axes[0].get_ylim()[0] == 0
    other = epochs.regret(ours, [("cifar10", "held-out")], "title", _looks("pc-darts"), regrets)
    assert not _published_lines(other)


# Over time ------------------------------------------------------------------------------------------------------------


def test_regret_follows_the_incumbent():
    looks = _looks("reinforce")
    runs = [((10.0, 50.0, 100.0), (80.0, 94.0, 94.0)), ((20.0, 60.0, 90.0), (84.0, 90.0, 92.0))]
    (axes,) = search_time.regret(
        search_time.progress([_traces(runs=runs)], np.array([94.0])), CIFAR10, "title", looks, search_time.SECONDS
    ).axes
    line = _line(axes, looks["reinforce"])
    x, y = line.get_xdata(), line.get_ydata()
    assert (x[0], x[-1]) == (20.0, 100.0)  # from when both hold a cell, to the end
    assert (y[0], y[-1]) == ((14 + 10) / 2, (0 + 2) / 2)
    assert y[np.searchsorted(x, 55.0)] == (0 + 10) / 2
    assert line.get_drawstyle() == "steps-post"
    assert axes.get_xscale() == "log"


def test_hits_count_searches_within_the_limit():
    looks = _looks("reinforce")
    runs = [((10.0, 50.0), (80.0, 94.0)), ((10.0, 40.0), (93.0, 92.9))]
    (axes,) = search_time.hits(
        search_time.progress([_traces(runs=runs)], np.array([94.0])), CIFAR10, "title", looks, search_time.SECONDS
    ).axes
    y = _line(axes, looks["reinforce"]).get_ydata()
    assert (y[0], y[-1]) == (50.0, 50.0)
    assert min(y) == 0  # between 40 and 50 s neither is


def test_method_that_takes_no_time_is_a_level_line():
    looks = _looks("reinforce", "random-cell")
    traces = [_traces(), _traces("random-cell", [((0.0,), (85.0,))])]
    progress = search_time.progress(traces, np.array([94.0]))
    (axes,) = search_time.regret(progress, CIFAR10, "title", looks, search_time.SECONDS).axes
    line = _line(axes, looks["random-cell"])
    assert line.get_xdata()[[0, -1]].tolist() == [10.0, 100.0]
    assert set(line.get_ydata()) == {9.0}


def test_weight_sharing_ends_where_its_images_end():
    traces = [_traces("a", [((1.0, 5.0), (80.0, 90.0))], False), _traces("b", [((1.0, 9.0), (80.0, 90.0))], False)]
    ends = [method.spent[-1] for method in search_time.progress(traces, np.array([94.0]))]
    assert ends == [5.0, 9.0]


def test_only_many_searches_have_a_band():
    for searches in (style.FEW - 1, style.FEW):
        runs = [((1.0, 2.0), (80.0 + seed, 90.0)) for seed in range(searches)]
        methods = search_time.progress([_traces(runs=runs)], np.array([120.0]))
        (axes,) = search_time.regret(methods, CIFAR10, "title", _looks("reinforce"), search_time.SECONDS).axes
        assert len(axes.collections) == (searches >= style.FEW)


def test_passes_are_mean_accuracy_at_the_mean_number_of_images():
    looks = _looks("darts", "dearer", "cheaper")
    others = [_curves("dearer", passes=(4000.0, 4000.0)), _curves("cheaper", accuracy=((1.0, 2.0),), passes=(100.0,))]
    (axes,) = search_time.passes(weight_sharing([_curves(), *others]), CIFAR10, "title", looks).axes
    point = _line(axes, looks["darts"])
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (2.0, 70.0)
    (front,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert front.get_xdata().tolist() == [0.1, 2.0, 6.0]
    assert front.get_ydata().tolist() == [2.0, 70.0, 70.0]


def test_the_front_is_of_methods_that_none_beats_in_both():
    assert search_time.cheapest([3.0, 1.0, 2.0, 2.0, 4.0], [90.0, 80.0, 85.0, 86.0, 90.0]) == [1, 3, 0]


def test_points_of_one_cost_stand_beside_each_other():
    shifts = search_time._side_by_side([12000.0, 11990.0, 30.0])
    assert shifts[2] == 1
    assert shifts[0] < 1 < shifts[1]
    assert shifts[0] * shifts[1] == pytest.approx(1)


# In the end -----------------------------------------------------------------------------------------------------------


def _means_and_intervals(axes):
    means = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "|"]
    intervals = [line.get_xdata() for line in axes.lines if line.get_marker() != "|"]
    return [mean for of_line in means for mean in of_line], [ends for ends in intervals if not np.isnan(ends).any()]


def test_final_figure_has_a_point_per_seed_mean_and_interval(results):
    results.runs_with("darts", [50.0, 60.0, 60.0], on=("cifar10", "x-valid"), **SHORT)
    _, drawn = _figures(results)
    axes = drawn["final-nasbench201-quick-digits"].axes[0]
    points = axes.collections[0].get_offsets()
    assert sorted(points[:, 0].tolist()) == [50.0, 60.0, 60.0]
    assert len(set(points[:, 1].tolist())) == 3  # equal values stay apart
    (mean_height,) = {y for line in axes.lines for y in line.get_ydata()}
    assert points[:, 1].max() < mean_height - 0.2  # the axis points down: the mean is below and hides none
    mean, interval = _means_and_intervals(axes)
    assert mean == pytest.approx([170 / 3])
    assert interval == [pytest.approx(stats.ttest_1samp([50.0, 60.0, 60.0], 0).confidence_interval())]


def test_the_interval_of_a_final_accuracy_ends_at_100(results):
    results.runs_with("darts", [99.0, 60.0, 99.0], on=("cifar10", "x-valid"), **SHORT)
    _, drawn = _figures(results)
    _, ((low, high),) = _means_and_intervals(drawn["final-nasbench201-quick-digits"].axes[0])
    assert (low, high) == (pytest.approx(stats.ttest_1samp([99, 60, 99], 0).confidence_interval().low), 100)


def test_controls_are_one_family_in_figures_as_in_tables(results):
    for method in ("random-search-ws", "random-cell", "darts"):
        results.run(method, **SHORT)
    families = results.report().families
    assert families == {"random-search-ws": "controls", "random-cell": "controls", "darts": families["darts"]}
    assert families["darts"] != "controls"


def test_two_searches_have_no_interval(results):
    results.runs_with("darts", [50.0, 60.0])
    _, drawn = _figures(results)
    means, intervals = _means_and_intervals(drawn["final-nasbench201-paper-cifar10"].axes[0])
    assert (means, intervals) == ([55.0], [])


def test_axis_is_stretched_only_where_few_squeeze_many():
    def scale(values):
        scores = {"darts": np.array(values, dtype=float)[:, None]}
        (axes,) = finals.final(scores, CIFAR10, "title", _looks("darts"), np.array([94.4])).axes
        return axes.get_xscale(), axes.get_xlabel()

    assert scale(np.linspace(80, 94, 40)) == ("linear", "accuracy (%)")
    assert scale([10.0, *np.linspace(93, 94, 40)]) == ("function", "accuracy (%), log scale of regret")


def test_stretched_axis_cuts_nothing():
    scores = {"darts": np.array([10.0, *np.linspace(93, 95.0, 40)])[:, None]}
    (axes,) = finals.final(scores, CIFAR10, "title", _looks("darts"), np.array([94.4])).axes
    low, high = axes.get_xlim()
    assert low < 10.0 < 95.0 < high


def test_final_figure_never_mixes_selections(results):
    results.run(cells=("a", "b"), best_valid="a")
    results.look_up({("a", "cifar10", "test"): 10.0, ("b", "cifar10", "test"): 20.0})
    _, drawn = _figures(results)
    points = drawn["final-nasbench201-paper-cifar10"].axes[0].collections[0].get_offsets()
    assert points[:, 0].tolist() == [20.0]


def test_profile_is_the_share_of_searches_at_most_tau_from_the_best(results):
    results.runs_with("darts", [94.0, 93.0, 90.0, 93.0])  # every other cell has 50 %
    _, drawn = _figures(results)
    (line,) = drawn["profile-nasbench201-paper-cifar10"].axes[0].lines
    shares = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert shares == {0.0: 25.0, 1.0: 75.0, 4.0: 100.0, 100.0: 100.0}


# Weights and supernets ------------------------------------------------------------------------------------------------


def test_map_of_weights_has_a_line_per_edge_and_operation():
    curves = _curves()
    theta = np.random.default_rng(0).dirichlet(np.ones(4), size=curves.theta.shape[:3])
    operations = ["skip", "conv1", "conv3", "pool"]
    one = weights.Map("darts", 2, theta.mean(axis=0), [tuple(operations)] * 6)
    figure = weights.weights([one], [f"e{number}" for number in range(6)], "title")
    image = figure.axes[0].images[0].get_array()
    assert image.shape == (24, 2)
    assert image[4 * 2 + 3, 1] == pytest.approx(theta[:, 1, 2, 3].mean())  # edge 2, operation 3, epoch 2
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][:5] == [
        "e0 skip".replace(" ", "  "),
        *operations[1:],
        "e1  skip",
    ]


def test_weights_of_a_run_are_named_by_its_space(results):
    results.run()
    _, drawn = _figures(results)
    labels = [text.get_text() for text in drawn["theta-nasbench201-paper-cifar10"].axes[0].get_yticklabels()]
    assert labels[:2] == ["0→1  skip_connect", "nor_conv_1x1"]  # four operations: without the zero operation
    assert labels[-4:-2] == ["2→3  skip_connect", "nor_conv_1x1"]


def test_rank_correlations_by_hand():
    x, y, ties = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0, 3.0])
    assert supernets.correlations([x], [y]) == pytest.approx(
        (1 - 6 * 2 / (4 * 15), (5 - 1) / 6)
    )  # two ranks off by one
    assert supernets.correlations([x], [ties])[1] == pytest.approx(5 / np.sqrt(6 * 5))  # tau-b
    constant = np.ones(4)
    assert np.isnan(supernets.correlations([x], [constant])).all()
    assert supernets.correlations([x, x], [constant, y]) == supernets.correlations([x], [y])


def test_supernet_figure_states_the_mean_correlation_over_searches():
    curves = _curves(accuracy=((50.0, 60.0, 70.0), (70.0, 60.0, 50.0)), supernet=((1, 2, 3), (1, 3, 2)))
    figure = supernets.supernet([supernets.agreement(curves, 0)], CIFAR10[0], "title", ["darts-erm"])
    assert any("ρ +0.25, τ +0.33" in text for text in _texts(figure))  # (1 - 0.5) / 2, (1 - 1/3) / 2
    assert any("Not drawn: darts-erm, whose single-level searches" in text for text in _texts(figure))
    assert figure.axes[0].collections[0].get_offsets().tolist()[0] == [1.0, 50.0]


def test_colours_belong_to_methods_whichever_are_shown_with_them():
    places = ["a", "b", "c", "d"]
    all_of_them = style.Looks(dict.fromkeys(reversed(places), "f"), {}, places)
    some = style.Looks({"new": "g", "c [x=1]": "f", "c": "f"}, {"c [x=1]": "c"}, places)
    assert some["c"] == all_of_them["c"]
    assert some["c [x=1]"].color == some["c"].color
    assert some["c [x=1]"] != some["c"]
    assert some["new"].color not in {all_of_them[name].color for name in places}
    assert some["new"] == style.Looks({"new": "g"}, {}, [*places, "later"])["new"]
    assert len({all_of_them[name].color for name in places}) == 4


def test_every_method_has_a_look_for_good():
    """New methods go to the end of `LOOKS`; whoever moves one changes the colours of published figures."""
    assert sorted(looks()) == sorted(built_in())
    of_all = style.Looks(dict.fromkeys(built_in(), ""), {}, looks())
    assert of_all["darts"] == ("#0072B2", "o", "-")
    assert of_all["gaea-darts-bilevel"] == ("#009E73", "^", "-.")
    assert of_all["local-search"] == ("#000000", ">", "-.")
    assert of_all["snas"] == ("#000000", "p", "-")
    assert len({look[1:] for look in map(of_all.__getitem__, built_in())}) == len(built_in())
