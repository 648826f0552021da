"""Whole trees against depmod itself, byte for byte; and the text of a small one by heart."""

from __future__ import annotations

import lzma
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymod.errors import DependencyCycle
from polymod_linux.depmod import closures, load_numbers
from tests.backends.linux.index_trees import Symbol, Tree, differences, module, needs_depmod

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def a_small_tree(tree: Tree) -> None:
    info = ["name=a", "alias=pci:v*-x[0-9]d-*", "softdep=pre: x-y", "weakdep=w-1 w2"]
    tree.add("kernel/a.ko", module(imports=["fb", "printk"], info=info))
    info = ["alias=devname:foo-bar", "alias=char-major-10-200"]
    tree.add("kernel/b-c.ko", module(imports=["fc"], exports=["fb"], info=info))
    tree.add("kernel/c.ko", module(exports=["fc", "fd"]))
    tree.add("modules.order", "kernel/c.ko\nkernel/b-c.ko\n")
    tree.add("modules.builtin", "kernel/x/foo-bar.ko\n1bad\n\nkernel/y.ko\n")
    tree.add(
        "modules.builtin.modinfo",
        b"foo.alias=a-b\0foo.alias=x[\0bar.license=GPL\0baz\0q.alias=zz\0q.nokey\0q.alias=lost\0"
        b"q.alias=kept\0w.alias=\0",
    )


def no_modules(_: Tree) -> None:
    """Nothing at all, not even modules.order."""


def several_of_one_name(tree: Tree) -> None:
    for place in ("k1", "k2", "k3", "k4"):
        tree.add(f"{place}/a.ko", module(exports=[f"f{place}"]))
        tree.add(f"{place}/u-{place}.ko", module(imports=[f"f{place}"]))
    for name in ("b_c.ko", "b-c.ko"):
        tree.add(f"k1/{name}", module())
    tree.add("k1/b-c.ko.xz", lzma.compress(module()))


def updates(tree: Tree) -> None:
    for place in ("kernel", "updates", "updates/d", "updates/e", "extra"):
        tree.add(f"{place}/a.ko", module(exports=[place.replace("/", "_")]))


def searches_and_overrides(tree: Tree) -> None:
    for place in ("kernel", "extra", "updates", "weak"):
        for name in "abc":
            tree.add(f"{place}/{name}.ko", module(exports=[f"{place}_{name}"]))
    tree.configure("search extra built-in weak\n# c\nsearch  \\\n  updates\nbogus line\n")
    tree.configure("override a * updates\noverride b 7.* weak\n", "over.conf")
    tree.configure("override c ^6[.][0-9]+[.]0-t kernel\nmake_map_files no\n", "zz.conf")


def external_directories(tree: Tree) -> None:
    for place in ("kernel", "extra", "weak"):
        for name in "abc":
            tree.add(f"{place}/{name}.ko", module(exports=[f"{place}_{name}"]))
    for place, name in (("ext1", "a"), ("ext2", "a"), ("ext2", "z")):
        file = tree.root / place / f"{name}.ko"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(
            module(exports=[f"{place}_{name}"], imports=["extra_b", "ext1_a"][: name == "z"])
        )
    tree.configure("search weak\nsearch external extra\noverride b * extra/x\n")
    lines = [f"external * {tree.root}/ext1", f"external 6.1.* {tree.root}/ext2"]
    tree.configure("\n".join([*lines, "external * /nonexistent/x", ""]), "ext.conf")


def excluded_names(tree: Tree) -> None:
    for path in ("kernel/a", "kernel/sub/b", "build/x", "source/y", "kernel/build/z", "kernel/c"):
        tree.add(f"{path}.ko", module())
    tree.configure("exclude sub c.ko\n")


def one_symbol_of_many_owners(tree: Tree) -> None:
    for name in "abcdef":
        imports = ["same", ".fa"] if name == "c" else []
        tree.add(f"k/{name}.ko", module(exports=["same", f"f{name}"], imports=imports))
    tree.add("modules.order", "k/e.ko\nk/a.ko\nk/f.ko\n")


def an_order_without_end(tree: Tree) -> None:
    for name in "abcdef":
        tree.add(f"k/{name}.ko", module())
    tree.add("modules.order", "k/e.ko\nk/a.ko\nk/f.ko")


def xz_files_by_any_name(tree: Tree) -> None:
    packed = lzma.compress(module(exports=["a"]), check=lzma.CHECK_CRC32)
    tree.add("k/a.ko.xz", packed)
    tree.add("k/z.ko", lzma.compress(module(imports=["a"], info=["alias=packed"])))
    tree.add("modules.order", "k/z.ko\nk/a.ko\n")


