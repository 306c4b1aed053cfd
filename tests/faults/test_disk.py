"""Full disks, read-only mounts, files in the way, damaged files, clocks that go backwards."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import torch

import run_all
from harness.experiment import store as store_module
from harness.experiment.store import Store
from harness.files import WriteError
from tests.test_run_all import ROOT, SMALL, contents, run

pytestmark = pytest.mark.faults


def can_mount():
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(probe, capture_output=True).returncode == 0
    except OSError:
        return False


needs_mounts = pytest.mark.skipif(not can_mount(), reason="no right to mount in a namespace of one's own (unshare)")
WORDS = ["--methods", "darts", "--seeds", "1", "--jobs", "1", "--set", "protocol.epochs=2", *SMALL]


def in_namespace(code, folder):
    """What a script prints (JSON) that runs where it may mount; `folder` is its only argument."""
    begin = f"import json, os, subprocess, sys\nimport run_all\nfolder, WORDS = sys.argv[1], {WORDS!r}\n"
    command = ["unshare", "--mount", sys.executable, "-c", begin + code, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@needs_mounts
def test_a_full_disk_fails_no_run_and_room_on_it_lets_the_search_go_on(tmp_path):
    code = """
def mount(*words):
    subprocess.run(["mount", *words], check=True)

def call():
    return run_all.main([*WORDS, "--results", folder + "/results"])

def records():
    return sorted(os.listdir(folder + "/results/runs"))

mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
with open(folder + "/ballast", "wb") as file:
    file.write(bytes(2**20 - 12 * 4096))
full, there, claims = call(), records(), os.listdir(folder + "/results/claims")
os.remove(folder + "/ballast")
mount("-o", "remount,size=64m", folder)
print()
print(json.dumps([full, there, claims, call(), len(records())]))
"""
    (full, there, claims, afterwards, files), errors = in_namespace(code, tmp_path)
    assert (full, there, claims) == (2, [], [])
    assert "No space left on device" in errors
    assert len(errors.strip().splitlines()) == 1
    assert (afterwards, files) == (0, 2)


@needs_mounts
def test_a_read_only_mount_is_one_clear_line(tmp_path):
    assert run(tmp_path, methods="darts") == 0
    code = """
