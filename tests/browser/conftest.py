"""A real browser, and pages made from results folders. Skips with a reason where there is no browser."""

from __future__ import annotations

import os
import shutil

import pytest

from harness.benchmarks.nasbench201.table import known
from harness.experiment.store import Store
from harness.report import site as page
from tests.report.conftest import Results

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")  # not longer: while its driver runs, no other test could use asyncio
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setitem(known.NAMES, "a" * 64, "a table")
    store = Store(tmp_path)
    store.prepare()
    return Results(store)


@pytest.fixture
def visit(browser):
    """visit(file, fragment, **context options) opens a page; the test fails if it logs, raises or asks for anything
    else."""
    seen, contexts = [], []

    def open_page(path, address="", **options):
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(10_000)
        opened.on("console", lambda message: seen.append(f"console: {message.text}"))
        opened.on("pageerror", lambda error: seen.append(f"error: {error}"))
        opened.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        opened.on(
            "request",
            lambda request: (
                request.url.partition("#")[0] == path.as_uri() or seen.append(f"request: {request.url[:100]}")
            ),
        )
        opened.goto(path.as_uri() + address)
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture
def show(results, visit):
    """show(fragment, **context options) writes the page of `results`, without figures, and opens it."""

    def show_page(address="", **options):
        path = results.store.folder / "leaderboard.html"
        path.write_text(page.render(results.report()), encoding="utf-8")
        return visit(path, address, **options)

    return show_page
