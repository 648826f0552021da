"""A recorded host answers as the real one did, says what it was not asked, and trusts nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat as modes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polymod import limits
from polymod.errors import (
    HostUnreachable,
    MalformedModule,
    ModuleNotFound,
    PolymodError,
    UnsupportedOperation,
    WriteFailed,
)
from polymod.hosts.base import Edit
from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost
from polymod.hosts.record import RecordingHost
from polymod.hosts.replay import ReplayHost
from polymod.source import ByteSource, BytesSource
from tests.conftest import DATA, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from polymod.hosts.base import Host
    from tests.conftest import RunPolymod


def _ask(call: Callable[[], object]) -> object:
    """An answer, or what an error says, in a form that compares."""
    try:
        return call()
    except PolymodError as error:
        kept = {key: value for key, value in error.__dict__.items() if value is not None}
        return type(error).__name__, str(error), kept


def _same(real: Host, file: Path, questions: list[Callable[[Host], object]]) -> None:
    with RecordingHost(real, str(file)) as recording:
        told = [_ask(lambda ask=ask: ask(recording)) for ask in questions]  # type: ignore[misc]
    replay = ReplayHost(str(file))
    assert replay.url == real.url
    assert [_ask(lambda ask=ask: ask(replay)) for ask in questions] == told  # type: ignore[misc]
    assert [_ask(lambda ask=ask: ask(real)) for ask in questions] == told  # type: ignore[misc]


def _whole(host: Host, path: str) -> bytes:
    with host.open(path) as source:
        return source.read(0, source.size)


# -- the same answers -------------------------------------------------------


def test_every_kind_of_answer_comes_back(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "text").write_text("plain\ttext\r\nÄ\n")
    (root / "bytes").write_bytes(bytes(range(256)) * 100)
    (root / "control").write_bytes(b"\x1b[31m")
    (root / "empty").write_bytes(b"")
    (root / "dir").mkdir()
    (root / "link").symlink_to("text")
    (root / "broken").symlink_to("nowhere")
    (root / "ring").symlink_to("ring")
    (root / os.fsdecode(b"n\xe9w\nline")).write_bytes(b"odd name")
    paths = ["", *(f"/{name}" for name in os.listdir(root)), "/missing", "/text/below"]
    questions: list[Callable[[Host], object]] = [lambda host: host.platform()]
    for path in paths:
        questions += [
            lambda host, path=path: host.stat(path),  # type: ignore[misc]
            lambda host, path=path: host.list(path),  # type: ignore[misc]
            lambda host, path=path: host.read(path),  # type: ignore[misc]
            lambda host, path=path: _whole(host, path),  # type: ignore[misc]
            lambda host, path=path: host.exists(path),  # type: ignore[misc]
        ]
    questions += [
        lambda host: [*host.walk("/", ordered=True)],
        lambda host: [*host.walk("/", follow=True)],
        lambda host: host.read("/text", 3),
    ]
    _same(OfflineHost(str(root)), tmp_path / "t.json", questions)


def test_batches_come_back_as_batches(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    paths = [str(tmp_path / "missing"), str(tmp_path / "a")]
    file = tmp_path / "t.json"

    def opened(host: Host) -> list[object]:
        found: list[object] = []
        for path, answer in host.open_many(paths):
            if isinstance(answer, PolymodError):
                found.append((path, str(answer)))
            else:
                with answer:
                    found.append((path, answer.read(0, 1)))
        return found

    def read(host: Host) -> list[object]:
        return [(path, str(answer)) for path, answer in host.read_many(paths).items()]

    _same(LocalHost(), file, [opened, read])


def test_programs_come_back_in_the_order_they_ran(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_bytes(b"")
    source = (
        "import sys; f = open(sys.argv[1], 'a+'); f.write('x'); f.seek(0);"
        "sys.stdout.write(f.read() + sys.stdin.read()); sys.exit(3)"
    )
    argv = [sys.executable, "-c", source, str(count)]
    file = tmp_path / "t.json"
    with RecordingHost(LocalHost(), str(file)) as host:
        first, second = host.run(argv), host.run(argv)
        other = host.run(argv, stdin=b"\xff")
        with pytest.raises(ModuleNotFound):
            host.run(["/nonexistent"])
    replay = ReplayHost(str(file))
    assert (first.stdout, second.stdout, other.stdout) == (b"x", b"xx", b"xxx\xff")
    assert replay.run(argv) == first
    assert replay.run(argv, stdin=b"\xff") == other
    assert replay.run(argv) == second
    assert replay.run(argv) == second  # the last answer stays
    with pytest.raises(ModuleNotFound):
        replay.run(["/nonexistent"])
    with pytest.raises(HostUnreachable, match="running rm -rf was not recorded"):
        replay.run(["rm", "-rf"])


def test_only_the_ranges_that_were_read_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as stream:
        stream.write(b"start")
        stream.seek(5 << 30)
        stream.write(b"middle")
        stream.truncate(6 << 30)
    file = tmp_path / "t.json"
    with RecordingHost(LocalHost(), str(file)) as host:
        with host.open(str(path)) as source:
            assert source.read(0, 5) == b"start"
            assert source.read(5 << 30, 6) == b"middle"
            assert source.read((5 << 30) + 3, 100)[:3] == b"dle"
        with host.open(str(path)) as source:
            source.read(3, 4)
    assert file.stat().st_size < 2000
    kept = json.loads(file.read_text())["files"][str(path)]
    assert kept["size"] == 6 << 30
    assert [part[0] for part in kept["parts"]] == [0, 5 << 30]
    with ReplayHost(str(file)).open(str(path)) as source:
        assert source.size == 6 << 30
        assert source.read(1, 6) == b"tart\0\0"  # two reads, joined
        assert source.read((5 << 30) + 1, 50)[:5] == b"iddle"
        for offset, size in ((0, 8), (100, 1), ((5 << 30) - 1, 2)):
            with pytest.raises(HostUnreachable, match=r"bytes \d+ to \d+ were not recorded"):
                source.read(offset, size)


def test_a_file_that_ends_early_or_cannot_be_read_does_so_again(tmp_path: Path) -> None:
    class Failing(ByteSource):
        def _fetch(self, offset: int, size: int) -> bytes:
            if offset >= 100:
                raise MalformedModule("cannot be read: bad disk", path=self.path, offset=offset)
            return b"0123456789"[offset : offset + size]

    class Host1(LocalHost):
        def open(self, path: str) -> ByteSource:
            return Failing(path, 1000)

    def use(host: Host) -> list[object]:
        with host.open("/f") as source:
            return [
                _ask(lambda: source.read(2, 3)),
                _ask(lambda: source.read(5, 20)),
                _ask(lambda: source.read(50, 1)),
                _ask(lambda: source.read(100, 7)),
            ]

    _same(Host1(), tmp_path / "t.json", [use])


def test_a_file_of_proc_keeps_its_size_and_its_content(tmp_path: Path) -> None:
    path = "/proc/version"
    if not Path(path).exists():
        path = str(tmp_path / "empty")
        Path(path).write_bytes(b"")
    _same(LocalHost(), tmp_path / "t.json", [lambda h: h.read(path), lambda h: h.open(path).size])


def test_the_first_answer_is_kept_and_an_error_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = tmp_path / "t.json"
    with RecordingHost(LocalHost(), str(file)) as host:
        with pytest.raises(ModuleNotFound):
            host.read(str(path))
        path.write_bytes(b"first")
        host.read(str(path))
        path.write_bytes(b"second")
        host.read(str(path))
    assert ReplayHost(str(file)).read(str(path)) == b"first"


def test_a_write_goes_through_and_is_not_replayed(tmp_path: Path) -> None:
    file, path = tmp_path / "t.json", tmp_path / "new"
    with RecordingHost(LocalHost(), str(file)) as host:
        host.write([Edit(str(path), b"new")])
    assert path.read_bytes() == b"new"
    with pytest.raises(UnsupportedOperation):
        ReplayHost(str(file)).write([Edit(str(path), b"again")])
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        pytest.param(lambda h: h.platform(), "the running system", id="the platform"),
        pytest.param(lambda h: h.stat("/p"), "what /p is", id="a stat"),
        pytest.param(lambda h: h.exists("/p"), "what /p is", id="whether it exists"),
        pytest.param(lambda h: h.list("/p"), "the names in /p", id="a directory"),
        pytest.param(lambda h: h.open("/p"), "the file /p", id="a file"),
        pytest.param(lambda h: h.read("/p"), "the content of /p", id="a content"),
        pytest.param(lambda h: h.run(["ls", "/p"]), "running ls /p", id="a program"),
    ],
)
def test_unknown_is_not_told_as_missing(
    tmp_path: Path, ask: Callable[[Host], object], what: str
) -> None:
    file = tmp_path / "t.json"
    RecordingHost(LocalHost(), str(file)).close()
    with pytest.raises(HostUnreachable, match=f"{what} was not recorded"):
        ask(ReplayHost(str(file)))


# -- the file ---------------------------------------------------------------


def test_a_transcript_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text("old")
    file.chmod(0o644)
    host = RecordingHost(LocalHost(), str(file))
    host.stat("/")
    assert file.read_text() == "old"
    host.close()
    assert modes.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["t.json"]
    first = file.read_bytes()
    file.unlink()
    host.close()  # a second close does nothing
    assert not file.exists()
    assert json.loads(first)["schema"] == "polymod-transcript/1"
    first.decode("ascii")


def test_a_transcript_goes_where_it_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    host = RecordingHost(LocalHost(), "t.json")
    monkeypatch.chdir("/")
    host.close()
    assert (tmp_path / "t.json").exists()


def test_a_device_a_link_or_a_directory_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("dir", "link", "pipe", "missing/t.json", "/dev/null"):
        with pytest.raises(WriteFailed):
            RecordingHost(LocalHost(), str(tmp_path / name))


def test_too_much_is_refused_at_the_end_and_answered_till_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRANSCRIPT", 10_000)
    (tmp_path / "f").write_bytes(bytes(6000))
    host = RecordingHost(LocalHost(), str(tmp_path / "t.json"))
    assert _whole(host, str(tmp_path / "f")) == bytes(6000)
    assert host.read(str(tmp_path / "f")) == bytes(6000)
    with pytest.raises(UnsupportedOperation, match="transcript of more than 10000 bytes"):
        host.close()
    assert os.listdir(tmp_path) == ["f"]


# -- the command line -------------------------------------------------------

LINUX = ["--root", str(DATA / "roots" / "linux-basic")]
REQUESTS: dict[str, list[str]] = {
    "inspect of every sample": ["inspect", *map(str, sorted(SAMPLES.glob("*/*"))), "/missing"],
    "inspect with symbols and hashes": [
        "inspect", "--symbols", "--hash", "sha256", *map(str, sorted(SAMPLES.glob("x86_64/*"))),
    ],
    "inspect of odd files": ["inspect", "/dev/null", "/", "/etc/passwd/x"],
    "inspect of one that is missing": ["inspect", "/missing.ko"],
    "scan": ["scan", str(SAMPLES)],
    "scan by many processes": ["scan", "--jobs", "7", str(SAMPLES), "/missing"],
    "scan of an offline root": [*LINUX, "scan", "/lib"],
    "deps": [*LINUX, "deps", "pm_vpn", "pmfs", "nothing"],
    "resolve": [*LINUX, "resolve", "usb:v1D6Bp0002", "fs-pmfs", "nothing"],
    "index --check": [*LINUX, "index", "--check"],
}  # fmt: skip


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_replay_gives_the_same_bytes(
    run_polymod: RunPolymod, tmp_path: Path, request_: list[str], form: str
) -> None:
    file = tmp_path / "t.json"
    first = run_polymod("--record", file, "--output", form, *request_)
    without = [word for word in request_ if word not in LINUX]
    again = run_polymod("--host", f"replay:{file}", "--output", form, *without)
    plain = run_polymod("--output", form, *request_)
    assert (again.stdout, again.stderr, again.returncode) == (
        first.stdout,
        first.stderr,
        first.returncode,
    )
    assert (plain.stdout, plain.stderr, plain.returncode) == (
        first.stdout,
        first.stderr,
        first.returncode,
    )


def test_a_replay_needs_nothing_of_what_was_recorded(
    run_polymod: RunPolymod, tmp_path: Path
) -> None:
    copy = tmp_path / "modules"
    shutil.copytree(SAMPLES / "x86_64", copy)
    file = tmp_path / "t.json"
    first = run_polymod("scan", copy, "--record", file, "-o", "ndjson")
    shutil.rmtree(copy)
    again = run_polymod("scan", copy, "--host", f"replay:{file}", "-o", "ndjson")
    assert first.stdout.count(b'"kind": "module_file"') > 30
    assert again.stdout == first.stdout


def test_what_a_replay_was_not_asked_is_told_as_an_error(
    run_polymod: RunPolymod, tmp_path: Path
) -> None:
    file = tmp_path / "t.json"
    sample = SAMPLES / "x86_64" / "pm_core.ko"
    run_polymod("--record", file, "inspect", sample, status=0)
    done = run_polymod("--host", f"replay:{file}", "inspect", SAMPLES / "x86_64/pm_net.ko")
    assert done.returncode == 3
    assert b"was not recorded" in done.stderr
    done = run_polymod("--host", f"replay:{file}", "inspect", sample, "--hash", "md5", "-o", "json")
    (error,) = json.loads(done.stdout)["errors"]
    assert error["code"] == "host-unreachable"


def test_a_source_in_memory_can_be_recorded(tmp_path: Path) -> None:
    class InMemory(LocalHost):
        def open(self, path: str) -> ByteSource:
            return BytesSource(b"content", path)

    file = tmp_path / "t.json"
    with RecordingHost(InMemory(), str(file)) as host, host.open("/m") as source:
        assert source.head(64) == b"content"
    with ReplayHost(str(file)).open("/m") as source:
        assert source.head(64) == b"content"
        assert source.read(0, 7) == b"content"
        with pytest.raises(MalformedModule):
            source.read(0, 8)
