"""The restricted unpickler: plain data as pickle reads it, and nothing else."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.unpickling import PickledArray, unpickle_plain

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


class Attack:
    """A pickle of this runs a command when it is read the usual way."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@given(PLAIN, st.sampled_from(PROTOCOLS))
def test_plain_data_are_read_as_pickle_reads_them(content, protocol):
    for verified in (True, False):
        assert unpickle_plain(pickle.dumps(content, protocol=protocol), verified=verified) == content


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_other_name_is_looked_up(protocol, verified, tmp_path):
    for harmful in (Attack(f"touch {tmp_path / 'was-here'}"), Path("x"), len, {1.5: [np.float64(1)]}):
        with pytest.raises(ValueError, match="it refers to"):
            unpickle_plain(pickle.dumps(harmful, protocol=protocol), verified=verified)
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_array_of_numpy_is_constructed(protocol):
    pickled = pickle.dumps([np.arange(6, dtype=np.uint8).reshape(2, 3), np.array([{"x": 1}])], protocol=protocol)
    try:
        plain, objects = unpickle_plain(pickled)
    except ValueError:
        assert protocol == 5  # which has numpy build arrays from a buffer
        return
    assert type(plain) is type(objects) is PickledArray
    assert plain.as_bytes().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not plain.as_bytes().flags.writeable
    with pytest.raises(ValueError, match="'O8', not u1"):
        objects.as_bytes()


@given(st.binary(max_size=200))
def test_random_bytes_raise_one_error(content):
    try:
        unpickle_plain(content)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017
