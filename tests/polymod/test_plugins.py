"""Plugins: each of the six hooks, and what happens when a stranger's code misbehaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod import (
    Backend,
    Claim,
    ModuleError,
    ModuleFile,
    Plan,
    Rule,
    Severity,
    Step,
    StepOutcome,
    StepResult,
    Verb,
    hookimpl,
)
from polymod.backend import CERTAIN, LIKELY
from polymod.errors import AmbiguousBackend, MalformedModule, PluginFailed, UsageError
from polymod.hosts.local import LocalHost
from polymod.inventory import backend_for, describe_backends
from polymod.reading import Reader
from polymod.scanning import scan_parts
from tests.conftest import SAMPLES
from tests.polymod.elf_builder import module
from tests.polymod.toys import Toy, ToyBackend, brings, plugins_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from polymod.hosts.base import Host
    from polymod.plugins import Plugins

PLAN = Plan(backend="linux", host="local:", request="load m", steps=())
STEP = Step(
    id=1, action="load", subject="m", summary="load m", arguments={}, inverse=None,
    inverse_arguments=None,
)  # fmt: skip


def _failures(plugins: Plugins) -> list[str]:
    return [failure.message for failure in plugins.failures]


# -- the six hooks ----------------------------------------------------------


class Everything:
    """A plugin that implements every hook."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.host = LocalHost()

    @hookimpl
    def polymod_backends(self) -> Iterable[Backend]:
        yield ToyBackend()

    @hookimpl
    def polymod_open_host(self, spec: str) -> Host | None:
        return self.host if spec.startswith("toy:") else None

    @hookimpl
    def polymod_rules(self) -> Iterable[Rule]:
        return (Rule("toy-rule", Severity.INFO, "finds nothing", lambda record: ()),)

    @hookimpl
    def polymod_review_plan(self, plan: Plan, policy: Mapping[str, object]) -> str | None:
        return f"not {plan.request} with {policy['mode']}"

    @hookimpl
    def polymod_commands(self) -> Iterable[Verb]:
        return [Verb("play", "Play with it.", "toy:play")]

    @hookimpl
    def polymod_step_done(self, plan: Plan, step: Step, outcome: StepResult) -> None:
        self.done.append((plan, step, outcome))


def test_every_hook_reaches_a_plugin_and_comes_back() -> None:
    plugin = Everything()
    plugins = plugins_with(stranger=plugin)
    assert [backend.name for backend in plugins.backends()] == ["linux", "toy"]
    assert plugins.origin("toy") == "stranger"
    assert not plugins.is_builtin("toy")
    assert plugins.is_builtin("linux")
    assert plugins.open_host("toy:box") is plugin.host
    assert plugins.open_host("other:box") is None
    assert [rule.name for rule in plugins.rules()] == ["toy-rule"]
    assert plugins.review_plan(PLAN, {"mode": "strict"}) == ("stranger: not load m with strict",)
    assert [verb.name for verb in plugins.commands()] == ["play"]
    result = StepResult(StepOutcome.DONE)
    plugins.step_done(PLAN, STEP, result)
    assert plugin.done == [(PLAN, STEP, result)]
    assert plugins.failures == []