def files_that_are_no_modules(tree: Tree) -> None:
    tree.add("k/a.ko", b"")
    tree.add("k/b.ko", b"hello" * 100)
    tree.add("k/c.ko", module(info=["alias=c"], imports=["x"])[:200])
    tree.add("k/d.ko", module(info=["alias=d"], imports=["fe"], symtab=False))
    tree.add("k/e.ko", module(exports=["fe"]))
    tree.add("k/f.ko.xz", b"\xfd7zXZ\0bad")
    tree.add("k/h.ko", module(exports=["plain"], crcs=False, namespaces=["NSX"]))
    tree.add("k/i.ko", module(imports=["plain", "NSX", "fe", "bare"]))
    tree.add("k/j.ko", module(exports=["bare"], crcs=False, symtab=False))


def odd_names(tree: Tree) -> None:
    for name in (".ko", ".x.ko", "a.b.ko", "x.ko.old", "UP-per.ko", "sp ace.ko", "9.ko"):
        tree.add(f"k/{name}", module(info=[f"alias=of-{name}"]))
    tree.add("modules.order", "k/a.b.ko\nk/a.ba\nk/UP-per.ko\n")


def links_everywhere(tree: Tree) -> None:
    tree.add("k/a.ko", module(exports=["fa"]))
    (tree.root / "o").mkdir()
    (tree.root / "o" / "b.ko").write_bytes(module(imports=["fa"]))
    (tree.directory / "l").symlink_to(tree.root / "o")
    (tree.directory / "k" / "a2.ko").symlink_to("a.ko")
    (tree.directory / "k" / "dead.ko").symlink_to("gone.ko")
    (tree.directory / "k" / "dir.ko").symlink_to(tree.root / "o")
    os.mkfifo(tree.directory / "k" / "pipe.ko")


def odd_values(tree: Tree) -> None:
    info: list[str | bytes] = [b"description=\xe9t\xe9", b"softdep=pre: \xff\xfe"]
    tree.add("k/a.ko", module(info=[*info, "alias=x-y", "alias=a]b", "alias=[x"]))
    tree.add("k/b.ko", module(info=["alias", "softdep", "alias=", "=x", "alias=a b", "devname=x"]))


def odd_symbols(tree: Tree) -> None:
    crcs = [Symbol("__crc_abs", 0xFFF1), Symbol("x__crc_not", 1), Symbol("__crc_und")]
    tree.add("k/a.ko", module(symbols=crcs, imports=["", "fz"]))
    versions = ["module_layout", "abs", "only_v", ".dot"]
    tree.add("k/b.ko", module(imports=["abs", "und", "not"], versions=versions))
    tree.add("k/c.ko", module(exports=["only_v", "dot"]))
    tree.add("k/w.ko", module(symbols=[Symbol("abs", 0, 2), Symbol("loc", 0, 0)]))
    tree.add("k/l.ko", module(exports=["loc"]))
    tree.add("k/v.ko", module(versions=["only_v"], symbols=[Symbol("def", 1)]))


def device_names(tree: Tree) -> None:
    tree.add("k/only.ko", module(info=["alias=devname:only"]))
    two = ["alias=block-major-7-*", "alias=devname:l0", "alias=devname:l1", "alias=char-major-1-2x"]
    tree.add("k/two.ko", module(info=[*two, "alias=char-major-3-4"]))
    tree.add("k/odd.ko", module(info=["alias=char-major- 10-+3x", "alias=devname:odd"]))
    tree.add("k/minus.ko", module(info=["alias=block-major-7--1", "alias=devname:minus"]))


def other_machines(tree: Tree) -> None:
    tree.add("k/a.ko", module(exports=["fa"], order=">", machine=22))
    big = module(imports=["fa", ".fa"], order=">", machine=22, versions=["fa", "fq"])
    tree.add("k/b.ko", big)
    tree.add("k/q.ko", module(bits=32, order=">", exports=["fq"], machine=20))
    tree.add("k/r.ko", module(bits=32, imports=["fq", "fa"], versions=["fq", "x"]))
    registers = [Symbol("fa", 0, 1, 0, 13), Symbol("fq")]
    tree.add("k/s.ko", module(order=">", machine=43, symbols=registers))


def many_modules(tree: Tree) -> None:
    for number in range(300):
        info = [f"alias=usb:v{number * 7919 % 65536:04X}p*", f"alias=bus-{number % 7}:x*"]
        exports = [f"sym_{number}_{each}" for each in range(number % 4)]
        imports = [f"sym_{other}_0" for other in range(number % 5 + 1, number, 37)]
        tree.add(
            f"d{number % 9}/m-{number}.ko", module(imports=imports, exports=exports, info=info)
        )


SCENARIOS: dict[str, Callable[[Tree], None]] = {
    make.__name__.replace("_", " "): make
    for make in (
        a_small_tree,
        no_modules,
        several_of_one_name,
        updates,
        searches_and_overrides,
        external_directories,
        excluded_names,
        one_symbol_of_many_owners,
        an_order_without_end,
        xz_files_by_any_name,
        files_that_are_no_modules,
        odd_names,
        links_everywhere,
        odd_values,
        odd_symbols,
        device_names,
        other_machines,
        many_modules,
    )
}


