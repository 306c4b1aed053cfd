"""The page in a real browser: what it shows, how it sorts, filters and explains, by mouse and by keyboard."""

from __future__ import annotations

import pytest

from harness.report import site as page
from tests.report.conftest import CELLS
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
    made = {}
    for k in range(bodies.count()):
        title = bodies.nth(k).locator(".block th").evaluate("each => each.firstChild.textContent")
        made[title] = [" ".join(name.split()) for name in bodies.nth(k).locator("th[scope=row]").all_inner_texts()]
    return made


def choice(shown, title):
    return shown.get_by_role("combobox", name=title)


def numbers(shown):
    """The same page with a row per number."""
    choice(shown, "View").select_option("numbers")
    return shown


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
    assert column(shown, "cifar10, test") == [
        "94.10 ± 0.14 (2) ~ 94.10 ± 0.29 (4)† +0.00",
        "59.67 ± 0.58 (3) ~ 54.30 ± 0.00 (3) +5.37",
        "70.50 ± 0.71 (2) –",
    ]
    assert [sign.get_attribute("aria-label") for sign in shown.locator(".sign").all()] == [
        "inconclusive",
        "inconclusive",
    ]


def test_a_row_per_number_has_the_same_numbers(three):
    shown = numbers(three())
    assert column(shown, "Method") == ["gaea-darts-erm", "darts", "nobody digits proxy"]
    assert column(shown, "Split") == ["test"] * 3
    assert column(shown, "Ours, mean") == ["94.10", "59.67", "70.50"]
    assert column(shown, "Ours, n") == ["2", "3", "2"]
    assert column(shown, "Published, mean") == ["94.10†", "54.30", "–"]
    assert column(shown, "Verdict") == ["~ inconclusive", "~ inconclusive", "no published value"]


def test_verdicts_are_counted_in_words(three):
    shown = three()
    counts = shown.locator("#verdicts > span").all_inner_texts()
    assert counts == ["~ inconclusive 2", "no published value 1"]
    shown.get_by_label("Search", exact=True).fill("darts")
    assert shown.locator("#verdicts > span").all_inner_texts() == counts[:1]


def test_evidence_says_what_a_verdict_rests_on(three):
    shown = three()
    evidence = shown.locator("body").inner_text
    shown.locator("#leaderboard tbody td", has_text="59.67").first.get_by_role("button").first.click()
    assert "0 of 3 searches end in the cell in which all published ones end" in evidence()


def test_another_split_of_the_published_value_is_named(results, show):
    results.runs_with("gaea-darts-bilevel", [45.0, 46.0], on=("imagenet16-120", "x-test"), dataset="imagenet16-120")
    assert column(show(), "imagenet16-120, x-test") == ["45.50 ± 0.71 (2) ⊘ 45.69 ± 0.56 (4) ori-test"]


def test_validation_accuracies_stand_in_where_there_are_no_others(results, show):
    results.runs_with("darts", [50.0], on=("cifar10", "x-valid"))
    assert column(numbers(show()), "Split") == ["x-valid"]


def test_blocks_part_what_no_table_may_mix(results, show):
    """A search on each dataset is a block of its own, with the number of cifar10 that it shares with transfers."""
    for dataset in ("cifar10", "cifar100"):
        results.runs_with("darts", [50.0, 51.0], dataset=dataset)
    results.runs_with("gdas", [60.0])
    results.runs_with("setn", [70.0], profile="quick", dataset="digits")
    found = {f"{method}-{seed}": 40.0 + seed for method in ("darts", "gdas", "setn") for seed in (0, 1)}
    results.look_up({(cell, "cifar100", "x-test"): value for cell, value in found.items()}, sha256="a" * 64)
    results.look_up({(cell, "cifar10", "test"): value for cell, value in found.items()}, sha256="b" * 64)
    shown = show()
    assert blocks(shown) == {
        "Weight sharing, searched on cifar10": ["darts", "gdas"],
        "Weight sharing, searched on each dataset": ["darts"],
        "Weight sharing, searched on cifar100": ["darts"],
        "Weight sharing, searched on digits": ["setn digits proxy"],
    }
    ours = [text.partition(" ")[0] for text in column(shown, "cifar10, test")]
    assert ours[0] == ours[2]
    assert ours.count("–") == 0
    assert [text.partition(" ")[0] for text in column(shown, "cifar100, x-test")][3] == "–"


