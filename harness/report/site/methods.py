"""The methods of the page: paper, algorithm and settings of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.experiment.store import Record
from harness.report import references
from harness.report.algorithms import Algorithm
from harness.report.content import Report
from harness.report.render.wording import NOTHING
from harness.report.site.pools import as_text
from harness.report.site.searches import Searches
from harness.text import printable

SETTINGS = ["setting", "default", "other values here"]
"""Headings of the settings of a method."""
OTHER_VERSION = "This is version {0} of the method; searches here ran version {1}, which may differ."


def described(report: Report, searches: Searches) -> list[dict[str, Any]]:
    """The methods with finished searches, in the order of their indices."""
    records: dict[int, list[Record]] = {}
    for configuration, record in zip(searches.configurations, searches.records, strict=True):
        records.setdefault(configuration["of"], []).append(record)
    return [
        _method(name, report.algorithms.get(name), records[index], is_external=_is_external(records[index][0]))
        for name, index in searches.names.items()
    ]


def _is_external(record: Record) -> bool:
    return bool(record["config"]["method"]["origin"] == "external")


def _method(name: str, algorithm: Algorithm | None, records: Sequence[Record], is_external: bool) -> dict[str, Any]:
    """`records`: the first one of each configuration."""
    cited = [] if is_external else references.of_method(name)
    return {
        "name": printable(name),
        "paper": printable(records[0]["paper"]),
        "link": cited[0].link if cited else "",
        "bibtex": "\n\n".join(reference.text for reference in cited),
        "file": printable(algorithm.file) if algorithm else "",
        "about": _lines(_flowing(algorithm.about)) if algorithm else "",
        "source": _lines(algorithm.source) if algorithm else "",
        "note": _note(algorithm, records),
        "settings": _settings(algorithm.defaults if algorithm else {}, records),
    }


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.expandtabs().splitlines()))


def _flowing(text: str) -> str:
    """A docstring with the lines of each paragraph joined, but for those with indented lines: formulas and lists."""
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(
        each if re.search(r"^(\s|[-*] )", each, re.MULTILINE) else " ".join(each.split()) for each in paragraphs
    )


def _note(algorithm: Algorithm | None, records: Sequence[Record]) -> str:
    versions = sorted({record["config"]["method"].get("version", 1) for record in records})
    if algorithm is None or _is_external(records[0]) or versions == [algorithm.version]:
        return ""
    return OTHER_VERSION.format(algorithm.version, " and ".join(map(str, versions)))


def _settings(defaults: Mapping[str, Any], records: Sequence[Record]) -> list[list[str]]:
    """Texts of `SETTINGS`."""
    used: dict[str, dict[str, None]] = {name: {} for name in defaults}
    for record in records:
        for name, value in record["config"]["settings"].items():
            if name not in defaults or value != defaults[name]:
                used.setdefault(name, {})[as_text(value)] = None
    return [
        [printable(name), as_text(defaults[name]) if name in defaults else NOTHING, ", ".join(values) or NOTHING]
        for name, values in used.items()
    ]
