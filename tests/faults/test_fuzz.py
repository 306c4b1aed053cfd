"""Whatever bytes a loader is given: an answer or a documented error, in bounded time and memory."""

import argparse
import gzip
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.benchmarks import BENCHMARKS, DARTS, NASBench201
from harness.benchmarks.darts.genotypes import published_cell
from harness.benchmarks.nasbench201.table import Table, TableError, open_table
from harness.benchmarks.nasbench201.table.convert import read_csv
from harness.benchmarks.nasbench201.table.official import read_nats
from harness.commands import values
from harness.data.datasets import DATASETS
from harness.data.folders import _read_image
from harness.data.halves import mismatch, read_lists
from harness.experiment import checkpoint as checkpoints
from harness.experiment.config import run_key
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.experiment.retrainings import named_cell
from harness.experiment.store import Scores, Store
from harness.files import write_atomically
from harness.report import published
from harness.unpickling import unpickle_plain
from tests.test_run_all import ROOT

pytestmark = pytest.mark.faults
fuzz = settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
CONFIG = {
    "schema": 2,
    "kind": "one-shot",
    "benchmark": {"name": "nasbench201", "version": 1, "origin": "built-in"},
    "profile": "quick",
    "method": {"name": "darts", "version": 1, "origin": "built-in"},
    "settings": {},
    "optimizer": None,
    "protocol": {"id": "nasbench201/quick", "version": 1, "values": {}},
    "numerics": {},
    "dataset": {"name": "digits", "origin": "official"},
    "seed": 0,
    "overrides": {"settings": {}, "protocol": {}, "numerics": {}},
}
KEY = run_key(CONFIG)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged(draw, whole):
    """A file's content with some bytes changed, cut off, put in or doubled; or any bytes at all."""
    content = bytearray(whole())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "cut", "insert", "double", "anything"])):
            case "change" if place < len(content):
                content[place] = draw(st.integers(0, 255))
            case "cut":
                del content[place : place + draw(st.integers(0, len(content)))]
            case "insert":
                content[place:place] = draw(st.binary(max_size=20))
            case "double":
                content += content[place : place + 4096]
            case "anything":
                content = bytearray(draw(st.binary(max_size=200)))
    return bytes(content)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = Store(tmp_path_factory.mktemp("fuzz"))
    found.prepare()
    return found


# The results folder --------------------------------------------------------------------------------------------------


SCORES = "scores/nasbench201-table.csv"


def record():
    result = {"status": "done", "failure": None, "cells": {"last": "x"}, "family": "darts", "paper": ""}
    return {"schema": 2, "key": KEY, "config": CONFIG, "provenance": {}, **result}


def test_an_undamaged_record_is_read(store):
    store.write(record())
    assert store.read(KEY) == record()


@cache
def written(kind):
    with tempfile.TemporaryDirectory() as folder:
        found = Store(Path(folder))
        found.prepare()
        found.write(record(), {"theta": np.ones((2, 6, 4), np.float32), "cells": np.array(["a", "b"])})
        found.write_checkpoint(KEY, b"state" * 50)
        lines, _ = BENCHMARKS["nasbench201"].evaluator(None).scores([NASBench201().to_string(("none",) * 6)])
        found.write_scores(Scores("nasbench201", "table", "a table", lines))
        path = {"record": f"runs/{KEY}.json", "arrays": f"runs/{KEY}.npz", "scores": SCORES}
        return (found.folder / {**path, "checkpoint": f"checkpoints/{KEY}.pt"}[kind]).read_bytes()


