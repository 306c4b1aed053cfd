"""Text of records, files and users appears as it is in every form of the report, and does nothing."""

import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.text import Text
from rich.console import Console

from harness.commands import execution
from harness.commands.retrain import ranking
from harness.experiment.progress import Display, Shown
from harness.report.figures import gallery
from harness.report.render import excerpt, latex, markdown
from harness.text import printable
from tests.report.conftest import CELLS, genotype

NASTY = "_|$x_1$ $\\frac$<script>a&b</script>\\bad{*bold*[bold]`#~^:x:\x1b[31m\nnext"
SHOWN = printable(NASTY)


@pytest.fixture
def nasty(results):
    """In the names of methods, optimizer, dataset, device, table and split, and in a failure."""
    for seed, last in enumerate(CELLS[:2]):
        results.run(
            NASTY,
            seed,
            source="5" * 64,
            dataset=NASTY,
            images="external",
            device=NASTY,
            cells=(CELLS[2], last),
            changed={"optimizer": NASTY},
        )
    results.run(NASTY, 9, source="5" * 64, dataset=NASTY, images="external", failure=f"ValueError: {NASTY}")
    results.look_up({(cell, NASTY, "test"): 90.0 + place for place, cell in enumerate(CELLS)}, source=NASTY)
    return results


def test_markdown(nasty):
    text = markdown.render(nasty.report())
    assert markdown.escape(NASTY) in text
    bare = re.sub(r"\\.", "", text)  # without what is escaped
    assert not set("$<`~") & set(bare)
    assert not re.search(r"[^*]\*[^*]|\[|_", bare)
    columns = {bare_line.count("|") for bare_line in bare.splitlines() if bare_line.startswith("|")}
    assert len(columns) == 1


def test_excerpt_in_a_document(results):
    results.run("Own|$x$*[b]", source="5" * 64, cells=(CELLS[0],))
    results.look_up({(CELLS[0], "cifar10", "test"): 90.0})
    text = excerpt.render(results.report(), "leaderboard.md", full=True)
    assert markdown.escape("Own|$x$*[b]") in text
    assert "Own|" not in text


def test_latex(nasty):
    text = latex.render(nasty.report())
    assert latex.escape(NASTY) in text
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    assert r"\frac" not in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_figures(nasty):
    drawn = {drawing.name: drawing.figure() for drawing in gallery.describe(nasty.report(), nasty.store)}
    assert drawn
    for figure in drawn.values():
        assert not any(text.get_parse_math() for text in figure.findobj(Text) if "$" in text.get_text())
    assert any("$x_1$" in text.get_text() for figure in drawn.values() for text in figure.findobj(Text))


def test_files_of_figures_and_page(nasty):
    nasty.write(["svg", "png"])
    figures = list(nasty.store.folder.glob("figures/*.svg"))
    assert figures
    for path in figures:
        ElementTree.parse(path)
    page = (nasty.store.folder / "leaderboard.html").read_text()
    assert "<script>a" not in page
    assert "\x1b" not in page


def test_terminal(nasty):
    console = Console(file=io.StringIO(), width=2000, force_terminal=True, color_system=None)
    report = nasty.report()
    report.show(console)
    nasty.store.warnings.append(NASTY)
    execution.print_warnings(nasty.store, console)
    nasty.retrain(genotype(0), 0, 5.0, dataset=NASTY, images="external")
    (training,) = [record for record in nasty.store.records() if record["config"]["kind"] == "retraining"]
    training["cell_name"] = NASTY
    benchmark = gallery.Group("darts", "quick", "digits").benchmark
    console.print(ranking([training], benchmark))
    runs = [Shown(training["key"], NASTY, 0, 1)]
    with Display(console, nasty.store, runs, lambda _: NASTY) as display:
        display.done(training)
    text = console.file.getvalue()
    assert text.count(SHOWN) >= 8
    assert "\x1b[31m" not in text
