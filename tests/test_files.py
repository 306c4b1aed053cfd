"""Atomic writes."""

from harness.files import partial_name, write_atomically


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
