"""Methods and benchmarks by the words of a user: names, families, entry points of installed packages, plugins."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness import installation, plugins
from harness.benchmarks import BENCHMARKS, Benchmark, SearchSpace
from harness.benchmarks.external import ExternalBenchmark
from harness.plugins import Entry

ENTRY_POINTS = "nas_methods"
"""A package offers a method with `[project.entry-points."nas_methods"]`, `my-method = "package.module:Class"`."""


def _methods() -> str:
    """The package of the project's own methods. Found by name, as the harness imports no method."""
    if not installation.IN_CHECKOUT:
        return "harness.methods"
    found = importlib.util.find_spec("methods")
    if found is None or not found.origin or Path(found.origin).resolve().parent != installation.METHODS:
        sys.path.insert(0, str(installation.ROOT))  # called from another folder, which may have its own `methods`
    return "methods"


METHODS = _methods()


@dataclass(frozen=True)
class Selection:
    entries: dict[str, Entry]
    """name -> entry, in the order asked, each once."""
    skipped: tuple[str, ...]
    """One line for each family member that does not run on the benchmark."""


def select(text: str, benchmark: Benchmark, table: Path | None = None) -> Selection:
    """Resolve a comma-separated list for one benchmark. A name goes before a family. ValueError says what is wrong.

    table: what black boxes query; None: the benchmark's own.
    """
    entries: dict[str, Entry] = {}
    skipped: list[str] = []
    for word in [part.strip() for part in text.split(",") if part.strip()]:
        if word in families() and word not in built_in():
            for name in members(word, benchmark):
                reason = why_not(plugins.load(built_in()[name]), benchmark, table)
                if reason is None:
                    _add(entries, name, built_in()[name])
                else:
                    skipped.append(f"{name} (family {word}) does not run on {benchmark.name}: {reason}")
        else:
            name, entry = named(word)
            if reason := why_not(plugins.load(entry), benchmark, table):
                raise ValueError(f"method {word} does not run on {benchmark.name}: {reason}")
            _add(entries, name, entry)
    if not entries:
        raise ValueError(": ".join(["--methods names no method to run", *skipped[:1]]))
    return Selection(entries, tuple(skipped))


def named(word: str) -> tuple[str, Entry]:
    """Name and entry of a method: its name, `file.py:Class` or `package.module:Class`. ValueError if there is none."""
    if ":" in word:
        entry = plugins.external(word)
        return entry.target.rpartition(":")[2], entry
    if word.endswith(".py"):
        raise ValueError(f"expected file.py:Class, got {word!r}")
    known = {**discovered(), **built_in()}
    if word not in known:
        raise ValueError(_unknown(word, [*built_in(), *families(), *discovered()]))
    return word, known[word]


def why_not(cls: type[Any], benchmark: Benchmark, table: Path | None = None) -> str | None:
    """Why a method does not run on a benchmark; None if it does. What is no method is left to `conformance`.

    ValueError, in one line, if a user's class does not answer."""
    if getattr(cls, "queries", False) and benchmark.oracle(table) is None:
        return benchmark.no_queries
    if _scores(cls) and benchmark.default_scoring("quick", "") is None:
        return benchmark.no_scores
    if reason := unsupported(cls, benchmark.full_space):
        return reason
    missing = [str(name) for name in supernet_options(cls) if name not in benchmark.supernet_options]
    return f"its supernet has no option {', '.join(missing)}" if missing else None


def unsupported(cls: type[Any], space: SearchSpace) -> str | None:
    """The reason that a method itself gives why it does not run on a space. ValueError if the class does not answer."""
    try:
        reason: str | None = cls.unsupported(space) if hasattr(cls, "unsupported") else None
    except Exception as error:  # whatever the user's code raises
        text = " ".join(str(error).split())
        raise ValueError(f"{cls.__name__}.unsupported(space) raised {type(error).__name__}: {text}") from error
    return reason


