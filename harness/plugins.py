"""A user's own code: classes and functions by `file.py:name` or `package.module:name`, and digests of their files."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast


@dataclass(frozen=True)
class Entry:
    """Where a class is. No torch is needed to read it."""

    target: str
    """`module:Class`, or `/absolute/path/file.py:Class`; `module` alone: the method that it defines."""
    external: bool = False
    """A user's own: named by its class, identified by the digest of its source."""


def load(entry: Entry) -> type[Any]:
    """The class behind an entry. ValueError, in one line, if it cannot be had."""
    if ":" not in entry.target:
        return _method_in(importlib.import_module(entry.target))
    found = _named(entry.target)
    if not isinstance(found, type):
        raise ValueError(f"{entry.target.rpartition(':')[0]} has no class {entry.target.rpartition(':')[2]}")
    return found


def _method_in(module: ModuleType) -> type[Any]:
    """The class with a `paper` that a module defines."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and "paper" in vars(value)]
    own = [cls for cls in classes if cls.__module__ == module.__name__]
    if len(own) != 1:
        raise ValueError(f"{module.__name__} must define one method, a class with `paper`; it defines {len(own)}")
    return own[0]


def load_function(word: str) -> Callable[..., Any]:
    """What `file.py:name` or `package.module:name` calls. ValueError, in one line, if it cannot be had."""
    found = _named(external(word).target)
    if not callable(found):
        raise ValueError(f"{word.rpartition(':')[0]} has no function {word.rpartition(':')[2]}")
    name, module = getattr(found, "__name__", ""), sys.modules.get(getattr(found, "__module__", ""))
    if not isinstance(name, str) or getattr(module, name, None) is not found:  # it is found again by this name
        raise ValueError(f"{word} is no function with a name of its own (a lambda or a partial, for example): use def")
    return cast(Callable[..., Any], found)


def _named(target: str) -> Any:
    """None if the module has no such name."""
    where, _, name = target.rpartition(":")
    try:
        module = _module_of_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # whatever the code of an outside module raises while it is imported
        raise ValueError(f"cannot import {where}: {type(error).__name__}: {_first_line(error)}") from error
    return getattr(module, name, None)


@dataclass(frozen=True)
class Source:
    """The file that defines a class or a function, as it was when it was imported."""

    file: str
    """Its name, without the folder."""
    content: bytes
    name: str = ""
    """Of the class or function."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def source_digest(cls: type) -> str:
    """SHA-256 of `source(cls)`, with the same errors."""
    return source(cls).sha256


def source(found: Any) -> Source:
    """The file that defines a class or a function. ValueError if there is no such file, or a package's file has changed
    since it was imported: only a new process would import it again."""
    module = sys.modules[found.__module__]
    if module.__file__ is None:
        raise ValueError(f"{found!r} has no source file")
    if module.__name__ in _FILES:  # a new content of the file is another module
        return replace(_SOURCES[module.__name__], name=found.__name__)
    now = Source(Path(module.__file__).name, Path(module.__file__).read_bytes())
    if _SOURCES.setdefault(module.__name__, now) != now:
        raise ValueError(f"{module.__file__} has changed since it was imported: start a new process")
    return replace(now, name=found.__name__)


_SOURCES: dict[str, Source] = {}
"""By module, as it was imported."""
_FILES: set[str] = set()
"""Modules that were imported from a file by its path."""


def external(word: str) -> Entry:
    """The entry of `file.py:Class` or `package.module:Class`. ValueError if it is neither, or there is no such file."""
    where, _, name = word.rpartition(":")
    if not name.isidentifier() or not where:
        raise ValueError(f"expected file.py:Class or package.module:Class, got {word!r}")
    if where.endswith(".py"):
        path = Path(where).expanduser().resolve()
        if not path.is_file():
            raise ValueError(f"no such file: {where}")
        where = str(path)
    return Entry(f"{where}:{name}", external=True)


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
    _SOURCES[name] = Source(path.name, content)
    _FILES.add(name)
    return module


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
