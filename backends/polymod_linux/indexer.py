"""Building the index files of a kernel, and comparing them with its modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import Indexer
from polymod.errors import ModuleNotFound
from polymod.hosts.base import Edit
from polymod.model.failures import as_record
from polymod_linux import index_text
from polymod_linux.depmod import (
    ModuleTree,
    closures,
    direct_dependencies,
    load_numbers,
    read_tree,
    sensible_jobs,
    symbol_owners,
)
from polymod_linux.index_trie import Layout
from polymod_linux.trees import find_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polymod.hosts.base import Host
    from polymod.model.answers import Finding, IndexFile
    from polymod.model.failures import ModuleError
    from polymod_linux.depmod_d import DepmodConfig
    from polymod_linux.index_text import Content

#: The files of an index, in the order in which depmod writes them.
FILES = (
    "modules.dep",
    "modules.dep.bin",
    "modules.alias",
    "modules.alias.bin",
    "modules.softdep",
    "modules.weakdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.devname",
)

#: Modules that make a second process worth its start.
_WORTH_FORKING = 256


class LinuxIndexer(Indexer):
    """The index of one kernel's modules, as depmod(8) makes it.

    `release` names the directory below /lib/modules (None: the running
    kernel, or the only one there); `directory` overrides where it is, and
    `config` what depmod.d says: without it that of the host is read, so an
    image has its own (``depmod -b`` takes the running machine's). `layout` is
    the node order of binary files, `jobs` the number of processes (None: what
    is sensible).

    `problems` holds, after `build` and `check`, what went wrong with single
    files and lines: they are left out of the index as depmod leaves them out.

    Raises ModuleNotFound where there is no such kernel.
    """

    def __init__(
        self,
        host: Host,
        release: str | None = None,
        *,
        directory: str | None = None,
        config: DepmodConfig | None = None,
        layout: Layout = Layout.POST_ORDER,
        jobs: int | None = None,
    ) -> None:
        if directory is None:
            release, directory = find_tree(host, release)
        self.directory = directory.rstrip("/")
        self.release = release or self.directory.rpartition("/")[2]
        self.layout = layout
        self.problems: Sequence[ModuleError] = ()
        self._host = host
        self._config = config
        self._jobs = jobs
        stat = host.stat(self.directory)
        if stat is None or stat.type != "directory":
            raise ModuleNotFound(
                f"{self.directory}: no module directory for {self.release}",
                path=self.directory,
                remedy="name an installed release; they are the names below /lib/modules",
            )

    def contents(self) -> tuple[ModuleTree, list[Content]]:
        """The modules, and what every file has to hold, in the order of FILES.

        Raises DependencyCycle.
        """
        tree = read_tree(
            self._host,
            self.directory,
            release=self.release,
            config=self._config,
            layout=self.layout,
            jobs=self._jobs,
        )
        self.problems = [
            as_record(error) for error in (*tree.problems, *index_text.without_place(tree))
        ]
        return tree, make_contents(tree, self.layout, self._jobs or sensible_jobs(self._host))

    def build(self, outdir: str | None = None, *, into: Host | None = None) -> Sequence[IndexFile]:
        """Write the whole index, all files or none; below ``outdir/lib/modules/RELEASE`` if given.

        Files that are right already are not written again. `into` is the host
        that `outdir` is on, None for the one with the modules.

        Raises DependencyCycle, WriteFailed, PermissionRefused.
        """
        from polymod.model.answers import IndexFile

        _, contents = self.contents()
        target = self.directory
        if outdir is not None:
            target = f"{outdir.rstrip('/')}/lib/modules/{self.release}"
        host = into or self._host
        present = host.read_many([f"{target}/{content.name}" for content in contents])
        edits: list[Edit] = []
        files: list[IndexFile] = []
        for content in contents:
            path = f"{target}/{content.name}"
            changed = present[path] != content.data
            if changed:
                edits.append(Edit(path, content.data))
            files.append(
                IndexFile(
                    backend="linux",
                    path=path,
                    size=len(content.data),
                    entries=content.entries,
                    changed=changed,
                )
            )
        if edits:
            host.write(edits)
        return files

    def check(self) -> Iterator[Finding]:
        """What of the present index is stale, missing, foreign or damaged."""
        from polymod_linux.index_check import compare

        tree, contents = self.contents()
        return compare(self._host, tree, contents)


def make_contents(tree: ModuleTree, layout: Layout, jobs: int = 1) -> list[Content]:
    """What every file of the index has to hold, in the order of FILES.

    Raises DependencyCycle.
    """
    from polymod.parallel import map_chunks

    owners = symbol_owners(tree.facts)
    direct = direct_dependencies(tree.facts, owners)
    names = [module.name for module in tree.modules]
    needed = closures(direct, load_numbers(direct, names))
    makers: dict[str, Callable[[], list[Content]]] = {
        "alias": lambda: index_text.alias_files(tree, layout),
        "symbols": lambda: index_text.symbol_files(tree, owners, layout),
        "dep": lambda: index_text.dependency_files(
            tree, index_text.dependency_lines(tree, needed), layout
        ),
        "rest": lambda: [
            index_text.softdep_file(tree),
            index_text.weakdep_file(tree),
            *index_text.builtin_files(tree, layout),
            index_text.devname_file(tree),
        ],
    }
    jobs = jobs if len(tree.modules) >= _WORTH_FORKING else 1

    def work(part: list[str]) -> list[Content]:
        return [content for name in part for content in makers[name]()]

    made = [
        content
        for part in map_chunks(work, makers, jobs=min(jobs, len(makers)), chunk=1)
        for content in part
    ]
    return sorted(made, key=lambda content: FILES.index(content.name))
