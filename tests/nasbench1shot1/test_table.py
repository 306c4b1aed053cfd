"""The table of NAS-Bench-101, and its sources."""

import base64
import json
import struct

import numpy as np
import pytest

import run_all
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench1shot1.cell import cell_hash, pruned
from harness.benchmarks.nasbench1shot1.space import Space1, Space2, Space3
from harness.benchmarks.nasbench1shot1.table import CELLS, IMAGES, Table, TableError, known
from harness.benchmarks.nasbench1shot1.table.convert import arrays_of, collect, main, read_official
from harness.benchmarks.nasbench1shot1.table.tfrecord import masked_crc, trainings
from harness.cli import main as cli
from harness.experiment.registry import select

NAME = "nasbench1shot1-1"


@pytest.fixture(scope="module")
def path(test_data, tmp_path_factory):
    """A table of the reference data."""
    out = tmp_path_factory.mktemp("table") / "table.npz"
    assert main([str(test_data / "nasbench101" / "nasbench101.npz"), str(out)]) == 0
    return out


def invented(trainings=1, **arrays):
    """A table with other numbers."""
    test = np.full((CELLS, trainings), 9000, dtype=np.uint16)
    test[7] = 9451
    return Table(**{"source": "invented", "hashes": np.arange(CELLS, dtype=np.uint64), "test": test, **arrays})


def with_validation(path, trainings=2):
    """The cells of a table, with invented held-out accuracies and durations."""
    table, rng = Table.load(path), np.random.default_rng(0)
    counts = rng.integers(5000, 9400, (CELLS, trainings)).astype(np.uint16)
    seconds = rng.uniform(1e3, 2e3, (CELLS, trainings)).astype(np.float32)
    return Table("invented", table.hashes, table.test.repeat(trainings, axis=1), counts, seconds)


# Look-ups ------------------------------------------------------------------------------------------------------------


def test_accuracies_are_the_benchmarks(path, test_data):
    table = Table.load(path)
    for example in json.loads((test_data / "nasbench101" / "examples.json").read_text()):
        accuracy = table.accuracies["test"][table.number(example["hash"])]
        assert accuracy == pytest.approx(100 * example["test_accuracy"], rel=1e-12)
    with pytest.raises(ValueError, match="no cell with the hash"):
        table.number("0" * 32)


@pytest.mark.parametrize(
    "space, best, correct",
    [
        # Of space 1 the published optimum is that of another training of the three.
        (
            Space1(),
            "conv3x3-bn-relu~0|conv3x3-bn-relu~0+1|conv1x1-bn-relu~1+2|conv3x3-bn-relu~0+3|output~0+4",
            9421,
        ),
        (
            Space2(),
            "conv3x3-bn-relu~0|conv1x1-bn-relu~0|conv3x3-bn-relu~0+1|conv3x3-bn-relu~2+3|output~0+2+4",
            9409,
        ),
        (
            Space3(),
            "conv3x3-bn-relu~0|conv3x3-bn-relu~0|conv3x3-bn-relu~1|conv3x3-bn-relu~0+3|conv1x1-bn-relu~2+4|output~0+5",
            9451,
        ),
    ],
)
def test_published_optima(path, space, best, correct):
    benchmark = BENCHMARKS[space.name]
    frame, failures = benchmark.evaluator(path).scores([best])
    assert failures == []
    (row,) = frame.itertuples()
    assert (row.architecture, row.dataset, row.split, row.metric, row.trials) == (
        *(best, "cifar10", "test", "test_accuracy"),
        1,
    )
    assert row.value == 100 * correct / IMAGES
    optimum = benchmark.optima["cifar10", "test"]
    assert optimum >= row.value
    assert (optimum == row.value) == (space.name != NAME)
    published = {"nasbench1shot1-1": 5.4487, "nasbench1shot1-2": 5.7592, "nasbench1shot1-3": 5.3385}[space.name]
    assert 100 - optimum == pytest.approx(published, abs=5e-5)


def test_scores_are_means_over_the_trainings(path, tmp_path):
    table = with_validation(path)
    table.save(tmp_path / "table.npz")
    space = Space2()
    texts = [space.to_string(space.random(np.random.default_rng(seed))) for seed in range(3)]
    frame, (failure,) = BENCHMARKS[space.name].evaluator(tmp_path / "table.npz").scores([*texts, "none"])
    assert failure == "not an architecture of nasbench1shot1-2: 'none'"
    assert len(frame) == 6
    for row in frame.itertuples():
        number = table.number(space.hash(space.from_string(row.architecture)))
        counts = table.test[number] if row.split == "test" else table.held_out[number]
        assert (row.value, row.trials) == (pytest.approx(100 * counts.mean() / IMAGES), 2)


# Black boxes ---------------------------------------------------------------------------------------------------------


