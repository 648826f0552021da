"""Building writes all files or none; checking names every difference and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.errors import DependencyCycle, ModuleNotFound, WriteFailed
from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost
from polymod_linux.depmod_d import DepmodConfig
from polymod_linux.index_trie import Layout
from polymod_linux.indexer import FILES, LinuxIndexer
from tests.backends.linux.index_trees import RELEASE, Tree, module, read_index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polymod.hosts.base import Edit
    from polymod.model.answers import Finding


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Three modules in a row, and what a kernel's build leaves beside them."""
    tree = Tree(tmp_path)
    tree.add("kernel/a.ko", module(imports=["fb"], info=["alias=bus:a*", "softdep=pre: c"]))
    tree.add("kernel/b.ko", module(imports=["fc"], exports=["fb"], info=["alias=bus:b*"]))
    tree.add(
        "kernel/c.ko", module(exports=["fc"], info=["alias=devname:c", "alias=char-major-1-2"])
    )
    tree.add("modules.order", "kernel/a.ko\nkernel/b.ko\nkernel/c.ko\n")
    tree.add("modules.builtin", "kernel/y.ko\n")
    tree.add("modules.builtin.modinfo", b"y.alias=fs-y\0")
    return tree


class CountingHost(LocalHost):
    """This machine, with every request to write kept; it can refuse them."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.writes: list[list[str]] = []
        self._refuse = refuse

    def write(self, edits: Sequence[Edit]) -> None:
        self.writes.append([edit.path.rpartition("/")[2] for edit in edits])
        if self._refuse:
            raise WriteFailed("no space left", path=edits[0].path)
        super().write(edits)


def indexer(tree: Tree, host: LocalHost | None = None) -> LinuxIndexer:
    return LinuxIndexer(host or LocalHost(), directory=str(tree.directory), config=DepmodConfig())


def test_all_files_are_written_by_one_request(tree: Tree) -> None:
    host = CountingHost()
    files = indexer(tree, host).build()
    assert host.writes == [list(FILES)]
    assert [file.path for file in files] == [f"{tree.directory}/{name}" for name in FILES]
    assert all(file.changed for file in files)
    entries = {file.path.rpartition("/")[2]: file.entries for file in files}
    assert entries == {
        "modules.dep": 3,
        "modules.dep.bin": 3,
        "modules.alias": 4,
        "modules.alias.bin": 4,
        "modules.softdep": 1,
        "modules.weakdep": 0,
        "modules.symbols": 2,
        "modules.symbols.bin": 2,
        "modules.builtin.bin": 1,
        "modules.builtin.alias.bin": 1,
        "modules.devname": 1,
    }
    assert [file.size for file in files] == [
        len(data) for data in read_index(tree.directory).values()
    ]


def test_what_is_right_already_is_not_written_again(tree: Tree) -> None:
    indexer(tree).build()
    host = CountingHost()
    assert not any(file.changed for file in indexer(tree, host).build())
    assert host.writes == []
    tree.add("modules.softdep", "# edited\n")
    changed = [file.path for file in indexer(tree, host).build() if file.changed]
    assert changed == [f"{tree.directory}/modules.softdep"]
    assert host.writes == [["modules.softdep"]]


def test_a_refused_write_is_passed_on_and_leaves_the_old_index(tree: Tree) -> None:
    indexer(tree).build()
    before = read_index(tree.directory)
    tree.add("kernel/new.ko", module(exports=["fn"], info=["alias=new"]))
    with pytest.raises(WriteFailed):
        indexer(tree, CountingHost(refuse=True)).build()
    assert read_index(tree.directory) == before


def test_a_ring_writes_nothing(tree: Tree) -> None:
    indexer(tree).build()
    before = read_index(tree.directory)
    tree.add("kernel/c.ko", module(exports=["fc"], imports=["fb"]))
    host = CountingHost()
    with pytest.raises(DependencyCycle):
        indexer(tree, host).build()
    assert host.writes == []
    assert read_index(tree.directory) == before


def test_broken_modules_are_indexed_and_told(tree: Tree) -> None:
    tree.add("kernel/broken.ko", b"nothing of the kind")
    built = indexer(tree)
    built.build()
    assert "kernel/broken.ko:" in (tree.directory / "modules.dep").read_text().splitlines()
    assert [(problem.code, problem.path) for problem in built.problems] == [
        ("malformed", f"{tree.directory}/kernel/broken.ko")
    ]


ODD = {
    "an alias outside ASCII": ([b"alias=caf\xc3\xa9"], "ASCII"),
    "a value of two lines": (["softdep=pre: x\nsoftdep y post: z"], "line end"),
    "a device name without numbers": (["alias=devname:zz"], "devname"),
}


@pytest.mark.parametrize(("info", "word"), ODD.values(), ids=ODD)
def test_what_an_index_cannot_hold_well_is_told(
    tree: Tree, info: list[str | bytes], word: str
) -> None:
    tree.add("kernel/odd.ko", module(info=info))
    built = indexer(tree)
    built.build()
    assert [problem.path for problem in built.problems] == [f"{tree.directory}/kernel/odd.ko"]
    assert word in built.problems[0].message


def test_an_output_directory_gets_the_files_below_its_own_modules(
    tree: Tree, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    target = out / "lib" / "modules" / RELEASE
    target.mkdir(parents=True)
    files = indexer(tree).build(str(out))
    assert {file.path.rpartition("/")[0] for file in files} == {str(target)}
    assert list(read_index(target)) == list(FILES)
    assert read_index(tree.directory) == {}


def test_an_image_is_indexed_below_its_root(tree: Tree) -> None:
    host = OfflineHost(str(tree.root))
    files = LinuxIndexer(host).build()
    assert files[0].path == f"/lib/modules/{RELEASE}/modules.dep"
    assert read_index(tree.directory) == tree.index()


def test_a_release_may_have_any_name(tmp_path: Path) -> None:
    tree = Tree(tmp_path, release="my-kernel")
    tree.add("k/a.ko", module())
    LinuxIndexer(OfflineHost(str(tree.root)), "my-kernel").build()
    assert (tree.directory / "modules.dep").read_text() == "k/a.ko:\n"


def test_a_release_that_is_not_there_is_not_found(tree: Tree) -> None:
    with pytest.raises(ModuleNotFound):
        LinuxIndexer(OfflineHost(str(tree.root)), "7.0-none")
    with pytest.raises(ModuleNotFound):
        LinuxIndexer(LocalHost(), directory=str(tree.directory / "none"))


def test_many_modules_are_read_by_several_processes_alike(tree: Tree) -> None:
    for number in range(300):
        imports = ["fb"] if number % 3 else ["fc", f"f{number - 3}"]
        tree.add(f"x/m{number}.ko", module(imports=imports, exports=[f"f{number}"]))
    tree.add("x/broken.ko", b"broken")
    contents = []
    for jobs in (1, 3):
        made = LinuxIndexer(
            LocalHost(), directory=str(tree.directory), config=DepmodConfig(), jobs=jobs
        )
        contents.append(made.contents()[1])
        assert len(made.problems) == 1
    assert contents[0] == contents[1]


# -- check ------------------------------------------------------------------


def findings(tree: Tree) -> list[Finding]:
    return list(indexer(tree).check())


def told(tree: Tree) -> list[tuple[str, str, str]]:
    """(rule, file, subject) of every finding."""
    return [
        (found.rule, str((found.evidence or {})["path"]).rpartition("/")[2], found.subject)
        for found in findings(tree)
    ]


@pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)
def test_a_fresh_index_has_no_findings_in_either_layout(tree: Tree, layout: Layout) -> None:
    where = str(tree.directory)
    LinuxIndexer(LocalHost(), directory=where, config=DepmodConfig(), layout=layout).build()
    assert findings(tree) == []


def test_an_absent_index_is_missing_file_by_file_and_stays_so(tree: Tree) -> None:
    expected = [name for name in FILES if name != "modules.weakdep"]
    assert told(tree) == [("index-missing", name, name) for name in expected]
    assert read_index(tree.directory) == {}


def test_a_removed_module_leaves_foreign_and_stale_entries(tree: Tree) -> None:
    indexer(tree).build()
    (tree.directory / "kernel" / "b.ko").unlink()
    # b was the second of three: the numbers of c moved, and that alone is no finding.
    assert told(tree) == [
        ("index-stale", "modules.dep", "kernel/a.ko"),
        ("index-foreign", "modules.dep", "kernel/b.ko"),
        ("index-stale", "modules.dep.bin", "a"),
        ("index-foreign", "modules.dep.bin", "b"),
        ("index-foreign", "modules.alias", "b"),
        ("index-foreign", "modules.alias.bin", "b"),
        ("index-foreign", "modules.symbols", "b"),
        ("index-foreign", "modules.symbols.bin", "b"),
    ]


def test_each_finding_has_its_line_and_what_belongs_there(tree: Tree) -> None:
    indexer(tree).build()
    tree.add("modules.dep", "kernel/a.ko: kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n")
    found = findings(tree)
    assert [finding.rule for finding in found] == ["index-stale"]
    assert found[0].evidence == {
        "path": f"{tree.directory}/modules.dep",
        "line": 1,
        "present": "kernel/a.ko: kernel/c.ko",
        "expected": "kernel/a.ko: kernel/b.ko kernel/c.ko",
    }
    assert found[0].remedy is not None


def test_a_new_module_is_missing_from_the_files_it_belongs_in(tree: Tree) -> None:
    indexer(tree).build()
    tree.add("kernel/new.ko", module(exports=["fn"], info=["alias=new:x"]))
    assert told(tree) == [
        ("index-missing", "modules.dep", "kernel/new.ko"),
        ("index-missing", "modules.dep.bin", "new"),
        ("index-missing", "modules.alias", "new"),
        ("index-missing", "modules.alias.bin", "new:x"),
        ("index-missing", "modules.symbols", "new"),
        ("index-missing", "modules.symbols.bin", "symbol:fn"),
    ]


def test_damage_is_told_as_such(tree: Tree) -> None:
    indexer(tree).build()
    text = (tree.directory / "modules.alias").read_text()
    tree.add("modules.alias", text + "not an alias\n")
    tree.add("modules.dep.bin", b"\x7fELF" + bytes(20))
    tree.add("modules.dep", (tree.directory / "modules.dep").read_text() + "no colon\n")
    assert told(tree) == [
        ("index-damaged", "modules.dep", "no colon"),
        ("index-damaged", "modules.dep.bin", "modules.dep.bin"),
        ("index-damaged", "modules.alias", "modules.alias"),
    ]


def test_another_order_is_one_finding(tree: Tree) -> None:
    indexer(tree).build()
    header, first, second, *rest = (tree.directory / "modules.alias").read_text().splitlines()
    tree.add("modules.alias", "\n".join([header, second, first, *rest, ""]))
    assert told(tree) == [("index-stale", "modules.alias", "modules.alias")]


def test_a_line_too_many_is_stale_and_a_repeated_one_too(tree: Tree) -> None:
    indexer(tree).build()
    path = tree.directory / "modules.alias"
    path.write_text(path.read_text() + "alias bus:a* a\nalias other a\n")
    assert told(tree) == [("index-stale", "modules.alias", "a")] * 2


def test_a_key_that_leads_elsewhere_is_told_by_key(tree: Tree) -> None:
    from polymod_linux.index_trie_writer import write_trie

    indexer(tree).build()
    entries = [(b"bus:a*", 1, b"b"), (b"bus:b*", 1, b"b"), (b"devname:c", 2, b"c")]
    tree.add("modules.alias.bin", write_trie([*entries, (b"char_major_1_2", 2, b"c")]))
    found = findings(tree)
    assert [(finding.rule, finding.subject) for finding in found] == [("index-stale", "bus:a*")]
    assert found[0].evidence == {
        "path": f"{tree.directory}/modules.alias.bin",
        "key": "bus:a*",
        "present": ["b"],
        "expected": ["a"],
    }