@needs_depmod
@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS)
def test_every_file_equals_depmods(tmp_path: Path, make: Callable[[Tree], None]) -> None:
    tree = Tree(tmp_path)
    make(tree)
    ours = tree.index()
    assert differences(ours, tree.reference()) == {}


def test_the_text_of_a_small_tree_is_this(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    a_small_tree(tree)
    index = tree.index()
    assert index["modules.dep"] == (
        b"kernel/c.ko:\nkernel/b-c.ko: kernel/c.ko\nkernel/a.ko: kernel/b-c.ko kernel/c.ko\n"
    )
    assert index["modules.alias"] == (
        b"# Aliases extracted from modules themselves.\n"
        b"alias devname:foo-bar b_c\n"
        b"alias char-major-10-200 b_c\n"
        b"alias pci:v*-x[0-9]d-* a\n"
    )
    assert index["modules.softdep"] == (
        b"# Soft dependencies extracted from modules themselves.\nsoftdep a pre: x-y\n"
    )
    assert index["modules.weakdep"] == (
        b"# Weak dependencies extracted from modules themselves.\nweakdep a w-1 w2\n"
    )
    assert index["modules.symbols"].startswith(
        b"# Aliases for symbols, used by symbol_request().\nalias symbol:"
    )
    assert sorted(index["modules.symbols"].splitlines()[1:]) == [
        b"alias symbol:fb b_c",
        b"alias symbol:fc c",
        b"alias symbol:fd c",
    ]
    assert index["modules.devname"] == (
        b"# Device nodes to trigger on-demand module loading.\nb_c foo-bar c10:200\n"
    )


def test_a_gzip_file_is_read_also_where_kmod_was_built_without_zlib(tmp_path: Path) -> None:
    import gzip

    tree = Tree(tmp_path)
    tree.add("k/a.ko.gz", gzip.compress(module(exports=["fa"])))
    tree.add("k/b.ko", module(imports=["fa"]))
    assert sorted(tree.text("modules.dep")) == ["k/a.ko.gz:", "k/b.ko: k/a.ko.gz"]


def ring_of_three(tree: Tree) -> None:
    tree.add("k/a.ko", module(exports=["fa"], imports=["fb"]))
    tree.add("k/b.ko", module(exports=["fb"], imports=["fc"]))
    tree.add("k/c.ko", module(exports=["fc"], imports=["fa"]))
    tree.add("k/d.ko", module(imports=["fa"]))
    tree.add("k/e.ko", module(exports=["fe"], imports=["fe"]))
    tree.add("k/f.ko", module())


def test_a_ring_is_named_with_a_way_round_and_all_its_members(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    ring_of_three(tree)
    with pytest.raises(DependencyCycle) as caught:
        tree.index()
    assert caught.value.chain == ("c", "a", "b", "c")
    assert set(caught.value.members) == {"a", "b", "c", "e"}
    assert "c -> a -> b -> c" in str(caught.value)


@needs_depmod
def test_depmod_refuses_the_same_ring(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    ring_of_three(tree)
    done = tree.depmod()
    assert done.returncode == 1
    assert b"Cycle detected: c -> a -> b -> c" in done.stderr
    assert b"Found 4 modules" in done.stderr


GRAPHS = st.integers(min_value=1, max_value=9).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, size - 1), unique=True, max_size=4), min_size=size, max_size=size
    )
)


def reachable(direct: list[list[int]], start: int) -> set[int]:
    found: set[int] = set()
    waiting = list(direct[start])
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += direct[number]
    return found


@given(direct=GRAPHS)
def test_dependencies_are_complete_and_ordered_or_the_ring_is_real(direct: list[list[int]]) -> None:
    names = [f"m{number}" for number in range(len(direct))]
    in_rings = {number for number in range(len(direct)) if number in reachable(direct, number)}
    try:
        numbers = load_numbers(direct, names)
    except DependencyCycle as error:
        chain = [int(name[1:]) for name in error.chain]
        steps = list(pairwise(chain))
        outcome = (
            {int(name[1:]) for name in error.members},
            chain[0] == chain[-1] and all(there in direct[here] for here, there in steps),
        )
        assert outcome == (in_rings, True)
        return
    assert not in_rings
    assert sorted(numbers) == list(range(len(direct)))
    for module_, needed in enumerate(closures(direct, numbers)):
        assert set(needed) == reachable(direct, module_)
        assert [numbers[number] for number in needed] == sorted(numbers[n] for n in needed)
        assert all(numbers[module_] < numbers[number] for number in needed)


def test_a_very_long_chain_is_no_trouble() -> None:
    direct = [[number + 1] for number in range(3000)] + [[]]
    numbers = load_numbers(direct, [])
    assert numbers == list(range(3001))
    assert len(closures(direct, numbers)[0]) == 3000
    ring = [[(number + 1) % 50_000] for number in range(50_000)]
    with pytest.raises(DependencyCycle) as caught:
        load_numbers(ring, [f"m{number}" for number in range(50_000)])
    assert len(caught.value.members) == 50_000
