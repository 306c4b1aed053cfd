"""From what a user types after `--methods` to classes: names, families, entry points of installed packages,
`file.py:Class`, `package.module:Class`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

ALL_SPACES = ("nasbench201", "darts")
ENTRY_POINTS = "nas_methods"
"""A package offers a method with `[project.entry-points."nas_methods"]`, `my-method = "package.module:Class"`."""


@dataclass(frozen=True)
class Entry:
    """One line of the table of methods. No torch is needed to read it."""

    target: str
    """`module:Class`, or `/absolute/path/file.py:Class`."""
    family: str
    kind: str
    paper: str
    spaces: tuple[str, ...] = ALL_SPACES
    version: int = 1
    """Raised when the method's numbers change."""
    outside: bool = False
    """Not from the table: named by its class, identified by the digest of its source."""


@dataclass(frozen=True)
class Selection:
    entries: dict[str, Entry]
    """name -> entry, in the order asked, each once."""
    skipped: tuple[str, ...]
    """One line for each family member that does not run on the space."""


Family = tuple[str, ...] | Mapping[str, tuple[str, ...]]
"""Members, or members for each space."""


def runs_on(entry: Entry, space: str) -> bool:
    """Whether a method runs on a space: on a user's own if it runs on all of ours."""
    return space in entry.spaces or (space not in ALL_SPACES and set(entry.spaces) == set(ALL_SPACES))


def members(family: Family, space: str) -> tuple[str, ...]:
    """The members of a family that are meant on a space."""
    return family.get(space, ()) if isinstance(family, Mapping) else family


def select(text: str, space: str, methods: Mapping[str, Entry], families: Mapping[str, Family]) -> Selection:
    """Resolve a comma-separated list for one space. A name goes before a family. ValueError says what is wrong."""
    entries: dict[str, Entry] = {}
    skipped: list[str] = []
    for word in [part.strip() for part in text.split(",") if part.strip()]:
        if word in methods:
            if not runs_on(methods[word], space):
                raise ValueError(
                    f"method {word} does not run on space {space}, only on {', '.join(methods[word].spaces)}"
                )
            _add(entries, word, methods[word])
        elif word in families:
            for name in members(families[word], space):
                if runs_on(methods[name], space):
                    _add(entries, name, methods[name])
                else:
                    skipped.append(f"{name} (family {word}) does not run on space {space}: skipped")
        elif ":" not in word and word in (found := discovered()):
            _add(entries, word, found[word])
        elif ":" in word:
            entry = outside(word)
            _add(entries, entry.target.rpartition(":")[2], entry)
        else:
            raise ValueError(_unknown(word, [*methods, *families, *discovered()]))
    if not entries:
        raise ValueError("--methods names no method to run")
    return Selection(entries, tuple(skipped))


def _add(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    if entries.setdefault(name, entry) != entry:
        raise ValueError(f"two methods are called {name}")


def built_in() -> Mapping[str, Entry]:
    """The methods of the package `methods`, in leaderboard order. Found by name, as the harness imports no method."""
    known: Mapping[str, Entry] = importlib.import_module("methods").METHODS
    return known


@cache
def discovered() -> dict[str, Entry]:
    """The methods that installed packages offer under the entry point `nas_methods`, by their names there."""
    found = entry_points(group=ENTRY_POINTS)
    return {
        point.name: Entry(point.value.replace(" ", ""), family="outside", kind="outside", paper="", outside=True)
        for point in found
    }


def load(entry: Entry) -> type[Any]:
    """The class behind an entry. ValueError, in one line, if it cannot be had."""
    found = _named(entry.target)
    if not isinstance(found, type):
        raise ValueError(f"{entry.target.rpartition(':')[0]} has no class {entry.target.rpartition(':')[2]}")
    return found


def load_function(word: str) -> Callable[..., Any]:
    """What `file.py:name` or `package.module:name` calls. ValueError, in one line, if it cannot be had."""
    found = _named(outside(word).target)
    if not callable(found):
        raise ValueError(f"{word.rpartition(':')[0]} has no function {word.rpartition(':')[2]}")
    return found  # type: ignore[no-any-return]


def _named(target: str) -> Any:
    """None if the module has no such name."""
    where, _, name = target.rpartition(":")
    try:
        module = _module_of_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # whatever the code of an outside module raises while it is imported
        raise ValueError(f"cannot import {where}: {type(error).__name__}: {_first_line(error)}") from error
    return getattr(module, name, None)


def source_digest(cls: type) -> str:
    """SHA-256 of the file that defines a class, as it was when it was imported. ValueError if there is no such file, or
    a package's file has changed since then: only a new process would import it again."""
    module = sys.modules[cls.__module__]
    if module.__file__ is None:
        raise ValueError(f"{cls.__name__} has no source file")
    now = hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()
    imported = _DIGESTS.setdefault(module.__name__, now)
    if imported != now and module.__name__ in _FILES:
        return imported  # the file's new content is another module
    if imported != now:
        raise ValueError(f"{module.__file__} has changed since it was imported: start a new process")
    return imported


_DIGESTS: dict[str, str] = {}
"""By module: of its source when it was imported."""
_FILES: set[str] = set()
"""Modules that were imported from a file by its path."""


def outside(word: str) -> Entry:
    """The entry of `file.py:Class` or `package.module:Class`. ValueError if it is neither, or there is no such file."""
    where, _, name = word.rpartition(":")
    if not name.isidentifier() or not where:
        raise ValueError(f"expected file.py:Class or package.module:Class, got {word!r}")
    if where.endswith(".py"):
        path = Path(where).expanduser().resolve()
        if not path.is_file():
            raise ValueError(f"no such file: {where}")
        where = str(path)
    return Entry(target=f"{where}:{name}", family="outside", kind="outside", paper="", outside=True)


def _module_of_file(path: Path) -> ModuleType:
    """Import a file under a name that its path and content determine: every process finds the same module, and an
    edited file is another one."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    name = f"external_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{digest[:12]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    try:
        exec(compile(content, path, "exec"), vars(module))  # the very bytes of the digest
    except BaseException:
        del sys.modules[name]
        raise
    _DIGESTS[name] = digest
    _FILES.add(name)
    return module


def _unknown(word: str, names: list[str]) -> str:
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names)}"
    return f"unknown method {word!r}; {hint}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
