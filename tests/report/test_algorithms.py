"""Methods as their files have them, without importing them."""

from __future__ import annotations

import hashlib
import inspect
from importlib import import_module

from harness import plugins
from harness.experiment.registry import built_in
from harness.plugins import Source
from harness.report.algorithms import of_runs

MINE = '''"""My rule."""
from harness.search.bases import SoftmaxAdam
import os


class Base(SoftmaxAdam):
    version = 3


class Mine(Base):
    """Doc."""
'''


def algorithms(results):
    report = results.report()
    return of_runs(report.runs, report.records, results.store)


def test_every_method_is_read_as_python_sees_it(results):
    for name in built_in():
        results.run(name)
    found = algorithms(results)
    assert set(found) == set(built_in())
    for name, entry in built_in().items():
        cls, algorithm = plugins.load(entry), found[name]
        parameters = inspect.signature(cls).parameters.values()
        assert algorithm.defaults == {p.name: p.default for p in parameters if p.default is not p.empty}
        assert algorithm.version == cls.version
        assert algorithm.about == inspect.getdoc(import_module(cls.__module__))
        assert inspect.getsource(cls).strip() in algorithm.source
        assert not any(line.startswith(("import ", "from ")) for line in algorithm.source.splitlines())


def test_external_method_is_its_stored_file(results):
    sha256 = hashlib.sha256(MINE.encode()).hexdigest()
    results.store.write_source(Source("mine.py", MINE.encode()))
    results.run("Mine", source=sha256)
    (algorithm,) = algorithms(results).values()
    assert algorithm.source == MINE.strip("\n")
    assert algorithm.about == "My rule."
    assert algorithm.version == 3
    assert algorithm.defaults["lr"] == 3e-4


def test_methods_without_a_file_have_none(results):
    results.run("Gone", source="f" * 64)
    results.store.write_source(Source("bad.py", b"not python ("))
    results.run("Bad", source=hashlib.sha256(b"not python (").hexdigest())
    results.store.write_source(Source("other.py", b"class Other: pass"))
    results.run("Mine", source=hashlib.sha256(b"class Other: pass").hexdigest())
    results.run("never-heard-of")
    assert algorithms(results) == {}


def test_a_version_that_is_no_number_does_not_stop_a_report(results):
    text = MINE.replace("version = 3", "version = os.cpu_count()").encode()
    results.store.write_source(Source("mine.py", text))
    results.run("Mine", source=hashlib.sha256(text).hexdigest())
    (algorithm,) = algorithms(results).values()
    assert algorithm.version == 1
