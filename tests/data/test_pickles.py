"""The reader of foreign pickles and archives: exact on good files, one clear line on all others."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import load
from harness.data.archives import members
from harness.data.pickles import read_batch
from harness.unpickling import _PlainUnpickler
from tests.data.layouts import archive, batch, cifar100_files

GOOD = batch([3, 1, 2], side=2)


def read(content):
    return read_batch(content, "FILE", "labels", 2, range(1, 11))


def refusal(function, *arguments):
    """The message of the ValueError that it raises; None if it raises none."""
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    return None


def assert_read_or_refused(content):
    message = refusal(read, content)
    if message is not None:
        assert message.startswith("FILE is not a batch of 2x2 images: ")
        assert message.isprintable()
        return
    pixels, labels = read(content)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (len(labels), 3, 2, 2)
    assert labels.min() >= 1
    assert labels.max() <= 10


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_are_read_in_their_order(order, protocol):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 12)
    content = pickle.dumps({b"data": np.asarray(pixels, order=order), b"labels": [1, 10]}, protocol=protocol)
    ours, labels = read(content)
    assert np.array_equal(ours.reshape(2, 12), pixels)
    assert labels.tolist() == [1, 10]


PIXELS = np.zeros((2, 12), np.uint8)


@pytest.mark.parametrize(
    "content, reason",
    [
        ([1], "not a dictionary"),
        ({}, "it has no 'data'"),
        ({"data": PIXELS}, "it has no 'labels'"),
        ({"data": [[0] * 12] * 2, "labels": [1, 1]}, "data are not an array"),
        ({"data": PIXELS.astype(np.int64), "labels": [1, 1]}, "'i8', not u1"),
        ({"data": PIXELS[:, :11], "labels": [1, 1]}, r"shape \(2, 11\), not \(n, 12\)"),
        ({"data": PIXELS[0], "labels": [1]}, r"shape \(12,\)"),
        ({"data": PIXELS[:0], "labels": []}, r"shape \(0, 12\)"),
        ({"data": PIXELS, "labels": [1]}, "one number per image"),
        ({"data": PIXELS, "labels": np.ones(2, int)}, "one number per image"),
        ({"data": PIXELS, "labels": [1, True]}, "one number per image"),
        ({"data": PIXELS, "labels": [1, np.int64(1)]}, "refers to 'numpy"),
        ({"data": PIXELS, "labels": [1, "1"]}, "one number per image"),
        ({"data": PIXELS, "labels": [0, 1]}, "from 1 to 10"),
        ({"data": PIXELS, "labels": [1, 11]}, "from 1 to 10"),
        ({"data": PIXELS, "labels": [1, 10**30]}, "from 1 to 10"),
    ],
)
def test_what_is_wrong_is_said(content, reason):
    with pytest.raises(ValueError, match=f"^FILE is not a batch of 2x2 images: .*{reason}"):
        read(pickle.dumps(content, protocol=4))


class Malicious:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("call", [(print, ("executed",)), (eval, ("print('executed')",)), (np.load, ("x",))])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_executed(call, protocol, capsys):
    with pytest.raises(ValueError, match="which is not allowed"):
        read(pickle.dumps({"data": Malicious(*call), "labels": [1]}, protocol=protocol))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [b"numpy\ndtype", b"numpy\nndarray", b"_codecs\nencode"])
def test_no_pickle_can_change_the_reader_itself(name):
    """BUILD on a class would set its attributes, for all later files."""
    attack = b"\x80\x02c" + name + b"\nN}X\x05\x00\x00\x00addedK\x01s\x86b."
    with pytest.raises(ValueError, match="FILE is not"):
        read(attack)
    assert not any(hasattr(stand_in, "added") for stand_in in _PlainUnpickler.STAND_INS.values())


def test_no_pickle_can_ask_for_more_memory_than_its_size():
    plain = pickle.dumps({"data": PIXELS, "labels": [1, 1]}, protocol=2)
    assert plain.count(b"K\x02K\x0c\x86") == 1
    bombs = [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # the memo's index
        plain.replace(b"K\x02K\x0c\x86", b"J\xff\xff\xff\x7fK\x0c\x86"),  # the array's shape
        b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x.",
    ]
    for bomb in bombs:
        with pytest.raises(ValueError, match="FILE is not a batch"):
            read(bomb)


@given(st.binary(max_size=200))
def test_random_bytes(content):
    assert_read_or_refused(content)
    assert_read_or_refused(b"\x80\x02" + content)


PIECES = [GOOD[start : start + 7] for start in range(0, len(GOOD), 7)]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=80))
def test_shuffled_pieces_of_a_good_file(pieces):
    assert_read_or_refused(b"".join(pieces))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_truncated_and_flipped(position, bit):
    assert_read_or_refused(GOOD[:position])
    flipped = bytearray(GOOD)
    flipped[position] ^= 1 << bit
    assert_read_or_refused(bytes(flipped))


def test_every_truncation_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(ValueError, match="FILE is not"):
            read(GOOD[:length])


def test_flipped_bits_of_a_real_file(test_data):
    real = (test_data / "cifar/cifar-100-python/test").read_bytes()
    start = real.index(b"fine_labels")
    random = np.random.default_rng(0)
    for position in [*random.integers(start, len(real), 12), *range(0, 60, 3)]:
        flipped = bytearray(real)
        flipped[position] ^= 1 << int(random.integers(8))
        message = refusal(read_batch, bytes(flipped), "FILE", "fine_labels", 32, range(100))
        assert message is None or message.startswith("FILE is not a batch")


# Archives -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "cifar-100-python.tar.gz"
    return archive(path, {**cifar100_files(2, 2), "cifar-100-python/zeros": bytes(100_000)}).read_bytes()


class Everything:
    def __contains__(self, name):
        return True


def names(path):
    return [name for name, _ in members(path, Everything())]


def assert_unpacked_or_refused(path):
    message = refusal(names, path)
    if message is not None:
        assert message.startswith(f"{path} cannot be unpacked: ")
        assert len(message.splitlines()) == 1


def test_damaged_archives(packed, tmp_path):
    path = tmp_path / "a.tar.gz"

    @given(st.integers(0, len(packed) - 1), st.integers(0, 7), st.binary(max_size=600))
    def damage(position, bit, noise):
        flipped = bytearray(packed)
        flipped[position] ^= 1 << bit
        for content in (packed[:position], bytes(flipped), noise):
            path.write_bytes(content)
            assert_unpacked_or_refused(path)

    damage()


def test_damaged_headers_inside(tmp_path):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("b" * 120, "c/d", "ü"):
            member = tarfile.TarInfo(name)
            member.size = 10
            tar.addfile(member, io.BytesIO(b"0123456789"))
    content, path = plain.getvalue(), tmp_path / "a.tar.gz"

    @given(st.integers(0, 4_000), st.binary(min_size=1, max_size=12))
    def damage(position, noise):
        with gzip.open(path, "wb", compresslevel=0) as file:
            file.write(content[:position] + noise + content[position + len(noise) :])
        assert_unpacked_or_refused(path)

    damage()


def test_truncated_archive_is_named(packed, tmp_path):
    path = tmp_path / "cifar-100-python.tar.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=f"^{path} cannot be unpacked: "):
        load("cifar100", tmp_path)
