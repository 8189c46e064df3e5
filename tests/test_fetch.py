"""Fetching CIFAR, from servers on this machine that behave and servers that do not."""

import errno
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch.hub

from resnet_book import cifar, data
from resnet_book.cli import fetch
from resnet_book.cli.main import main

FOLDER = cifar.FORMATS["cifar10"].folder
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Server(ThreadingHTTPServer):
    """Sends the archive from /right, and nothing right from elsewhere; keeps what was asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.archive = archive
        self.asked: list[str] = []
        self.over = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some of these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        kind = self.path.strip("/")
        self.server.asked.append(kind)
        if kind == "silent":
            self.server.over.wait(10)
        body = HTML if kind in ("page", "missing", "busy") else self.server.archive
        self.send_response({"missing": 404, "busy": 503}.get(kind, 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:5000] if kind in ("broken", "stalled") else body)
        if kind == "stalled":
            self.wfile.flush()
            self.server.over.wait(10)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(small_cifar: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose archive holds the small CIFAR-10 as the official one is packed, and one file more than needed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        (small_cifar / FOLDER / "readme.html").write_bytes(HTML)
        tar.add(small_cifar / FOLDER, FOLDER)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 1.0)
    with Server(packed.getvalue()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        expect(monkeypatch, server, "right")
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def expect(monkeypatch: pytest.MonkeyPatch, server: Server, *mirrors: str) -> None:
    """Make the server's archive the official one of CIFAR-10, to be had from ``mirrors``."""
    urls = tuple(mirror if "/" in mirror else server.url(mirror) for mirror in mirrors)
    archive = fetch.Archive("small.tar.gz", hashlib.sha256(server.archive).hexdigest(), urls)
    monkeypatch.setitem(fetch.ARCHIVES, "cifar10", archive)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


def assert_complete(root: Path) -> None:
    """All files are there and right, and nothing else lies beside them."""
    assert [path.name for path in root.iterdir()] == [FOLDER]
    assert len(data.load("cifar10", "train", root)) + len(data.load("cifar10", "test", root)) == 24


# The right files, sooner or later


def test_a_fetched_dataset_loads_and_nothing_else_is_left(server: Server, root: Path):
    assert [(images.split, len(images)) for images in fetch.fetch("cifar10", root)] == [("train", 20), ("test", 4)]
    assert_complete(root)


def test_what_is_already_there_and_right_is_not_fetched_again(server: Server, small_cifar: Path):
    assert len(fetch.fetch("cifar10", str(small_cifar))) == 2
    assert server.asked == []


def test_damaged_files_are_replaced(server: Server, root: Path):
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / "data_batch_3.bin").write_bytes(b"short")
    fetch.fetch("cifar10", root)
    assert_complete(root)


def test_two_that_fetch_into_one_folder_do_not_disturb_each_other(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    download = torch.hub.download_url_to_file

    def after_another(*what: Any) -> None:
        monkeypatch.setattr(torch.hub, "download_url_to_file", download)
        fetch.fetch("cifar10", root)
        download(*what)

    monkeypatch.setattr(torch.hub, "download_url_to_file", after_another)
    fetch.fetch("cifar10", root)
    assert server.asked == ["right", "right"]
    assert_complete(root)


def test_an_archive_put_there_by_hand_is_used_without_a_request(server: Server, root: Path):
    root.mkdir()
    by_hand = root / "small.tar.gz"
    by_hand.write_bytes(server.archive)
    fetch.fetch("cifar10", root)
    assert server.asked == []
    by_hand.unlink()  # it was not ours to delete
    assert_complete(root)


def test_a_web_page_saved_under_the_name_of_the_archive_is_left_unused(
    server: Server, root: Path, capsys: pytest.CaptureFixture[str]
):
    root.mkdir()
    by_hand = root / "small.tar.gz"
    by_hand.write_bytes(HTML)
    fetch.fetch("cifar10", root)
    assert "small.tar.gz is left unused: expected SHA-256" in capsys.readouterr().err
    assert by_hand.read_bytes() == HTML


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("missing", "HTTP Error 404"),
        ("busy", "HTTP Error 503"),
        ("page", "invalid hash value"),
        ("broken", "invalid hash value"),
        ("silent", "timed out"),
        ("stalled", "timed out"),
        ("http://127.0.0.1:1/nobody", "refused"),
    ],
)
def test_after_a_mirror_that_does_not_help_the_next_one_is_used(
    server: Server,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bad: str,
    reason: str,
):
    expect(monkeypatch, server, bad, "right")
    fetch.fetch("cifar10", root)
    printed = capsys.readouterr().err
    assert 0 < printed.index(bad) < printed.index(reason) < printed.index(server.url("right"))
    assert_complete(root)


