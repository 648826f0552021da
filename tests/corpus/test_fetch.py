"""Fetching the corpus, with stand-ins for apt and dpkg-deb: what is there, missing, newer."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

FETCH = Path(__file__).resolve().parent / "fetch.py"

_APT_GET = """#!/bin/sh
echo "apt-get $*" >> "$LOG"
case "$*" in
*update*) [ -z "$OFFLINE" ] || { echo "E: Could not connect" >&2; exit 100; } ;;
*download*) for last; do :; done; touch "${last}_1_all.deb" ;;
esac
"""
_APT_CACHE = """#!/bin/sh
[ -z "$NO_LISTS" ] || { echo "E: No packages found" >&2; exit 100; }
case "$*" in
*pkgnames*) printf '%s\\n' linux-image-6.1.0-9-amd64 linux-image-6.1.0-10-amd64 \\
    linux-image-6.12.8+deb12-amd64 linux-image-6.12.8+deb12-rt-amd64 \\
    linux-image-6.12.10+deb12-amd64-dbg linux-image-6.12.9+deb12-amd64 ;;
*linux-image-amd64) printf 'linux-image-amd64\\n  Depends: linux-image-6.1.0-10-amd64\\n' ;;
*linux-image-s390x) printf 'linux-image-s390x\\n  Depends: linux-image-6.1.0-10-s390x\\n' ;;
*) echo "E: No packages found" >&2; exit 100 ;;
esac
"""
_DPKG_DEB = """#!/bin/sh
mkdir -p "$3/lib/modules/x/kernel"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and stand-ins for the programs first on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("apt-get", _APT_GET), ("apt-cache", _APT_CACHE), ("dpkg-deb", _DPKG_DEB)):
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("POLYMOD_CORPORA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fetch(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(FETCH), *arguments], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def _trees(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("tree-*"))


def test_a_kernel_is_unpacked_and_its_archive_removed(cache: Path) -> None:
    assert _fetch("s390x")[0] == 0
    assert _trees(cache) == ["tree-linux-image-6.1.0-10-s390x_1_all"]
    assert (cache / "tree-linux-image-6.1.0-10-s390x_1_all/lib/modules/x/kernel").is_dir()
    assert [*cache.rglob("*.deb")] == []


def test_the_second_time_nothing_is_asked_for(cache: Path, tmp_path: Path) -> None:
    _fetch("s390x", "amd64")
    before = (tmp_path / "log").read_text()
    status, said = _fetch("s390x", "amd64")
    assert status == 0
    assert said.count("is there") == 2
    assert (tmp_path / "log").read_text() == before


def test_a_tree_that_was_removed_is_fetched_again(cache: Path) -> None:
    _fetch("s390x")
    (cache / "tree-linux-image-6.1.0-10-s390x_1_all").rename(cache / "elsewhere")
    assert "unpacked" in _fetch("s390x")[1]


def test_the_newer_kernel_is_the_newest_plain_one(cache: Path) -> None:
    assert _fetch("amd64-newer")[0] == 0
    assert _trees(cache) == ["tree-linux-image-6.12.9+deb12-amd64_1_all"]


def test_each_architecture_has_its_own_state_and_the_machine_s_is_left_alone(
    cache: Path, tmp_path: Path
) -> None:
    _fetch("s390x")
    for line in (tmp_path / "log").read_text().splitlines():
        assert f"-oDir::State={cache}/apt-s390x" in line
        assert f"-oDir::State::status={cache}/apt-s390x/status" in line
        assert f"-oDir::Cache={cache}/apt-s390x/cache" in line
        assert "-oAPT::Architecture=s390x" in line


def test_what_a_release_does_not_have_is_named_and_the_rest_is_fetched(cache: Path) -> None:
    status, said = _fetch()
    assert status == 1
    assert "i386: missing: this release has no linux-image-686-pae for i386" in said
    assert len(_trees(cache)) == 3  # amd64, s390x, and the newer one


def test_without_network_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFLINE", "1")
    monkeypatch.setenv("NO_LISTS", "1")
    status, said = _fetch("s390x")
    assert status == 1
    assert "s390x: missing: apt cannot fetch the package lists" in said
    assert "E: Could not connect" in said


def test_without_network_what_is_there_still_counts(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fetch("s390x")
    monkeypatch.setenv("OFFLINE", "1")
    assert _fetch("s390x")[0] == 0


def test_lists_that_are_partly_old_still_serve(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFLINE", "1")
    status, said = _fetch("s390x")
    assert status == 0
    assert "unpacked, though some package lists are old or missing" in said
    assert _trees(cache) == ["tree-linux-image-6.1.0-10-s390x_1_all"]
