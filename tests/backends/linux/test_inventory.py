"""The inventory of the sample root; what it must answer is what kmod 30 prints for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from polymod.backend import Depth, Edge
from polymod.errors import DependencyCycle, DependencyMissing, ModuleNotFound
from polymod.hosts.offline import OfflineHost
from polymod.model.answers import Presence, Relation
from polymod.model.base import Origin, Why
from polymod.model.failures import ModuleError
from polymod.model.files import ModuleFile
from polymod_linux.computed import ComputedIndex
from polymod_linux.indexer import LinuxIndexer
from polymod_linux.inventory import LinuxInventory
from polymod_linux.stored import StoredIndex

if TYPE_CHECKING:
    from polymod.model.answers import DependencyStep

ROOTS = Path(__file__).parents[2] / "data" / "roots"
RELEASE = "6.1.0-pm"
TREE = f"/lib/modules/{RELEASE}"
PM = f"{TREE}/kernel/drivers/pm"


@pytest.fixture(scope="module")
def basic() -> LinuxInventory:
    return LinuxInventory(OfflineHost(str(ROOTS / "linux-basic")))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The sample root, to be changed."""
    shutil.copytree(ROOTS / "linux-basic", tmp_path / "root", symlinks=True)
    return tmp_path / "root"


def told(step: DependencyStep) -> str:
    text = step.command if step.command is not None else step.name
    return f"{text} {step.options}".strip()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "pm_vpn",
            [
                "pm_core debug=1     verbose=2",
                "pm_net debug=1",
                "pm_crc32",
                "pm_usb_a",
                "pm_vpn",
                "pm_core debug=1     verbose=2",
                "pm_snd",
            ],
        ),
        (
            "pm-top",
            [
                "pm_base dist=1",
                "pm_nls",
                "pm_left from=etc",
                "pm_right",
                "echo loading pm_top with $CMDLINE_OPTS",
            ],
        ),
        ("pm-card-7", ["pm_dash_name"]),
        ("pm_builtin", ["pm_builtin"]),
        ("crypto-pmlz", ["pm_lz"]),
        ("pm_never", ["/bin/false"]),
        ("usb:v1234p0002d1dc1dsc1dp1ic1isc1ip1in1", []),
        ("pm-old", ["pm_core debug=1     verbose=2"]),
    ],
)
def test_dependencies_are_what_modprobe_would_load(
    basic: LinuxInventory, name: str, expected: list[str]
) -> None:
    assert [told(step) for step in basic.dependencies(name)] == expected


def test_a_step_says_where_why_and_for_whom(basic: LinuxInventory) -> None:
    steps = {step.name: step for step in basic.dependencies("pm_vpn")}
    assert steps["pm_net"].path == f"{PM}/pm_net.ko"
    assert steps["pm_net"].relation is Relation.MODULE
    assert steps["pm_net"].needed_by == ("pm_vpn",)
    assert steps["pm_core"].needed_by == ("pm_net", "pm_snd")
    assert steps["pm_crc32"].relation is Relation.SOFT_PRE
    assert steps["pm_snd"].relation is Relation.SOFT_POST
    assert steps["pm_snd"].presence is Presence.LOADABLE
    assert steps["pm_vpn"].relation is Relation.REQUESTED
    assert steps["pm_vpn"].needed_by == ()
    assert {step.subject for step in steps.values()} == {"pm_vpn"}


def test_built_in_code_has_no_path(basic: LinuxInventory) -> None:
    (step,) = basic.dependencies("pm-builtin")
    assert (step.path, step.presence) == (None, Presence.BUILTIN)


def test_a_module_file_of_the_tree_answers_as_its_name(basic: LinuxInventory) -> None:
    by_path = basic.dependencies(f"{PM}/pm_vpn.ko")
    by_name = basic.dependencies("pm_vpn")
    assert [(step.name, step.path) for step in by_path] == [(s.name, s.path) for s in by_name]


def test_a_module_file_elsewhere_finds_its_dependencies_in_the_tree(copied: Path) -> None:
    shutil.move(f"{copied}{TREE}/extra/pm_oot.ko", copied / "pm_oot.ko")
    steps = LinuxInventory(OfflineHost(str(copied))).dependencies("/pm_oot.ko")
    assert [(step.name, step.path) for step in steps] == [
        ("pm_core", f"{PM}/pm_core.ko"),
        ("pm_oot", "/pm_oot.ko"),
    ]
    assert steps[0].needed_by == ("pm_oot",)
    assert steps[1].presence is Presence.LOADABLE


def test_a_module_file_elsewhere_whose_dependency_is_nowhere(copied: Path) -> None:
    shutil.move(f"{copied}{TREE}/extra/pm_oot.ko", copied / "pm_oot.ko")
    Path(f"{copied}{PM}/pm_core.ko").unlink()
    with pytest.raises(DependencyMissing) as caught:
        LinuxInventory(OfflineHost(str(copied))).dependencies("/pm_oot.ko")
    assert caught.value.chain == ("pm_oot", "pm_core")


