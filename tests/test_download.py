"""Fetching CIFAR, from servers on this machine that behave and servers that do not."""

import errno
import hashlib
import io
import re
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from resnet_book import data
from resnet_book.cli import download
from resnet_book.cli.main import main

LAYOUT = data.LAYOUTS["cifar10"]
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclass
class Mirror:
    """One address of the test server, and how it behaves."""

    body: bytes
    status: int = 200
    knows_ranges: bool = True
    breaks_after: list[int] = field(default_factory=list)  # bytes sent before the line breaks, for each next request
    stalls: float = 0  # seconds until it sends anything
    range_reply: str = ""  # a wrong Content-Range
    ranges: list[str | None] = field(default_factory=list)  # what was asked for, request by request


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mirrors: dict[str, Mirror] = {}

    def add(self, name: str, mirror: Mirror) -> str:
        self.mirrors[f"/{name}"] = mirror
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some of these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        mirror = self.server.mirrors[self.path]
        asked = self.headers["Range"]
        mirror.ranges.append(asked)
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and mirror.knows_ranges else 0
        status = 206 if begin else mirror.status
        if begin > 0 and begin >= len(mirror.body):
            status, begin = 416, len(mirror.body)
        time.sleep(mirror.stalls)
        body = mirror.body[begin:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            whole = f"bytes {begin}-{len(mirror.body) - 1}/{len(mirror.body)}"
            self.send_header("Content-Range", mirror.range_reply or whole)
        self.end_headers()
        self.wfile.write(body[: mirror.breaks_after.pop(0)] if mirror.breaks_after else body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def body(small_cifar: Path) -> bytes:
    """The archive of the small CIFAR-10, as the official one is packed: one folder, one file more than we need."""
    folder = small_cifar / LAYOUT.folder
    files = {f"{LAYOUT.folder}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    return pack({**files, f"{LAYOUT.folder}/readme.html": HTML})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "fetched"


def pack(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in others:
            tar.addfile(member)
    return packed.getvalue()


def expect(monkeypatch: pytest.MonkeyPatch, body: bytes, *mirrors: str) -> None:
    """Make ``body`` the official archive of CIFAR-10, to be had from ``mirrors``."""
    archive = download.Archive("small.tar.gz", len(body), hashlib.sha256(body).hexdigest(), mirrors)
    monkeypatch.setitem(download.ARCHIVES, "cifar10", archive)


def files_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def assert_complete(root: Path) -> None:
    """All files are there and right, and nothing else is."""
    names = [file.name for files in data.LAYOUTS["cifar10"].files.values() for file in files]
    assert files_in(root) == {LAYOUT.folder, *(f"{LAYOUT.folder}/{name}" for name in (*names, *LAYOUT.names_files))}
    assert len(data.load("cifar10", "train", root)) + len(data.load("cifar10", "test", root)) == 24


# The right file, sooner or later


def test_a_fetched_dataset_loads_and_nothing_else_is_left(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    assert download.fetch("cifar10", root) == root / LAYOUT.folder
    assert_complete(root)


def test_what_is_already_there_and_right_is_not_fetched_again(
    server: Server, body: bytes, small_cifar: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    mirror = Mirror(body)
    expect(monkeypatch, body, server.add("mirror", mirror))
    download.fetch("cifar10", small_cifar)
    assert mirror.ranges == []
    assert "nothing to do" in capsys.readouterr().out


def test_a_damaged_file_is_replaced_by_the_right_one(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    download.fetch("cifar10", root)
    (root / LAYOUT.folder / "data_batch_3.bin").write_bytes(b"short")
    download.fetch("cifar10", root)
    assert_complete(root)


def test_after_a_broken_connection_only_the_rest_is_asked_for(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror(body, breaks_after=[5000, 2000])
    expect(monkeypatch, body, server.add("mirror", mirror))
    download.fetch("cifar10", root)
    assert mirror.ranges == [None, "bytes=5000-", "bytes=7000-"]
    assert_complete(root)


def test_the_next_mirror_goes_on_where_the_one_before_broke(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = Mirror(body, breaks_after=[1000, 1000, 1000]), Mirror(body)
    expect(monkeypatch, body, server.add("first", first), server.add("second", second))
    download.fetch("cifar10", root)
    assert second.ranges == ["bytes=3000-"]
    assert_complete(root)


def test_the_next_call_goes_on_where_the_one_before_gave_up(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror(body, breaks_after=[1000, 1000, 1000])
    expect(monkeypatch, body, server.add("mirror", mirror))
    with pytest.raises(data.DataError, match=r"small\.tar\.gz\.part is kept: the same command goes on from there"):
        download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part"}
    download.fetch("cifar10", root)
    assert mirror.ranges[-1] == "bytes=3000-"
    assert_complete(root)


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror(body, knows_ranges=False, breaks_after=[5000])
    expect(monkeypatch, body, server.add("mirror", mirror))
    download.fetch("cifar10", root)
    assert mirror.ranges == [None, "bytes=5000-"]
    assert_complete(root)


def test_a_file_that_ends_before_our_part_makes_the_next_request_begin_again(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    short, right = Mirror(body[:100]), Mirror(body)
    expect(monkeypatch, body, server.add("short", short), server.add("right", right))
    root.mkdir()
    (root / "small.tar.gz.part").write_bytes(body[:200])
    download.fetch("cifar10", root)
    assert short.ranges[:2] == ["bytes=200-", None]
    assert_complete(root)


@pytest.mark.parametrize("extra", [b"", b"too long"])
def test_a_complete_part_is_checked_without_a_request(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, extra: bytes
):
    mirror = Mirror(body)
    expect(monkeypatch, body, server.add("mirror", mirror))
    root.mkdir()
    (root / "small.tar.gz.part").write_bytes(body + extra)
    download.fetch("cifar10", root)
    assert mirror.ranges == ([None] if extra else [])
    assert_complete(root)


def test_a_part_with_wrong_bytes_is_dropped_and_the_archive_fetched_whole(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror(body)
    expect(monkeypatch, body, server.add("mirror", mirror))
    root.mkdir()
    (root / "small.tar.gz.part").write_bytes(b"\x1f\x8b" + bytes(500))
    download.fetch("cifar10", root)
    assert mirror.ranges == ["bytes=502-", None]
    assert_complete(root)


def test_an_archive_put_there_by_hand_is_used_without_a_request(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror(body)
    expect(monkeypatch, body, server.add("mirror", mirror))
    root.mkdir()
    (root / "small.tar.gz").write_bytes(body)
    download.fetch("cifar10", root)
    assert mirror.ranges == []
    (root / "small.tar.gz").unlink()  # it was not ours to delete
    assert_complete(root)


def test_a_web_page_saved_under_the_name_of_the_archive_is_left_unused(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    root.mkdir()
    (root / "small.tar.gz").write_bytes(HTML)
    download.fetch("cifar10", root)
    assert "small.tar.gz is left unused: expected SHA-256" in capsys.readouterr().out
    assert (root / "small.tar.gz").read_bytes() == HTML


# Mirrors that do not help


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Mirror(b"no such file", status=404), "HTTP 404 Not Found"),
        (Mirror(b"busy", status=503), "HTTP 503 Service Unavailable"),
        (Mirror(HTML), "found a web page (HTML) that begins with b'<!DOCTYPE html>"),
        (Mirror(b"PK\3\4 a zip file"), "found something else that begins with b'PK"),
        (Mirror(b""), "the connection broke after 0 of"),
        (Mirror(b"\x1f\x8b" + bytes(100_000)), "wrong checksum: expected"),
        (Mirror(b"", stalls=1), "timed out"),
    ],
)
def test_after_a_mirror_that_does_not_help_the_next_one_is_used_and_both_are_named(
    server: Server,
    body: bytes,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bad: Mirror,
    reason: str,
):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.3)
    first, second = server.add("first", replace(bad, ranges=[])), server.add("second", Mirror(body))
    expect(monkeypatch, body, first, second)
    download.fetch("cifar10", root)
    printed = capsys.readouterr().out
    assert 0 < printed.index(f"from {first}") < printed.index(reason) < printed.index(f"from {second}")
    assert_complete(root)


def test_a_mirror_that_nobody_runs_is_passed_over(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    expect(monkeypatch, body, "http://127.0.0.1:1/none", server.add("mirror", Mirror(body)))
    download.fetch("cifar10", root)
    assert "no connection" in capsys.readouterr().out
    assert_complete(root)


def test_a_mirror_that_answers_with_another_range_is_refused(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    confused = Mirror(body, breaks_after=[1000], range_reply="bytes 7-8/9")
    expect(monkeypatch, body, server.add("confused", confused), server.add("mirror", Mirror(body)))
    download.fetch("cifar10", root)
    assert "asked for the bytes from 1,000 on, found 'bytes 7-8/9'" in capsys.readouterr().out
    assert_complete(root)


@pytest.mark.parametrize(("wrong", "reason"), [(HTML, "web page"), (b"\x1f\x8b" + bytes(9_000), "wrong checksum")])
def test_when_no_mirror_helps_the_error_names_all_of_them_and_nothing_is_left(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, wrong: bytes, reason: str
):
    wrong = wrong if wrong == HTML else wrong + bytes(len(body))
    mirrors = [server.add(name, Mirror(wrong)) for name in ("first", "second")]
    expect(monkeypatch, body, *mirrors)
    with pytest.raises(data.DataError) as caught:
        download.fetch("cifar10", root)
    message = str(caught.value)
    assert all(f"{mirror}: " in message for mirror in mirrors)
    assert reason in message
    assert f"{root / 'small.tar.gz'} could not be fetched: expected {len(body):,} bytes" in message
    assert files_in(root) == set()


def test_a_server_that_sends_far_too_much_is_cut_short(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(b"\x1f\x8b" + bytes(20_000_000))))
    with pytest.raises(data.DataError, match="wrong checksum") as caught:
        download.fetch("cifar10", root)
    found = re.search(r"found ([\d,]+) with", str(caught.value))
    assert found is not None
    assert int(found[1].replace(",", "")) <= len(body) + download.CHUNK_BYTES


def test_the_progress_bar_begins_where_the_part_ends(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    bars = []

    class Bar(download.tqdm):  # type: ignore[type-arg]
        def __init__(self, **options: Any) -> None:
            bars.append(options)
            super().__init__(**options)

    monkeypatch.setattr(download, "tqdm", Bar)
    expect(monkeypatch, body, server.add("mirror", Mirror(body, breaks_after=[5000])))
    download.fetch("cifar10", root, progress=False)
    assert [(bar["initial"], bar["total"], bar["disable"]) for bar in bars] == [
        (0, len(body), True),
        (5000, len(body), True),
    ]


# Archives that are not what they should be, though their checksum is the expected one


def outside(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


BATCH = f"{LAYOUT.folder}/test_batch.bin"


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (outside("../evil"), r"member '\.\./evil' points outside"),
        (outside(f"{LAYOUT.folder}/../../evil"), "points outside"),
        (outside("/tmp/evil"), "member '/tmp/evil' points outside"),
        (link(BATCH, tarfile.SYMTYPE, "/etc/passwd"), "expected a regular file, found a link"),
        (link(BATCH, tarfile.LNKTYPE, f"{LAYOUT.folder}/data_batch_1.bin"), "expected a regular file, found a link"),
        (tarfile.TarInfo(BATCH), r"test_batch\.bin: expected 12,292 bytes, found 0"),
    ],
)
def test_an_archive_with_a_member_that_does_not_belong_is_refused_and_nothing_unpacked(
    server: Server,
    small_cifar: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    member: tarfile.TarInfo,
    message: str,
):
    folder = small_cifar / LAYOUT.folder
    body = pack({f"{LAYOUT.folder}/{path.name}": path.read_bytes() for path in folder.iterdir()}, member)
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    with pytest.raises(data.DataError, match=message):
        download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part"}
    assert not (root.parent / "evil").exists()


def test_links_and_strange_files_that_nobody_asked_for_are_not_unpacked(
    server: Server, small_cifar: Path, root: Path, monkeypatch: pytest.MonkeyPatch
):
    files = {f"{LAYOUT.folder}/{path.name}": path.read_bytes() for path in (small_cifar / LAYOUT.folder).iterdir()}
    body = pack(files, link("elsewhere", tarfile.SYMTYPE, "/etc"), outside("elsewhere/evil"))
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    download.fetch("cifar10", root)
    assert_complete(root)


@pytest.mark.parametrize("missing", ["data_batch_4.bin", "batches.meta.txt"])
def test_a_missing_member_is_named_and_nothing_unpacked(
    server: Server, small_cifar: Path, root: Path, monkeypatch: pytest.MonkeyPatch, missing: str
):
    files = {f"{LAYOUT.folder}/{path.name}": path.read_bytes() for path in (small_cifar / LAYOUT.folder).iterdir()}
    del files[f"{LAYOUT.folder}/{missing}"]
    body = pack(files)
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    with pytest.raises(data.DataError, match=f"expected a member {LAYOUT.folder}/{missing}, found none"):
        download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part"}


def test_a_member_with_a_changed_byte_is_named_and_nothing_unpacked(
    server: Server, small_cifar: Path, root: Path, monkeypatch: pytest.MonkeyPatch
):
    files = {f"{LAYOUT.folder}/{path.name}": path.read_bytes() for path in (small_cifar / LAYOUT.folder).iterdir()}
    files[BATCH] = files[BATCH][:-1] + bytes([files[BATCH][-1] ^ 1])
    body = pack(files)
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    with pytest.raises(data.DataError, match=r"test_batch\.bin has the wrong checksum: expected SHA-256"):
        download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part"}


@pytest.mark.parametrize("cut", [40, 5000, -100])
def test_an_archive_that_ends_too_early_is_refused_and_nothing_unpacked(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, cut: int
):
    expect(monkeypatch, body[:cut], server.add("mirror", Mirror(body[:cut])))
    with pytest.raises(data.DataError, match=r"expected a tar\.gz archive, found"):
        download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part"}


def test_what_a_killed_run_left_of_the_unpacking_is_cleared_away(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    left = root / f"{LAYOUT.folder}.part"
    left.mkdir(parents=True)
    (left / "data_batch_1.bin").write_bytes(b"half")
    download.fetch("cifar10", root)
    assert_complete(root)


# Disks that do not help


def let_the_disk_fail(monkeypatch: pytest.MonkeyPatch, suffix: str, room: int, number: int, text: str) -> None:
    """Files whose name ends in ``suffix`` take only ``room`` bytes; then writing fails with the error of the system."""
    opened = Path.open

    class FullDisk(io.FileIO):
        def write(self, chunk: Any) -> int:
            if self.tell() + len(chunk) > room:
                super().write(chunk[: max(room - self.tell(), 0)])
                raise OSError(number, text)
            return super().write(chunk)

    def open_on_full_disk(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if path.name.endswith(suffix) and mode in ("wb", "ab"):
            if room == 0:
                raise OSError(number, text)
            return FullDisk(path, mode)
        return opened(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_on_full_disk)


def test_a_full_disk_while_fetching_is_an_error_that_leaves_nothing(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    let_the_disk_fail(monkeypatch, ".part", 5000, errno.ENOSPC, "No space left on device")
    with pytest.raises(data.DataError, match=r"small\.tar\.gz\.part cannot be written.*No space left.*Make room"):
        download.fetch("cifar10", root)
    assert files_in(root) == set()


def test_a_full_disk_while_unpacking_keeps_the_archive_and_leaves_the_files_that_were_there(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    damaged = root / LAYOUT.folder / "data_batch_1.bin"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"what was there")
    with monkeypatch.context() as full:
        let_the_disk_fail(full, "data_batch_3.bin", 5000, errno.ENOSPC, "No space left on device")
        with pytest.raises(data.DataError, match=r"data_batch_3\.bin cannot be written.*No space left.*Make room"):
            download.fetch("cifar10", root)
    assert files_in(root) == {"small.tar.gz.part", LAYOUT.folder, f"{LAYOUT.folder}/data_batch_1.bin"}
    assert damaged.read_bytes() == b"what was there"
    download.fetch("cifar10", root)
    assert_complete(root)


def test_a_folder_without_permission_is_an_error_that_says_what_to_do(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    let_the_disk_fail(monkeypatch, ".part", 0, errno.EACCES, "Permission denied")
    with pytest.raises(data.DataError, match=r"cannot be written.*Permission denied\. Change the permissions"):
        download.fetch("cifar10", root)
    assert files_in(root) == set()


def test_a_folder_that_cannot_be_made_is_an_error_and_what_is_there_stays(tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    with pytest.raises(data.DataError, match=r"file cannot be written.*Choose another folder with --data"):
        download.fetch("cifar10", in_the_way)
    assert in_the_way.read_text() == "not a folder"


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="'builtin' cannot be fetched: choose one of cifar10, cifar100"):
        download.fetch("builtin")


# The command line, and what is fetched from where


def test_the_data_command_fetches_and_checks(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    expect(monkeypatch, body, server.add("mirror", Mirror(body)))
    assert main(["data", "cifar10", "--data", str(root)]) == 0
    assert capsys.readouterr().out.endswith("cifar10 test: 4 images, checksums right\n")
    assert_complete(root)


def test_the_data_command_fails_with_one_message_when_no_mirror_helps(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    expect(monkeypatch, body, server.add("mirror", Mirror(HTML)))
    assert main(["data", "--data", str(root)]) == 1
    assert capsys.readouterr().err.startswith(f"resnet-book: {root / 'small.tar.gz'} could not be fetched")


def test_the_data_command_only_checks_when_told_so(
    server: Server, body: bytes, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    mirror = Mirror(body)
    expect(monkeypatch, body, server.add("mirror", mirror))
    assert main(["data", "--check", "--data", str(root)]) == 1
    assert "resnet-book data cifar10" in capsys.readouterr().err
    assert mirror.ranges == []
    assert not root.exists()


def test_the_real_files_pass_the_check_of_the_data_command(cifar_root: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "--check", "cifar10", "cifar100", "--data", str(cifar_root)]) == 0
    assert capsys.readouterr().out.count("checksums right") == 4


@pytest.mark.parametrize("name", data.LAYOUTS)
def test_every_dataset_has_several_mirrors_the_official_host_among_them(name: str):
    archive = download.ARCHIVES[name]
    hosts = [mirror.split("/")[2] for mirror in archive.mirrors]
    assert len(set(hosts)) >= 3
    assert f"https://www.cs.toronto.edu/~kriz/{archive.file_name}" in archive.mirrors
    assert all(mirror.startswith("https://") and mirror.endswith(f"/{archive.file_name}") for mirror in archive.mirrors)
