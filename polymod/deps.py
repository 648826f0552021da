"""Questions about dependencies, for any OS: order, rings, who needs what, and why.

Everything works on `Edge` lists as `Inventory.edges` gives them, keeps their
order, and walks with stacks of its own, so that no chain is too long for it.
An edge is soft where its relation says so (``soft-pre``, ``soft-post``,
``weak``): such a dependency may be absent, and a ring of them is no fault.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from polymod.backend import Edge
from polymod.errors import DependencyCycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polymod.model.answers import DependencyStep

SOFT = frozenset(("soft-pre", "soft-post", "weak"))
_AFTER = "soft-post"


class Reached(NamedTuple):
    """A module on the way from another: how many edges away, and the last one of them."""

    name: str
    distance: int
    edge: Edge


def is_soft(edge: Edge) -> bool:
    """Whether the source loads without the target too."""
    return edge.relation in SOFT


def of_steps(steps: Iterable[DependencyStep]) -> tuple[Edge, ...]:
    """The edges within one closure, from who needs whom in its steps."""
    edges: dict[Edge, None] = {}
    for step in steps:
        relation = step.relation if step.relation in SOFT else "module"
        for name in step.needed_by:
            edges[Edge(name, step.name, str(relation))] = None
    return tuple(edges)


def distinct(steps: Iterable[DependencyStep]) -> list[DependencyStep]:
    """The steps without those that load a module which an earlier one already loads.

    An OS may try a module again for each that needs it, which does nothing; a
    configured command is run each time.
    """
    kept: list[DependencyStep] = []
    loaded: dict[str, int] = {}
    for step in steps:
        known = loaded.get(step.name) if step.command is None else None
        if known is None:
            loaded.setdefault(step.name, len(kept))
            kept.append(step)
        elif step.relation == "requested":
            kept[known] = replace(kept[known], relation=step.relation)
    return kept


def reverse(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The same edges from the needed module to the one that needs it."""
    return tuple(Edge(edge.target, edge.source, edge.relation) for edge in edges)


def reachable(edges: Iterable[Edge], name: str) -> tuple[Reached, ...]:
    """Every module below `name`, nearest first; itself only where a ring leads back."""
    outgoing = _outgoing(edges)
    found: dict[str, Reached] = {}
    nearest = [(name, 0)]
    for source, distance in nearest:  # grows while it is gone through
        for edge in outgoing.get(source, ()):
            if edge.target not in found:
                found[edge.target] = Reached(edge.target, distance + 1, edge)
                if edge.target != name:
                    nearest.append((edge.target, distance + 1))
    return tuple(found.values())


def dependants(edges: Iterable[Edge], name: str) -> tuple[Reached, ...]:
    """Every module that needs `name`, directly (distance 1) or through others, nearest first.

    The edges of the answer lead from the needed module to the one that needs it.
    """
    return reachable(reverse(edges), name)


def below(edges: Iterable[Edge], roots: Iterable[str]) -> tuple[Edge, ...]:
    """The edges that start at `roots` or at what they need, in the order given."""
    edges = tuple(edges)
    outgoing = _outgoing(edges)
    inside = dict.fromkeys(roots)
    waiting = list(inside)
    while waiting:
        for edge in outgoing.get(waiting.pop(), ()):
            if edge.target not in inside:
                inside[edge.target] = None
                waiting.append(edge.target)
    return tuple(edge for edge in edges if edge.source in inside)


def why(edges: Iterable[Edge], name: str, needed: str) -> tuple[Edge, ...]:
    """A shortest chain of edges by which `name` needs `needed`; () where it does not.

    Among equally short ones the one whose edges were given first.
    """
    found = {reached.name: reached for reached in reachable(edges, name)}
    chain: list[Edge] = []
    here = needed
    while here in found and (here != name or not chain):
        edge = found[here].edge
        chain.append(edge)
        here = edge.source
    return tuple(reversed(chain))


