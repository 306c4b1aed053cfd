"""What the address of the page says: filters, sorting, the opened row, and the pages of a method and of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.benchmarks.base import RANK_COLUMNS
from harness.report import site as page
from tests.browser.test_page import CONTRASTS, choice, column, header
from tests.report.conftest import CELLS, PUBLISHED

pytestmark = pytest.mark.browser


def fragment(shown):
    return shown.evaluate("location.hash")


def entries(shown):
    return shown.evaluate("history.length")


@pytest.fixture
def three(results, show):
    """A page of three methods, one a proxy, of which one has test and validation accuracies; opens it like `show`."""
    results.runs_with("darts", [59.0, 60.0])
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.runs_with("nobody", [70.0, 71.0], profile="quick", dataset="digits")
    results.look_up({(f"darts-{seed}", "cifar10", "x-valid"): 40.0 + seed for seed in (0, 1)})
    return show


def test_filters_search_sorting_and_row_are_in_the_address_and_come_back(three):
    shown = three()
    assert fragment(shown) == ""
    before = entries(shown)
    choice(shown, "View").select_option("numbers")
    assert fragment(shown) == "#view=numbers"
    choice(shown, "Split").select_option("")
    shown.get_by_label("Search", exact=True).press_sequentially("gaea")
    assert fragment(shown) == "#view=numbers&split=&search=gaea"
    header(shown, "Ours, mean").click()
    assert fragment(shown).endswith("&sort=Ours%2C+mean&order=descending")
    header(shown, "Ours, mean").click()
    shown.locator("#leaderboard tbody button").first.click()
    assert entries(shown) == before
    address = fragment(shown)
    assert address.startswith("#view=numbers&split=&search=gaea&sort=Ours%2C+mean&order=ascending&row=")
    title = shown.get_by_role("dialog").locator("h2").inner_text()

    again = three(address)
    assert again.get_by_role("dialog").locator("h2").inner_text() == title
    again.keyboard.press("Escape")
    assert column(again, "Ours, mean") == ["94.10"]
    assert again.locator("th[aria-sort=ascending]").count() == 1
    assert again.get_by_label("Search", exact=True).input_value() == "gaea"
    assert "row=" not in fragment(again)
    again.get_by_role("button", name="Reset").click()
    assert fragment(again) == "#view=numbers"
    assert len(column(again, "Method")) == 3


def test_what_an_address_does_not_know_has_its_default(three):
    shown = three("#split=no-such-split&view=none&sort=No+such+column&row=0&profile=paper")
    assert choice(shown, "Split").input_value() == "tests"
    assert choice(shown, "Profile").input_value() == "paper"
    assert column(shown, "Method") == ["gaea-darts-erm", "darts"]
    assert not shown.get_by_role("dialog").is_visible()


def test_a_row_that_filters_hide_is_opened_all_the_same(three):
    shown = three()
    shown.get_by_role("button", name="Evidence: darts, cifar10 test").click()
    row = fragment(shown).partition("row=")[2]
    other = three(f"#search=nobody&row={row}")
    assert other.get_by_role("dialog").locator("h2").inner_text().startswith("darts, cifar10 test")


def test_skip_link_keeps_the_filters(three):
    shown = three("#results")
    assert len(column(shown, "Method")) == 3
    shown.get_by_label("Search", exact=True).fill("gaea")
    skip = shown.get_by_role("link", name="Skip to the results")
    skip.press("Enter")
    assert shown.get_by_label("Search", exact=True).input_value() == "gaea"
    shown.locator("#leaderboard th[scope=row] a").first.click()
    skip.press("Enter")
    assert column(shown, "Method") == ["gaea-darts-erm"]


def test_method_page_shows_algorithm_settings_results_cells_and_citation(results, show):
    results.runs_with("darts", [59.0, 60.0])
    results.runs_with("darts", [61.0], settings={"lr": 0.2}, changed={"lr": 0.2})
    results.run("darts", 7, failure="ValueError: no")
    shown = show("#search=dar")
    shown.locator("#leaderboard th[scope=row] a").first.click()
    opened = shown.locator("#page")
    assert opened.locator("h2").inner_text() == "darts"
    assert opened.locator("h2").evaluate("each => each === document.activeElement")
    assert not shown.locator("#board").is_visible()
    algorithm = opened.locator("section", has_text="Algorithm").first.inner_text()
    for said in ("DARTS, first order", "class Darts(SoftmaxAdam):", "methods/darts.py"):
        assert said in algorithm
    assert "import" not in opened.locator("section pre").nth(1).inner_text()
    lines = (
        opened.locator("section", has=shown.locator("h3", has_text="Settings")).locator("tbody tr").all_inner_texts()
    )
    assert ["lr", "0.0003", "0.1, 0.2"] in [line.split("\t") for line in lines]  # the runs were made by hand with 0.1
    assert opened.locator("h4").all_inner_texts()[:2] == ["darts", "darts [lr=0.2]"]
    first = opened.locator("section").filter(has_text="Results and search cost").locator("p.faint").first.inner_text()
    assert "2 searches" in first
    assert "protocol nasbench201/paper, version 1 · search cost 0.002 M images, 1 CPU s" in first
    assert "1 failed" in first
    assert "inconclusive" in opened.locator("table.all tbody tr").first.inner_text()
    assert opened.locator("figure figcaption").first.inner_text().startswith("seed 0\ncifar10: test 59\n")
    assert "@inproceedings{liu2019darts," in opened.inner_text()
    assert opened.get_by_role("link", name="arxiv.org/abs/1806.09055").count() == 1  # these records name no paper
    opened.get_by_role("link", name="Leaderboard").click()
    assert shown.get_by_label("Search", exact=True).input_value() == "dar"
    assert shown.locator("#board").is_visible()
    assert not opened.is_visible()


def test_run_page_shows_provenance_and_results(results, show):
    results.runs_with("darts", [59.0, 60.0])
    shown = show()
    shown.get_by_role("button", name="Evidence: darts").click()
    shown.get_by_role("dialog").locator(".searches a").nth(1).click()
    opened = shown.locator("#page")
    assert opened.locator("h2").inner_text() == "darts, seed 1"
    assert not shown.get_by_role("dialog").is_visible()
    assert opened.locator("section", has_text="Results of this search").locator("tbody td").all_inner_texts() == [
        "cifar10 test", "last", "60", "0.00", "–",
    ]  # fmt: skip
    text = opened.inner_text()
    for said in ("wall time, s\n1", "nasbench201/paper, version 1", "python run_all.py", "device"):
        assert said in text
    shown.go_back()
    assert shown.get_by_role("dialog").locator("h2").inner_text().startswith("darts, cifar10 test")
    assert show(fragment(shown).replace("row", "run"))  # a row is no run


def test_unknown_pages_say_so(three):
    assert "no finished searches of a method" in three("#method=none").locator("#page").inner_text()
    assert "no finished search with a record" in three("#run=none").locator("#page").inner_text()


class Complete:
    """A complete table of two architectures, for ranks."""

    sha256 = "a" * 64

    def ranks(self, architectures):
        ranks = {"darts-0": 2, "darts-1": 1}
        rows = [(cell, "cifar10", "test", ranks[cell], 2) for cell in architectures if cell in ranks]
        return pd.DataFrame(rows, columns=RANK_COLUMNS)


def test_ranks_are_shown_where_the_complete_table_is_at_hand(results, visit):
    from harness import report

    results.runs_with("darts", [59.0, 60.0])
    path = results.store.folder / "leaderboard.html"
    path.write_text(page.render(report.gather(results.store, [], PUBLISHED, [("nasbench201", Complete())])), "utf-8")
    shown = visit(path)
    shown.get_by_role("button", name="Evidence: darts").click()
    table = shown.get_by_role("dialog").locator("table.searches")
    place = table.locator("thead th").all_inner_texts().index("rank of 2") + 1
    assert table.locator(f"tbody td:nth-child({place})").all_inner_texts() == ["2", "1"]
    table.locator("tbody a").first.click()
    assert shown.locator("#page tbody td").last.inner_text() == "2 of 2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("address", ["#method=darts", "#run="])
def test_pages_fit_and_have_contrast(results, show, width, scheme, address):
    for seed in range(2):
        key = results.run("darts", seed, cells=(CELLS[seed],), settings={"lr": np.float64(0.1).item()})
    results.look_up({(cell, "cifar10", "test"): 50.0 for cell in CELLS})
    address += key[:12] if address == "#run=" else ""
    shown = show(address, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert shown.locator("#page svg.cell").count() == (2 if "method" in address else 1)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate(CONTRASTS) == []
