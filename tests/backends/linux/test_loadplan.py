"""Load plans over small made-up kernels; the orders are those that kmod 30 prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.errors import ModuleNotFound
from polymod.model.answers import Relation
from polymod_linux.config import Config
from polymod_linux.index import AliasHit, ModuleIndex
from polymod_linux.loadplan import Planner
from polymod_linux.matching import matches
from polymod_linux.modprobe_d import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: name: hard dependencies in the order of modules.dep (what loads first stands last).
MODULES = {"a": "", "b": "a", "c": "b a", "d": "a", "e": "", "f": "d a"}
ALIASES = [("usb:v*", "b"), ("usb:v1*", "c"), ("symbol:sym", "d"), ("nick", "a")]
BUILTINS = {"core": "kernel/core.ko"}
BUILTIN_ALIASES = [("crypto_core", "core")]


class Index(ModuleIndex):
    """MODULES and their like as an index."""

    problems = ()

    def paths(self) -> Mapping[str, str]:
        return {name: f"kernel/{name}.ko" for name in MODULES}

    def closure(self, name: str) -> Sequence[str]:
        if name not in MODULES:
            raise ModuleNotFound(name)
        return [f"kernel/{other}.ko" for other in MODULES[name].split()]

    def aliases(self, alias: str) -> Sequence[AliasHit]:
        return [AliasHit(p, name, "modules.alias") for p, name in ALIASES if matches(p, alias)]

    def builtin_aliases(self, alias: str) -> Sequence[AliasHit]:
        found = [(p, name) for p, name in BUILTIN_ALIASES if matches(p, alias)]
        return [AliasHit(p, name, "modules.builtin.alias") for p, name in found]

    def builtins(self) -> Mapping[str, str]:
        return BUILTINS

    def softdeps(self) -> Sequence[tuple[str, str]]:
        return ()

    def weakdeps(self) -> Sequence[tuple[str, str]]:
        return ()

    def devnames(self) -> Sequence[tuple[str, str, str]]:
        return ()


def planner(config: str) -> Planner:
    return Planner(Config(parse(config.encode(), "/etc/modprobe.d/x.conf")[0]), Index())


def loads(config: str, name: str) -> str:
    """The names a plan loads, in order; a command in its place as ``name!``."""
    plans = planner(config)
    return " ".join(
        f"{step.module.name}!" if step.command else step.module.name
        for found in plans.lookup(name)
        for step in plans.plan(found)
    )


@pytest.mark.parametrize(
    ("config", "name", "expected"),
    [
        pytest.param("", "c", "a b c", id="hard dependencies first"),
        pytest.param("", "core", "core", id="built-in code is one step"),
        pytest.param("", "nothing", "", id="an unknown name is no plan"),
        pytest.param("softdep e pre: c post: f", "e", "a b c e a d f", id="soft before and after"),
        pytest.param("softdep c pre: d", "c", "a b a d c", id="a shared dependency comes twice"),
        pytest.param("softdep a pre: e", "c", "e a b c", id="dependencies bring their soft ones"),
        pytest.param("softdep e pre: e", "e", "e", id="a module that wants itself"),
        pytest.param("softdep e pre: a\nsoftdep a pre: e", "e", "a e", id="a ring of two"),
        pytest.param("softdep a pre: c", "c", "a b c", id="soft need of what is being loaded"),
        pytest.param("softdep e pre: gone usb:v1", "e", "a b a b c e", id="also by alias"),
        pytest.param("softdep e post: core", "e", "e core", id="built-in code softly needed"),
        pytest.param("softdep e pre: a\nsoftdep e pre: d", "e", "a e", id="only the first line"),
        pytest.param("softdep [ef] pre: a", "e", "a e", id="a pattern for modules"),
        pytest.param("install b /bin/x", "c", "a b! c", id="a command instead of a dependency"),
        pytest.param("install c modprobe c", "c", "a b c!", id="a command that calls itself"),
        pytest.param("install e x\nsoftdep e pre: a", "e", "a e", id="a softdep beats a command"),
        pytest.param("install e x\nsoftdep e pre: gone", "e", "e!", id="unless it names nobody"),
        pytest.param("install odd x", "odd", "odd!", id="a command for a name of its own"),
        pytest.param("remove odd x", "odd", "odd", id="a remove command makes a name known"),
        pytest.param("alias x e", "x", "e", id="an alias"),
        pytest.param("alias x e\nalias x d", "x", "e a d", id="an alias of two modules"),
        pytest.param("alias x y\nalias y e", "x", "y", id="an alias of an alias leads nowhere"),
        pytest.param("alias x y\nalias y x", "x", "y", id="aliases in a ring end"),
        pytest.param("alias e a", "e", "a", id="an alias hides the module of its name"),
        pytest.param("blacklist b", "usb:v2", "", id="blacklisted by alias"),
        pytest.param("blacklist b", "b", "a b", id="a blacklist does not stop the name"),
        pytest.param("blacklist a", "c", "a b c", id="nor the dependency"),
        pytest.param("blacklist b", "usb:v1", "a b c", id="one of two by alias"),
        pytest.param("alias x e\nsoftdep e pre: x", "e", "e e", id="by alias it counts anew"),
    ],
)
def test_plans_are_modprobes(config: str, name: str, expected: str) -> None:
    assert loads(config, name) == expected


def test_a_chain_of_soft_dependencies_may_be_long() -> None:
    ring = "\n".join(f"alias x{n} e\nsoftdep x{n} pre: x{n + 1}" for n in range(5000))
    chain = "\n".join(f"install y{n} c\nsoftdep y{n} pre: y{n + 1}" for n in range(5000))
    assert loads(ring, "x0") == "e"
    loaded = loads(chain, "y0").split()
    assert loaded == ["y4999!", *(f"y{n}" for n in reversed(range(4999)))]


def test_a_long_list_for_every_module_is_gone_through_once() -> None:
    names = " ".join(f"n{number}" for number in range(3000))
    commands = "\n".join(f"install n{number} c" for number in range(3000))
    planned = loads(f"{commands}\nsoftdep * pre: {names}", "c").split()
    assert len(planned) == 3003
    assert planned[-1] == "c"


def test_options_of_the_alias_join_those_of_the_module() -> None:
    plans = planner("alias nic e\noptions e a=1\noptions nic b=2\noptions d c=3\n")
    (found,) = plans.lookup("nic")
    assert [step.options for step in plans.plan(found)] == ["a=1 b=2"]


def test_relations_tell_why_a_module_is_loaded_and_whether_it_must_be() -> None:
    plans = planner("softdep b pre: e post: d\n")
    (found,) = plans.lookup("c")
    steps = [(step.module.name, step.relation, step.required) for step in plans.plan(found)]
    assert steps == [
        ("a", Relation.MODULE, True),
        ("e", Relation.SOFT_PRE, False),
        ("b", Relation.MODULE, True),
        ("a", Relation.MODULE, True),
        ("d", Relation.SOFT_POST, False),
        ("c", Relation.REQUESTED, True),
    ]


@pytest.mark.parametrize(
    ("config", "text", "expected"),
    [
        pytest.param("alias a* e\ninstall a x", "a", ["e@modprobe.d"], id="configured alias first"),
        pytest.param("install nick x", "nick", ["nick@modprobe.d"], id="command before alias"),
        pytest.param("", "a", ["a@modules.dep"], id="the module's own name"),
        pytest.param("", "usb:v1", ["b@modules.alias", "c@modules.alias"], id="all that match"),
        pytest.param("", "core", ["core@modules.builtin"], id="built-in name"),
        pytest.param("", "crypto-core", ["core@modules.builtin.alias"], id="built-in alias"),
        pytest.param("", "usb:[v", [], id="brackets that do not pair"),
        pytest.param("", "", [], id="nothing at all"),
    ],
)
def test_the_first_source_with_an_answer_ends_the_search(
    config: str, text: str, expected: list[str]
) -> None:
    found = planner(config).lookup(text)
    assert [f"{one.name}@{one.source}" for one in found] == expected
