"""The page in a real browser: what it shows, how it sorts, filters and explains, by mouse and by keyboard."""

from __future__ import annotations

import pytest

from harness.report import cells, page
from tests.report.conftest import CELLS
from tests.report.test_cells import GENOTYPE
from tests.report.test_page import EVIL

pytestmark = pytest.mark.browser


def column(shown, heading):
    """What the table shows under a heading such as `Method` or `Ours, mean`."""
    headings = shown.locator("#leaderboard thead tr:nth-child(2) th:visible button")
    places = [headings.nth(k).get_attribute("aria-label") for k in range(headings.count())]
    place = places.index(f"{heading}, sort") + 1
    texts = shown.locator(f"#leaderboard tbody tr:not(.block) > :nth-child({place})").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def blocks(shown):
    """The methods in each block, by its title."""
    bodies = shown.locator("#leaderboard tbody")
    rows = [bodies.nth(k).locator("th").all_inner_texts() for k in range(bodies.count())]
    return {heading.partition("\n")[0]: [" ".join(name.split()) for name in names] for heading, *names in rows}


def choice(shown, title):
    return shown.get_by_role("combobox", name=title)


def header(shown, heading):
    return shown.get_by_role("button", name=f"{heading}, sort", exact=True)


@pytest.fixture
def three(results, show):
    """A page of three methods, one a proxy, with test and validation accuracies; opens it like `show`."""
    results.runs_with("darts", [59.0, 60.0])
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.runs_with("nobody", [70.0, 71.0], profile="quick", dataset="digits")
    results.run("darts", 5, cells=("darts-0", "darts-1"), best_valid="darts-0")
    results.look_up(
        {(f"{name}-{seed}", "cifar10", "x-valid"): 40.0 + seed for name in ("darts", "nobody") for seed in (0, 1)}
    )
    return show


def test_default_view_has_test_accuracies_of_the_last_epoch(three):
    shown = three()
    assert column(shown, "Method") == ["gaea-darts-erm", "darts", "nobody digits proxy"]
    assert column(shown, "Split") == ["test"] * 3
    assert column(shown, "Ours, mean") == ["94.10", "59.67", "70.50"]
    assert column(shown, "Ours, n") == ["2", "3", "2"]
    assert column(shown, "Published, mean") == ["94.10†", "54.30", "–"]
    assert "selection: cell of the last epoch" in shown.locator("#common").inner_text()


def test_validation_accuracies_stand_in_where_there_are_no_others(results, show):
    results.runs_with("darts", [50.0], on=("cifar10", "x-valid"))
    assert column(show(), "Split") == ["x-valid"]


def test_verdicts_are_told_by_words_and_signs(three):
    assert column(three(), "Verdict") == ["✓ reproduced", "✗ differs", "no published value"]


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_sort(three, by):
    shown = three()
    button = header(shown, "Ours, mean")
    cell = shown.locator("th", has=button)
    assert cell.get_attribute("aria-sort") is None
    for direction, means in (("descending", ["94.10", "70.50", "59.67"]), ("ascending", ["59.67", "70.50", "94.10"])):
        button.click() if by == "mouse" else button.press("Enter")
        assert column(shown, "Ours, mean") == means
        assert cell.get_attribute("aria-sort") == direction
    header(shown, "Method").press("Enter")
    assert column(shown, "Method") == ["darts", "gaea-darts-erm", "nobody digits proxy"]
    assert cell.get_attribute("aria-sort") is None


def test_missing_values_come_last_in_both_directions(three):
    shown = three()
    for _ in range(2):
        header(shown, "Published, mean").click()
        assert column(shown, "Published, mean")[-1] == "–"


def test_filters_search_and_reset(three):
    shown = three()
    choice(shown, "Profile").select_option("paper")
    assert column(shown, "Method") == ["gaea-darts-erm", "darts"]
    shown.get_by_label("Search", exact=True).fill("GAEA erm")
    assert column(shown, "Method") == ["gaea-darts-erm"]
    assert shown.locator("#shown").inner_text().startswith("1 of ")
    shown.get_by_label("Search", exact=True).fill("no such method")
    assert shown.locator("#leaderboard tbody tr").count() == 0
    shown.get_by_role("button", name="Reset").click()
    assert len(column(shown, "Method")) == 3
    choice(shown, "Selection").select_option("best-valid")
    assert column(shown, "Ours, mean") == ["59.00"]
    choice(shown, "Selection").select_option("")
    choice(shown, "Split").select_option("x-valid")
    assert set(column(shown, "Split")) == {"x-valid"}
    assert set(column(shown, "Selection")) == {"last", "best-valid"}  # a column as soon as rows differ in it


def test_filters_without_a_choice_are_not_shown(results, show):
    results.runs_with("darts", [50.0])
    shown = show()
    assert not shown.locator("#filters select").filter(visible=True).count()
    assert shown.get_by_label("Search", exact=True).is_visible()


def test_evidence_by_keyboard(three):
    shown = three()
    button = shown.get_by_role("button", name="Evidence: darts, cifar10 test, 59.67")
    button.focus()
    shown.keyboard.press("Enter")
    dialog = shown.get_by_role("dialog")
    assert dialog.is_visible()
    assert shown.evaluate("document.activeElement.textContent") == "Close"
    table = dialog.locator(".searches tbody tr")
    seeds = [table.nth(k).locator("td").nth(0).inner_text() for k in range(table.count())]
    values = [table.nth(k).locator("td").nth(1).inner_text() for k in range(table.count())]
    assert dict(zip(seeds, values, strict=True)) == {"0": "59", "1": "60", "5": "60"}
    text = dialog.inner_text()
    assert "python run_all.py --space nasbench201 --methods darts --seeds 0-1,5 --profile paper" in text
    for said in ("darts-0", "TE-NAS paper", "lr", "fp32", "a table", "aaaaaaaaaaaa", "channels", "nothing", "cpu"):
        assert said in text
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("button => button === document.activeElement")


