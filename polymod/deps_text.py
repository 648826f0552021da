"""Dependencies as text: a tree to read, and graphs for Graphviz and Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod import deps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polymod.backend import Edge


class _Lines(NamedTuple):
    """What a tree is drawn with: before a child, a last child, and below either."""

    child: str
    last: str
    below_child: str
    below_last: str


_UNICODE = _Lines("├── ", "└── ", "│   ", "    ")
_ASCII = _Lines("|-- ", "`-- ", "|   ", "    ")


def tree(edges: Iterable[Edge], root: str, *, ascii_only: bool = False) -> str:
    """What `root` needs, one module a line, indented below the one that needs it.

    Each module is opened once; where it comes again the line says so. Soft
    relations stand in brackets.
    """
    outgoing: dict[str, list[Edge]] = {}
    for edge in edges:
        outgoing.setdefault(edge.source, []).append(edge)
    lines = _ASCII if ascii_only else _UNICODE
    drawn = [_plain(root)]
    opened = {root}
    open_above: list[str] = []
    stack = _children(outgoing.get(root, ()), "", 0, lines)
    while stack:
        edge, prefix, mark, below, depth = stack.pop()
        del open_above[depth:]
        open_above.append(edge.source)
        note = f" [{edge.relation}]" if deps.is_soft(edge) else ""
        children = outgoing.get(edge.target, ())
        if edge.target in opened and children:
            note += " (ring)" if edge.target in open_above else " (see above)"
            children = ()
        opened.add(edge.target)
        drawn.append(f"{prefix}{mark}{_plain(edge.target)}{note}")
        stack += _children(children, prefix + below, depth + 1, lines)
    return "\n".join(drawn) + "\n"


def _children(
    edges: Sequence[Edge], prefix: str, depth: int, lines: _Lines
) -> list[tuple[Edge, str, str, str, int]]:
    """The lines to draw for `edges`, the first one last, as a stack wants them."""
    found = [(edge, prefix, lines.child, lines.below_child, depth) for edge in edges]
    if found:
        found[-1] = (found[-1][0], prefix, lines.last, lines.below_last, depth)
    return found[::-1]


def dot(edges: Iterable[Edge], roots: Iterable[str] = ()) -> str:
    """A graph in Graphviz's language; `roots` are drawn bold, soft edges dashed."""
    drawn = ["digraph dependencies {", "    rankdir=LR;", "    node [shape=box];"]
    drawn += [f"    {_quoted(root)} [style=bold];" for root in dict.fromkeys(roots)]
    for edge in dict.fromkeys(edges):
        style = f" [style=dashed, label={_quoted(edge.relation)}]" if deps.is_soft(edge) else ""
        drawn.append(f"    {_quoted(edge.source)} -> {_quoted(edge.target)}{style};")
    return "\n".join([*drawn, "}"]) + "\n"


def mermaid(edges: Iterable[Edge], roots: Iterable[str] = ()) -> str:
    """A flowchart in Mermaid's language; soft edges are dotted and labelled."""
    names: dict[str, str] = {}
    drawn: list[str] = []

    def node(name: str) -> str:
        if name not in names:
            names[name] = f"m{len(names)}"
            drawn.append(f'    {names[name]}["{_entity(name)}"]')
        return names[name]

    for root in roots:
        node(root)
    for edge in dict.fromkeys(edges):
        source, target = node(edge.source), node(edge.target)
        arrow = f"-.->|{_entity(edge.relation)}|" if deps.is_soft(edge) else "-->"
        drawn.append(f"    {source} {arrow} {target}")
    return "\n".join(["flowchart LR", *drawn]) + "\n"


def _plain(name: str) -> str:
    """A name that cannot break the line it stands on."""
    return name if name.isprintable() else ascii(name)[1:-1]


def _quoted(name: str) -> str:
    text = _plain(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _entity(name: str) -> str:
    """Mermaid has no backslash escapes; it takes ``#number;``."""
    return "".join(c if c.isalnum() or c in "_-.:/,+ " else f"#{ord(c)};" for c in _plain(name))
