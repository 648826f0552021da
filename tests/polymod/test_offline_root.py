"""A directory as the root of another machine: nothing leads out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.errors import (
    ModuleNotFound,
    UnreadableFile,
    UnsupportedOperation,
)
from polymod.hosts.base import FILE, LINK
from polymod.hosts.offline import OfflineHost

if TYPE_CHECKING:
    from pathlib import Path

# -- an offline root --------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param("/etc/inside", "/lib/link", id="an absolute link"),
        pytest.param("../etc/inside", "/lib/link", id="a link up and down"),
        pytest.param("../../../../../../etc/inside", "/lib/link", id="a link above the root"),
        pytest.param("/../../etc/inside", "/lib/link", id="an absolute link above the root"),
        pytest.param("//etc//./inside", "/lib/link", id="a link with empty names"),
        pytest.param("/etc", "/lib/link/inside", id="an absolute link to a directory"),
        pytest.param("../../etc", "/lib/link/inside", id="a directory link above the root"),
        pytest.param("/", "/lib/link/etc/inside", id="a link to the root"),
        pytest.param("/", "/lib/link/../etc/inside", id="up from a link to the root"),
        pytest.param("/etc", "/lib/link/../etc/inside", id="up from a link means its target's"),
    ],
)
def test_a_link_stays_inside(image: tuple[OfflineHost, Path], target: str, path: str) -> None:
    host, root = image
    (root / "lib" / "link").symlink_to(target)
    assert host.read(path) == b"inside"
    found = host.stat(path)
    assert found is not None
    assert found.size == len(b"inside")


@pytest.mark.parametrize(
    "path",
    ["/../outside", "../outside", "/etc/../../outside", "/lib/modules/../../../outside"],
)
def test_dots_end_at_the_root(image: tuple[OfflineHost, Path], path: str) -> None:
    host, root = image
    assert host.stat(path) is None
    (root / "outside").write_bytes(b"inside")
    assert host.read(path) == b"inside"


@pytest.mark.parametrize("depth", [1, 2])
def test_an_absolute_link_to_what_only_this_machine_has_is_broken(
    image: tuple[OfflineHost, Path], depth: int
) -> None:
    host, root = image
    (root / "lib" / "link").symlink_to(root.parent / "outside")
    path = "/lib/link"
    if depth == 2:
        (root / "lib" / "second").symlink_to("/lib/link")
        path = "/lib/second"
    assert host.stat(path) is None
    with pytest.raises(ModuleNotFound):
        host.open(path)


def test_a_listing_through_a_link_is_that_of_the_image(image: tuple[OfflineHost, Path]) -> None:
    host, root = image
    (root / "lib" / "link").symlink_to("/etc")
    assert [(entry.name, entry.path) for entry in host.list("/lib/link")] == [
        ("inside", "/lib/link/inside")
    ]


def test_forty_links_are_followed_and_one_more_is_not(image: tuple[OfflineHost, Path]) -> None:
    host, root = image
    (root / "0").write_bytes(b"end")
    for number in range(1, 42):
        (root / str(number)).symlink_to(f"/{number - 1}")
    assert host.read("/40") == b"end"  # MAXSYMLINKS of linux include/linux/namei.h
    with pytest.raises(UnreadableFile, match="/41: too many symbolic links"):
        host.read("/41")


def test_links_that_multiply_end(image: tuple[OfflineHost, Path]) -> None:
    host, root = image
    (root / "a0").symlink_to("/")
    for number in range(1, 20):
        (root / f"a{number}").symlink_to("/".join([f"a{number - 1}"] * 10))
    with pytest.raises(UnreadableFile, match="too many symbolic links"):
        host.read("/a19/etc/inside")


def test_nothing_runs_below_a_root(image: tuple[OfflineHost, Path]) -> None:
    host, _ = image
    assert host.platform() is None
    with pytest.raises(UnsupportedOperation):
        host.run(["true"])


def test_a_root_that_is_no_directory_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("missing", "file"):
        with pytest.raises(ModuleNotFound):
            OfflineHost(str(tmp_path / name))


def test_a_walk_tells_every_file_once(image: tuple[OfflineHost, Path]) -> None:
    host, root = image
    (root / "lib" / "loop").symlink_to("/lib")
    (root / "lib" / "modules" / "m.ko").write_bytes(b"")
    plain = [(entry.path, entry.type) for entry in host.walk("/lib", ordered=True)]
    assert plain == [("/lib/loop", LINK), ("/lib/modules/m.ko", FILE)]
    followed = [entry.path for entry in host.walk("/lib", follow=True, ordered=True)]
    assert followed == ["/lib/modules/m.ko"]
