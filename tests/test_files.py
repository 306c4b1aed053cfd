"""Atomic writes."""

import io

import numpy as np
import pytest

from harness.files import partial_name, write_atomically, zip_arrays


def test_nothing_is_written_through_a_link(tmp_path):
    """In a folder where others may write, one could lie under the name of the partial file or of the file itself."""
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / partial_name("result")).symlink_to(other)
    (tmp_path / "result").symlink_to(other)
    write_atomically(tmp_path / "result", b"new")
    assert other.read_text() == "mine"
    assert (tmp_path / "result").read_bytes() == b"new"
    assert not (tmp_path / "result").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "result"]


def test_arrays_are_stored_under_their_names_alone_and_as_the_same_bytes():
    arrays = {"theta": np.arange(6.0).reshape(2, 3), "cells": np.array(["a", "bc"])}
    for compressed in (False, True):
        content = zip_arrays(arrays, compressed)
        assert content == zip_arrays(arrays, compressed)
        with np.load(io.BytesIO(content), allow_pickle=False) as read:
            assert sorted(read) == ["cells", "theta"]
            assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    with pytest.raises(ValueError, match="Object arrays"):
        zip_arrays({"odd": np.array([None])})