def order(edges: Iterable[Edge], roots: Iterable[str]) -> tuple[str, ...]:
    """`roots` and all they need, each once, in an order in which they can be loaded.

    Hard and soft-pre dependencies come before, soft-post ones after the module;
    soft ones give way where they would close a ring. Raises DependencyCycle
    naming the ring where hard ones do.
    """
    roots = tuple(roots)
    edges = below(edges, roots)
    rings = cycles(edges)
    if rings:
        members = {name for ring in rings for name in ring}
        raise DependencyCycle(rings[0], members=sorted(members))
    outgoing = _outgoing(edges)
    hard = _outgoing(edge for edge in edges if not is_soft(edge))
    done: dict[str, None] = {}
    entered: set[str] = set()
    stack: list[tuple[str, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            # A soft ring may have brought us here before its hard dependencies are done.
            for target in _hard_order(hard, name, done):
                done[target] = None
            continue
        if name in entered:
            continue
        entered.add(name)
        own = outgoing.get(name, ())
        stack += [(edge.target, False) for edge in reversed(own) if edge.relation == _AFTER]
        stack.append((name, True))
        stack += [(edge.target, False) for edge in reversed(own) if edge.relation != _AFTER]
    return tuple(done)


def _hard_order(
    hard: Mapping[str, Sequence[Edge]], root: str, done: Mapping[str, None]
) -> Iterator[str]:
    """`root` after those of its hard dependencies that are not done yet; there are no rings."""
    entered: set[str] = set()
    stack: list[tuple[str, bool]] = [(root, False)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            yield name
        elif name not in done and name not in entered:
            entered.add(name)
            stack.append((name, True))
            stack += [(edge.target, False) for edge in reversed(hard.get(name, ()))]


def cycles(edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    """The rings of hard dependencies: one shortest ring for each knot of modules.

    A ring repeats its first module at the end. () where there is none, as
    there should be.
    """
    hard = tuple(edge for edge in edges if not is_soft(edge))
    rings = []
    for knot in _knots(hard):
        members = set(knot)
        inner = [edge for edge in hard if edge.source in members and edge.target in members]
        starts = knot[: max(1, _RING_WORK // len(knot))]
        ring = min((why(inner, name, name) for name in starts), key=len)
        if ring:
            rings.append((ring[0].source, *(edge.target for edge in ring)))
    return tuple(rings)


#: How many walks over how many members look for the shortest ring; real knots are small.
_RING_WORK = 10_000


def _knots(edges: Sequence[Edge]) -> Iterator[list[str]]:
    """The sets of modules that all need each other, in order of first mention.

    Both ways reachable, by Kosaraju's two walks.
    """
    finished = _finishing_order(_outgoing(edges), dict.fromkeys(edge.source for edge in edges))
    incoming = _outgoing(reverse(edges))
    loops = {edge.source for edge in edges if edge.source == edge.target}
    knot_of: dict[str, str] = {}
    knots: dict[str, list[str]] = {}
    for root in reversed(finished):
        waiting = [root] if root not in knot_of else []
        while waiting:
            name = waiting.pop()
            if name in knot_of:
                continue
            knot_of[name] = root
            waiting += [edge.target for edge in incoming.get(name, ()) if edge.target in finished]
    for name in dict.fromkeys(edge.source for edge in edges):
        knots.setdefault(knot_of[name], []).append(name)
    for knot in knots.values():
        if len(knot) > 1 or knot[0] in loops:
            yield knot


def _finishing_order(
    outgoing: Mapping[str, Sequence[Edge]], names: Iterable[str]
) -> dict[str, None]:
    finished: dict[str, None] = {}
    entered: set[str] = set()
    for root in names:
        stack = [(root, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                finished[name] = None
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                stack += [(edge.target, False) for edge in outgoing.get(name, ())]
    return finished


def _outgoing(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge)
    return found
