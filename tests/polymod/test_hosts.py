"""This machine and an offline root as hosts: odd files, links that lead out, edits that fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polymod.errors import (
    HostUnreachable,
    MalformedModule,
    ModuleNotFound,
    PermissionRefused,
    PolymodError,
    UnreadableFile,
    UsageError,
)
from polymod.hosts.base import DIRECTORY, FILE, LINK, OTHER, Host
from polymod.hosts.connect import open_host
from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import RunBounded


# -- what paths lead to -----------------------------------------------------


def test_types_are_told_apart(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "to-dir").symlink_to("dir")
    (tmp_path / "broken").symlink_to("nowhere")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(tmp_path / "socket"))
    listener.close()

    entries = {entry.name: entry.type for entry in host.list("./")}
    assert entries == {
        "file": FILE, "dir": DIRECTORY, "pipe": OTHER, "socket": OTHER,
        "to-file": LINK, "to-dir": LINK, "broken": LINK,
    }  # fmt: skip
    types = {name: found and found.type for name in entries for found in [host.stat(name)]}
    assert types == {
        "file": FILE, "dir": DIRECTORY, "pipe": OTHER, "socket": OTHER,
        "to-file": FILE, "to-dir": DIRECTORY, "broken": None,
    }  # fmt: skip
    found, same = host.stat("file"), host.stat("to-file")
    assert found is not None
    assert same is not None
    assert found.size == 5
    assert found.identity == same.identity


@pytest.mark.parametrize("name", ["pipe", "dir", "socket"])
def test_what_is_no_regular_file_is_not_opened(host: Host, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(tmp_path / "socket"))
    listener.close()
    for call in (host.open, host.read):
        with pytest.raises(UnreadableFile, match=r"is a (pipe|directory|socket), not a file"):
            call(name)


@pytest.mark.parametrize("host", [LocalHost(), OfflineHost("/")], ids=["local", "root"])
def test_a_device_is_not_touched(host: Host) -> None:
    with pytest.raises(UnreadableFile, match="is a character device"):
        host.open("/dev/zero")


def test_what_is_not_there(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in ("missing", "missing/below", "file/below"):
        assert host.stat(path) is None
        assert not host.exists(path)
        for call in (host.open, host.read, host.list):
            with pytest.raises(ModuleNotFound) as caught:
                call(path)
            assert caught.value.path == path


def test_a_path_with_a_nul_names_nothing(host: Host) -> None:
    for call in (host.open, host.read, host.list):
        with pytest.raises(ModuleNotFound):
            call("a\0b")


def test_a_name_too_long_is_a_typed_error(host: Host) -> None:
    for call in (host.open, host.read, host.list, host.stat):
        with pytest.raises(PolymodError):
            call("x" * 5000)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"new\nline.ko", id="a newline"),
        pytest.param(b"latin\xe9.ko", id="a byte that is no UTF-8"),
        pytest.param(b"esc\x1b[31m.ko", id="an escape sequence"),
        pytest.param(b" ", id="a blank"),
        pytest.param(b"-rf", id="a dash in front"),
    ],
)
def test_a_name_may_hold(host: Host, tmp_path: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(tmp_path), name), "wb") as stream:
        stream.write(b"content")
    (entry,) = host.list(".")
    assert os.fsencode(entry.name) == name
    assert host.read(entry.path) == b"content"
    with host.open(entry.path) as source:
        assert source.read(0, 7) == b"content"


def test_a_ring_of_links_is_a_typed_error(host: Host, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for call in (host.open, host.read, host.list, host.stat):
        with pytest.raises(UnreadableFile) as caught:
            call("a")
        assert caught.value.path == "a"


def test_batches_keep_the_order_and_the_errors(host: Host, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    read = host.read_many(["b", "missing", "a"])
    assert [*read] == ["b", "missing", "a"]
    assert (read["b"], read["a"]) == (b"2", b"1")
    assert isinstance(read["missing"], ModuleNotFound)
    opened = dict(host.open_many(["b", "missing"]))
    assert isinstance(opened["missing"], ModuleNotFound)
    source = opened["b"]
    assert not isinstance(source, PolymodError)
    assert source.read(0, 1) == b"2"
    source.close()


def test_a_read_stops_at_its_limit(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert host.read("file", 5) == b"12345"
    with pytest.raises(UnreadableFile, match="limit of 4"):
        host.read("file", 4)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a Linux /proc")
@pytest.mark.parametrize("host", [LocalHost(), OfflineHost("/")], ids=["local", "root"])
def test_a_file_of_proc_says_size_0_and_is_read_whole(host: Host) -> None:
    found = host.stat("/proc/version")
    assert found is not None
    assert found.size == 0
    assert host.read("/proc/version") == Path("/proc/version").read_bytes()
    with pytest.raises(UnreadableFile, match="limit of 3"):
        host.read("/proc/version", 3)


@pytest.mark.skipif(
    not Path("/sys/devices/system/cpu/online").exists(), reason="needs a Linux /sys"
)
@pytest.mark.parametrize("host", [LocalHost(), OfflineHost("/")], ids=["local", "root"])
def test_a_file_of_sys_says_a_page_and_holds_less(host: Host) -> None:
    path = "/sys/devices/system/cpu/online"
    found = host.stat(path)
    assert found is not None
    assert found.size > len(host.read(path))
    assert host.read(path) == Path(path).read_bytes()


def test_a_sparse_file_of_5_gb_costs_nothing(tmp_path: Path, run_bounded: RunBounded) -> None:
    path = tmp_path / "big.ko"
    with path.open("wb") as stream:
        stream.write(b"\x7fELF")
        stream.seek((5 << 30) - 4)
        stream.write(b"last")
    source = """
