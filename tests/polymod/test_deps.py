"""Order, rings, reasons and drawings over small graphs, and their laws over random ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymod import deps, deps_text
from polymod.backend import Edge
from polymod.errors import DependencyCycle
from polymod.model.answers import DependencyStep, Presence, Relation


def graph(text: str) -> list[Edge]:
    """``a>b`` hard, ``a<b`` soft before, ``a~b`` soft after."""
    words = {">": "module", "<": "soft-pre", "~": "soft-post"}
    found = []
    for word in text.split():
        mark = next(character for character in word if character in words)
        source, target = word.split(mark)
        found.append(Edge(source, target, words[mark]))
    return found


DIAMOND = graph("top>left top>right left>base right>base")


@pytest.mark.parametrize(
    ("text", "root", "expected"),
    [
        ("a>b b>c", "a", "c b a"),
        ("top>left top>right left>base right>base", "top", "base left right top"),
        ("a<b a~c b>d", "a", "d b a c"),
        ("a<b b<a", "a", "b a"),
        ("a<b b>a", "a", "a b"),
        ("a~b b>a", "a", "a b"),
        ("x>y", "alone", "alone"),
    ],
)
def test_order_puts_what_is_needed_first(text: str, root: str, expected: str) -> None:
    assert " ".join(deps.order(graph(text), [root])) == expected


def test_order_of_a_ring_raises_and_names_it() -> None:
    with pytest.raises(DependencyCycle) as caught:
        deps.order(graph("a>b b>c c>b"), ["a"])
    assert caught.value.chain == ("b", "c", "b")
    assert caught.value.members == ("b", "c")


def test_a_ring_elsewhere_does_not_matter() -> None:
    assert deps.order(graph("a>b x>y y>x"), ["a"]) == ("b", "a")


@pytest.mark.parametrize(
    ("text", "rings"),
    [
        ("a>b b>c", []),
        ("a>b b>a", ["a b a"]),
        ("a>a", ["a a"]),
        ("a>b b>c c>a b>a", ["a b a"]),
        ("a>b b>a c>d d>c a>c", ["a b a", "c d c"]),
        ("a<b b<a", []),
    ],
)
def test_each_knot_of_modules_has_its_shortest_ring(text: str, rings: list[str]) -> None:
    assert [" ".join(ring) for ring in deps.cycles(graph(text))] == rings


def test_dependants_are_found_nearest_first() -> None:
    found = deps.dependants(DIAMOND, "base")
    assert [(one.name, one.distance) for one in found] == [("left", 1), ("right", 1), ("top", 2)]


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("a>b b>c a>d d>e e>c", "a b c"),
        ("a>b", ""),
        ("a>b b>c a~c", "a c"),
    ],
)
def test_why_is_a_shortest_chain(text: str, chain: str) -> None:
    found = deps.why(graph(text), "a", "c")
    names = [found[0].source, *(edge.target for edge in found)] if found else []
    assert " ".join(names) == chain


def test_why_of_a_module_and_itself_is_its_ring_or_nothing() -> None:
    assert deps.why(graph("a>b b>a"), "a", "a") == tuple(graph("a>b b>a"))
    assert deps.why(graph("a>b"), "a", "a") == ()


def test_below_keeps_the_edges_of_what_is_needed() -> None:
    assert deps.below(graph("a>b x>b b>c"), ["a"]) == tuple(graph("a>b b>c"))


def step(name: str, relation: Relation, *needed_by: str) -> DependencyStep:
    return DependencyStep(
        backend="linux",
        subject="c",
        name=name,
        path=None,
        relation=relation,
        presence=Presence.LOADABLE,
        needed_by=needed_by,
    )


STEPS = [
    step("a", Relation.MODULE, "b", "c"),
    step("b", Relation.SOFT_PRE, "c"),
    step("a", Relation.MODULE, "b", "c"),
    step("c", Relation.REQUESTED),
]


def test_a_closure_gives_its_edges() -> None:
    assert deps.of_steps(STEPS) == (
        Edge("b", "a", "module"),
        Edge("c", "a", "module"),
        Edge("c", "b", "soft-pre"),
    )


def test_repeated_steps_can_be_left_out() -> None:
    assert [one.name for one in deps.distinct(STEPS)] == ["a", "b", "c"]


def test_a_tree_opens_every_module_once() -> None:
    assert deps_text.tree([*DIAMOND, *graph("base>x left<y")], "top") == (
        "top\n"
        "├── left\n"
        "│   ├── base\n"
        "│   │   └── x\n"
        "│   └── y [soft-pre]\n"
        "└── right\n"
        "    └── base (see above)\n"
    )


def test_a_tree_can_do_without_box_characters() -> None:
    assert deps_text.tree(graph("a>b a>c b>d"), "a", ascii_only=True) == (
        "a\n|-- b\n|   `-- d\n`-- c\n"
    )


def test_a_tree_of_a_ring_ends_and_says_so() -> None:
    assert deps_text.tree(graph("a>b b>a"), "a") == "a\n└── b\n    └── a (ring)\n"


def test_a_tree_of_one_module_is_its_name() -> None:
    assert deps_text.tree([], "alone") == "alone\n"


def test_dot_draws_soft_edges_dashed_and_quotes_names() -> None:
    edges = [Edge('a"b', "c\\d", "module"), Edge("c\\d", "e\n", "soft-pre")]
    assert deps_text.dot(edges, ['a"b']) == (
        "digraph dependencies {\n"
        "    rankdir=LR;\n"
        "    node [shape=box];\n"
        '    "a\\"b" [style=bold];\n'
        '    "a\\"b" -> "c\\\\d";\n'
        '    "c\\\\d" -> "e\\\\n" [style=dashed, label="soft-pre"];\n'
        "}\n"
    )


def test_mermaid_numbers_its_nodes_and_escapes_their_labels() -> None:
    assert deps_text.mermaid([Edge('a"', "b", "module"), Edge("b", "c", "soft-post")], ['a"']) == (
        "flowchart LR\n"
        '    m0["a#34;"]\n'
        '    m1["b"]\n'
        "    m0 --> m1\n"
        '    m2["c"]\n'
        "    m1 -.->|soft-post| m2\n"
    )


def test_long_chains_do_not_matter() -> None:
    chain = [Edge(str(n), str(n + 1), "module") for n in range(20_000)]
    assert deps.order(chain, ["0"])[0] == "20000"
    assert len(deps.why(chain, "0", "20000")) == 20_000
    (ring,) = deps.cycles([*chain, Edge("20000", "0", "module")])
    assert len(ring) == 20_002


NODES = st.sampled_from("abcdefg")
EDGES = st.lists(
    st.builds(Edge, NODES, NODES, st.sampled_from(["module", "soft-pre", "soft-post"])), max_size=14
)


@given(EDGES, NODES)
def test_an_order_has_all_and_hard_needs_before_their_users(edges: list[Edge], root: str) -> None:
    inside = deps.below(edges, [root])
    if deps.cycles(inside):
        with pytest.raises(DependencyCycle):
            deps.order(edges, [root])
        return
    order = deps.order(edges, [root])
    assert set(order) == {root, *(edge.target for edge in inside)}
    assert len(order) == len(set(order))
    for edge in inside:
        if not deps.is_soft(edge):
            assert order.index(edge.target) < order.index(edge.source)


@given(EDGES)
def test_rings_are_made_of_hard_edges_and_close(edges: list[Edge]) -> None:
    hard = {(edge.source, edge.target) for edge in edges if not deps.is_soft(edge)}
    for ring in deps.cycles(edges):
        assert ring[0] == ring[-1]
        assert set(pairwise(ring)) <= hard


@given(EDGES, NODES)
def test_every_drawing_of_any_graph_ends(edges: list[Edge], root: str) -> None:
    lines = deps_text.tree(edges, root).splitlines()
    assert lines[0] == root
    assert len(lines) <= 1 + len(edges)
    assert deps_text.dot(edges).count("->") == len(set(edges))
    assert deps_text.mermaid(edges).count("-->") + deps_text.mermaid(edges).count("-.->") == len(
        set(edges)
    )