@pytest.mark.parametrize("name", ["nothing_like_it", "/no/such/file.ko", "a[b", ""])
def test_an_unknown_name_is_not_found(basic: LinuxInventory, name: str) -> None:
    with pytest.raises(ModuleNotFound):
        basic.dependencies(name)


def test_a_misspelt_name_gets_a_suggestion(basic: LinuxInventory) -> None:
    with pytest.raises(ModuleNotFound) as caught:
        basic.find("pm_vpm")
    assert caught.value.remedy is not None
    assert "pm_vpn" in caught.value.remedy


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("pm_core", ["pm_core modules.dep None"]),
        ("pm-first", ["pm_net modprobe.d pm_first", "pm_vpn modprobe.d pm_first"]),
        ("net-pf-44", ["pm_net modules.alias net_pf_44"]),
        ("pm-dash-alias-k-x", ["pm_dash_name modules.alias pm_dash_alias_[a-z]_x"]),
        ("symbol:pm_core_use", ["pm_core modules.symbols symbol:pm_core_use"]),
        ("pm_quiet", ["pm_quiet modules.builtin None"]),
        ("pm_never", ["pm_never modprobe.d None"]),
        ("unheard-of", []),
        ("broken]", []),
    ],
)
def test_an_alias_leads_to_its_modules(
    basic: LinuxInventory, alias: str, expected: list[str]
) -> None:
    found = basic.resolve(alias)
    assert [f"{one.name} {one.source} {one.pattern}" for one in found] == expected


def test_an_alias_of_two_modules_names_both_in_the_index_s_order(basic: LinuxInventory) -> None:
    found = basic.resolve("usb:v1234p0001d1dc1dsc1dp1ic1isc1ip1in1")
    assert [(one.name, one.blocked) for one in found] == [("pm_usb_a", True), ("pm_usb_b", True)]


@pytest.mark.parametrize(
    ("alias", "blocked"),
    [
        pytest.param("pm_usb_b", False, id="a blacklist does not stop the name"),
        pytest.param("pm-out-of-tree", True, id="module_blacklist stops all"),
        pytest.param("pm_oot", True, id="by name too"),
        pytest.param("pm_never", True, id="so does an install line of /bin/false"),
        pytest.param("pm_top", False, id="another install line is no block"),
        pytest.param("snd-card-0", True, id="blacklisted by the distribution"),
        pytest.param("net-pf-44", False, id="nothing said"),
    ],
)
def test_blocked_is_what_the_configuration_keeps_from_loading(
    basic: LinuxInventory, alias: str, blocked: bool
) -> None:
    assert [one.blocked for one in basic.resolve(alias)] == [blocked]


def test_a_configured_alias_names_its_line(basic: LinuxInventory) -> None:
    (found,) = basic.resolve("pm-indented")
    assert found.origin == Origin("/etc/modprobe.d/pm.conf", 6)


def test_names_and_files_are_those_of_modules_dep(basic: LinuxInventory) -> None:
    names = basic.names()
    assert len(names) == 17
    assert names[:3] == ("pm_core", "pm_net", "pm_vpn")
    assert names[-2:] == ("pm_oot", "pm_disk")
    files = list(basic.files())
    assert [one.name for one in files if isinstance(one, ModuleFile)] == list(names)


def test_a_file_that_cannot_be_read_stays_in_the_list_as_an_error(copied: Path) -> None:
    Path(f"{copied}{PM}/pm_left.ko").write_bytes(b"\x7fELF broken")
    inventory = LinuxInventory(OfflineHost(str(copied)))
    files = list(inventory.files())
    assert len(files) == len(inventory.names())
    broken = next(item for item in files if isinstance(item, ModuleError))
    assert (broken.path, broken.code) == (f"{PM}/pm_left.ko", "malformed")


@pytest.mark.parametrize("name", ["pm-disk", "pm_disk"])
def test_find_takes_dashes_and_underscores_alike(basic: LinuxInventory, name: str) -> None:
    found = basic.find(name, Depth.FULL)
    assert found.path == f"{TREE}/updates/pm_disk.ko"
    assert found.version == "2.0"
    assert found.imports is not None


def test_a_built_in_module_is_a_record_whose_nulls_say_so(basic: LinuxInventory) -> None:
    found = basic.find("pm_builtin")
    assert (found.path, found.size, found.format) == (None, None, None)
    assert {found.gaps[field].why for field in ("path", "size", "format")} == {Why.NOT_APPLICABLE}
    assert found.gaps["path"].detail == "built into the kernel"
    assert found.description == "A driver linked into the kernel"
    assert found.aliases == ("platform:pm-builtin",)
    assert [(p.name, p.type, p.description) for p in found.parameters] == [
        ("level", "int", "How loud")
    ]
    assert found.native["file"] == ["drivers/pm/pm_builtin"]


