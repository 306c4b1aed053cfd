"""The recipes of retraining: published values, and schedules against their closed forms."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks.darts.recipes import CIFAR, DIGITS, IMAGENET, RECIPES


def rates(recipe):
    return [recipe.learning_rate_at(epoch) for epoch in range(recipe.epochs)]


def test_the_published_values():
    assert (CIFAR.cells, CIFAR.channels, CIFAR.epochs, CIFAR.batch_size) == (20, 36, 600, 96)
    assert (CIFAR.momentum, CIFAR.weight_decay, CIFAR.gradient_clip) == (0.9, 3e-4, 5)
    assert (CIFAR.auxiliary_weight, CIFAR.drop_path, CIFAR.cutout, CIFAR.label_smoothing) == (0.4, 0.3, 16, 0)
    assert (IMAGENET.cells, IMAGENET.channels, IMAGENET.epochs, IMAGENET.batch_size) == (14, 48, 250, 1024)
    assert (IMAGENET.momentum, IMAGENET.weight_decay, IMAGENET.gradient_clip) == (0.9, 3e-5, 5)
    assert (IMAGENET.auxiliary_weight, IMAGENET.drop_path, IMAGENET.label_smoothing) == (0.4, 0, 0.1)
    assert (IMAGENET.cutout, IMAGENET.image_size, IMAGENET.colour_jitter) == (0, 224, True)
    assert RECIPES["cifar100"] is CIFAR


def test_the_cosine_is_torchs_own():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.025)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    expected = []
    for _ in range(600):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates(CIFAR) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_linear_schedule_with_its_warm_up_and_its_last_five_epochs():
    found = rates(IMAGENET)
    assert found[:5] == pytest.approx([0.5 * (245 - e) / 245 * (e + 1) / 5 for e in range(5)])
    assert found[5:245] == pytest.approx([0.5 * (245 - e) / 245 for e in range(5, 245)])
    assert found[245:] == pytest.approx([0.5 * (250 - e) / (245 * 5) for e in range(245, 250)])
    assert found[245] == pytest.approx(found[244]), "the two slopes meet"


def test_drop_path_grows_linearly_from_zero():
    found = [CIFAR.drop_path_at(epoch) for epoch in range(600)]
    assert found[0] == 0
    assert found[300] == pytest.approx(0.15)
    assert found[-1] == pytest.approx(0.3 * 599 / 600)
    assert {round(b - a, 12) for a, b in pairwise(found)} == {0.0005}


@given(st.sampled_from(["cosine", "linear"]), st.integers(6, 300), st.integers(0, 5))
def test_rates_stay_above_zero_and_fall_after_the_warm_up(schedule, epochs, warmup):
    found = rates(replace(DIGITS, schedule=schedule, epochs=epochs, warmup_epochs=warmup))
    assert min(found) > 0
    assert max(found) <= DIGITS.learning_rate
    after = found[max(warmup - 1, 0) :]
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(after))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs=0 is below 1"),
        ({"batch_size": 1}, "batch_size=1 is below 2"),
        ({"channels": 7}, "channels=7 is not even"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 is not above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan is not a finite number"),
        ({"drop_path": 1.0}, "drop_path=1.0 is above 0.99"),
        ({"schedule": "step"}, "schedule=step is not one of cosine, linear"),
        ({"schedule": "linear", "epochs": 5}, "schedule=linear needs more than 5 epochs"),
        ({"precision": "fp8"}, "precision=fp8 is not one of fp32, bf16"),
    ],
)
def test_values_out_of_range(change, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        replace(DIGITS, **change)
