"""The algorithms behind a report's methods, read from their files without importing them: no torch, no code is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from harness.experiment.registry import built_in
from harness.experiment.store import Record, Store

OURS = "harness."
"""Only modules of the harness are looked up for inherited settings."""


@dataclass(frozen=True)
class Algorithm:
    """A method as its file has it."""

    file: str
    about: str
    """Docstring of the file."""
    source: str
    """The file without docstring and imports; for an external method the stored file, whole."""
    version: int
    """Of the class; what ran is in the records."""
    defaults: Mapping[str, Any]
    """Setting -> default in the constructor's signature, the inherited one too; an expression as text."""


def of_runs(runs: pd.DataFrame, records: Sequence[Record], store: Store) -> dict[str, Algorithm]:
    """The algorithm of each name in `runs`; those whose file is not at hand are missing. `records` are parallel."""
    algorithms = {}
    for name, record in dict(zip(runs["name"], records, strict=True)).items():
        method = record["config"]["method"]
        path: Path | None
        if method["origin"] == "external":
            path, class_name = store.source_path(method["sha256"]), method["name"]
        elif name in built_in():
            path, class_name = _file(built_in()[name].target), None
        else:
            continue
        if found := path and path.is_file() and _read(path, class_name):
            algorithms[name] = found
    return algorithms


def _read(path: Path, class_name: str | None) -> Algorithm | None:
    """The class of this name or, without one, the class with a `paper`; None if the file has none, or is no Python."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    is_method = _has_paper if class_name is None else lambda node: node.name == class_name
    found = next((node for node in tree.body if isinstance(node, ast.ClassDef) and is_method(node)), None)
    if found is None:
        return None
    classes = list(_with_bases(tree, found))
    file = f"{path.parent.name}/{path.name}" if class_name is None else "the file that the searches used"
    source = _after_imports(text, tree) if class_name is None else text
    return Algorithm(file, ast.get_docstring(tree) or "", source.strip("\n"), _version(classes), _defaults(classes))


def _has_paper(node: ast.ClassDef) -> bool:
    return _assigned(node, "paper") is not None


def _after_imports(text: str, tree: ast.Module) -> str:
    """From the first statement on that is neither docstring nor import."""
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            return "\n".join(text.splitlines()[first - 1 :])
    return ""


def _with_bases(tree: ast.Module, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """A class, then its bases in the same file and in modules of the harness, depth first."""
    yield node
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    origins = {
        alias.asname or alias.name: (each.module, alias.name)
        for each in tree.body
        if isinstance(each, ast.ImportFrom) and each.module and each.module.startswith(OURS)
        for alias in each.names
    }
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else ""
        if name in classes and classes[name] is not node:
            yield from _with_bases(tree, classes[name])
        elif name in origins:
            module, original = origins[name]
            there = _module(module)
            for each in there.body if there else []:
                if isinstance(each, ast.ClassDef) and each.name == original and there:
                    yield from _with_bases(there, each)


def _file(module: str) -> Path | None:
    spec = find_spec(module)
    return Path(spec.origin) if spec and spec.origin else None


@cache
def _module(name: str) -> ast.Module | None:
    path = _file(name)
    return ast.parse(path.read_text(encoding="utf-8")) if path else None


def _assigned(node: ast.ClassDef, name: str) -> Any:
    """The expression that a class attribute is set to; None if it is not."""
    for each in node.body:
        targets = (
            each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return getattr(each, "value", None)
    return None


def _version(classes: Sequence[ast.ClassDef]) -> int:
    """1 also where a user's file does not state it as a number."""
    values = [value for node in classes if (value := _assigned(node, "version"))]
    stated = _value(values[0]) if values else 1
    return stated if isinstance(stated, int) else 1


def _defaults(classes: Sequence[ast.ClassDef]) -> dict[str, Any]:
    """From the first constructor among a class and its bases."""
    constructors = (
        each for node in classes for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    )
    for constructor in constructors:
        arguments = constructor.args
        named = [*arguments.posonlyargs, *arguments.args]
        last = named[len(named) - len(arguments.defaults) :]
        pairs = chain(
            zip(last, arguments.defaults, strict=True), zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        )
        return {argument.arg: _value(default) for argument, default in pairs if default is not None}
    return {}


def _value(expression: ast.expr) -> Any:
    try:
        return ast.literal_eval(expression)
    except (ValueError, TypeError):
        return ast.unparse(expression)