def supernet_options(cls: type[Any]) -> Mapping[str, Any]:
    """Of a method; none where it has no supernet. ValueError if they are no options."""
    options = getattr(cls, "supernet", {})
    if not isinstance(options, Mapping):
        raise ValueError(f"{cls.__name__}.supernet must be a dict of options, not {options!r:.100}")
    partial = options.get("partial_channels", 1)
    if not isinstance(partial, int) or partial < 1:
        raise ValueError(f"{cls.__name__}.supernet: partial_channels must be a number from 1 on, not {partial!r:.100}")
    return options


def _scores(cls: type[Any]) -> bool:
    """Whether it is training-free; a weight-sharing method may have something called `score` too."""
    from harness.api import TrainingFree  # which needs torch, as every method

    return issubclass(cls, TrainingFree)


def kind(cls: type[Any]) -> str:
    """Of a method, in words."""
    if hasattr(cls, "search"):
        return "black box"
    if _scores(cls):
        return "training-free"
    return "weight sharing, bilevel" if getattr(cls, "bilevel", True) else "weight sharing, single level"


def members(family: str, benchmark: Benchmark) -> tuple[str, ...]:
    """The methods of a family on a benchmark, in leaderboard order."""
    known = {**families(), **benchmark.families}
    parts = [members(name, benchmark) if name in known else (name,) for name in known[family]]
    return tuple(dict.fromkeys(name for part in parts for name in part))


def _add(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    if entries.setdefault(name, entry) != entry:
        raise ValueError(f"two methods are called {name}")


def families() -> Mapping[str, tuple[str, ...]]:
    """Family -> methods and families."""
    known: Mapping[str, tuple[str, ...]] = importlib.import_module(METHODS).FAMILIES
    return known


def default_methods() -> tuple[str, ...]:
    """Methods and families that are run where none are named."""
    names: tuple[str, ...] = importlib.import_module(METHODS).DEFAULT
    return names


def controls() -> tuple[str, ...]:
    """Names of the methods that are run as controls of others."""
    names: tuple[str, ...] = importlib.import_module(METHODS).CONTROLS
    return names


def looks() -> tuple[str, ...]:
    """Names of the methods; the place of a name gives the look of the method in figures."""
    names: tuple[str, ...] = importlib.import_module(METHODS).LOOKS
    return names


@cache
def built_in() -> dict[str, Entry]:
    """The project's own methods, one per file, in leaderboard order."""
    package = importlib.import_module(METHODS)
    files = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(package.__path__)}
    everything = [name for name in _flat("all", families()) if name in files]
    return {name: Entry(f"{METHODS}.{files[name]}") for name in [*everything, *sorted(files.keys() - set(everything))]}


def _flat(family: str, known: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name in known[family]:
        yield from _flat(name, known) if name in known else (name,)


@cache
def discovered() -> dict[str, Entry]:
    """The methods that installed packages offer under the entry point `nas_methods`, by their names there."""
    return {
        point.name: Entry(point.value.replace(" ", ""), external=True) for point in entry_points(group=ENTRY_POINTS)
    }


def benchmark_of(word: str) -> Benchmark:
    """A benchmark by the name of its space, or that of a user's own space, `file.py:Class`. ValueError, in one line, if
    there is none."""
    if word in BENCHMARKS:
        return BENCHMARKS[word]
    if ":" not in word:
        raise ValueError(f"unknown space {word!r}; known: {', '.join(BENCHMARKS)}, or your own as file.py:Class")
    space = plugins.load(plugins.external(word))
    if getattr(space, "name", None) in BENCHMARKS:
        raise ValueError(f"{space.__name__} needs a name of its own")
    text = f"{plugins.source_digest(space)}:{space.__qualname__}"
    return ExternalBenchmark(space, hashlib.sha256(text.encode()).hexdigest())


def absolute(word: str) -> str:
    """A benchmark's word that means the same in another folder. ValueError if there is no such file."""
    return word if word in BENCHMARKS or ":" not in word else plugins.external(word).target


def _unknown(word: str, names: list[str]) -> str:
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names)}"
    return f"unknown method {word!r}; {hint}"
