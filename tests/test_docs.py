"""Links in the documents resolve, and their commands are accepted by the project's own parsers."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from harness import cli
from harness.benchmarks import BENCHMARKS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("results/*.md"), *ROOT.glob("notebooks/*.md")]
)
PARSERS = {
    "run_all.py": "harness.commands.run:parser",
    "harness.report.render.excerpt": "harness.report.render.excerpt:parser",
    **{f"harness {name}": f"{cli.module(name)}:parser" for name in cli.COMMANDS},
}
TOOLS = [
    (name, space, f"{module}:parser")
    for space, benchmark in BENCHMARKS.items()
    for name, (module, _) in benchmark.tools.items()
]
"""Commands of benchmarks: of the first one that has it, or after `--space NAME` of that one."""
PARSERS |= {f"harness {name} --space {space}": parser for name, space, parser in TOOLS}
PARSERS |= {f"harness {name}": parser for name, _, parser in reversed(TOOLS)}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OVERRIDE = re.compile(r"(protocol\.\w+|[\w-]+\.(protocol\.)?\w+)=.+")

each = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def anchors(path):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text):
    """The words of every command: in shell blocks, with their variables filled in, and in code within the text."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            variables = {}
            for line in block.replace("\\\n", " ").splitlines():
                for name, value in variables.items():
                    line = line.replace(f"${name}", value)
                if assignment := re.fullmatch(r"(\w+)=(.*)", line):
                    variables[assignment[1]] = "".join(shlex.split(assignment[2]))
                    continue
                yield from (shlex.split(part, comments=True) for part in line.split("&&"))
    yield from (shlex.split(code) for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", text)) if "python" in code)


def program(words):
    """Name and arguments of a program of this project; None for any other."""
    if words[:1] == ["torchrun"] and "-m" in words:
        words = ["python", *words[words.index("-m") :]]
    if words[:2] == ["python", "run_all.py"]:
        return words[1], words[2:]
    if words[:3] == ["python", "-m", "harness"] and words[3:]:
        name = f"harness {' '.join(words[3:6])}"
        return (name, words[6:]) if name in PARSERS else (f"harness {words[3]}", words[4:])
    if words[:2] == ["python", "-m"] and words[2:] and words[2].startswith("harness"):
        return words[2], words[3:]
    return None


def programs(path):
    return [found for words in commands(path.read_text()) if (found := program(words))]


@each
def test_relative_links_resolve(path):
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        if link.startswith("https://"):
            continue
        address, _, anchor = link.partition("#")
        target = path.parent / address if address else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each
def test_commands_parse(path):
    for name, arguments in programs(path):
        module, _, function = PARSERS[name].partition(":")
        parser = getattr(importlib.import_module(module), function)()
        if "--help" in arguments:
            continue
        try:
            options = parser.parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{path.name}: {name} {shlex.join(arguments)}")
        for override in getattr(options, "set", None) or []:
            assert OVERRIDE.fullmatch(override), (name, arguments)


def test_commands_are_found():
    assert len(programs(ROOT / "README.md")) >= 8
    named = {name for path in DOCUMENTS for name, _ in programs(path)}
    assert {name.partition(" --space")[0] for name in named} == {name.partition(" --space")[0] for name in PARSERS}


def test_the_readme_is_short_and_shows_the_tested_method():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    method = (ROOT / "tests" / "sign_gradient.py").read_text()
    assert f"```python\n{method}```" in text[: text.index("<!-- results -->")]
