"""Records of the first format become records of the present one, and replanning finds them."""

import hashlib
import json
from pathlib import Path

import pytest

from harness.commands.run import parser
from harness.experiment.config import run_key
from harness.experiment.migrate import migrate
from harness.experiment.plan import plan
from harness.experiment.registry import benchmark_of, select
from harness.experiment.retrainings import of_searches
from harness.experiment.store import Store

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SMALL = (
    "--profile controlled --set protocol.channels=8 --set protocol.cells=1 --set protocol.epochs=25 --dataset cifar10"
)
THIRTEEN = "random-search-ws,darts,darts-2nd,pc-darts,gdas,setn,enas,gaea-all,gd-simplex,darts-erm"
LATER = (
    "sdarts-rs,sdarts-adv,darts-pt,darts-pt-fixed,beta-darts,lambda-darts,darts-es,"
    "shapley-nas,oles,darts-minus,fairdarts,drnas,snas,idarts"
)
MODES = "--methods gaea-darts-erm,gaea-darts-bilevel,darts --seeds 8"
SEVEN = "gaea,darts,darts-erm,gd-simplex,gdas,random-search-ws"
SIX = "gaea,pc-darts,darts,gdas,random-search-ws,random-cell"
NINE = "random-search-ws,darts,darts-2nd,pc-darts,gdas,gaea-darts-erm,gaea-darts-bilevel,gaea-pc-darts,random-cell"
COMMANDS = [
    f"--methods {THIRTEEN},{LATER},random-cell --seeds 8",
    "--methods random-search-ws --set random-search-ws.protocol.epochs=19 --seeds 8",
    "--methods gd-simplex --set gd-simplex.lr=0.025 --seeds 8",
    "--methods gd-simplex --set gd-simplex.lr=0.1 --seeds 8",
    f"{MODES} --set protocol.precision=bf16",
    f"{MODES} --set protocol.compiled=true",
    f"--methods {SEVEN} --seeds 4 {SMALL}",
    f"--methods gd-simplex --set gd-simplex.lr=0.025 --seeds 4 {SMALL}",
    f"--methods gaea-darts-bilevel,darts --seeds 3 --set protocol.precision=bf16 {SMALL}",
    f"--space darts --methods {NINE},{LATER} --seeds 8",
    *(f"--space nasbench1shot1-{n} --methods {SIX} --seeds 4" for n in (1, 2, 3)),
    "--methods black-box --seeds 2000",
    "--methods reinforce --set reinforce.lr=0.1 --seeds 2000",
    "--methods reinforce --set reinforce.lr=0.5 --seeds 2000",
]
"""Those of results/README.md, and the control that the first of them adds."""


def planned(command, table, data):
    options = parser().parse_args(command.split())
    entries = select(options.methods, benchmark_of(options.space)).entries
    datasets = options.dataset or ["digits"]
    queried = table if options.space == "nasbench201" else None
    return plan(entries, options.space, options.profile, datasets, options.seeds, options.set, data, queried)


ASKED = {
    "schema": 1,
    "space": "nasbench201",
    "profile": "quick",
    "method": "gdas",
    "source": None,
    "settings": {
        **{"alpha_decay": 0.001, "beta1": 0.5, "beta2": 0.999, "init_std": 0.001, "lr": 0.0003},
        **{"tau_first": 10.0, "tau_last": 0.1},
    },
    "protocol": {
        **{"zero_operation": False, "channels": 4, "cells": 1, "track_statistics": True, "epochs": 15},
        **{"schedule_epochs": 0, "batch_size": 16, "learning_rate": 0.025, "learning_rate_min": 0.001},
        **{"momentum": 0.9, "nesterov": True, "weight_decay": 0.0005, "gradient_clip": 5.0, "crop": True},
        **{"flip": False, "architecture_first": True, "precision": "fp32"},
    },
    "dataset": "digits",
    "data_sha256": "5b115f5763a968656e9498b81561717f51a70d344bd044d38a73b9148d4736d9",
    "split": {
        "name": "class-balanced halves, seed 0",
        "sha256": "97b83fa1ea7f49b73bafe8e7546e084acf7f2149988b2e281dcc0dfbb5183e80",
        "may_have_seen_test": False,
    },
    "seed": 1,
}
"""What a search of version 0.1.0 has recorded of its configuration."""


def of_first_format(folder, changed, protocol):
    """A results folder with a record of that version."""
    (folder / "runs").mkdir(parents=True)
    asked = {**ASKED, "protocol": {**ASKED["protocol"], **protocol}}
    cell = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|"
    record = {
        **{"asked": asked, "changed": changed, "key": run_key(asked), "kind": "one-shot", "family": "gdas"},
        **{"status": "done", "failure": None, "cells": {"last": cell, "best_valid": cell, "best_valid_epoch": 9}},
        "provenance": {
            **{"commit": "c7e7e3a5566b873980ff459698c43ace6a32e1c9", "dirty": False, "device": "cpu", "threads": 1},
            **{"machine": "x86_64 Linux, 2 cores", "precision": "fp32", "seconds": 5.2, "peak_memory_mb": 389.3},
            **{"started": "2026-11-24T23:42:17+00:00", "warnings": []},
            "versions": {"harness": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu"},
        },
    }
    record["sha256"] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    (folder / "runs" / f"{record['key']}.json").write_text(json.dumps(record))
    return record["key"]


@pytest.mark.parametrize(
    ("words", "changed"),
    [("", {}), (" --set protocol.epochs=5", {"epochs": 5}), (" --set protocol.precision=bf16", {"precision": "bf16"})],
)
def test_a_record_of_the_first_format_gets_the_key_that_its_command_plans_today(tmp_path, words, changed):
    before = of_first_format(tmp_path, changed, changed)
    _, job = planned(f"--methods gdas --seeds 2{words}", None, None)
    assert migrate(tmp_path) == ({before: job.key}, 0)
    (record,) = Store(tmp_path).records()
    assert record["config"] == job.config
    assert record["provenance"]["first_key"] == before


def test_what_would_be_guessed_is_not_migrated(tmp_path):
    """A protocol value that is neither a default nor named among the overrides."""
    of_first_format(tmp_path, {}, {"epochs": 5})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(ValueError, match="neither the present defaults nor overrides that are named"):
        migrate(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


@pytest.mark.faults
def test_replanning_the_commands_of_the_reference_results_yields_their_keys(full_table, test_data):
    """But for searches by earlier versions of a method."""
    jobs = [job for command in COMMANDS for job in planned(command, Path(full_table), test_data / "cifar")]
    records = Store(REFERENCE).records()
    jobs += of_searches("darts", records, "digits", test_data)
    full_size = {record["key"] for record in records if record["config"]["dataset"]["origin"] == "reordered"}
    assert len(full_size) == 1  # planned with all images of CIFAR-10, which the test data do not hold
    older = {name for name, version in versions(records) - versions(jobs) if version}
    assert older <= {"darts-2nd", "enas"}
    stored = {record["key"] for record in records if searched_by(record["config"]) not in older}
    assert {job.key for job in jobs if searched_by(job.config) not in older} == stored - full_size


def versions(searches):
    configs = [each["config"] if isinstance(each, dict) else each.config for each in searches]
    return {(searched_by(config), config.get("method", {}).get("version")) for config in configs}


def searched_by(config):
    return config.get("method", {}).get("name")
