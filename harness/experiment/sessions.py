"""The processes that computed a run one after the other, where it was interrupted. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Session = dict[str, Any]
"""`epoch`, the first that it computed, from 1; code, versions and machine, as provenance has them."""


def extended(before: Sequence[Session], here: Session) -> list[Session]:
    """The sessions of a run that another process goes on with. One that is like the last is the same session."""
    return [*before] if before and not differing([before[-1], here]) else [*before, here]


def differing(sessions: Iterable[Mapping[str, Any]]) -> list[str]:
    """In what sessions differ, besides their epochs."""
    flat = [{**session, **session.get("versions", {})} for session in sessions]
    names = dict.fromkeys(name for session in flat for name in session if name not in ("epoch", "versions"))
    return [name for name in names if any(each.get(name) != flat[0].get(name) for each in flat)]


def modified(states: Iterable[bool | None]) -> bool | None:
    """Whether the code of any session was modified; None if that is not known of one, and of no other."""
    known = set(states)
    return True if True in known else None if None in known else False
