"""Fetching an archive from a real server: resumed, checked, unpacked safely."""

import hashlib
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tarfile import LNKTYPE, SYMTYPE, TarInfo

import pytest
from rich.console import Console

from harness.data import DATASETS, load
from harness.data.__main__ import FETCHABLE, main
from harness.data.archives import Download
from harness.data.fetch import fetch, unpack
from tests.data.layouts import archive, batch, cifar100_files

CIFAR100 = DATASETS["cifar100"].files
NAME = CIFAR100.download.file


class Server(ThreadingHTTPServer):
    """Serves `content` under any path; remembers which Range each request had."""

    content = b""
    knows_range = True
    breaks_after: int | None = None
    starts_late = 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content, asked = self.server.content, self.headers["Range"]
        self.server.ranges.append(asked)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.knows_range else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start + self.server.starts_late}-{len(content) - 1}/{len(content)}"
            )
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.breaks_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    with Server() as server:
        server.content = archive(tmp_path / "served", cifar100_files(20, 20)).read_bytes()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def files(server):
    md5 = hashlib.md5(server.content).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/{NAME}"
    return replace(CIFAR100, download=Download(NAME, url, md5))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def console():
    return Console(quiet=True)


def assert_complete(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["cifar-100-python", NAME]
    for name, content in cifar100_files(20, 20).items():
        assert (folder / name).read_bytes() == content
    assert len(load("cifar100", folder).train) == 20


def test_fetch_downloads_checks_and_unpacks(files, folder, console, server):
    assert "is unpacked from" in fetch(files, folder, console)
    assert_complete(folder)
    assert "is there" in fetch(files, folder, console)
    assert server.ranges == [None]


def test_a_present_archive_is_unpacked_without_a_download(files, folder, console, server):
    folder.mkdir()
    (folder / NAME).write_bytes(server.content)
    fetch(files, folder, console)
    assert_complete(folder)
    assert server.ranges == []


def test_a_present_folder_is_enough(files, folder, console, server):
    (folder / "cifar-100-python").mkdir(parents=True)
    (folder / "cifar-100-python" / "train").touch()
    with pytest.raises(FileNotFoundError, match="has no file test: complete it, or remove it"):
        fetch(files, folder, console)
    (folder / "cifar-100-python" / "test").touch()
    assert "is there" in fetch(files, folder, console)
    assert server.ranges == []


def test_an_archive_of_another_content_is_neither_used_nor_removed(files, folder, console):
    folder.mkdir()
    (folder / NAME).write_bytes(b"other")
    with pytest.raises(ValueError, match=f"is not the official file: its md5 is {hashlib.md5(b'other').hexdigest()}"):
        fetch(files, folder, console)
    assert (folder / NAME).read_bytes() == b"other"


@pytest.mark.parametrize("knows_range", [True, False])
def test_a_broken_download_goes_on(files, folder, console, server, knows_range):
    server.breaks_after, server.knows_range = 1_000, knows_range
    with pytest.raises(OSError, match=r"call again to go on, or put or unpack the official cifar-100-python.tar.gz"):
        fetch(files, folder, console)
    assert (folder / f"{NAME}.part").stat().st_size == 1_000
    server.breaks_after = None
    fetch(files, folder, console)
    assert_complete(folder)
    assert server.ranges == [None, "bytes=1000-"]


def test_another_part_than_the_one_asked_for_is_not_appended(files, folder, console, server):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(server.content[:1_000])
    server.starts_late = 1
    with pytest.raises(OSError, match="the server's answer 206 is not the file"):
        fetch(files, folder, console)
    assert (folder / f"{NAME}.part").read_bytes() == server.content[:1_000]


def test_a_complete_partial_file_is_only_checked(files, folder, console, server):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(server.content)
    fetch(files, folder, console)
    assert_complete(folder)


@pytest.mark.parametrize("damage", [lambda c: b"x" + c[1:1000], lambda c: c + b"x"], ids=["other start", "too long"])
def test_a_wrong_checksum_is_said_and_the_file_removed(files, folder, console, server, damage):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(damage(server.content))
    with pytest.raises(ValueError, match=f"its md5 is .*that of {NAME} is {files.download.md5}; it was removed"):
        fetch(files, folder, console)
    assert list(folder.iterdir()) == []
    fetch(files, folder, console)
    assert_complete(folder)


def test_an_endless_file_is_cut_off(files, folder, console, monkeypatch):
    monkeypatch.setattr("harness.data.fetch.LARGEST_CONTENT", 1_000)
    with pytest.raises(OSError, match="it is larger than"):
        fetch(files, folder, console)


def link(name, target, kind=SYMTYPE):
    member = TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    "member",
    [
        (TarInfo("../escape"), b"x"),
        (TarInfo("cifar-100-python/../../escape"), b"x"),
        (TarInfo("cifar-100-python/.."), b"x"),
        (TarInfo("/escape"), b"x"),
        (TarInfo("elsewhere/file"), b"x"),
        (TarInfo("cifar-100-python/deep/file"), b"x"),
        (TarInfo("cifar-100-python\\..\\escape"), b"x"),
        (TarInfo("cifar-100-python/C:escape"), b"x"),
        link("cifar-100-python/link", "/etc/passwd"),
        link("cifar-100-python/link", "cifar-100-python/train", LNKTYPE),
        link("cifar-100-python", ".."),
    ],
    ids=lambda member: f"{member[0].name} {member[0].linkname}",
)
def test_malicious_archives_leave_nothing_behind(tmp_path, folder, member):
    folder.mkdir()
    path = archive(tmp_path / NAME, cifar100_files(2, 2), member)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=f"^{path} cannot be unpacked: .* is no plain file of the folder"):
        unpack(path, CIFAR100, folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_huge_twice_named_and_incomplete_archives_leave_nothing_behind(tmp_path, folder, monkeypatch):
    folder.mkdir()
    twice = archive(tmp_path / "twice", cifar100_files(2, 2), (TarInfo("cifar-100-python/train"), b"x"))
    with pytest.raises(OSError, match="exists"):
        unpack(twice, CIFAR100, folder)
    incomplete = archive(tmp_path / "incomplete", {"cifar-100-python/train": batch([1], 32, "fine_labels")})
    with pytest.raises(ValueError, match="incomplete has no file cifar-100-python/test"):
        unpack(incomplete, CIFAR100, folder)
    monkeypatch.setattr("harness.data.archives.LARGEST_FILE", 10_000)
    huge = archive(tmp_path / "huge", cifar100_files(2, 2), (TarInfo("cifar-100-python/huge"), bytes(10_001)))
    with pytest.raises(ValueError, match="larger than"):
        unpack(huge, CIFAR100, folder)
    assert list(folder.iterdir()) == []


# The command ----------------------------------------------------------------------------------------------------------


def test_command(files, folder, monkeypatch, capsys):
    monkeypatch.setitem(FETCHABLE, "cifar100", files)
    assert main(["fetch", "cifar100", "--data", str(folder)]) == 0
    assert_complete(folder)
    assert capsys.readouterr().err == f"{folder / 'cifar-100-python'} is unpacked from {folder / NAME}\n"


def test_command_without_network_says_what_to_put_where(server, files, folder, monkeypatch, capsys):
    monkeypatch.setitem(FETCHABLE, "cifar100", files)
    server.shutdown()
    server.server_close()
    assert main(["fetch", "cifar100", "--data", str(folder)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"put or unpack the official {NAME} (md5 {files.download.md5}) into" in line
    assert line.endswith(f"into {folder}\n")


def test_command_for_what_cannot_be_downloaded(folder, capsys):
    assert main(["fetch", "imagenet16-120", "--data", str(folder)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "files train_data_batch_1 to train_data_batch_10 and val_data into" in line


def test_official_checksums_are_of_the_official_addresses():
    for name in ("cifar10", "cifar100"):
        download = FETCHABLE[name].download
        assert download.url == f"https://www.cs.toronto.edu/~kriz/{download.file}"
        assert re.fullmatch("[0-9a-f]{32}", download.md5)
    assert "digits" not in FETCHABLE
