"""Files are replaced whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
import stat as modes
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from polymod.errors import (
    PolymodError,
    WriteFailed,
)
from polymod.hosts.base import Edit, Host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from polymod.hosts.offline import OfflineHost


# -- edits ------------------------------------------------------------------


def test_an_edit_keeps_the_mode_and_the_owner(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    if os.getuid() == 0:
        os.chown(path, 1234, 4321)
    before = path.stat()
    host.write([Edit("file", b"new", mode=0o777), Edit("fresh", b"new", mode=0o600)])
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert modes.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["file", "fresh"]


def test_an_edit_without_content_removes(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    host.write([Edit("file", None), Edit("never-there", None)])
    assert os.listdir(tmp_path) == []


def test_no_edit_is_made_where_one_cannot_be(host: Host, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").write_bytes(b"old")
    (tmp_path / "c").write_bytes(b"old")
    edits = [Edit("a", b"new"), Edit("b", None), Edit("c/below", b"new")]
    with pytest.raises(WriteFailed):
        host.write(edits)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "b").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_directories_that_are_missing_are_made(host: Host, tmp_path: Path) -> None:
    host.write([Edit("one/two/file", b"new"), Edit("one/two/other", b"new")])
    assert (tmp_path / "one" / "two" / "file").read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path / "one" / "two")) == ["file", "other"]


def test_a_directory_is_not_replaced(host: Host, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    with pytest.raises(PolymodError):
        host.write([Edit("dir", b"new")])
    assert os.listdir(tmp_path) == ["dir"]
    assert (tmp_path / "dir").is_dir()


def test_an_edit_below_a_root_stays_inside(image: tuple[OfflineHost, Path]) -> None:
    host, root = image
    (root / "lib" / "link").symlink_to("/etc")
    host.write([Edit("/lib/link/inside", b"changed"), Edit("/../../new", b"new")])
    assert (root / "etc" / "inside").read_bytes() == b"changed"
    assert (root / "new").read_bytes() == b"new"
    assert (root.parent / "etc" / "inside").read_bytes() == b"OUTSIDE"


WRITE = """
import os, resource, signal, sys
sys.dont_write_bytecode = True  # under a file size limit it would be cut short
from polymod.errors import PolymodError
from polymod.hosts.base import Edit
from polymod.hosts.local import LocalHost
how, path = sys.argv[1:]
if how == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
elif how == "killed":
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
try:
    LocalHost().write([Edit(path, b"new" * 1000)])
except PolymodError as error:
    print(error.code)
"""


def _write_in_a_process(
    how: str, path: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITE, how, str(path)],
        capture_output=True,
        text=True,
        env=dict(env),
        check=False,
    )


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, polymod_env: Mapping[str, str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = _write_in_a_process("full", path, polymod_env)
    assert done.stdout == "write-failed\n", done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_process_killed_before_the_rename_leaves_the_old_file(
    tmp_path: Path, polymod_env: Mapping[str, str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    done = _write_in_a_process("killed", path, polymod_env)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    left = [name for name in os.listdir(tmp_path) if name != "file"]
    assert len(left) == 1  # the new file, whole, beside the old one
    assert (tmp_path / left[0]).read_bytes() == b"new" * 1000
