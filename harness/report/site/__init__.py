"""The leaderboard as a single HTML page that opens from disk, without network access or a framework, and embeds the
evidence of every number."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report.content import Report
from harness.report.groups import GROUP, Group
from harness.report.render import tables
from harness.report.site import evidence
from harness.report.submissions import HEADINGS, Submitted
from harness.text import printable

if TYPE_CHECKING:  # a page needs no matplotlib
    from matplotlib.figure import Figure


NOT_THE_PAPERS = "These are not the papers' experiments."


class Picture(NamedTuple):
    """A figure embedded in the page."""

    caption: str
    alt: str
    png: bytes

    @classmethod
    def of(cls, figure: Figure, png: bytes) -> Picture:
        """Caption and alternative text from the figure's own title, axis labels and legend."""
        panels = figure.axes
        legends = [*figure.legends, *(legend for axes in panels if (legend := axes.get_legend()))]
        title = _listed([figure.get_suptitle()])
        up = _listed([figure.get_supylabel(), *(axes.get_ylabel() for axes in panels)])
        across = _listed(axes.get_xlabel() for axes in panels)
        rows = [] if up else [label.get_text() for axes in panels[:1] for label in axes.get_yticklabels()]
        parts = {
            "panels": _listed(axes.get_title() for axes in panels),
            "across": across,
            "up": up,
            "rows": _listed(rows),
            "legend": _listed(text.get_text() for legend in legends for text in legend.get_texts()),
        }
        caption = _listed([f"{title}: {up or across}", figure.get_supxlabel()])
        return cls(caption, ". ".join([title, *(f"{name}: {text}" for name, text in parts.items() if text)]), png)

    @property
    def source(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def size(self) -> tuple[int, int]:
        """Displayed width and height: half of the image's pixels, for sharpness on high-resolution screens."""
        width, height = (int.from_bytes(self.png[offset : offset + 4], "big") // 2 for offset in (16, 20))
        return width, height


def render(report: Report, pictures: Sequence[Picture] = (), submissions: Sequence[Submitted] = ()) -> str:
    """The whole page. The same arguments give the same text; all external text is escaped."""
    style, script, data = _asset("page.css"), _asset("page.js"), evidence.collect(report)
    filters = data.pop("filters")  # rendered by a template, not by the script
    # The policy allows the style and the script by their digests; nothing else is applied, executed or fetched.
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    reading = tables.reading(report)
    return (
        _templates()
        .get_template("leaderboard.html")
        .render(
            policy=Markup(policy),
            style=Markup(style),
            script=Markup(script),
            data=Markup(_json(data)),
            summary=_summary(report),
            proxies=list(_proxies(report)),
            filters=filters,
            reading=reading,
            pictures=pictures,
            summaries=tables.summaries(report),
            submissions=submissions,
            headings=HEADINGS,
            remarks=[(heading, lines) for heading, lines in tables.remarks(report) if lines != reading],
        )
    )


@cache
def _templates() -> Environment:
    """The page's templates, which escape everything except `Markup` and remove control characters."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> str:
    """JSON that is safe inside a script element, where only `<` could end the element or open a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _summary(report: Report) -> str:
    failed = len(report.failures)
    numbers = [(len(report.runs) - failed, "finished search", "finished searches"), (failed, "failed", "failed")]
    numbers += [(len(report.methods), "method", "methods")]
    return ", ".join(f"{count:,} {singular if count == 1 else plural}" for count, singular, plural in numbers if count)


def _proxies(report: Report) -> Iterator[str]:
    """The groups that are a proxy, one line for all of a kind, and those with methods that searched on a subset."""
    alike: dict[tuple[str, str], list[str]] = {}
    for key, runs in report.runs.groupby(GROUP):
        group = Group(*map(str, key))
        if group.proxy:
            alike.setdefault((f"is a {group.sentence}", f"are a {group.sentence}"), []).append(group.title)
        elif runs["subset"].any():
            subset = "searches on a subset of the images"
            alike.setdefault((f"has {subset}", f"have {subset}"), []).append(group.title)
    for (one, several), titles in alike.items():
        yield f"{'; '.join(titles)} {several if titles[1:] else one}. {NOT_THE_PAPERS}"


def _listed(texts: Iterable[str]) -> str:
    """Distinct texts of a figure."""
    return "; ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
