"""Errors of trained cells in the page, beside accuracies that were looked up."""

from __future__ import annotations

import pytest

from tests.browser.test_page import blocks, choice, column, header, numbers
from tests.report.conftest import genotype

pytestmark = pytest.mark.browser


@pytest.fixture
def mixed(results, show):
    """Two methods whose cells were trained, and one whose cells were looked up; opens the page like `show`."""
    results.trained_with("darts", [2.0, 3.0])
    results.trained_with("gaea-pc-darts", [1.0, 1.5], first=5)
    results.runs_with("darts", [50.0])

    def opened(**words):
        shown = show(**words)
        choice(shown, "Space").select_option("")
        return shown

    return opened


def first(texts):
    return [text.partition(" ")[0] for text in texts]


def test_errors_stand_in_a_block_of_their_own_with_size_and_cost(mixed):
    shown = mixed()
    assert blocks(shown) == {
        "Weight sharing, searched on digits": ["darts digits proxy", "gaea-pc-darts digits proxy"],
        "Weight sharing, searched on cifar10": ["darts"],
    }
    heading = shown.locator("#leaderboard .block", has_text="digits").inner_text()
    assert "test error in %, lower is better, of cells retrained with 6 cells, C=8, 10 epochs" in heading
    assert "(digits proxy, short schedule)" in heading
    assert column(shown, "digits, test error")[:2] == [
        "2.50 ± 0.71 (2) ⊘ 3.00 ± 0.14 (?) cifar10 test",
        "1.25 ± 0.35 (2) ⊘ 2.50 ± 0.06 (10)† cifar10 test",
    ]
    assert column(shown, "Parameters") == ["0.050 M 3.3 M ⊘", "0.050 M 3.69 M ⊘", "–"]
    assert column(shown, "Search cost")[0] == "0.001 M images, 1 CPU s 0.4 GPU days ⊘"
    assert "accuracies in % after 200 epochs" in shown.locator("#shown").inner_text()
    assert "test errors in %, lower is better" in shown.locator("#shown").inner_text()


def test_a_control_that_asks_no_table_stands_beside_the_methods_that_search(results, show):
    results.trained_with("darts", [2.0])
    where = {"space": "darts", "profile": "quick", "dataset": "digits", "table": None}
    results.black_box("random-cell", [], seconds=0.0, choice=genotype(5), **where)
    results.retrain(genotype(5), 0, 1.0)
    assert blocks(show()) == {
        "Weight sharing, searched on digits": ["darts digits proxy", "random-cell digits proxy"],
    }


def test_the_space_with_the_most_results_is_shown_first(mixed):
    shown = mixed()
    shown.get_by_role("button", name="Reset").click()
    assert list(blocks(shown)) == ["Weight sharing, searched on digits"]
    assert column(shown, "Method") == ["darts digits proxy", "gaea-pc-darts digits proxy"]


def test_sorting_begins_at_the_better_end(mixed):
    shown = mixed()
    header(shown, "digits, test error").click()
    assert first(column(shown, "digits, test error")) == ["1.25", "2.50", "–"]
    assert shown.locator("th[aria-sort=ascending]").count() == 1
    header(shown, "digits, test error").click()
    assert first(column(shown, "digits, test error"))[:2] == ["2.50", "1.25"]
    numbers(shown)
    choice(shown, "Space").select_option("darts")
    header(shown, "Ours, mean").click()
    assert column(shown, "Ours, mean") == ["1.25", "2.50"]
    choice(shown, "Space").select_option("nasbench201")
    header(shown, "Published, mean").click()
    assert shown.locator("th[aria-sort=descending]").count() == 1


@pytest.mark.parametrize(
    "title, value, methods",
    [
        ("Space", "darts", ["darts digits proxy", "gaea-pc-darts digits proxy"]),
        ("Profile", "quick", ["darts digits proxy", "gaea-pc-darts digits proxy"]),
        ("Dataset", "digits", ["darts digits proxy", "gaea-pc-darts digits proxy"]),
        ("Family", "gaea", ["gaea-pc-darts digits proxy"]),
        ("Dataset", "cifar10", ["darts"]),
    ],
)
def test_errors_are_filtered_like_accuracies(mixed, title, value, methods):
    shown = mixed()
    choice(shown, title).select_option(value)
    assert column(shown, "Method") == methods


def test_evidence_of_an_error(mixed):
    shown = mixed()
    shown.get_by_role("button", name="Evidence: darts, digits test error, 2.50").click()
    dialog = shown.get_by_role("dialog")
    lines = dialog.locator(".searches tbody tr")
    assert [lines.nth(k).locator("td").nth(1).inner_text() for k in range(2)] == ["2", "3"]
    assert lines.first.locator("svg").count() == 2
    assert dialog.locator(".searches thead th", has_text="regret").count() == 0
    text = dialog.inner_text()
    command = (
        "python run_all.py --space darts --methods darts --seeds 0-1 --profile quick --dataset digits --device cpu"
    )
    for said in (
        command,
        "--retrain digits",
        "6 cells, C=8, 10 epochs (digits proxy, short schedule)",
        "lower is better",
    ):
        assert said in text
    for said in ("a machine", "c" * 40, "learning_rate", "3.3 M", "0.4 GPU days", "cell retrained by others", "50,000"):
        assert said in text
    assert "Regret" not in text
    assert dialog.locator(".unlike th").all_inner_texts() == [
        "≠ split", "≠ searched on", "≠ protocol", "≠ source", "≠ parameters", "≠ search cost, median",
    ]  # fmt: skip


@pytest.mark.parametrize("view", ["methods", "numbers"])
@pytest.mark.parametrize("width", [320, 390, 1000, 1400])
def test_nothing_hangs_over_the_edge(mixed, width, view):
    shown = mixed(viewport={"width": width, "height": 800})
    choice(shown, "View").select_option(view)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.get_by_role("button", name="Evidence: darts, digits").click()
    assert shown.get_by_role("dialog").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_validation_accuracies_stand_in_for_the_space_without_tests(results, show):
    results.trained_with("darts", [2.0, 3.0])
    results.runs_with("darts", [50.0], on=("cifar10", "x-valid"))
    shown = show()
    choice(shown, "Space").select_option("")
    assert sorted(column(numbers(shown), "Split")) == ["test error", "x-valid"]
    choice(shown, "Split").select_option("test")
    assert column(shown, "Split") == ["test error"]