@fuzz
@given(damaged(lambda: written("record")) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_record_is_read_whole_or_set_aside(store, content):
    path = store.folder / "runs" / f"{KEY}.json"
    path.write_bytes(content)
    (path.with_suffix(".npz")).write_bytes(written("arrays"))
    found = store.read(KEY)
    if found is None:
        assert not path.exists()
        assert "corrupt file" in store.warnings.pop()
    else:
        assert {k: found[k] for k in record()} == record()


@fuzz
@given(damaged(lambda: written("arrays")))
def test_arrays_are_read_or_refused(store, content):
    (store.folder / "runs" / f"{KEY}.npz").write_bytes(content)
    try:
        store.arrays(KEY)
    except ValueError as error:
        assert "does not hold the arrays" in str(error)  # noqa: PT017


@fuzz
@given(damaged(lambda: written("scores")))
def test_scores_are_read_whole_or_set_aside(store, content):
    path = store.folder / SCORES
    path.write_bytes(content)
    found = list(store.scores())
    assert path.exists() == bool(found)
    assert not found or path.read_bytes() == written("scores")


@fuzz
@given(damaged(lambda: written("checkpoint")))
def test_a_checkpoint_is_read_whole_or_set_aside(store, content):
    store.checkpoint_path(KEY).write_bytes(content)
    assert store.read_checkpoint(KEY) in (None, b"state" * 50)


@cache
def state():
    content = io.BytesIO()
    torch.save(
        {"sessions": [{"epoch": 1, "threads": 1}], "search": {"next_epoch": 1}, "logs": [{"loss": torch.ones(1)}]},
        content,
    )
    return content.getvalue()


@fuzz
@given(damaged(state))
def test_a_checkpoint_with_the_right_checksum_is_loaded_or_set_aside(store, content):
    store.write_checkpoint(KEY, content)
    found = checkpoints.load(store, KEY)
    assert found is None or isinstance(found["sessions"][0]["threads"], int)


@fuzz
@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_progress_is_something_to_show_or_nothing(store, content):
    write_atomically(store.progress_path(KEY), content)
    found = store.progress(KEY)
    assert found == {} or isinstance(found["epoch"], int)


# Tables --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@cache
def table_bytes():
    return open_table().to_bytes()


@settings(fuzz, max_examples=25)
@given(damaged(table_bytes))
def test_a_table_is_read_or_refused(scratch, content):
    path = scratch / "table.npz"
    path.write_bytes(content)
    try:
        Table.load(path)
    except TableError as error:
        assert "table.npz" in str(error)  # noqa: PT017


@cache
def csv_bytes():
    from harness.benchmarks.nasbench201.table.table import cell_strings

    return ("arch,flops_millions\n" + "".join(f"{cell},{1.5}\n" for cell in cell_strings()[:50])).encode()


@fuzz
@given(damaged(csv_bytes), st.booleans())
def test_a_csv_table_is_read_or_refused(scratch, content, zipped):
    path = scratch / ("table.csv.gz" if zipped else "table.csv")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(TableError):
        read_csv(path)


@fuzz
@given(damaged(lambda: gzip.compress(csv_bytes())))
def test_a_damaged_gzip_file_is_refused(scratch, content):
    path = scratch / "table.csv.gz"
    path.write_bytes(content)
    with pytest.raises(TableError):
        read_csv(path)


@fuzz
@given(damaged((ROOT / "results" / "published.csv").read_bytes))
def test_published_results_are_read_or_refused(scratch, content):
    path = scratch / "published.csv"
    path.write_bytes(content)
    try:
        published.load(path)
    except ValueError as error:
        assert "published.csv" in str(error)  # noqa: PT017


# Pickles -------------------------------------------------------------------------------------------------------------


@fuzz
@given(damaged(lambda: pickle.dumps({"000000": {"val_acc": [1.0, 2.0], "train_time": [3.0]}})))
def test_a_bundled_pickle_is_read_or_refused(content):
    for verified in (True, False):
        with suppress(ValueError):
            unpickle_plain(content, verified=verified)


@cache
def batch():
    return pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 9]})


