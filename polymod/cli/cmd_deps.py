"""``polymod deps``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from polymod.cli.options import settings, tell, verb
from polymod.cli.render import writer
from polymod.errors import ExitCode, PolymodError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from polymod.api import Machine
    from polymod.backend import Edge
    from polymod.cli.options import Settings
    from polymod.model.base import Record
    from polymod.model.failures import ModuleError

GRAPHS = ("tree", "dot", "mermaid")


@verb(
    "deps",
    """
polymod deps nf_nat
polymod deps --kernel 6.1.0-50-amd64 --format tree btrfs
polymod deps --reverse libcrc32c
polymod deps --why nf_nat libcrc32c
""",
)
@click.argument("names", metavar="NAME|PATH...", nargs=-1, required=True)
@click.option("-k", "--kernel", metavar="RELEASE", help="Of this kernel [the running one].")
@click.option("-r", "--reverse", is_flag=True, help="Show what needs NAME instead.")
@click.option("--why", is_flag=True, help="Takes two NAMEs: why does the first need the second?")
@click.option(
    "--format",
    "form",
    type=click.Choice(("list", *GRAPHS)),
    default="list",
    help="Draw the answer instead of listing it.",
)
@click.pass_context
def deps(
    ctx: click.Context,
    names: tuple[str, ...],
    kernel: str | None,
    reverse: bool,
    why: bool,
    form: str,
) -> int:
    """Show what each NAME needs, in the order in which it would be loaded.

    That is what the OS's own loader would do: soft dependencies, configured
    options and commands, and code that is built into the kernel included. NAME
    may be a module, an alias, or the path of a module file.
    """
    chosen = settings(ctx)
    if why and (reverse or len(names) != 2):
        raise UsageError("--why takes two names, and no --reverse")
    if form != "list" and chosen.output != "table":
        raise UsageError(
            f"--format {form} draws text, --output {chosen.output} does not",
            remedy="leave one of the two out",
        )
    with chosen.connect() as machine:
        question = _Question(machine, kernel)
        if why:
            return _tell_why(chosen, question, names[0], names[1], form)
        ask = question.reverse if reverse else question.forward
        if form == "list":
            return _list(chosen, question, names, ask)
        return _draw(question, names, form, reverse=reverse)


class _Question:
    """Asks one kernel's modules; the graph of all of them is made at most once."""

    def __init__(self, machine: Machine, release: str | None) -> None:
        self._machine = machine
        self._release = release
        self._edges: tuple[Edge, ...] | None = None
        self.backend = machine.backend.name

    def edges(self) -> tuple[Edge, ...]:
        if self._edges is None:
            self._edges = tuple(self._machine.edges(release=self._release))
        return self._edges

    def installed(self, name: str) -> str:
        """The canonical name of a module that is there. Raises ModuleNotFound."""
        found = self._machine.find(name, release=self._release)
        return self._machine.backend.canonical(found.name or name)

    def problems(self) -> Sequence[ModuleError]:
        """What the answers may lack; () also where there is no such kernel."""
        try:
            return self._machine.problems(release=self._release)
        except PolymodError:
            return ()

    def forward(self, name: str) -> Iterable[Record]:
        return self._machine.dependencies(name, release=self._release)

    def reverse(self, name: str) -> Iterable[Record]:
        from polymod.deps import dependants
        from polymod.model.answers import Dependant

        subject = self.installed(name)
        for reached in dependants(self.edges(), subject):
            yield Dependant(
                backend=self.backend,
                subject=subject,
                name=reached.name,
                relation=reached.edge.relation,
                needs=reached.edge.source,
                distance=reached.distance,
            )

    def graph(self, name: str, *, reverse: bool) -> tuple[str, tuple[Edge, ...]]:
        """The root to draw from, and the edges below it."""
        from polymod import deps as graphs

        if reverse:
            root = self.installed(name)
            return root, graphs.below(graphs.reverse(self.edges()), [root])
        steps = self._machine.dependencies(name, release=self._release)
        root = next((step.name for step in steps if step.relation == "requested"), name)
        return root, graphs.of_steps(steps)


def _list(
    chosen: Settings,
    question: _Question,
    names: Iterable[str],
    ask: Callable[[str], Iterable[Record]],
) -> int:
    out = writer(chosen, "DEPS" if ask == question.forward else "DEPENDANTS")
    for name in names:
        try:
            records = list(ask(name))
        except PolymodError as error:
            out.write_error(error, name)
            continue
        if not records:
            chosen.note(f"nothing needs {name}")
            out.good += 1
        for record in records:
            out.write(record)
    out.put_errors(question.problems())
    out.finish()
    return out.exit_code()


def _draw(question: _Question, names: Iterable[str], form: str, *, reverse: bool) -> int:
    from polymod import deps_text

    roots: list[str] = []
    edges: dict[Edge, None] = {}
    codes: list[int] = []
    for name in names:
        try:
            root, found = question.graph(name, reverse=reverse)
        except PolymodError as error:
            tell(error)
            codes.append(int(error.exit_code))
            continue
        roots.append(root)
        edges.update(dict.fromkeys(found))
        if form == "tree":
            sys.stdout.write(deps_text.tree(found, root))
    if form != "tree":
        draw = deps_text.dot if form == "dot" else deps_text.mermaid
        sys.stdout.write(draw(edges, roots))
    codes += _tell_problems(question)
    if not codes:
        return int(ExitCode.OK)
    return codes[0] if not roots and len(set(codes)) == 1 else int(ExitCode.PARTIAL)


def _tell_problems(question: _Question) -> list[int]:
    """Say on standard error what a drawn answer may lack; the exit codes of that."""
    problems = question.problems()
    for problem in problems:
        tell(PolymodError(problem.message, remedy=problem.remedy))
    return [problem.exit_code for problem in problems]


def _tell_why(chosen: Settings, question: _Question, name: str, needed: str, form: str) -> int:
    from polymod import deps as graphs
    from polymod import deps_text
    from polymod.model.answers import DependencyEdge

    source, target = question.installed(name), question.installed(needed)
    chain = graphs.why(question.edges(), source, target)
    if not chain:
        chosen.note(f"{source} does not need {target}")
    if form == "list":
        out = writer(chosen, "EDGES")
        for edge in chain:
            out.write(
                DependencyEdge(
                    backend=question.backend,
                    source=edge.source,
                    target=edge.target,
                    relation=edge.relation,
                )
            )
        out.finish()
    elif chain:
        draw = {"dot": deps_text.dot, "mermaid": deps_text.mermaid}.get(form)
        text = draw(chain, [source]) if draw else deps_text.tree(chain, source)
        sys.stdout.write(text)
    if _tell_problems(question):
        return int(ExitCode.PARTIAL)
    return int(ExitCode.OK) if chain else int(ExitCode.NO)