subprocess.run(["mount", "--bind", folder, folder], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
print(json.dumps([run_all.main([*WORDS, *words, "--results", folder]) for words in ([], ["--report-only"])]))
"""
    status, errors = in_namespace(code, tmp_path)
    assert status == [2, 2]
    assert errors.count("Read-only file system") == len(errors.strip().splitlines()) == 2


@needs_mounts
def test_a_home_that_is_read_only_is_no_obstacle(tmp_path):
    """As on the nodes of many clusters; caches of fonts and of compiled programs lie there by default."""
    code = """
home = folder + "/home"
os.makedirs(home)
subprocess.run(["mount", "--bind", home, home], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL"))}
words = [*WORDS, "--results", folder + "/results", "--figures", "png"]
done = subprocess.run([sys.executable, "run_all.py", *words], env={**environment, "HOME": home}, capture_output=True)
print(json.dumps([done.returncode, done.stderr.decode()]))
"""
    (status, errors), _ = in_namespace(code, tmp_path)
    assert status == 0, errors
    assert "Traceback" not in errors
    assert list((tmp_path / "results" / "figures").glob("*.png"))


def test_a_file_may_not_grow(tmp_path):
    """RLIMIT_FSIZE is how quotas and batch systems say no."""
    code = (
        "import resource, sys, run_all\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        f"sys.exit(run_all.main([*{WORDS!r}, '--results', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert not Store(tmp_path).records()
    assert not list((tmp_path / "claims").iterdir())
    assert run(tmp_path, methods="darts") == 0


@pytest.mark.parametrize("name", ["runs", "checkpoints", "claims", "tables"])
def test_a_file_where_a_folder_should_be_is_one_clear_line(tmp_path, capsys, name):
    (tmp_path / name).write_text("in the way")
    assert run(tmp_path, methods="darts", epochs=1) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert name in errors[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    results = tmp_path_factory.mktemp("finished")
    assert run(results, methods="darts", epochs=3) == 0
    return results


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The same search, stopped after two epochs by a full disk."""
    results = tmp_path_factory.mktemp("begun")
    written, write = [], store_module.Store.write_checkpoint

    def fills_up(store, key, content):
        if len(written) == 2:
            raise WriteError(errno.ENOSPC, os.strerror(errno.ENOSPC), "checkpoint")
        written.append(key)
        write(store, key, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module.Store, "write_checkpoint", fills_up)
        assert run(results, methods="darts", epochs=3) == 2
    assert len(Store(results).checkpoints()) == 1
    assert not Store(results).records()
    return results


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def emptied(content):
    return content[:0]


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_a_damaged_checkpoint_is_named_and_the_search_done_again(begun, finished, tmp_path, capsys, damage):
    results = shutil.copytree(begun, tmp_path / "copy")
    (path,) = results.glob("checkpoints/*.pt")
    path.write_bytes(damage(path.read_bytes()))
    assert run(results, methods="darts", epochs=3) == 0
    assert f"corrupt file {path.name} quarantined" in " ".join(capsys.readouterr().out.split())
    assert contents(results) == contents(finished)
    assert (results / "damaged" / path.name).exists()


def malicious(path):
    class Touches:
        def __reduce__(self):
            return os.mkdir, (str(path),)

    return Touches()


@pytest.mark.parametrize("kind", ["malicious", "of another network", "of another shape", "without its logs"])
def test_a_whole_checkpoint_that_does_not_fit_is_set_aside_too(begun, finished, tmp_path, kind):
    results, trap = shutil.copytree(begun, tmp_path / "copy"), tmp_path / "trap"
    store = Store(results)
    (key,) = store.checkpoints()
    path = results / "state"
    path.write_bytes(store.read_checkpoint(key))
    state = torch.load(path, weights_only=True)
    supernet = state["search"]["supernet"]
    first = next(iter(supernet))
    if kind == "malicious":
        state["threads"] = malicious(trap)
    elif kind == "of another network":
        supernet["another"] = supernet.pop(first)
    elif kind == "of another shape":
        supernet[first] = torch.zeros(7, 7)
    else:
        state["logs"] = []
    torch.save(state, path)
    store.write_checkpoint(key, path.read_bytes())
    path.unlink()
    assert run(results, methods="darts", epochs=3) == 0
    assert not trap.exists()
    assert contents(results) == contents(finished)
    assert [p.name for p in (results / "damaged").iterdir()] == [f"{key}.pt"]


@pytest.mark.parametrize(
    "pattern, damage",
    [("runs/*.json", flipped), ("runs/*.npz", flipped), ("scores/*.csv", flipped), ("runs/*.json", emptied)],
)
def test_damaged_results_are_named_and_made_again(finished, tmp_path, capsys, pattern, damage):
    results = shutil.copytree(finished, tmp_path / "copy")
    (path,) = results.glob(pattern)
    before = (results / "tables" / "leaderboard.csv").read_bytes()
    path.write_bytes(damage(path.read_bytes()))
    assert run(results, methods="darts", epochs=3) == 0
    assert "corrupt file" in capsys.readouterr().out
    assert contents(results) == contents(finished)
    assert (results / "tables" / "leaderboard.csv").read_bytes() == before
    assert (results / "damaged" / path.name).exists()
    assert path.exists()


@pytest.mark.parametrize("pattern", ["runs/*.json", "runs/*.npz", "scores/*.csv"])
@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
def test_reading_names_whatever_is_damaged(finished, tmp_path, pattern, damage):
    results = shutil.copytree(finished, tmp_path / "copy")
    (path,) = results.glob(pattern)
    path.write_bytes(damage(path.read_bytes()))
    store = Store(results)
    assert len(store.records()) + len(list(store.scores())) == 1
    (line,) = store.warnings
    assert path.stem in line


def test_what_cannot_be_read_now_is_not_taken_for_damaged(finished, tmp_path, monkeypatch):
    results = shutil.copytree(finished, tmp_path / "copy")
    read = type(results).read_bytes

    def stale(path):
        if path.suffix == ".npz":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return read(path)

    monkeypatch.setattr(type(results), "read_bytes", stale)
    with pytest.raises(OSError, match=r"(?i)stale"):
        Store(results).records()
    monkeypatch.undo()
    assert contents(results) == contents(finished)


def test_progress_goes_before_the_checkpoint(begun, tmp_path, monkeypatch):
    """A process killed between the two leaves what a later call finds."""
    store = Store(shutil.copytree(begun, tmp_path / "copy"))
    (key,) = store.checkpoints()
    removed = []
    monkeypatch.setattr(type(tmp_path), "unlink", lambda path, missing_ok: removed.append(path.suffix))  # noqa: ARG005
    store.discard_checkpoint(key)
    assert removed == [".json", ".pt"]


@pytest.mark.parametrize("step", [-1000, 100_000], ids=["backwards", "in leaps"])
def test_a_clock_that_goes_wrong_is_nothing_to_a_search(finished, tmp_path, monkeypatch, step):
    now = [2e9]

    def wrong():
        now[0] += step
        return now[0]

    monkeypatch.setattr(time, "time", wrong)
    assert run(tmp_path, methods="darts", epochs=3) == 0
    assert contents(tmp_path) == contents(finished)
    assert run_all.main(["--report-only", "--results", str(tmp_path)]) == 0
