"""Which kernel's modules are meant when none is named, and what is said when there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.errors import ModuleNotFound
from polymod.hosts.base import Platform
from polymod.hosts.offline import OfflineHost
from polymod_linux.trees import KernelTree, find_tree, releases

if TYPE_CHECKING:
    from pathlib import Path


class Running(OfflineHost):
    """An image that runs a kernel."""

    def platform(self) -> Platform:
        return Platform("Linux", "6.1.0-2-amd64", "x86_64")


def root(path: Path, *directories: str) -> str:
    for directory in directories:
        (path / directory).mkdir(parents=True)
    return str(path)


def test_an_image_with_one_kernel_means_that_one(tmp_path: Path) -> None:
    host = OfflineHost(root(tmp_path, "lib/modules/6.1.0-1-amd64"))
    assert find_tree(host) == KernelTree("6.1.0-1-amd64", "/lib/modules/6.1.0-1-amd64")


def test_modules_below_usr_are_found_too(tmp_path: Path) -> None:
    host = OfflineHost(root(tmp_path, "usr/lib/modules/6.1.0-1-amd64"))
    assert find_tree(host).directory == "/usr/lib/modules/6.1.0-1-amd64"


def test_a_running_host_means_its_own_kernel(tmp_path: Path) -> None:
    host = Running(root(tmp_path, "lib/modules/6.1.0-1-amd64", "lib/modules/6.1.0-2-amd64"))
    assert find_tree(host).release == "6.1.0-2-amd64"
    assert find_tree(host, "6.1.0-1-amd64").release == "6.1.0-1-amd64"


@pytest.mark.parametrize("release", [None, "9.9", "..", ".", "", "a/b", "file"])
def test_otherwise_the_error_lists_the_kernels_there_are(
    tmp_path: Path, release: str | None
) -> None:
    host = OfflineHost(root(tmp_path, "lib/modules/6.1.0-1", "usr/lib/modules/6.1.0-2"))
    (tmp_path / "lib/modules/file").write_text("")
    with pytest.raises(ModuleNotFound) as caught:
        find_tree(host, release)
    assert caught.value.remedy == "choose among 6.1.0-1, 6.1.0-2"


def test_a_running_kernel_without_modules_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFound, match=r"the running kernel, 6\.1\.0-2-amd64"):
        find_tree(Running(root(tmp_path, "lib/modules")))


def test_a_root_without_any_kernel_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFound, match="no kernel's modules"):
        find_tree(OfflineHost(root(tmp_path, "lib/modules")))


def test_links_to_directories_count_and_others_do_not(tmp_path: Path) -> None:
    host = OfflineHost(root(tmp_path, "lib/modules", "opt/kernel"))
    (tmp_path / "lib/modules/linked").symlink_to("/opt/kernel")
    (tmp_path / "lib/modules/broken").symlink_to("/nowhere")
    assert releases(host) == ["linked"]
    assert find_tree(host).directory == "/lib/modules/linked"