def test_when_no_mirror_helps_the_error_names_all_of_them_and_nothing_is_left(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, server, "page", "missing")
    with pytest.raises(cifar.DataError, match=r"could not be fetched: expected SHA-256") as caught:
        fetch.fetch("cifar10", root)
    message = str(caught.value)
    assert all(f"{server.url(mirror)}: " in message for mirror in ("page", "missing"))
    assert f"get small.tar.gz by other means, put it into {root}" in message
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
):
    shown = []
    download = torch.hub.download_url_to_file

    def watched(url: str, path: str, sha256: str, bar: bool) -> None:
        shown.append(bar)
        download(url, path, sha256, progress=False)

    monkeypatch.setattr(torch.hub, "download_url_to_file", watched)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    fetch.fetch("cifar10", root)
    assert shown == [terminal]


# Folders and disks that do not help


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a file on which nothing fits")
def test_a_full_disk_while_fetching_names_the_folder_and_asks_no_other_mirror(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def onto_full_disk(url: str, path: str, sha256: str, bar: bool) -> None:
        server.asked.append(url)
        with open("/dev/full", "wb") as file:
            file.write(b"x")

    monkeypatch.setattr(torch.hub, "download_url_to_file", onto_full_disk)
    expect(monkeypatch, server, "right", "right")
    with pytest.raises(cifar.DataError, match=r"No space left on device.*Make room, or choose another") as caught:
        fetch.fetch("cifar10", root)
    assert f"cifar10 cannot be put into {root}" in str(caught.value)
    assert len(server.asked) == 1
    assert list(root.iterdir()) == []


def test_a_full_disk_while_unpacking_leaves_the_files_that_were_there(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    damaged = root / FOLDER / "data_batch_1.bin"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"what was there")

    def stop_half_way(tar: tarfile.TarFile, path: Path, **safely: Any) -> None:
        tar.extract(f"{FOLDER}/data_batch_1.bin", path, **safely)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(tarfile.TarFile, "extractall", stop_half_way)
        with pytest.raises(cifar.DataError, match=r"No space left on device\. Make room"):
            fetch.fetch("cifar10", root)
    assert [str(path.relative_to(root)) for path in root.rglob("*")] == [FOLDER, f"{FOLDER}/data_batch_1.bin"]
    assert damaged.read_bytes() == b"what was there"
    fetch.fetch("cifar10", root)
    assert_complete(root)


@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize("place", ["fetched", f"fetched/{FOLDER}"])
def test_a_file_or_a_link_to_nothing_in_the_way_is_refused_before_anything_is_fetched(
    server: Server, root: Path, kind: str, place: str
):
    in_the_way = root.parent / place
    in_the_way.parent.mkdir(exist_ok=True)
    if kind == "file":
        in_the_way.touch()
    else:
        in_the_way.symlink_to("gone")
    with pytest.raises(cifar.DataError, match=f"{in_the_way} is a file, or a link to what is not there"):
        fetch.fetch("cifar10", root)
    assert server.asked == []


def test_a_folder_without_permission_is_an_error_that_says_what_to_do(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def forbid(path: Path, *arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbid)
    with pytest.raises(cifar.DataError, match=r"Permission denied .*Change the permissions .*--data"):
        fetch.fetch("cifar10", root)
    assert server.asked == []


def test_whoever_names_the_folder_of_the_files_itself_is_told_the_one_above(server: Server, root: Path):
    with pytest.raises(cifar.DataError, match=f"name the one above it, {root}$"):
        fetch.fetch("cifar10", root / FOLDER)
    assert server.asked == []


def test_a_folder_that_is_a_link_to_another_is_filled_there(server: Server, root: Path, tmp_path: Path):
    (tmp_path / "disk" / "here").mkdir(parents=True)
    root.mkdir()
    (root / FOLDER).symlink_to(tmp_path / "disk" / "here")
    fetch.fetch("cifar10", root)
    assert_complete(root)
    assert len(list((tmp_path / "disk" / "here").iterdir())) == 7


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'builtin' cannot be fetched: choose one of cifar10, cifar100"):
        fetch.fetch("builtin")


# The command line, and what is fetched from where


def test_the_data_command_fetches_and_checks(server: Server, root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "cifar10", "--data", str(root)]) == 0
    said = capsys.readouterr()
    assert said.out == "cifar10 train: 20 images, checksums right\ncifar10 test: 4 images, checksums right\n"
    assert said.err.startswith("Fetching small.tar.gz from http://127.0.0.1:")
    assert_complete(root)


def test_the_data_command_only_checks_when_told_so(server: Server, root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "--check", "--data", str(root)]) == 1
    assert "resnet-book data cifar10" in capsys.readouterr().err
    assert server.asked == []
    assert not root.exists()


def test_the_real_files_pass_the_check_of_the_data_command(cifar_root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "--check", "cifar10", "cifar100", "--data", str(cifar_root)]) == 0
    assert capsys.readouterr().out.count("checksums right") == 4


@pytest.mark.parametrize("name", cifar.FORMATS)
def test_every_dataset_has_several_mirrors_the_official_host_among_them(name: str):
    archive = fetch.ARCHIVES[name]
    hosts = [mirror.split("/")[2] for mirror in archive.mirrors]
    assert len(set(hosts)) >= 3
    assert f"https://www.cs.toronto.edu/~kriz/{archive.file_name}" in archive.mirrors
    assert all(mirror.startswith("https://") and mirror.endswith(f"/{archive.file_name}") for mirror in archive.mirrors)
