"""The leaderboard as CSV, Markdown and LaTeX."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest

from harness.report.columns import FILES, LEADERBOARD, shown
from harness.report.content import NO_TEST_ACCURACIES
from harness.report.render import latex, markdown, tables
from harness.report.verdict import RULE

NASTY = r"a|b _c_ & 100% #1 <script>x</script> **d** $e$ ~f^g {h} \i `j` [k](l)"


def _rendered(text):
    """What a reader of the Markdown sees: the text of every table cell and list item, and the raw HTML."""
    markdown_it = pytest.importorskip("markdown_it", reason="comes with current versions of rich")
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    shown = ["".join(c.content for c in token.children) for token in tokens if token.type == "inline"]
    return shown, [token.content for token in (*tokens, *inline) if token.type.startswith("html")]


def test_csv_is_the_long_table(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4])
    report = results.report()
    text = tables.csv("leaderboard.csv", report)
    read = pd.read_csv(io.StringIO(text))
    assert list(read.columns) == [column.name for column in shown(LEADERBOARD, FILES)]
    assert read["mean"].tolist() == pytest.approx(report.leaderboard["mean"].tolist())
    assert ",3,94.1,0.29,4,test," in text  # counts are integers


def test_any_method_name_survives_the_csv(results):
    results.runs_with(NASTY + ',"quoted"', [50.0])
    assert pd.read_csv(io.StringIO(tables.csv("leaderboard.csv", results.report())))["method"].tolist() == [
        NASTY + ',"quoted"'
    ]


def test_markdown_shows_ours_published_and_verdict(results):
    results.runs_with("gaea-darts-erm", [94.0, 94.2, 94.4])
    lines = markdown.render(results.report()).splitlines()
    assert "| method | cifar10 test | search cost |" in lines
    place = lines.index("| **gaea-darts-erm** | 94.20 ± 0.20 (3) | 0.002 M images, 1 CPU s |")
    assert lines[place + 1 : place + 4] == [
        "| published | 94.10 ± 0.29 (4)† | – |",
        "| verdict | inconclusive (0.88) | – |",
        "| p (Holm) | 0.686 | – |",
    ]


def test_markdown_names_a_published_split_that_is_another(results):
    results.runs_with("gaea-darts-bilevel", [45.0, 46.0], on=("imagenet16-120", "x-test"), dataset="imagenet16-120")
    assert "| published | 45.69 ± 0.56 (4) ori-test |" in markdown.render(results.report())


def test_markdown_states_rule_tables_sources_and_failures(results):
    results.runs_with("gaea-darts-erm", [94.0])
    results.run("darts", failure="Traceback\nKeyError: 'x'")
    shown, _ = _rendered(markdown.render(results.report()))
    assert f"verdict: {RULE}" in shown
    assert f"{'a' * 12}: a table" in shown
    assert "gaea-darts-erm, cifar10 test: Papers-with-Code page (searched on cifar10, seen, std recalled)" in shown
    assert "darts, seed 0 (nasbench201, paper profile, searched on cifar10): KeyError: 'x'" in shown


@pytest.mark.parametrize("form", [markdown, latex])
def test_digits_are_called_a_proxy(results, form):
    results.runs_with("darts", [50.0], profile="quick", dataset="digits")
    assert "digits proxy: small searches on 8x8 digits, cells looked up on each dataset" in form.render(
        results.report()
    )


@pytest.mark.parametrize("form", [markdown, latex])
def test_way_to_test_accuracies_is_told_only_while_there_are_none(results, form):
    results.runs_with("darts", [50.0], on=("cifar10", "x-valid"))
    assert form.escape(NO_TEST_ACCURACIES.format("nasbench201")) in form.render(results.report())
    results.look_up({("darts-0", "cifar10", "test"): 60.0})
    assert form.escape(NO_TEST_ACCURACIES.format("nasbench201")) not in form.render(results.report())


def test_markdown_shows_any_method_name_as_it_is(results):
    results.runs_with(NASTY, [50.0])
    results.run(NASTY, seed=5, failure=f"ValueError: {NASTY}")
    text = markdown.render(results.report())
    shown, html = _rendered(text)
    assert NASTY in shown
    assert "<" not in text
    assert any(line.endswith(f"ValueError: {NASTY}") for line in shown)
    assert html == []


def test_latex_escapes_every_special_letter(results):
    results.runs_with(NASTY, [50.0])
    (row,) = [line for line in latex.render(results.report()).splitlines() if line.startswith("a\\textbar")]
    name = row.removesuffix(r" & 50.00 (1) & 0.002 M images, 1 CPU s \\")
    assert re.search(r"(?<!\\)[&%$#_^~|<>]", name) is None
    assert name.startswith(r"a\textbar{}b \_c\_ \& 100\% \#1 \textless{}script\textgreater{}x")
    assert name.endswith(r"\$e\$ \textasciitilde{}f\textasciicircum{}g \{h\} \textbackslash{}i `j` {[}k](l)")


@pytest.mark.parametrize("form", [markdown, latex])
def test_what_all_methods_changed_stands_in_the_caption(results, form):
    results.runs_with("darts", [50.0], epochs=3, changed={"epochs": 3, "images": "9 of 50000"})
    results.runs_with("gdas", [50.0], epochs=3, changed={"epochs": 3, "images": "9 of 50000", "lr": 0.5})
    text = form.render(results.report())
    assert (
        f"accuracy in {form.escape('%')}; all with epochs=3, images=9 of 50000@00000000 (searched on a subset)" in text
    )
    assert form.escape("gdas [lr=0.5]") in text


def test_latex_line_does_not_begin_with_what_a_line_break_would_swallow():
    assert latex.escape("[k] *l").startswith("{[}k] {*}l")


def test_latex_prints_hyphens_of_options_and_dashes_of_missing_numbers():
    assert latex.escape("--seeds 3-5 --- –") == "-{}-seeds 3-5 -{}-{}- --"


def test_latex_tables_are_balanced_booktabs(results):
    results.runs_with("darts", [50.0, 60.0])
    text = latex.render(results.report())
    for environment in ("table", "tabular", "itemize"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") > 0
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"darts & 55.00 $\pm$ 7.07 (2) & 0.002 M images, 1 CPU s \\" in text


def test_method_without_a_number_in_a_column_has_a_dash_there(results):
    results.run("gaea-darts-erm", cells=("a",))
    results.run("darts", cells=("b",))
    results.look_up({("a", "cifar10", "test"): 94.0, ("a", "cifar100", "x-test"): 70.0, ("b", "cifar10", "test"): 50.0})
    assert "| **darts** | 50.00 (1) | – |" in markdown.render(results.report())


def test_searches_whose_best_cell_is_not_known_are_in_the_table_of_runs(results):
    results.run("darts", 0, cells=("mine",), space="mine", space_sha256="c" * 64)
    results.look_up({("mine", "cifar10", "test"): 90.0}, space="external:mine@cccccccc", has_best=False)
    rows = pd.read_csv(io.StringIO(tables.csv("runs.csv", results.report())))
    assert list(rows["value"]) == [90.0]
    assert rows["regret"].isna().all()
