"""BibTeX entries of methods, benchmarks and data, from the `references.bib` that lies beside each.

`keywords` names what an entry is for. An entry ends with a line that is a closing brace.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from harness.benchmarks import BENCHMARKS
from harness.experiment.registry import METHODS
from harness.report.content import Report

FILE = "references.bib"
DATA = Path(__file__).parents[1] / "data" / FILE
_ENTRY = re.compile(r"^@\w+\{([^,\s]+),\n.*?^\}$", re.MULTILINE | re.DOTALL)
_KEYWORDS = re.compile(r"^  keywords = \{([^}]*)\},\n", re.MULTILINE)
_LINKS = {"eprint": "https://arxiv.org/abs/{}", "doi": "https://doi.org/{}", "url": "{}"}
"""Field -> address, best first."""


@dataclass(frozen=True)
class Reference:
    key: str
    text: str
    """The entry, without its keywords."""
    names: tuple[str, ...]
    """What it is for."""

    @property
    def link(self) -> str:
        """Address of the paper; empty if the entry has none."""
        for field, address in _LINKS.items():
            if value := re.search(rf"^  {field} = \{{([^}}]*)\}}", self.text, re.MULTILINE):
                return address.format(value[1])
        return ""


def of_method(name: str) -> list[Reference]:
    """Of a method of the project; external methods have none."""
    return _for(name, Path(import_module(METHODS).__path__[0]) / FILE)


def of_space(name: str) -> list[Reference]:
    """Of a benchmark by its search space; external spaces have none."""
    if name not in BENCHMARKS:
        return []
    module = sys.modules[type(BENCHMARKS[name]).__module__]
    return _for(name, Path(str(module.__file__)).with_name(FILE))


def of_dataset(name: str) -> list[Reference]:
    return _for(name, DATA)


def _for(name: str, path: Path) -> list[Reference]:
    return [reference for reference in read(path) if name in reference.names]


@cache
def read(path: Path) -> tuple[Reference, ...]:
    """All entries of a file."""
    return tuple(
        Reference(entry[1], _KEYWORDS.sub("", entry[0]), tuple(_names(entry[0])))
        for entry in _ENTRY.finditer(path.read_text(encoding="utf-8"))
    )


def _names(entry: str) -> list[str]:
    keywords = _KEYWORDS.search(entry)
    return [name.strip() for name in keywords[1].split(",")] if keywords else []


def bibtex(report: Report) -> str:
    """A BibTeX file that cites the methods, benchmarks and data of a report's tables; a comment names those without an
    entry."""
    runs = report.runs
    wanted = [
        *((name, of_method(name)) for name in dict.fromkeys(runs["name"])),
        *((name, of_space(name)) for name in dict.fromkeys(runs["space"])),
        *((name, of_dataset(name)) for name in _unique(runs["searched_on"], report.leaderboard["dataset"])),
    ]
    # A paper that proposed both a method and a space is cited once, with the licence of the space.
    entries = {reference.key: reference.text for _, references in wanted for reference in references}
    missing = [name for name, references in wanted if not references]
    lines = ["% Methods, benchmarks and data of this report, by python -m harness report --bibtex"]
    lines += [f"% without an entry: {', '.join(missing)}"] if missing else []
    return "\n\n".join(["\n".join(lines), *(entries[key] for key in sorted(entries))]) + "\n"


def _unique(*names: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(name for each in names for name in each))
