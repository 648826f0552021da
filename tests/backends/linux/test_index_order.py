"""Which file of a name counts, and the order of modules.dep: depmod's own, to the last tie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.hosts.base import DIRECTORY, FILE, LINK, OTHER, Entry, Stat
from polymod.hosts.local import LocalHost
from polymod_linux.depmod_d import DepmodConfig
from polymod_linux.index_trie import Layout
from polymod_linux.module_files import ModulePath, find_modules, hash_of, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polymod.errors import PolymodError

BASE = "/lib/modules/6.1"


class ListedHost(LocalHost):
    """A host whose directories list their names in the order given here."""

    def __init__(self, paths: Sequence[str], links: Mapping[str, str] | None = None) -> None:
        self._links = dict(links or {})
        self._children: dict[str, dict[str, str]] = {}
        for path in (*paths, *self._links):
            kind = LINK if path in self._links else OTHER if path.endswith("|") else FILE
            while path != "/":
                above, _, name = path.rpartition("/")
                self._children.setdefault(above or "/", {}).setdefault(name, kind)
                path, kind = above or "/", DIRECTORY

    def list(self, path: str) -> Sequence[Entry]:
        names = self._children.get(self._links.get(path, path), {})
        return [Entry(name, f"{path}/{name}", kind) for name, kind in names.items()]

    def stat(self, path: str) -> Stat | None:
        path = self._links.get(path, path)
        if path in self._children:
            return Stat(DIRECTORY, 0, 0, (1, hash(path)))
        above, _, name = path.rpartition("/")
        if name not in self._children.get(above, {}):
            return None
        return Stat(FILE, 0, 0, (1, hash(path)))


def spellings(
    paths: Sequence[str],
    *,
    links: Mapping[str, str] | None = None,
    problems: list[PolymodError] | None = None,
    **config: tuple[str, ...] | frozenset[str],
) -> list[str]:
    """The files that count, sorted, of those `paths` (relative unless absolute)."""
    whole = [path if path.startswith("/") else f"{BASE}/{path}" for path in paths]
    there = {f"{BASE}/{link}": target for link, target in (links or {}).items()}
    made = DepmodConfig(**config)  # type: ignore[arg-type]  # each test names fields of one type
    kept: list[PolymodError] = [] if problems is None else problems
    found = find_modules(ListedHost(whole, there), BASE, made, kept)
    return sorted(module.spelling for module in found)


def test_updates_win_over_all_that_no_search_line_names() -> None:
    assert spellings(["kernel/a.ko", "updates/a.ko", "extra/a.ko"]) == ["updates/a.ko"]
    assert spellings(["updates/a.ko", "kernel/a.ko"]) == ["updates/a.ko"]


def test_of_equal_rank_the_first_met_stays() -> None:
    assert spellings(["z/a.ko", "b/a.ko"]) == ["z/a.ko"]
    assert spellings(["b/a.ko", "z/a.ko"]) == ["b/a.ko"]


def test_below_one_searched_directory_the_last_met_wins() -> None:
    # kmod looks at the new path first, and at the old one only if that does not match.
    assert spellings(["updates/x/a.ko", "updates/y/a.ko"]) == ["updates/y/a.ko"]


def test_the_search_order_ranks_directories_and_built_in_stands_for_the_rest() -> None:
    paths = ["kernel/a.ko", "extra/a.ko", "weak/a.ko"]
    assert spellings(paths, searches=("weak", "built-in", "extra")) == ["weak/a.ko"]
    assert spellings(paths, searches=("built-in", "weak", "extra")) == ["kernel/a.ko"]
    assert spellings(paths, searches=("extra", "weak")) == ["extra/a.ko"]


def test_a_searched_directory_is_a_whole_leading_part_of_the_path() -> None:
    paths = ["kernel/a.ko", "updates-old/a.ko", "x/updates/a.ko"]
    assert spellings(paths) == ["kernel/a.ko"]


def test_an_override_beats_every_search() -> None:
    paths = ["updates/a.ko", "kernel/fs/a.ko.xz"]
    assert spellings(paths, overrides=("kernel/fs/a",)) == ["kernel/fs/a.ko.xz"]
    assert spellings(paths[::-1], overrides=("kernel/fs/a",)) == ["kernel/fs/a.ko.xz"]


def test_external_directories_are_absolute_and_rank_where_the_search_line_says() -> None:
    paths = ["kernel/a.ko", "/opt/m/a.ko", "/opt/m/b.ko"]
    assert spellings(paths, externals=("/opt/m",)) == ["/opt/m/b.ko", "kernel/a.ko"]
    first = spellings(paths, searches=("external", "built-in"), externals=("/opt/m",))
    assert first == ["/opt/m/a.ko", "/opt/m/b.ko"]


def test_a_missing_external_directory_is_nothing_to_tell() -> None:
    problems: list[PolymodError] = []
    assert spellings(["a.ko"], externals=("/none",), problems=problems) == ["a.ko"]
    assert problems == []


def test_build_source_and_excluded_names_are_passed_over_files_too() -> None:
    paths = ["build/a.ko", "kernel/source/b.ko", "kernel/no/c.ko", "kernel/d.ko", "kernel/e.ko"]
    assert spellings(paths, excludes=frozenset(("no", "d.ko"))) == ["kernel/e.ko"]


def test_only_names_with_a_modules_suffix_count() -> None:
    paths = ["a.ko", "b.ko.gz", "c.ko.xz", "d.ko.zst", "e.ko.bz2", "f.o", ".ko", ".ko.xz", "g.ko~"]
    assert spellings(paths) == ["a.ko", "b.ko.gz", "c.ko.xz", "d.ko.zst"]


def test_dash_and_underscore_are_one_name_up_to_the_first_dot() -> None:
    assert spellings(["x/a-b.ko", "x/a_b.ko", "x/c.d.ko", "x/c.ko"]) == ["x/a-b.ko", "x/c.d.ko"]


def test_links_are_followed_and_rings_and_dead_links_are_not() -> None:
    problems: list[PolymodError] = []
    links = {
        "kernel/b.ko": f"{BASE}/kernel/a.ko",
        "linked": "/elsewhere",
        "kernel/ring": f"{BASE}/kernel",
        "kernel/dead.ko": "/nowhere",
    }
    found = spellings(["kernel/a.ko", "/elsewhere/c.ko"], links=links, problems=problems)
    assert found == ["kernel/a.ko", "kernel/b.ko", "linked/c.ko"]
    assert [problem.path for problem in problems] == [f"{BASE}/kernel/dead.ko"]


def test_what_is_neither_file_nor_directory_is_told() -> None:
    problems: list[PolymodError] = []
    assert spellings(["a.ko", "pipe|"], problems=problems) == ["a.ko"]
    assert [problem.path for problem in problems] == [f"{BASE}/pipe|"]


# Values of kmod's hash_superfast on a little-endian machine, as buckets of 512.
@pytest.mark.parametrize(
    ("names", "expected"),
    [("abcdef", "cbdaef"), (["u_k4", "u_k2", "u_k1", "u_k3"], ["u_k4", "u_k2", "u_k1", "u_k3"])],
    ids=["one letter", "four letters"],
)
def test_modules_that_no_order_lists_stand_in_kmods_hash_order(
    names: Sequence[str], expected: Sequence[str]
) -> None:
    modules = [ModulePath(name, f"/{name}.ko", f"{name}.ko") for name in names]
    problems: list[PolymodError] = []
    found = in_order(modules, None, Layout.POST_ORDER, problems)
    assert [module.name for module in found] == list(expected)


def test_the_hash_stays_within_32_bits_for_any_length_and_byte() -> None:
    for size in range(40):
        for byte in (b"\0", b"a", b"\x7f", b"\xff"):
            assert 0 <= hash_of(byte * size) < 1 << 32


def ordered(order: bytes, layout: Layout = Layout.POST_ORDER) -> tuple[str, int]:
    """The names a to f in their order, and the number of problems."""
    modules = [ModulePath(name, f"/k/{name}.ko.xz", f"k/{name}.ko.xz") for name in "abcdef"]
    problems: list[PolymodError] = []
    found = in_order(modules, order, layout, problems)
    return "".join(module.name for module in found), len(problems)


def test_listed_modules_come_first_by_their_uncompressed_path() -> None:
    assert ordered(b"k/f.ko\nk/none.ko\nk/a.ko\n") == ("facbde", 0)


def test_a_module_listed_twice_stands_by_its_last_line_up_to_kmod_33() -> None:
    order = b"k/e.ko\nk/a.ko\nk/e.ko\nk/f.ko\n"
    assert ordered(order)[0].startswith("aef")
    assert ordered(order, Layout.PRE_ORDER)[0].startswith("eaf")


@pytest.mark.parametrize(
    "order",
    [b"k/f.ko\nk/a.ko", b"k/f.ko\n" + b"x" * 5000 + b"\n", b"k/f.ko\n\0\n"],
    ids=["the last line is cut", "a line is longer than a path", "a NUL stands in it"],
)
def test_a_damaged_order_counts_as_none_and_is_told(order: bytes) -> None:
    assert ordered(order) == ("cbdaef", 1)