def test_black_boxes_need_held_out_accuracies(path, tmp_path):
    benchmark = BENCHMARKS[NAME]
    for table in (None, path):  # no method sees test accuracies
        assert benchmark.oracle(table) is None
        with pytest.raises(ValueError, match="no accuracies to query: a --table made from the official files"):
            select("random-search", benchmark, table)
    table = with_validation(path)
    table.save(tmp_path / "table.npz")
    assert list(select("random-search,bohb", benchmark, tmp_path / "table.npz").entries) == ["random-search", "bohb"]
    oracle, space = benchmark.oracle(tmp_path / "table.npz"), Space1()
    arch = space.random(np.random.default_rng(0))
    number = table.number(space.hash(arch))
    signal, rng = oracle.query(arch, None), np.random.default_rng(0)
    assert signal.accuracy == pytest.approx(100 * table.held_out[number].mean() / IMAGES)
    assert signal.seconds == pytest.approx(table.seconds[number].mean())
    with pytest.raises(ValueError, match="which is no cell of nasbench1shot1-1"):
        oracle.query(Space3().random(rng), None)
    drawn = {seconds: accuracy for accuracy, seconds in (oracle.query(arch, rng) for _ in range(40))}
    accuracies = 100 / IMAGES * table.held_out[number]
    assert drawn == pytest.approx(dict(zip(table.seconds[number].tolist(), accuracies.tolist(), strict=True)))
    words = ["--space", NAME, "--methods", "regularized-evolution", "--seeds", "1", "--jobs", "1", "--figures", "none"]
    words += ["--table", str(tmp_path / "table.npz"), "--set", "protocol.budget_seconds=1e5"]
    assert run_all.main([*words, "--results", str(tmp_path / "results")]) == 0


def test_without_a_table_one_line_says_what_is_missing(tmp_path, capsys):
    words = ["--space", NAME, "--methods", "random-cell", "--seeds", "1", "--jobs", "1", "--figures", "none"]
    assert run_all.main([*words, "--results", str(tmp_path / "results")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "get no accuracies: its accuracies are those of NAS-Bench-101, from --table FILE" in printed


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_table_is_the_same_in_its_file(tmp_path):
    seconds = np.full((CELLS, 3), 1.5, dtype=np.float32)
    table = invented(3, held_out=np.full((CELLS, 3), 8000, dtype=np.uint16), seconds=seconds)
    table.save(tmp_path / "table.npz")
    read = Table.load(tmp_path / "table.npz")
    assert (read.sha256, read.source, read.trainings) == (table.sha256, "invented", 3)
    for name in ("hashes", "test", "held_out", "seconds"):
        assert np.array_equal(getattr(read, name), getattr(table, name))
    content = (tmp_path / "table.npz").read_bytes()
    assert read.to_bytes() == content


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"source": ""}, "one line of text"),
        ({"hashes": np.zeros(CELLS, dtype=np.uint64)}, "distinct and ascending"),
        ({"hashes": np.arange(3, dtype=np.uint64)}, "hashes of 423624 cells"),
        ({"test": np.full((CELLS, 1), 10_000, dtype=np.uint16)}, "10000 of 9984 images"),
        ({"test": np.full((CELLS, 1), 9000, dtype=np.uint16)}, "classifies 9000 of 9984 test images, not 9451"),
        ({"test": np.full((3, 1), 9451, dtype=np.uint16)}, "accuracies of 423624 cells"),
        ({"held_out": np.zeros((3, 1), dtype=np.uint16)}, "for each training"),
        ({"seconds": np.zeros((CELLS, 1), dtype=np.float32)}, "must take seconds"),
        ({"seconds": np.ones((CELLS, 2), dtype=np.float32)}, "seconds of each training"),
    ],
)
def test_what_cannot_be_right_is_refused(changes, reason):
    with pytest.raises(TableError, match=reason):
        invented(**changes)