import sys
from polymod import limits
from polymod.errors import PolymodError
from polymod.hosts.local import LocalHost
import polymod
host, path = LocalHost(), sys.argv[1]
with host.open(path) as source:
    print(source.size, source.read((5 << 30) - 4, 4).decode())
for call in (host.read, polymod.inspect):
    try:
        call(path)
    except PolymodError as error:
        print(error.code)
print([item.code for item in polymod.scan(path, jobs=1)])
"""
    out = run_bounded(source, str(path), memory=400 << 20).splitlines()
    assert out == [f"{5 << 30} last", "unreadable", "not-a-module", "['not-a-module']"]


AS_NOBODY = """
import os, sys
import polymod
from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost
from polymod.hosts.base import Edit
from polymod.hosts import atomic
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
top = sys.argv[1]
for host, prefix in ((LocalHost(), top), (OfflineHost(top), "")):
    for call in (host.open, host.read, host.list, host.stat):
        for path in ("/secret", "/closed", "/closed/inner"):
            try:
                call(prefix + path)
                print(call.__name__, path, "fine")
            except polymod.PolymodError as error:
                print(call.__name__, path, error.code)
    try:
        host.write([Edit(prefix + "/new", b"x")])
    except polymod.PolymodError as error:
        print("write", error.code)
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def test_what_one_may_not_read_is_told_as_that(
    open_directory: Path, polymod_env: Mapping[str, str]
) -> None:
    secret, closed = open_directory / "secret", open_directory / "closed"
    secret.write_bytes(b"secret")
    closed.mkdir()
    (closed / "inner").write_bytes(b"")
    for path, mode in ((secret, 0), (closed, 0), (open_directory, 0o555)):
        path.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(open_directory)],
        capture_output=True,
        text=True,
        env=dict(polymod_env),
        check=False,
    )
    open_directory.chmod(0o755)
    closed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    refused = "permission-refused"
    expected = [
        f"open /secret {refused}", "open /closed unreadable", f"open /closed/inner {refused}",
        f"read /secret {refused}", "read /closed unreadable", f"read /closed/inner {refused}",
        "list /secret not-found", f"list /closed {refused}", f"list /closed/inner {refused}",
        "stat /secret fine", "stat /closed fine", f"stat /closed/inner {refused}",
        f"write {refused}",
    ]  # fmt: skip
    assert done.stdout.splitlines() == expected * 2


# -- programs ---------------------------------------------------------------


def test_a_program_runs_in_the_c_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    source = "import os,sys; sys.stdout.write(os.environ['LC_ALL'] + sys.stdin.read()); sys.exit(3)"
    done = LocalHost().run([sys.executable, "-c", source], stdin=b"; $(no shell)")
    assert (done.exit_status, done.stdout) == (3, b"C; $(no shell)")


def test_programs_fail_in_typed_ways(tmp_path: Path) -> None:
    host = LocalHost()
    with pytest.raises(ModuleNotFound):
        host.run(["/nonexistent/program"])
    with pytest.raises(HostUnreachable):
        host.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.2)
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(PermissionRefused):
        host.run([str(plain)])


# -- URLs -------------------------------------------------------------------


def test_urls_name_hosts(tmp_path: Path) -> None:
    assert isinstance(open_host("local:"), LocalHost)
    assert isinstance(open_host(f"root:{tmp_path}"), OfflineHost)


@pytest.mark.parametrize("url", ["local:here", "local", "", "gopher://x", "/some/path", ":"])
def test_what_is_no_url_of_a_host(url: str) -> None:
    with pytest.raises(UsageError):
        open_host(url)


def test_a_host_is_a_context() -> None:
    closed: list[Host] = []

    class Closing(LocalHost):
        def close(self) -> None:
            closed.append(self)

    with Closing() as host:
        assert closed == []
    assert closed == [host]


def test_a_missing_range_of_a_file_is_malformed(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with host.open("file") as source, pytest.raises(MalformedModule):
        source.read(3, 3)