class Raising:
    """A plugin all of whose hooks raise."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @hookimpl
    def polymod_backends(self) -> Iterable[Backend]:
        raise self._error

    @hookimpl
    def polymod_open_host(self, spec: str) -> Host | None:
        raise self._error

    @hookimpl
    def polymod_rules(self) -> Iterable[Rule]:
        raise self._error

    @hookimpl
    def polymod_review_plan(self, plan: Plan, policy: Mapping[str, object]) -> str | None:
        raise self._error

    @hookimpl
    def polymod_commands(self) -> Iterable[Verb]:
        raise self._error

    @hookimpl
    def polymod_step_done(self, plan: Plan, step: Step, outcome: StepResult) -> None:
        raise self._error


CALLS: dict[str, Callable[[Plugins], object]] = {
    "polymod_backends": lambda plugins: [backend.name for backend in plugins.backends()],
    "polymod_open_host": lambda plugins: plugins.open_host("toy:box") is not None,
    "polymod_rules": lambda plugins: [rule.name for rule in plugins.rules()],
    "polymod_review_plan": lambda plugins: list(plugins.review_plan(PLAN, {"mode": "strict"})),
    "polymod_commands": lambda plugins: [verb.name for verb in plugins.commands()],
    "polymod_step_done": lambda plugins: plugins.step_done(
        PLAN, STEP, StepResult(StepOutcome.DONE)
    ),
}
ANSWERS: dict[str, object] = {
    "polymod_backends": ["linux", "toy"],
    "polymod_open_host": True,
    "polymod_rules": ["toy-rule"],
    "polymod_commands": ["play"],
    "polymod_step_done": None,
}


@pytest.mark.parametrize("first", ["bad", "good"])
@pytest.mark.parametrize("hook", CALLS)
def test_a_plugin_that_raises_is_named_and_left_out(hook: str, first: str) -> None:
    bad, good = Raising(ZeroDivisionError("oh no")), Everything()
    both = {"bad": bad, "good": good} if first == "bad" else {"good": good, "bad": bad}
    plugins = plugins_with(**both)
    answer = CALLS[hook](plugins)
    told = f"plugin bad: {hook} raised ZeroDivisionError: oh no"
    if hook == "polymod_review_plan":
        # Silence is not consent: who fails to review has not agreed.
        assert sorted(answer) == [  # type: ignore[call-overload]
            "good: not load m with strict",
            told,
        ]
    else:
        assert answer == ANSWERS[hook]
    # A host that the first plugin opened is the answer; the others are not asked.
    asked = not (hook == "polymod_open_host" and not plugins.failures)
    assert _failures(plugins) == ([told] if asked else [])


@pytest.mark.parametrize("error", [SystemExit(0), UsageError("no"), RecursionError()], ids=repr)
def test_a_plugin_cannot_end_a_request_with(error: Exception) -> None:
    plugins = plugins_with(bad=Raising(error), good=Everything())
    assert [backend.name for backend in plugins.backends()] == ["linux", "toy"]
    assert [rule.name for rule in plugins.rules()] == ["toy-rule"]
    assert len(plugins.failures) == 2


def test_a_host_that_cannot_be_opened_is_an_answer() -> None:
    plugins = plugins_with(one=Raising(UsageError("no such box")))
    with pytest.raises(UsageError, match="no such box"):
        plugins.open_host("toy:box")


def test_a_failure_is_told_once() -> None:
    plugins = plugins_with(bad=Raising(ValueError("x")))
    for _ in range(3):
        plugins.rules()
    assert len(plugins.failures) == 1
    assert isinstance(plugins.failures[0], PluginFailed)
    assert plugins.failures[0].plugin == "bad"


@pytest.mark.parametrize(
    "answer",
    [7, "text", [object()], [None], (ToyBackend,), {"a": 1}],
    ids=["a number", "a string", "objects", "None", "a class, not an object", "a dict"],
)
def test_answers_of_the_wrong_type_are_named_and_left_out(answer: object) -> None:
    class Wrong:
        @hookimpl
        def polymod_backends(self) -> object:
            return answer

        @hookimpl
        def polymod_rules(self) -> object:
            return answer

        @hookimpl
        def polymod_commands(self) -> object:
            return answer

        @hookimpl
        def polymod_open_host(self, spec: str) -> object:
            return answer

    plugins = plugins_with(wrong=Wrong())
    assert [backend.name for backend in plugins.backends()] == ["linux"]
    assert plugins.rules() == ()
    assert plugins.commands() == ()
    assert plugins.open_host("toy:") is None
    assert plugins.failures
    assert all("plugin wrong: " in message for message in _failures(plugins))


def test_a_generator_that_fails_half_way_is_named() -> None:
    class Half:
        @hookimpl
        def polymod_backends(self) -> Iterable[Backend]:
            yield ToyBackend()
            raise RuntimeError("half way")

    plugins = plugins_with(half=Half())
    assert "linux" in [backend.name for backend in plugins.backends()]
    assert any("half way" in message for message in _failures(plugins))


# -- names and claims -------------------------------------------------------


def test_of_two_backends_of_one_name_the_built_in_stays() -> None:
    plugins = plugins_with(thief=brings(ToyBackend("linux")), other=brings(ToyBackend("toy")))
    assert [backend.name for backend in plugins.backends()] == ["linux", "toy"]
    assert plugins.is_builtin("linux")
    assert _failures(plugins) == ["plugin thief: brings a second backend called linux"]


def test_of_two_outside_backends_of_one_name_the_second_is_named() -> None:
    plugins = plugins_with(one=brings(ToyBackend()), two=brings(ToyBackend(), ToyBackend()))
    assert len(plugins.backends()) == 2
    (failure,) = plugins.failures
    assert "brings a second backend called toy" in failure.message


def test_an_unknown_backend_is_a_usage_error_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match="no backend called beos") as caught:
        plugins_with(one=brings(ToyBackend())).backend("beos")
    assert caught.value.remedy == "installed backends: linux, toy"


@pytest.fixture
def toy_file(tmp_path: Path) -> str:
    path = tmp_path / "a.toy"
    path.write_bytes(b"TOY file")
    return str(path)


def test_an_outside_backend_reads_its_files(toy_file: str) -> None:
    reader = Reader(plugins_with(one=brings(ToyBackend())))
    assert reader.read(LocalHost(), toy_file).backend == "toy"
    sample = str(SAMPLES / "x86_64" / "pm_core.ko")
    assert reader.read(LocalHost(), sample).backend == "linux"


def test_a_tie_between_claims_names_both_and_the_way_out(toy_file: str) -> None:
    plugins = plugins_with(one=brings(ToyBackend("toy-a"), ToyBackend("toy-b")))
    with pytest.raises(AmbiguousBackend, match="claimed equally by toy-a and toy-b") as caught:
        Reader(plugins).read(LocalHost(), toy_file)
    assert "--backend" in (caught.value.remedy or "")
    assert Reader(plugins, backend="toy-b").read(LocalHost(), toy_file).backend == "toy"


def test_the_stronger_claim_wins_whatever_the_order(toy_file: str) -> None:
    weak = ToyBackend("weak", Toy(LIKELY, in_read=ValueError("not me")))
    for order in ((weak, ToyBackend()), (ToyBackend(), weak)):
        plugins = plugins_with(one=brings(*order))
        assert Reader(plugins).read(LocalHost(), toy_file).name == "toy"


def test_a_tie_between_claims_on_a_host_names_both() -> None:
    claim = Claim(CERTAIN + 1, "surely")
    plugins = plugins_with(one=brings(ToyBackend("a", host=claim), ToyBackend("b", host=claim)))
    with pytest.raises(AmbiguousBackend, match="a and b"):
        backend_for(LocalHost(), plugins)
    assert backend_for(LocalHost(), plugins, "b").name == "b"


# -- readers that raise -----------------------------------------------------

FOREIGN = [ValueError("odd"), KeyError("x"), RecursionError(), OSError(5, "I/O"), MemoryError()]


@pytest.mark.parametrize("jobs", [1, 2], ids=["one process", "two processes"])
@pytest.mark.parametrize("error", FOREIGN, ids=repr)
def test_a_reader_that_raises_costs_its_file_and_not_the_scan(
    tmp_path: Path, error: Exception, jobs: int
) -> None:
    (tmp_path / "a.toy").write_bytes(b"TOY file")
    for number in range(60):  # a few files are not worth a second process
        (tmp_path / f"{number}.ko").write_bytes(module())
    plugins = plugins_with(bad=brings(ToyBackend(reader=Toy(in_read=error))))
    parts = scan_parts(
        LocalHost(), Reader(plugins), [str(tmp_path)], jobs=jobs, render=lambda module: module
    )
    *modules, failed = [entry for part in parts for entry in part.entries]
    assert len(modules) == 60
    assert all(isinstance(one, ModuleFile) for one in modules)
    assert [failure.plugin for failure in plugins.failures] == ["bad"]
    assert isinstance(failed, ModuleError)
    assert failed.code == "plugin-failed"
    assert failed.path == str(tmp_path / "a.toy")
    assert type(error).__name__ in failed.message
    assert "plugin bad" in failed.message


@pytest.mark.parametrize("answer", [*FOREIGN, 7, "yes", (1, 2)], ids=repr)
def test_a_reader_that_cannot_say_what_is_its_own_is_left_out(
    tmp_path: Path, answer: object
) -> None:
    sample = str(SAMPLES / "x86_64" / "pm_core.ko")
    plugins = plugins_with(bad=brings(ToyBackend(reader=Toy(in_claims=answer))))
    assert Reader(plugins).read(LocalHost(), sample).backend == "linux"
    (failure,) = plugins.failures
    assert failure.plugin == "bad"


@pytest.mark.parametrize("answer", [7, "text", {"backend": "toy"}, ()], ids=repr)
def test_a_reader_that_gives_no_record_is_a_plugin_that_failed(
    toy_file: str, answer: object
) -> None:
    plugins = plugins_with(bad=brings(ToyBackend(reader=Toy(in_read=answer))))
    with pytest.raises(PluginFailed, match="plugin bad"):
        Reader(plugins).read(LocalHost(), toy_file)


def test_our_own_errors_of_a_stranger_stay_what_they_are(toy_file: str) -> None:
    error = MalformedModule("is bent", path=toy_file, offset=3)
    plugins = plugins_with(one=brings(ToyBackend(reader=Toy(in_read=error))))
    with pytest.raises(MalformedModule) as caught:
        Reader(plugins).read(LocalHost(), toy_file)
    assert caught.value.offset == 3


def test_a_malformed_claim_of_one_backend_does_not_keep_another_from_reading() -> None:
    sample = str(SAMPLES / "x86_64" / "pm_core.ko")
    error = MalformedModule("looks like mine, but broken", path=sample)
    plugins = plugins_with(one=brings(ToyBackend(reader=Toy(in_claims=error))))
    assert Reader(plugins).read(LocalHost(), sample).backend == "linux"


def test_a_description_of_backends_survives_one_that_raises() -> None:
    class Broken(ToyBackend):
        def claims(self, host: Host) -> Claim | None:
            raise ValueError("no idea")

    plugins = plugins_with(bad=brings(Broken("broken")), good=brings(ToyBackend()))
    found = {info.name: info for info in describe_backends(LocalHost(), plugins)}
    assert found.keys() == {"linux", "broken", "toy"}
    assert not found["broken"].claims_host
