"""Fetching an archive from a real server: verified, unpacked safely."""

import hashlib
import re
import threading
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tarfile import SYMTYPE, FilterError, TarInfo

import pytest

from harness.cli import main
from harness.commands.data import FETCHABLE
from harness.data import DATASETS, load
from harness.data.archives import Download
from harness.data.fetch import fetch, unpack
from tests.data.layouts import archive, cifar100_files

CIFAR100 = DATASETS["cifar100"].files
NAME = CIFAR100.download.file


class Server(ThreadingHTTPServer):
    """Serves `content` under any path; counts the requests."""

    content = b""
    breaks_after: int | None = None
    requests = 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: self.server.breaks_after])

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


def assert_complete(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["cifar-100-python", NAME]
    for name, content in cifar100_files(20, 20).items():
        assert (folder / name).read_bytes() == content
    assert len(load("cifar100", folder).train) == 20


def test_fetch_downloads_verifies_and_unpacks(files, folder, server):
    assert "unpacked" in fetch(files, folder)
    assert_complete(folder)
    assert "is already there" in fetch(files, folder)
    assert server.requests == 1


def test_a_file_in_the_place_of_the_data_folder_is_said_before_a_download(files, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"^the data folder .*file is a file$"):
        fetch(files, tmp_path / "file")


def test_a_present_archive_is_unpacked_without_a_download(files, folder, server):
    folder.mkdir()
    (folder / NAME).write_bytes(server.content)
    fetch(files, folder)
    assert_complete(folder)
    assert server.requests == 0


def test_a_present_folder_is_enough(files, folder, server):
    (folder / "cifar-100-python").mkdir(parents=True)
    (folder / "cifar-100-python" / "train").touch()
    with pytest.raises(FileNotFoundError, match="has no file test: complete it, or remove it"):
        fetch(files, folder)
    (folder / "cifar-100-python" / "test").touch()
    assert "is already there" in fetch(files, folder)
    assert server.requests == 0


def test_an_archive_of_another_content_is_neither_used_nor_removed(files, folder):
    folder.mkdir()
    (folder / NAME).write_bytes(b"other")
    with pytest.raises(ValueError, match=f"is not the official file: its md5 is {hashlib.md5(b'other').hexdigest()}"):
        fetch(files, folder)
    assert (folder / NAME).read_bytes() == b"other"


def test_a_broken_download_leaves_nothing_behind(files, folder, server):
    server.breaks_after = 1_000
    with pytest.raises(
        OSError, match=r"failed \(.*\): try again, or put or unpack the official cifar-100-python.tar.gz"
    ):
        fetch(files, folder)
    assert list(folder.iterdir()) == []
    server.breaks_after = None
    fetch(files, folder)
    assert_complete(folder)


def test_a_wrong_checksum_is_said_and_the_file_removed(files, folder, server):
    server.content = b"x" + server.content[1:]
    with pytest.raises(OSError, match=f"does not match the known hash: expected md5:{files.download.md5} but got"):
        fetch(files, folder)
    assert list(folder.iterdir()) == []


def link(name, target):
    member = TarInfo(name)
    member.type, member.linkname = SYMTYPE, target
    return member, b""


@pytest.mark.parametrize(
    "member",
    [
        (TarInfo("../escape"), b"x"),
        (TarInfo("cifar-100-python/../../escape"), b"x"),
        (TarInfo("/escape"), b"x"),
        (TarInfo("elsewhere/file"), b"x"),
        link("cifar-100-python/link", "/etc/passwd"),
        link("cifar-100-python/link", "../../escape"),
        link("cifar-100-python", ".."),
    ],
    ids=lambda member: f"{member[0].name} {member[0].linkname}",
)
def test_nothing_is_unpacked_elsewhere(tmp_path, folder, member):
    """Even by an archive of the right checksum."""
    folder.mkdir()
    path = archive(tmp_path / NAME, cifar100_files(2, 2), member)
    before = set(tmp_path.rglob("*"))
    with suppress(FilterError):
        unpack(path, "cifar-100-python", folder)
    where = folder / "cifar-100-python"
    names = {where} | {where / name for name in ("train", "test", "meta")}
    assert set(tmp_path.rglob("*")) - before in (set(), names)
    assert not Path("/escape").exists()


# The command ----------------------------------------------------------------------------------------------------------


def test_command(files, folder, monkeypatch, capsys):
    monkeypatch.setitem(FETCHABLE, "cifar100", files)
    assert main(["data", "fetch", "cifar100", "--data", str(folder)]) == 0
    assert_complete(folder)
    assert capsys.readouterr().err == f"unpacked {folder / 'cifar-100-python'} from {folder / NAME}\n"


def test_command_without_network_says_what_to_put_where(server, files, folder, monkeypatch, capsys):
    monkeypatch.setitem(FETCHABLE, "cifar100", files)
    server.shutdown()
    server.server_close()
    assert main(["data", "fetch", "cifar100", "--data", str(folder)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"put or unpack the official {NAME} (md5 {files.download.md5}) into" in line
    assert line.endswith(f"into {folder}\n")


def test_command_for_what_cannot_be_downloaded(folder, capsys):
    assert main(["data", "fetch", "imagenet16-120", "--data", str(folder)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "files train_data_batch_1 to train_data_batch_10 and val_data into" in line


def test_official_checksums_are_of_the_official_addresses():
    for name in ("cifar10", "cifar100"):
        download = FETCHABLE[name].download
        assert download.url == f"https://www.cs.toronto.edu/~kriz/{download.file}"
        assert re.fullmatch("[0-9a-f]{32}", download.md5)
    assert "digits" not in FETCHABLE
