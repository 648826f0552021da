"""From module files to dependencies: owners of symbols, order, cycles, closures.

The rules are those of kmod's tools/depmod.c, to the order of every list.
Modules are numbers here: their place in the order of modules.dep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import DependencyCycle, ModuleNotFound, PolymodError
from polymod_linux.depmod_d import DepmodConfig, read_config
from polymod_linux.index_facts import ModuleFacts, read_all, strings
from polymod_linux.index_trie import Layout
from polymod_linux.module_files import find_modules, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.hosts.base import Host
    from polymod_linux.module_files import ModulePath

#: Files that one worker reads before it answers, and those that are worth a second process.
_CHUNK, _WORTH_FORKING = 128, 256


class ModuleTree(NamedTuple):
    """Everything that is indexed below one module directory.

    `modules` and `facts` are in the order of modules.dep. `builtin` and
    `builtin_modinfo` are the files the kernel's build left, None if missing.
    """

    directory: str
    modules: list[ModulePath]
    facts: list[ModuleFacts]
    builtin: bytes | None
    builtin_modinfo: bytes | None
    problems: list[PolymodError]

    def names(self) -> list[bytes]:
        """The module names, by number."""
        return [module.name.encode("utf-8", "surrogateescape") for module in self.modules]


def read_tree(
    host: Host,
    directory: str,
    *,
    release: str | None = None,
    config: DepmodConfig | None = None,
    layout: Layout = Layout.POST_ORDER,
    jobs: int | None = None,
) -> ModuleTree:
    """Find, order and read all modules below `directory` of `host`.

    `release` (None: the directory's name) is matched by depmod.d, which is
    read from the host unless `config` is given. `jobs` processes share the
    work (None: as many as there are processors, one where files come from
    elsewhere). A file that cannot be read counts as a module without
    dependencies, and is among the problems.

    Raises ModuleNotFound, PermissionRefused, UnreadableFile for `directory`.
    """
    directory = directory.rstrip("/")
    if config is None:
        config = read_config(host, release or directory.rpartition("/")[2])
    problems = list(config.problems)
    found = find_modules(host, directory, config, problems)
    order_path = f"{directory}/modules.order"
    order = _optional(host, order_path, problems)
    modules = in_order(found, order, layout, problems, order_path)
    facts = _read_facts(host, [module.path for module in modules], jobs)
    problems += [fact.error for fact in facts if fact.error is not None]
    return ModuleTree(
        directory,
        modules,
        facts,
        _optional(host, f"{directory}/modules.builtin", problems),
        _optional(host, f"{directory}/modules.builtin.modinfo", problems),
        problems,
    )


def _optional(host: Host, path: str, problems: list[PolymodError]) -> bytes | None:
    """The content of a file that need not be there."""
    try:
        return host.read(path)
    except ModuleNotFound:
        return None
    except PolymodError as error:
        problems.append(error)
        return None


def _read_facts(host: Host, paths: list[str], jobs: int | None) -> list[ModuleFacts]:
    from polymod.parallel import map_chunks

    if jobs is None:
        jobs = sensible_jobs(host)
    if len(paths) < _WORTH_FORKING:
        jobs = 1

    def work(chunk: list[str]) -> list[tuple[object, ...]]:
        # Bare tuples: a class would be named once for every module on the way back.
        return [tuple(fact) for fact in read_all(host, chunk)]

    parts = map_chunks(work, paths, jobs=jobs, chunk=_CHUNK)
    return [ModuleFacts._make(fact) for part in parts for fact in part]


def sensible_jobs(host: Host) -> int:
    """The number of processes for work on the files of `host`.

    More than one only where files are this machine's: a connection is not shared.
    """
    from polymod.parallel import processors

    return processors() if host.parallel else 1


# -- dependencies -----------------------------------------------------------


def symbol_owners(facts: Sequence[ModuleFacts]) -> dict[bytes, int]:
    """The module that exports each symbol; of several the last one counts."""
    owners: dict[bytes, int] = {}
    for number, fact in enumerate(facts):
        if fact.exports:
            owners.update(dict.fromkeys(strings(fact.exports), number))
    return owners


def direct_dependencies(facts: Sequence[ModuleFacts], owners: dict[bytes, int]) -> list[list[int]]:
    """The modules that each module needs a symbol of, in the order of its imports."""
    found = []
    owner_of = owners.get
    for fact in facts:
        names = strings(fact.imports)
        if fact.imports.startswith(b".") or b"\0." in fact.imports:
            # ppc64: ".foo" is the entry point of the function that "foo" describes.
            names = [name.removeprefix(b".") for name in names]
        needed: dict[int | None, None] = dict.fromkeys(map(owner_of, names))
        needed.pop(None, None)
        found.append([number for number in needed if number is not None])
    return found


def load_numbers(direct: Sequence[Sequence[int]], names: Sequence[str]) -> list[int]:
    """A number for each module, larger than those of all modules that need it.

    Raises DependencyCycle naming a chain, and all modules that are in any ring.
    """
    users = [0] * len(direct)
    for needed in direct:
        for number in needed:
            users[number] += 1
    ready = [number for number, count in enumerate(users) if not count]
    numbers = [-1] * len(direct)
    given = 0
    while ready:
        module = ready.pop()
        numbers[module] = given
        given += 1
        for number in direct[module]:
            users[number] -= 1
            if not users[number]:
                ready.append(number)
    if given < len(direct):
        left = [number for number, value in enumerate(numbers) if value < 0]
        raise _cycle(direct, left, names)
    return numbers


def closures(direct: Sequence[Sequence[int]], numbers: Sequence[int]) -> list[list[int]]:
    """All that each module needs, directly or not, by ascending load number."""
    by_number = sorted(range(len(direct)), key=numbers.__getitem__)
    whole: list[list[int]] = [[]] * len(direct)
    for module in reversed(by_number):
        if direct[module]:
            needed = set(direct[module])
            for number in direct[module]:
                needed.update(whole[number])
            whole[module] = sorted(needed, key=numbers.__getitem__)
    return whole


def _cycle(
    direct: Sequence[Sequence[int]], left: Sequence[int], names: Sequence[str]
) -> DependencyCycle:
    """The error for modules `left` over, of which some are in rings and some between them."""
    rings = [
        ring for ring in _components(direct, left) if len(ring) > 1 or ring[0] in direct[ring[0]]
    ]
    members = sorted(number for ring in rings for number in ring)
    ring = min(rings, key=min)
    chain = _way_round(direct, min(ring), set(ring))
    return DependencyCycle(
        [names[number] for number in chain], members=[names[number] for number in members]
    )


def _way_round(direct: Sequence[Sequence[int]], start: int, ring: set[int]) -> list[int]:
    """A shortest way from `start` back to itself inside a ring."""
    came_from: dict[int, int] = {}
    front = [start]
    while start not in came_from:
        following: list[int] = []
        for module in front:
            for number in direct[module]:
                if number in ring and number not in came_from:
                    came_from[number] = module
                    following.append(number)
        front = following
    way = [start]
    at = came_from[start]
    while at != start:
        way.append(at)
        at = came_from[at]
    return [start, *way[:0:-1], start]


def _components(direct: Sequence[Sequence[int]], nodes: Sequence[int]) -> list[list[int]]:
    """The strongly connected components among `nodes` (R. Tarjan's algorithm, no recursion)."""
    within = set(nodes)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in nodes:
        if root in index:
            continue
        path = [(root, iter(direct[root]))]
        index[root] = low[root] = len(index)
        waiting.append(root)
        on_stack.add(root)
        while path:
            module, rest = path[-1]
            for number in rest:
                if number not in within:
                    continue
                if number not in index:
                    index[number] = low[number] = len(index)
                    waiting.append(number)
                    on_stack.add(number)
                    path.append((number, iter(direct[number])))
                    break
                if number in on_stack:
                    low[module] = min(low[module], index[number])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[module])
                if low[module] == index[module]:
                    component = waiting[waiting.index(module) :]
                    del waiting[-len(component) :]
                    on_stack.difference_update(component)
                    found.append(component)
    return found
