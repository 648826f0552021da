"""The hooks by which plugins join in. Implement them with `hookimpl`.

Each fires once per request, never once per module: a hook call costs over ten
method calls. A plugin that raises is named and left out of that request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polymod.backend import Backend
    from polymod.hosts.base import Host
    from polymod.model.changes import Plan, Step, StepResult
    from polymod.rules import Rule
    from polymod.verbs import Verb

PROJECT = "polymod"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def polymod_backends() -> Iterable[Backend]:
    """Backends to add; asked when a request needs to know who can read or act."""
    return ()


@hookspec(firstresult=True)
def polymod_open_host(spec: str) -> Host | None:
    """A host for a ``--host`` URL whose scheme polymod does not know; None passes it on."""
    return None


@hookspec
def polymod_rules() -> Iterable[Rule]:
    """Rules to add to ``audit`` and ``check``; asked at the start of either."""
    return ()


@hookspec
def polymod_review_plan(plan: Plan, policy: Mapping[str, object]) -> str | None:
    """The site's word on a plan before it is applied: None, or why it must not be.

    `policy` is what is in force on the host, under the backend's own words.
    """
    return None


@hookspec
def polymod_commands() -> Iterable[Verb]:
    """Verbs to add to the command line; asked for help, and for verbs polymod lacks."""
    return ()


@hookspec
def polymod_step_done(plan: Plan, step: Step, outcome: StepResult) -> None:
    """A step of a plan was executed, or taken back; for tickets and metrics."""