def test_changed_settings_stand_below_the_name_once(results, show):
    for split in ("x-test", "ori-test"):
        results.runs_with("darts", [50.0], on=("cifar100", split), changed={"lr": 0.2}, settings={"lr": 0.2})
    shown = show()
    assert column(shown, "Method") == ["darts [lr=0.2]"]
    name, changed = (shown.locator(place).bounding_box() for place in ("tr:not(.block) > th[scope=row]", ".changed"))
    assert changed["y"] > name["y"] + name["height"] / 3
    assert column(numbers(shown), "Method") == ["darts [lr=0.2]", "darts"]


@pytest.mark.parametrize("view, title", [("methods", "cifar10, test"), ("numbers", "Ours, mean")])
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_sort_keeps_the_blocks(three, by, view, title):
    shown = three()
    choice(shown, "View").select_option(view)
    button = header(shown, title)
    cell = shown.locator("th", has=button)
    assert cell.get_attribute("aria-sort") is None
    for direction, means in (("descending", ["94.10", "59.67", "70.50"]), ("ascending", ["59.67", "94.10", "70.50"])):
        button.click() if by == "mouse" else button.press("Enter")
        assert [text.partition(" ")[0] for text in column(shown, title)] == means
        assert cell.get_attribute("aria-sort") == direction
    header(shown, "Method").press("Enter")
    assert column(shown, "Method") == ["darts", "gaea-darts-erm", "nobody digits proxy"]
    assert cell.get_attribute("aria-sort") is None


def test_missing_values_come_last_in_both_directions(results, show):
    for method, accuracy in (("darts", 50.0), ("nobody", 60.0), ("gaea-darts-erm", 94.0)):
        results.runs_with(method, [accuracy, accuracy + 1])
    shown = numbers(show())
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
    assert column(numbers(shown), "Ours, mean") == ["59.00"]
    choice(shown, "Selection").select_option("")
    choice(shown, "Split").select_option("x-valid")
    assert set(column(shown, "Split")) == {"x-valid"}
    headings = shown.locator("#leaderboard .block").all_inner_texts()
    assert sum("final cell" in heading for heading in headings) == 2
    assert sum("best supernet validation accuracy" in heading for heading in headings) == 1


def test_filters_without_a_choice_are_not_shown(results, show):
    results.runs_with("darts", [50.0])
    shown = show()
    assert shown.locator("#filters select").filter(visible=True).count() == 1  # the view
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
    regrets = [table.nth(k).locator("td").nth(2).inner_text() for k in range(table.count())]
    assert dict(zip(seeds, values, strict=True)) == {"0": "59", "1": "60", "5": "60"}
    assert dict(zip(seeds, regrets, strict=True)) == {"0": "35.20", "1": "34.20", "5": "34.20"}
    text = dialog.inner_text()
    assert "python run_all.py --space nasbench201 --methods darts --seeds 0-1,5 --profile paper" in text
    for said in ("darts-0", "TE-NAS paper", "lr", "fp32", "a table", "aaaaaaaaaaaa", "channels", "none", "cpu"):
        assert said in text
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("button => button === document.activeElement")


def test_evidence_tells_regret_and_hits(results, show):
    """Of a table whose best cell has 94.0: one of three searches found it, the others miss it by 0.5 and 1."""
    results.runs_with("darts", [94.0, 93.5, 93.0])
    shown = show()
    shown.get_by_role("button", name="Evidence: darts").click()
    facts = shown.get_by_role("dialog").locator("section", has_text="Regret").locator("dl div").all_inner_texts()
    assert [" ".join(fact.split()) for fact in facts][:4] == [
        "best cell of the table 94.00",
        "mean regret 0.50 points",
        "hit rate 33.3 % (1 of 3)",
        "distinct cells 3",
    ]