@fuzz
@given(damaged(batch))
def test_a_cifar_batch_is_read_or_refused(scratch, content):
    folder = scratch / "cifar-10-batches-py"
    folder.mkdir(exist_ok=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(content if name == "data_batch_1" else batch())
    try:
        DATASETS["cifar10"].files.read(scratch)
    except (ValueError, OSError) as error:
        assert "data_batch_1" in str(error)  # noqa: PT017


@cache
def imagenet_batch():
    return pickle.dumps({"data": np.zeros((2, 768), np.uint8), "labels": [1, 120], "mean": np.zeros(768)})


@fuzz
@given(damaged(imagenet_batch))
def test_an_imagenet16_batch_is_read_or_refused(scratch, content):
    files = DATASETS["imagenet16-120"].files
    (scratch / files.folder).mkdir(exist_ok=True)
    for name in (*files.train, *files.test):
        (scratch / files.folder / name).write_bytes(content if name == "val_data" else imagenet_batch())
    try:
        files.read(scratch)
    except (ValueError, OSError) as error:
        assert "val_data" in str(error)  # noqa: PT017


@settings(fuzz, max_examples=60)
@given(content=st.data())
def test_an_official_file_is_read_or_refused(test_data, tmp_path_factory, content):
    """Nothing is read that nobody trusts. What is compressed has a checksum, so no damaged pickle is read either; what
    follows the end of the compressed data is not looked at."""
    source = test_data / "nasbench201" / "NATS-tss-v1_0-3ffb9-simple"
    folder = tmp_path_factory.mktemp("official")
    name = content.draw(st.sampled_from(sorted(path.name for path in source.iterdir())))
    for path in source.iterdir():
        os.link(path, folder / path.name) if path.name != name else None
    original = (source / name).read_bytes()
    (folder / name).write_bytes(content.draw(damaged(lambda: original)))
    with pytest.raises(TableError, match="give --trust"):
        read_nats(folder)
    with pytest.raises(TableError, match="another checksum"):
        read_nats(folder, sha256="0" * 64)
    try:
        read_nats(folder, trust=True)
    except TableError as error:
        assert "corrupt" in str(error)  # noqa: PT017
    else:
        assert (folder / name).read_bytes().startswith(original)


def in_every_file(folder, content):
    """CIFAR-10's files, all with the same content."""
    files = DATASETS["cifar10"].files
    (folder / files.folder).mkdir()
    for name in (*files.train, *files.test):
        (folder / files.folder / name).write_bytes(content)


@pytest.mark.parametrize("reader", ["bundled", "cifar"])
@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_does_nothing(tmp_path, reader, protocol):
    trap = tmp_path / "trap"

    class Touches:
        def __reduce__(self):
            return os.mkdir, (str(trap),)

    content = pickle.dumps({b"data": Touches(), b"labels": Touches()}, protocol=protocol)
    if reader == "bundled":
        with pytest.raises(ValueError, match="refers to"):
            unpickle_plain(content, verified=True)
    else:
        in_every_file(tmp_path, content)
        with pytest.raises(ValueError, match="not allowed"):
            DATASETS["cifar10"].files.read(tmp_path)
    assert not trap.exists()


# Other files ---------------------------------------------------------------------------------------------------------


LISTS = json.dumps({"xvalid": ["int", ["0", "2", "4"]], "xtest": ["int", ["1", "3", "5"]]}).encode()


@fuzz
@given(damaged(lambda: LISTS) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_split_list_is_read_or_refused(scratch, content):
    path = scratch / "split.txt"
    path.write_bytes(content)
    try:
        found = read_lists(path, ("xvalid", "xtest"))
    except ValueError as error:
        assert "split.txt" in str(error)  # noqa: PT017
    else:
        assert mismatch(found, 6) is None or isinstance(mismatch(found, 6), str)


@cache
def picture(suffix):
    content = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, suffix)
    return content.getvalue()


@fuzz
@given(damaged(lambda: picture("JPEG")) | damaged(lambda: picture("PNG")))
def test_an_image_file_is_decoded_or_refused(scratch, content):
    path = scratch / "picture.jpg"
    path.write_bytes(content)
    try:
        found = np.asarray(_read_image(path))
    except ValueError as error:
        assert "picture.jpg cannot be read as an image" in str(error)  # noqa: PT017
    else:
        assert found.ndim == 3


GENOTYPE = DARTS().to_string(published_cell("DARTS_V2").arch)


@fuzz
@given(damaged(GENOTYPE.encode) | JSON.map(lambda value: json.dumps({"cells": value}).encode()))
def test_a_file_with_a_cell_is_read_or_refused(scratch, content):
    path = scratch / "cell.txt"
    path.write_bytes(content)
    try:
        _, cell = named_cell(BENCHMARKS["darts"], str(path))
    except (ValueError, OSError) as error:
        assert "cell.txt" in str(error)  # noqa: PT017
    else:
        assert DARTS().to_string(DARTS().from_string(cell)) == cell


# Words ---------------------------------------------------------------------------------------------------------------


@fuzz
@given(st.text(max_size=80) | st.from_regex(r"\|[a-z_0-9~|+]{0,60}\|"))
def test_a_cell_is_read_or_refused(text):
    space = NASBench201()
    with suppress(ValueError):
        assert space.to_string(space.from_string(text)) == text


@fuzz
@given(st.text(max_size=80) | damaged(GENOTYPE.encode).map(lambda content: content.decode(errors="replace")))
def test_a_genotype_is_read_or_refused(text):
    with suppress(ValueError):
        assert DARTS().from_string(DARTS().to_string(DARTS().from_string(text))) == DARTS().from_string(text)


@fuzz
@given(st.text(max_size=30) | st.from_regex(r"[0-9,\-/.]{1,30}", fullmatch=True))
@pytest.mark.parametrize("parse", [values.seeds, values.seconds, values.positive, values.devices])
def test_words_of_the_command_line_are_read_or_refused(parse, text):
    try:
        found = parse(text)
    except argparse.ArgumentTypeError:
        return
    assert parse is not values.seeds or 0 < len(found) <= 1_000_000


@settings(fuzz, max_examples=60)
@given(
    st.text(max_size=30)
    | st.tuples(
        st.sampled_from(["epochs", "darts.epochs", "channels", "learning_rate", "momentum", "lr"]), st.text()
    ).map("=".join)
    | st.tuples(st.sampled_from(["epochs", "learning_rate", "zero_operation"]), st.integers() | st.floats()).map(
        lambda pair: f"{pair[0]}={pair[1]}"
    )
)
def test_a_setting_is_taken_or_refused(text):
    with suppress(ValueError):
        plan({"darts": built_in()["darts"]}, "nasbench201", "quick", ["digits"], [0], [text], Path("data"), None)


# Bombs ---------------------------------------------------------------------------------------------------------------


def zip_bomb(path, compressed):
    """Arrays of 1 GB in a few MB, or of 4 GB in a header's promise."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**29,)})
    how = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", how, compresslevel=1) as archive, archive.open("theta.npy", "w") as member:
        member.write(header.getvalue())
        for _ in range(1000 if compressed else 0):
            member.write(bytes(2**20))


BOMBS = {
    "arrays": "store.Store(folder).arrays('key')",
    "arrays that promise": "store.Store(folder).arrays('key')",
    "table": "table.Table.load(folder / 'runs' / 'key.npz')",
    "csv": "convert.read_csv(folder / 'bomb.csv.gz')",
    "pickle of a great index": "unpickling.unpickle_plain((folder / 'pickle').read_bytes())",
    "cifar pickle of a great index": 'datasets.DATASETS["cifar10"].files.read(folder)',
    "cifar pickle of a great array": 'datasets.DATASETS["cifar10"].files.read(folder)',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_in_a_small_memory(tmp_path, bomb):
    (tmp_path / "runs").mkdir()
    if bomb in ("arrays", "table"):
        zip_bomb(tmp_path / "runs" / "key.npz", compressed=True)
    if bomb == "arrays that promise":
        zip_bomb(tmp_path / "runs" / "key.npz", compressed=False)
    if bomb == "csv":
        with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
            for _ in range(2048):
                file.write(b"0," * 2**19)
    great_index = b"\x80\x02Nr" + (2**31 - 1).to_bytes(4, "little") + b"."
    (tmp_path / "pickle").write_bytes(great_index)
    if "cifar" in bomb:
        great_array = b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fc\x6eumpy\ndtype\n(X\x02\x00\x00\x00f8tRtR."
        content = great_index if "index" in bomb else great_array
        in_every_file(tmp_path, content)
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from harness import unpickling\nfrom harness.data import datasets\nfrom harness.experiment import store\n"
        "from harness.benchmarks.nasbench201.table import convert, table\n"
        "folder = Path(sys.argv[1])\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try: {BOMBS[bomb]}\nexcept ValueError as error: print('refused', error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30)),
    )
    assert done.returncode == 0, done.stderr
    refused, megabytes = done.stdout.splitlines()
    assert refused.startswith("refused")
    assert int(megabytes) < 600
