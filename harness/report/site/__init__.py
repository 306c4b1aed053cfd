"""The leaderboard as one page that opens from disk: no network, no framework, the evidence of every number inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report.content import Report
from harness.report.figures import cells
from harness.report.groups import GROUP, Group
from harness.report.render import tables
from harness.report.render.wording import printable
from harness.report.site import evidence

if TYPE_CHECKING:  # a page needs no matplotlib
    from matplotlib.figure import Figure

_OPEN = 20  # a list of remarks with more lines is folded


class Picture(NamedTuple):
    """A figure as it stands in the page."""

    caption: str
    alt: str
    png: bytes

    @classmethod
    def of(cls, figure: Figure, png: bytes) -> Picture:
        """Described by what the figure itself says: its title, what its axes show, and its legend."""
        panels = figure.axes
        legends = [*figure.legends, *(legend for axes in panels if (legend := axes.get_legend()))]
        title = _listed([figure.get_suptitle()])
        up = _listed([figure.get_supylabel(), *(axes.get_ylabel() for axes in panels)])
        across = _listed(axes.get_xlabel() for axes in panels)
        rows = [] if up else [label.get_text() for axes in panels[:1] for label in axes.get_yticklabels()]
        said = {
            "panels": _listed(axes.get_title() for axes in panels),
            "across": across,
            "up": up,
            "rows": _listed(rows),
            "legend": _listed(text.get_text() for legend in legends for text in legend.get_texts()),
        }
        caption = _listed([f"{title}: {up or across}", figure.get_supxlabel()])
        return cls(caption, ". ".join([title, *(f"{name}: {text}" for name, text in said.items() if text)]), png)


def render(report: Report, pictures: Sequence[Picture] = ()) -> str:
    """The whole page. The same report and pictures give the same text; whatever comes from outside is escaped."""
    style, script = _asset("page.css"), _asset("page.js")
    # The policy names the style and the script by their digests: nothing else is applied or run, nothing is fetched.
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("page.html")).substitute(
        policy=policy,
        style=style,
        script=script,
        summary=_text(_summary(report)),
        proxies="\n".join(f'<p class="notice">{_text(line)}</p>' for line in _proxies(report)),
        rule="\n".join(f'<p class="rule">{_text(line)}</p>' for line in tables.reading(report)),
        figures="\n".join(_figures(pictures)),
        remarks="\n".join(_remarks(report)),
        data=_json(_data(report)),
    )


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(report: Report) -> dict[str, Any]:
    return {**evidence.collect(report), "layouts": cells.LAYOUTS, "looks": cells.LOOKS}


def _json(value: Any) -> str:
    """JSON that no HTML reader can leave: in a script element, only `<` could end it or open a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text(text: str) -> str:
    return escape(printable(text))


def _summary(report: Report) -> str:
    failed = len(report.failures)
    numbers = [(len(report.runs) - failed, "finished search", "finished searches"), (failed, "failed", "failed")]
    numbers += [(len(report.methods), "method", "methods")]
    return ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in numbers if count)


def _proxies(report: Report) -> Iterator[str]:
    for key in report.runs[GROUP].drop_duplicates().sort_values(GROUP).itertuples(index=False, name=None):
        group = Group(*map(str, key))
        if group.label:
            yield f"{group.title} is a {group.sentence}. These numbers are not the papers' experiments."


def _figures(pictures: Sequence[Picture]) -> Iterator[str]:
    if not pictures:
        return
    yield '<section aria-labelledby="figures"><h2 id="figures">Figures</h2>'
    for caption, alt, png in pictures:
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        # Half of the image's pixels, sharp on fine screens; known beforehand, so that nothing moves while it loads.
        width, height = (int.from_bytes(png[place : place + 4], "big") // 2 for place in (16, 20))
        size = f'width="{width}" height="{height}"'
        yield '<figure class="plot">'
        yield f'<div tabindex="0"><img src="{source}" {size} alt="{_text(alt)}"></div>'
        yield f"<figcaption>{_text(caption)}</figcaption></figure>"
    yield "</section>"


def _remarks(report: Report) -> Iterator[str]:
    """What stands below the tables of the other files, but for how to read them; short lists are open."""
    for heading, lines in tables.remarks(report):
        if lines != tables.reading(report):
            items = "".join(f"<li>{_text(line)}</li>" for line in lines)
            state = " open" if len(lines) <= _OPEN else ""
            yield f"<details{state}><summary>{_text(heading)} ({len(lines):,})</summary><ul>{items}</ul></details>"


def _listed(texts: Iterable[str]) -> str:
    """Texts of a figure, each once, without what only matplotlib reads."""
    return "; ".join(dict.fromkeys(" ".join(text.replace(r"\$", "$").split()) for text in texts if text.strip()))
