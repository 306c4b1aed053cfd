"""Searches on a user's own images as a table: the supernet's accuracy and the test accuracy of the retrained cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.experiment.config import overridden
from harness.report.own_images import OwnImages
from harness.report.render.summary import Summary
from harness.report.render.wording import spread_of
from harness.report.runs import without_shared

SUPERNET = (
    "Supernet: accuracy of the network with shared weights on the images held out, after the last epoch; of different"
    " methods these are different networks."
)
TEST = (
    "Test accuracy: of the final cell, trained from scratch on all training images by the recipe that is"
    " named, after its last epoch; 100 % minus the test error."
)


def summaries(found: Iterable[OwnImages]) -> list[Summary]:
    return [_summary(each) for each in found]


def _summary(of: OwnImages) -> Summary:
    short, shared = without_shared(of.methods)
    headings = ["method", "searches", "supernet, validation (%)", *(f"test, {recipe} (%)" for recipe in of.recipes)]
    title = f"Own images: {of.group.labelled_title}{f'; all with {shared}' if shared else ''}"
    rows = [(short[method], *_row(of, method)) for method in of.methods]
    return Summary("-".join(("own-images", *of.group)), title, tuple(_notes(of)), tuple(headings), tuple(rows))


def _notes(of: OwnImages) -> Iterator[str]:
    yield f"Numbers in %: mean ± sample standard deviation over the searches. {SUPERNET}"
    if of.recipes:
        yield TEST
    for recipe, record in of.recipes.items():
        config = record["config"]
        values = {**config["protocol"]["values"], **config["numerics"]}
        what = ", ".join(f"{name}={value}" for name, value in values.items())
        changed = f"; changed: {', '.join(overridden(config))}" if overridden(config) else ""
        yield f"{recipe} ({config['protocol']['id']}): {what}{changed}"
    if not of.recipes:
        yield "No cell is retrained: repeat the command without --retrain none to have test accuracies."


def _row(of: OwnImages, method: str) -> Iterator[str]:
    yield str(of.searches[method])
    yield spread_of(of.supernets.get(method, ()))
    for recipe in of.recipes:
        yield spread_of(of.accuracies.get((method, recipe), ()))