def test_evidence_marks_what_keeps_two_numbers_apart(results, show):
    results.runs_with("darts", [50.0, 60.0], profile="quick", dataset="digits")
    shown = show()
    shown.get_by_role("button", name="Evidence: darts").click()
    dialog = shown.get_by_role("dialog")
    assert dialog.locator(".unlike th").all_inner_texts() == ["≠ searched on", "≠ protocol", "≠ search cost, median"]
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
    assert shown.locator("#leaderboard tbody th[scope=row]").evaluate("each => each.textContent.trim()") == name
    shown.get_by_role("button", name="Evidence").first.click()
    assert shown.get_by_role("dialog").locator("h2").evaluate("each => each.firstChild.textContent").startswith(name)
    assert shown.locator("script").count() == 2  # and the fixture sees that nothing was alerted


def test_discovered_cells_are_drawn_and_counted(results, show):
    for seed in range(3):
        results.run("darts", seed, cells=(CELLS[seed // 2],))
    results.look_up({(cell, "cifar10", "test"): 50.0 for cell in CELLS})
    drawn = show().locator("#cells figure")
    captions = [drawn.nth(k).locator("figcaption").evaluate("each => each.firstChild.textContent") for k in range(2)]
    assert captions == ["2 of 3 searches", "1 of 3 searches"]
    assert drawn.first.locator("svg").get_attribute("aria-label").startswith("cell: 0 to 1 nor_conv_3x3, ")


def test_both_cells_of_a_genotype_are_drawn(results, show):
    results.trained_with("darts", [2.0])
    drawn = show().locator("#cells figure").filter(has_text="Genotype(").locator("svg")
    assert [drawn.nth(k).get_attribute("aria-label").partition(":")[0] for k in range(2)] == ["normal", "reduce"]


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
    for _ in range(10):  # the browser saves asynchronously: a reload at once may still find nothing
        shown.reload()
        if button.inner_text() == "Theme: dark":
            break
    assert button.inner_text() == "Theme: dark"
    assert not is_light()


@pytest.mark.parametrize("view", ["methods", "numbers"])
@pytest.mark.parametrize("width", [320, 390, 800, 1000, 1400])
def test_nothing_hangs_over_the_edge(three, width, view):
    shown = three(viewport={"width": width, "height": 800})
    choice(shown, "View").select_option(view)
    choice(shown, "Selection").select_option("")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.get_by_role("button", name="Evidence").first.click()
    assert shown.get_by_role("dialog").evaluate("each => each.scrollWidth <= each.clientWidth")


@pytest.mark.parametrize("view", ["methods", "numbers"])
@pytest.mark.parametrize("width", [1280, 1400])
def test_every_column_is_seen_without_scrolling(results, show, width, view):
    """Five test accuracies of a method with a long name, wide numbers and a published value of another split."""
    method = "regularized-evolution"
    splits = [("cifar10", "test"), *((d, s) for d in ("cifar100", "imagenet16-120") for s in ("x-test", "ori-test"))]
    for seed in range(100):
        results.run(method, seed, cells=(f"cell-{seed % 2}",), changed={"budget_seconds": 200})
    results.look_up({(f"cell-{k}", *split): 50.0 + 40 * k for k in (0, 1) for split in splits})
    shown = show(viewport={"width": width, "height": 800})
    choice(shown, "View").select_option(view)
    assert len(shown.locator("#leaderboard tbody tr:not(.block) td button").all()) == 5
    assert shown.locator(".scroll").first.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_narrow_screens_name_every_number(three):
    shown = three(viewport={"width": 390, "height": 800})
    for view, title, named in (("methods", "cifar10, test", "cifar10 test"), ("numbers", "Ours, mean", "Ours, mean")):
        choice(shown, "View").select_option(view)
        number = shown.locator("#leaderboard td").filter(has_text="94.10").first
        assert number.evaluate("each => getComputedStyle(each, '::before').content") == f'"{named}"'
        header(shown, title).press("Enter")
        assert [text.partition(" ")[0] for text in column(shown, title)] == ["94.10", "59.67", "70.50"]


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