def test_a_built_in_module_of_which_nothing_is_said(basic: LinuxInventory) -> None:
    found = basic.find("pm-quiet")
    assert found.name == "pm_quiet"
    assert found.gaps["license"].why is Why.NOT_REPORTED


def test_every_null_of_a_built_in_module_has_its_gap(basic: LinuxInventory) -> None:
    found = basic.find("pm_lz")
    nulls = {field for field in found.__slots__ if getattr(found, field) is None}
    assert nulls <= set(found.gaps)


def test_edges_are_the_direct_needs_with_their_relation(basic: LinuxInventory) -> None:
    edges = basic.edges()
    assert [edge for edge in edges if edge.source == "pm_top"] == [
        Edge("pm_top", "pm_left", "module"),
        Edge("pm_top", "pm_right", "module"),
    ]
    assert [edge for edge in edges if edge.source == "pm_vpn"] == [
        Edge("pm_vpn", "pm_net", "module"),
        Edge("pm_vpn", "pm_crc32", "soft-pre"),
        Edge("pm_vpn", "pm_usb_a", "soft-pre"),
        Edge("pm_vpn", "pm_snd", "soft-post"),
    ]


def test_a_stored_and_a_computed_index_answer_alike(copied: Path) -> None:
    host = OfflineHost(str(copied))
    computed = LinuxInventory(host)
    assert isinstance(computed.index, ComputedIndex)
    LinuxIndexer(host).build()
    stored = LinuxInventory(OfflineHost(str(copied)))
    assert isinstance(stored.index, StoredIndex)
    assert stored.names() == computed.names()
    assert stored.edges() == computed.edges()
    for name in (*stored.names(), "pm_builtin", "pm-first", "pm-card-1"):
        assert stored.dependencies(name) == computed.dependencies(name)


@pytest.mark.parametrize("gone", ["modules.symbols", "modules.alias", "modules.softdep"])
def test_an_index_with_a_part_missing_is_computed_anew(copied: Path, gone: str) -> None:
    host = OfflineHost(str(copied))
    LinuxIndexer(host).build()
    for path in Path(f"{copied}{TREE}").glob(f"{gone}*"):
        path.unlink()
    inventory = LinuxInventory(host)
    assert isinstance(inventory.index, ComputedIndex)
    assert [one.name for one in inventory.resolve("net-pf-44")] == ["pm_net"]


def test_a_hard_dependency_that_is_gone_raises_with_the_chain(copied: Path) -> None:
    host = OfflineHost(str(copied))
    LinuxIndexer(host).build()
    Path(f"{copied}{PM}/pm_core.ko").unlink()
    inventory = LinuxInventory(OfflineHost(str(copied)))
    with pytest.raises(DependencyMissing) as caught:
        inventory.dependencies("pm_vpn")
    assert caught.value.chain == ("pm_vpn", "pm_net", "pm_core")
    with pytest.raises(ModuleNotFound, match="which is gone"):
        inventory.dependencies("pm_core")


def test_a_soft_dependency_that_is_gone_is_a_step_that_is_missing(copied: Path) -> None:
    host = OfflineHost(str(copied))
    LinuxIndexer(host).build()
    Path(f"{copied}{TREE}/kernel/lib/pm_crc32.ko").unlink()
    steps = LinuxInventory(OfflineHost(str(copied))).dependencies("pm_vpn")
    presence = {step.name: step.presence for step in steps}
    assert presence["pm_crc32"] is Presence.MISSING
    assert presence["pm_vpn"] is Presence.LOADABLE


def test_an_alias_of_a_name_that_is_nowhere_is_a_step_that_is_missing(copied: Path) -> None:
    (copied / "etc/modprobe.d/ring.conf").write_text("alias ring1 ring2\nalias ring2 ring1\n")
    inventory = LinuxInventory(OfflineHost(str(copied)))
    (step,) = inventory.dependencies("ring1")
    assert (step.name, step.path, step.presence) == ("ring2", None, Presence.MISSING)


def test_a_ring_of_hard_dependencies_is_named() -> None:
    inventory = LinuxInventory(OfflineHost(str(ROOTS / "linux-cycle")))
    with pytest.raises(DependencyCycle) as caught:
        inventory.dependencies("pm_ring_a")
    assert set(caught.value.chain) == {"pm_ring_a", "pm_ring_b"}
    assert [step.name for step in inventory.dependencies("pm_alone")] == ["pm_alone"]
    assert Edge("pm_ring_a", "pm_ring_b", "module") in inventory.edges()