def test_other_files_are_refused_in_one_line(tmp_path, capsys):
    invented().save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    cases = {"cut.npz": content[:1000], "text.npz": b"no table", "empty.npz": b""}
    for name, other in cases.items():
        (tmp_path / name).write_bytes(other)
        with pytest.raises(TableError, match="is not a NAS-Bench-101 table"):
            Table.load(tmp_path / name)
    with pytest.raises(TableError, match="cannot read the table"):
        Table.load(tmp_path / "missing.npz")
    np.save(tmp_path / "short.npy", np.zeros(3))
    for source, out, reason in [
        ("short.npy", "out.npz", "accuracies of 423624 cells"),
        ("missing.npy", "out.npz", "No such file"),
        ("whole.csv", "out.npz", "unknown source"),
        ("whole.npz", "out.csv", "must end with .npz"),
        ("whole.npz", "out.npz", "hash_prefix"),
        ("text.npz", "out.npz", "error"),
    ]:
        assert cli(["table", "--space", NAME, str(tmp_path / source), str(tmp_path / out)]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert reason in line
    assert not (tmp_path / "out.npz").exists()


def test_cells_of_another_benchmark_are_refused():
    with pytest.raises(TableError, match="not the cells of NAS-Bench-101"):
        known.check(invented())


def test_the_table_of_the_reference_data_is_verified(path):
    table = Table.load(path)
    assert BENCHMARKS[NAME].is_verified(table.sha256, None)
    other = table.test.copy()
    other[0] += 1
    changed = Table(table.source, table.hashes, other)
    assert not BENCHMARKS[NAME].is_verified(changed.sha256, None)
    other[table.number(next(iter(known.EXAMPLES)))] += 1
    with pytest.raises(TableError, match="classifies"):
        known.check(Table(table.source, table.hashes, other))


# Official files ------------------------------------------------------------------------------------------------------


def varint(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def delimited(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def metrics(test, held_out, seconds):
    """A training as the benchmark stores it: at the start, in the middle and at the end, and its other fields."""
    evaluations = [
        double(1, epoch) + double(2, share * seconds) + double(3, 1.0) + double(4, share * held_out)
        + double(5, share * test) + delimited(6, b"model.ckpt")
        for epoch, share in ((0, 0.1), (54, 0.5), (108, 1.0))
    ]  # fmt: skip
    return b"".join(delimited(1, e) for e in evaluations) + varint(2 << 3) + varint(2_694_282) + double(3, 9999.0)


def record(example, epochs=108, test=0.9, held_out=0.91, seconds=1000.0):
    digits = "".join(str(entry) for row in example["matrix"] for entry in row)
    packed = base64.b64encode(metrics(test, held_out, seconds)).decode()
    return json.dumps([example["hash"], epochs, digits, ",".join(example["ops"]), packed]).encode()


def framed(data):
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


@pytest.fixture
def examples(test_data):
    return json.loads((test_data / "nasbench101" / "examples.json").read_text())


def test_crc():
    for data, crc in ((b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):  # RFC 3720
        rotated = (masked_crc(data) - 0xA282EAD8) & 0xFFFFFFFF
        assert (rotated >> 17 | rotated << 15) & 0xFFFFFFFF == crc


def test_official_files_are_read(tmp_path, examples):
    path, rng = tmp_path / "nasbench_full.tfrecord", np.random.default_rng(0)
    correct = rng.integers(0, IMAGES, (8, 3, 2))
    fractions = (correct / IMAGES).astype(np.float32).astype(float)  # as the benchmark computed them
    seconds = rng.uniform(500, 5000, (8, 3))
    numbers = [
        record(example, 108, *fractions[cell, training].tolist(), seconds[cell, training])
        for training in range(3)
        for cell, example in enumerate(examples)
    ]
    lower = [record(example, 12, 0.5, 0.5) for example in examples]  # of the full file, other epochs
    path.write_bytes(b"".join(map(framed, [*lower, *numbers])))
    by_cell = collect(trainings(path))
    order = np.argsort([example["hash"] for example in examples])
    hashes, test, held_out, read_seconds = arrays_of(by_cell)
    assert sorted(by_cell) == sorted(example["hash"] for example in examples)
    assert [f"{prefix:016x}" for prefix in hashes.tolist()] == [name[:16] for name in sorted(by_cell)]
    assert np.array_equal(test, correct[order, :, 0])
    assert np.array_equal(held_out, correct[order, :, 1])
    assert read_seconds == pytest.approx(seconds[order])
    assert all(cell_hash(pruned(training.cell)) == training.hash for training in trainings(path))
    with pytest.raises(TableError, match="8 cells, not 3 trainings of each of 423624 cells"):
        read_official(path)


def test_damaged_official_files_are_refused(tmp_path, examples):
    path, whole = tmp_path / "a.tfrecord", framed(record(examples[0]))
    data = record(examples[0])
    other_hash = record({**examples[0], "hash": examples[1]["hash"]})
    for content, reason in [
        (whole[:5], "ends within a record"),
        (whole[:-7], "ends within a record"),
        (b"\x01" + whole[1:], "not a TFRecord file"),
        (framed(b"[1, 2]"), "record 1 is no training"),
        (framed(b"no JSON"), "record 1 is no training"),
        (framed(data.replace(b"conv3x3", b"conv9x9")), "record 1 is no training"),
        (framed(json.dumps([*json.loads(data)[:4], "CgE="]).encode()), "record 1 is no training"),
        (framed(json.dumps([*json.loads(data)[:4], ""]).encode()), "it has no evaluation"),
        (framed(other_hash), "has another one"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=reason):
            collect(trainings(path))


def test_official_accuracies_must_be_those_of_whole_images(tmp_path, examples):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(record(examples[0], test=0.90001)))
    with pytest.raises(TableError, match="multiples of 1/9984"):
        arrays_of(collect(trainings(path)))
