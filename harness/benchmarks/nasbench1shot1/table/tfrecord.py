"""The official files of NAS-Bench-101, nasbench_only108.tfrecord and nasbench_full.tfrecord, without TensorFlow.

A TFRecord file is a sequence of records: the length of the data (8 bytes, little endian), a masked CRC-32C of these
bytes, the data, a masked CRC-32C of the data. In these files the data is a JSON list of a cell's hash, the epochs of a
training, the adjacency matrix as a string of digits, the operations joined by commas, and a base64 string that holds a
protocol buffer (google-research/nasbench, `api.py` and `model_metrics.proto`).
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from harness.benchmarks.nasbench1shot1.cell import Cell

LONGEST = 100_000
"""Bytes of a record; one has about 500."""

EVALUATIONS = 1
"""Field of `ModelMetrics`: evaluations at the start, in the middle and at the end of a training."""
SECONDS, VALID_ACCURACY, TEST_ACCURACY = 2, 4, 5
"""Fields of `EvaluationData`, all of them doubles."""


class Outcome(NamedTuple):
    """Of a training."""

    seconds: float
    held_out: float
    """Accuracies at its end, as fractions."""
    test: float


class Training(NamedTuple):
    """One training of one cell."""

    hash: str
    epochs: int
    cell: Cell
    outcome: Outcome


def trainings(path: Path) -> Iterator[Training]:
    """All trainings in a file. ValueError, in one line, if it is of another kind, corrupt or cut off."""
    with path.open("rb") as file:
        for number, record in enumerate(records(file), start=1):
            try:
                yield _training(record)
            except (ValueError, TypeError, IndexError, KeyError, struct.error) as error:
                raise ValueError(f"{path}: record {number} is no training of a cell: {error}") from error


def records(file: BinaryIO) -> Iterator[bytes]:
    """The data of every record. The checksum of the lengths is verified, that of the data is not: data that changed is
    seen by its contents."""
    while header := file.read(12):
        if len(header) < 12:
            raise ValueError("the file ends within a record")
        length, checksum = struct.unpack("<QI", header)
        if checksum != masked_crc(header[:8]) or length > LONGEST:
            raise ValueError("not a TFRecord file, or a corrupt one")
        data = file.read(length + 4)
        if len(data) < length + 4:
            raise ValueError("the file ends within a record")
        yield data[:length]


def _training(record: bytes) -> Training:
    cell_hash, epochs, digits, operations, metrics = json.loads(record)
    side = math.isqrt(len(digits))
    if side * side != len(digits):
        raise ValueError("the matrix is not square")
    matrix = [[int(digit) for digit in digits[side * row : side * (row + 1)]] for row in range(side)]
    evaluations = fields(base64.b64decode(metrics)).get(EVALUATIONS, [])
    if not evaluations:
        raise ValueError("it has no evaluation")
    last = fields(evaluations[-1])
    numbers = (struct.unpack("<d", last[field][-1])[0] for field in (SECONDS, VALID_ACCURACY, TEST_ACCURACY))
    return Training(cell_hash, epochs, Cell.of_matrix(matrix, operations.split(",")), Outcome(*numbers))


def fields(message: bytes) -> dict[int, list[bytes]]:
    """The fields of a protocol buffer by number: doubles and strings as their bytes; integers are left out.
    IndexError or ValueError if it is none."""
    found: dict[int, list[bytes]] = {}
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _, position = _varint(message, position)
            continue
        if kind not in (1, 2):
            raise ValueError(f"a field of kind {kind}")
        length, position = (8, position) if kind == 1 else _varint(message, position)
        if position + length > len(message):
            raise ValueError("a field that ends beyond the message")
        found.setdefault(number, []).append(message[position : position + length])
        position += length
    return found


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """An integer of variable length, seven bits in a byte, and the position behind it."""
    value, shift = 0, 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted by a constant, as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_TABLE = tuple(_crc_of_byte(byte) for byte in range(256))