def test_evidence_marks_what_keeps_two_numbers_apart(results, show):
    results.runs_with("darts", [50.0, 60.0], profile="quick", dataset="digits")
    shown = show()
    shown.get_by_role("button", name="Evidence: darts").click()
    dialog = shown.get_by_role("dialog")
    assert dialog.locator(".unlike th").all_inner_texts() == ["≠ searched on", "≠ protocol"]
    assert "digits proxy" in dialog.locator("h2").inner_text()


def test_focus_is_seen(three):
    shown = three()
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the results"
    for _ in range(12):
        shown.keyboard.press("Tab")
        width = shown.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(width.removesuffix("px")) >= 2


def test_names_are_text(results, show):
    results.runs_with(EVIL, [50.0, 60.0], settings={"lr": 0.1, EVIL: EVIL})
    results.run(EVIL, 9, cells=(CELLS[0], CELLS[0]), settings={"lr": 0.1, EVIL: EVIL})
    results.run("darts", 9, failure=f"ValueError: {EVIL}")
    results.look_up({(CELLS[0], "cifar10", "test"): 1.0}, source=EVIL)
    shown = show()
    name = page.printable(EVIL)
    assert shown.locator("#leaderboard tbody th").evaluate("each => each.textContent.trim()") == name
    shown.get_by_role("button", name="Evidence").first.click()
    assert shown.get_by_role("dialog").locator("h2").evaluate("each => each.firstChild.textContent").startswith(name)
    assert shown.locator("script").count() == 2  # and the fixture sees that nothing was alerted


@pytest.mark.parametrize("text", [*CELLS, GENOTYPE, GENOTYPE.replace("range(2, 6)", "[2, 3]"), "darts-0", "Genotype()"])
def test_cells_are_read_as_the_figures_read_them(three, text):
    found = three().evaluate("text => graphs(text)", text)
    try:
        wanted = [[graph.title, len(graph.nodes), list(map(list, graph.edges))] for graph in cells.graphs(text)]
    except ValueError:
        wanted = []
    assert found == wanted


def test_found_cells_are_drawn_and_counted(results, show):
    for seed in range(3):
        results.run("darts", seed, cells=(CELLS[seed // 2],))
    results.run("darts", 3, cells=(GENOTYPE,))
    results.look_up({(cell, "cifar10", "test"): 50.0 for cell in (*CELLS, GENOTYPE)})
    drawn = show().locator("#cells figure")
    captions = [drawn.nth(k).locator("figcaption").evaluate("each => each.firstChild.textContent") for k in range(3)]
    assert captions[0] == "found by 2 of 4"
    assert captions[1:] == ["found by 1 of 4"] * 2
    assert drawn.first.locator("svg").get_attribute("aria-label").startswith("cell: 0 to 1 nor_conv_3x3, ")
    genotype = drawn.filter(has_text="Genotype(").locator("svg")
    assert [genotype.nth(k).get_attribute("aria-label").partition(":")[0] for k in range(2)] == ["normal", "reduce"]


@pytest.mark.parametrize("scheme, light", [("light", True), ("dark", False)])
def test_theme_follows_the_system_until_it_is_chosen(three, scheme, light):
    shown = three(color_scheme=scheme)

    def is_light():
        rgb = shown.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        return sum(rgb[:3]) > 384

    button = shown.locator("#theme")
    assert is_light() == light
    for name, expected in (("light", True), ("dark", False)):
        button.press("Enter")
        assert button.inner_text() == f"Theme: {name}"
        assert is_light() == expected
    shown.reload()
    assert button.inner_text() == "Theme: dark"


@pytest.mark.parametrize("width", [320, 390, 800, 1000, 1400])
def test_nothing_hangs_over_the_edge(three, width):
    shown = three(viewport={"width": width, "height": 800})
    choice(shown, "Selection").select_option("")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.get_by_role("button", name="Evidence").first.click()
    assert shown.get_by_role("dialog").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_narrow_screens_name_every_number(three):
    shown = three(viewport={"width": 390, "height": 800})
    number = shown.locator("#leaderboard tbody tr").first.locator("td").filter(has_text="94.10").first
    assert number.evaluate("each => getComputedStyle(each, '::before').content") == '"Ours, mean"'
    header(shown, "Ours, mean").press("Enter")
    assert column(shown, "Ours, mean") == ["94.10", "70.50", "59.67"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(three, scheme):
    """At least 4.5 to 1 between text and ground, as WCAG 2 has it."""
    shown = three(color_scheme=scheme)
    shown.get_by_role("button", name="Evidence").first.click()
    assert shown.evaluate(CONTRASTS) == []


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgba(color).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    for (let up = each; up; up = up.parentElement) {
      const color = getComputedStyle(up).backgroundColor;
      if (rgba(color)[3] === 255) return color;
    }
    return "white";
  };
  const poor = [];
  for (const each of document.querySelectorAll("body *")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || ["SCRIPT", "NOSCRIPT"].includes(each.tagName) || !each.getClientRects().length) continue;
    const style = getComputedStyle(each);
    const ink = each instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [luminance(ink), luminance(ground(each))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${each.tagName}: ${each.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
