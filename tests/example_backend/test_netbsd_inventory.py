"""The modules installed below /stand: which kernel, which names, which order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from polymod.backend import CERTAIN, LIKELY, Edge
from polymod.errors import DependencyCycle, ModuleNotFound, UsageError
from polymod.hosts.base import Platform
from polymod.hosts.offline import OfflineHost
from polymod.model.answers import Presence, Relation
from polymod_netbsd.backend import NetbsdBackend
from polymod_netbsd.inventory import NetbsdInventory, directory_version, trees

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "modules" / "netbsd" / "x86_64"
MakeRoot = Callable[..., OfflineHost]


class RunningHost(OfflineHost):
    """A root directory that says it runs: a machine in all but its processor."""

    def __init__(self, root: str, platform: Platform) -> None:
        super().__init__(root)
        self._platform = platform

    def platform(self) -> Platform | None:
        return self._platform


def install(root: Path, tree: str, *names: str) -> None:
    """Put samples where NetBSD has its modules; ``as=sample`` installs one under another name."""
    for name in names:
        stem, _, sample = name.partition("=")
        directory = root / "stand" / tree / "modules" / stem
        directory.mkdir(parents=True)
        shutil.copy(SAMPLES / f"{sample or stem}.kmod", directory / f"{stem}.kmod")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path, "amd64/10.0", "pmfs", "pm_disk", "pm_bus", "pm_old")
    return tmp_path


# -- whose host it is -------------------------------------------------------


def test_a_running_netbsd_is_claimed_with_certainty(tmp_path: Path) -> None:
    host = RunningHost(str(tmp_path), Platform("NetBSD", "10.1", "amd64"))
    claim = NetbsdBackend().claims(host)
    assert claim is not None
    assert claim.strength == CERTAIN


def test_another_running_system_is_not_claimed_even_with_such_a_directory(root: Path) -> None:
    host = RunningHost(str(root), Platform("Linux", "6.1.0", "x86_64"))
    assert NetbsdBackend().claims(host) is None


def test_a_root_with_modules_below_stand_is_claimed(root: Path) -> None:
    claim = NetbsdBackend().claims(OfflineHost(str(root)))
    assert claim is not None
    assert claim.strength == LIKELY
    assert "/stand/amd64/10.0/modules" in claim.reason


@pytest.mark.parametrize("path", ["stand", "stand/vmunix", "stand/current/mod/modules", "boot"])
def test_a_root_without_them_is_not_claimed(tmp_path: Path, path: str) -> None:
    (tmp_path / path).mkdir(parents=True)
    assert NetbsdBackend().claims(OfflineHost(str(tmp_path))) is None


# -- which kernel -----------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("10.0", "10.0"),
        ("10.1_STABLE", "10.1"),
        ("11.0_BETA", "11.0"),
        ("5.0.2", "5.0"),
        ("10.99.12", "10.99.12"),
    ],
)
def test_a_release_has_its_modules_in_the_directory_of(release: str, version: str) -> None:
    assert directory_version(release) == version


def test_the_running_kernel_is_found_by_release_and_machine(root: Path) -> None:
    install(root, "amd64/9.4", "pm_old")
    install(root, "amd64-xen/10.0", "pm_bus")
    host = RunningHost(str(root), Platform("NetBSD", "10.0_STABLE", "amd64"))
    assert len(trees(host)) == 3
    inventory = NetbsdInventory(host, None)
    assert inventory.release == "10.0"
    assert "pmfs" in inventory.names()


def test_an_image_with_one_kernel_needs_no_name_and_with_two_asks_for_one(root: Path) -> None:
    host = OfflineHost(str(root))
    assert NetbsdInventory(host, None).release == "10.0"
    install(root, "i386/10.0", "pm_bus")
    with pytest.raises(UsageError) as caught:
        NetbsdInventory(host, None)
    assert "i386/10.0" in str(caught.value)
    assert NetbsdInventory(host, "i386/10.0").names() == ("pm_bus",)


def test_a_kernel_that_is_not_there_is_told_with_those_that_are(root: Path) -> None:
    with pytest.raises(ModuleNotFound) as caught:
        NetbsdInventory(OfflineHost(str(root)), "7.0")
    assert "amd64/10.0" in (caught.value.remedy or "")


# -- names, files, edges ----------------------------------------------------


def test_a_directory_without_its_own_kmod_is_no_module(root: Path) -> None:
    (root / "stand/amd64/10.0/modules/docs").mkdir()
    (root / "stand/amd64/10.0/modules/note.txt").write_text("ours")
    inventory = NetbsdInventory(OfflineHost(str(root)), None)
    assert inventory.names() == ("pm_bus", "pm_disk", "pm_old", "pmfs")
    assert [module.name for module in inventory.files()] == ["pm_bus", "pm_disk", "pm_old", "pmfs"]


def test_a_module_is_found_by_name_and_an_alias_is_nothing_but_the_name(root: Path) -> None:
    inventory = NetbsdInventory(OfflineHost(str(root)), None)
    assert inventory.find("pmfs").path == "/stand/amd64/10.0/modules/pmfs/pmfs.kmod"
    assert [found.name for found in inventory.resolve("pmfs")] == ["pmfs"]
    assert inventory.resolve("pci:v00001AF4d*") == ()
    with pytest.raises(ModuleNotFound):
        inventory.find("PMFS")


def test_edges_are_the_required_modules_of_each_file(root: Path) -> None:
    assert NetbsdInventory(OfflineHost(str(root)), None).edges() == (
        Edge("pm_disk", "pm_bus", "module"),
        Edge("pm_old", "pm_not_there", "module"),
        Edge("pmfs", "pm_bus", "module"),
        Edge("pmfs", "pm_disk", "module"),
    )


# -- load order -------------------------------------------------------------


def test_what_is_required_comes_before_what_requires_it(root: Path) -> None:
    steps = NetbsdInventory(OfflineHost(str(root)), None).dependencies("pmfs")
    assert [(step.name, step.needed_by) for step in steps] == [
        ("pm_bus", ("pmfs", "pm_disk")),
        ("pm_disk", ("pmfs",)),
        ("pmfs", ()),
    ]
    assert [step.relation for step in steps] == [
        Relation.MODULE,
        Relation.MODULE,
        Relation.REQUESTED,
    ]


def test_a_path_is_taken_with_the_installed_modules_behind_it(root: Path) -> None:
    shutil.copy(SAMPLES / "pm_odd_list.kmod", root / "odd.kmod")
    steps = NetbsdInventory(OfflineHost(str(root)), None).dependencies("/odd.kmod")
    assert [step.name for step in steps] == ["pm_bus", "pm_disk", "pm_odd_list"]
    assert steps[-1].path == "/odd.kmod"


def test_a_required_module_without_a_file_may_be_in_the_kernel_and_is_told_so(root: Path) -> None:
    first, last = NetbsdInventory(OfflineHost(str(root)), None).dependencies("pm_old")
    assert (first.name, first.path, first.presence) == ("pm_not_there", None, Presence.MISSING)
    assert "built in" in first.gaps["path"].detail
    assert last.name == "pm_old"


def test_modules_that_require_each_other_are_a_cycle(tmp_path: Path) -> None:
    # pm_bus, as installed here, is a file that requires pm_bus and pm_disk
    install(tmp_path, "amd64/10.0", "pm_bus=pmfs", "pm_disk")
    inventory = NetbsdInventory(OfflineHost(str(tmp_path)), None)
    with pytest.raises(DependencyCycle) as caught:
        inventory.dependencies("pm_disk")
    assert caught.value.chain == ("pm_bus", "pm_bus")
