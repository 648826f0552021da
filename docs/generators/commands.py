"""The command line as plain data, taken from the click commands.

Nothing here asks click to format anything, so that the pages do not change
with click's version.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import NamedTuple

import click

from polymod.cli.app import program
from polymod.errors import ExitCode
from polymod.verbs import VERBS

EXIT_TEXTS = {
    ExitCode.OK: "Done, or the answer is yes.",
    ExitCode.NO: "The answer is no: findings, no such dependency, a negative verdict.",
    ExitCode.USAGE: "The command line makes no sense.",
    ExitCode.FAILED: "Something failed.",
    ExitCode.NOT_FOUND: "A path, module, alias or kernel was not found.",
    ExitCode.PRIVILEGE: "More privilege is needed.",
    ExitCode.UNSUPPORTED: "This host or backend cannot do it.",
    ExitCode.MALFORMED: "A file is no module, or a damaged one.",
    ExitCode.POLICY: "The kernel's policy refuses.",
    ExitCode.PENDING: "A reboot or an approval is needed for it to take effect.",
    ExitCode.PARTIAL: "Some of several inputs failed, or they failed in different ways.",
}


class Option(NamedTuple):
    """One option: its spellings, the word for its value (None for a flag), its help."""

    spellings: tuple[str, ...]
    value: str | None
    help: str

    @property
    def text(self) -> str:
        """As it is written: ``-F, --field FIELD``."""
        names = ", ".join(self.spellings)
        return names if self.value is None else f"{names} {self.value}"


class Command(NamedTuple):
    """A verb, or the program itself (then `name` is ``polymod``)."""

    name: str
    summary: str
    arguments: tuple[str, ...]
    paragraphs: tuple[str, ...]
    options: tuple[Option, ...]
    examples: tuple[str, ...]

    @property
    def page(self) -> str:
        """The name of its man page."""
        return self.name if self.name == "polymod" else f"polymod-{self.name}"

    @property
    def usage(self) -> str:
        """The words to type: ``polymod inspect [OPTIONS] PATH...``."""
        if self.name == "polymod":
            return "polymod [OPTIONS] VERB [ARGUMENT...]"
        return " ".join(["polymod", self.name, "[OPTIONS]", *self.arguments])


def verbs() -> tuple[Command, ...]:
    """Every verb that polymod brings itself, in the order of its help."""
    found = []
    for verb in VERBS:
        module, _, name = verb.target.partition(":")
        found.append(_command(getattr(import_module(module), name), verb.name, verb.help))
    return tuple(found)


def whole_program() -> Command:
    """The program itself, with the options that every verb takes."""
    return _command(program, "polymod", "read and compare the kernel modules of any system")


def global_options() -> tuple[Option, ...]:
    """The options that go before or after any verb."""
    return whole_program().options


def _command(command: click.Command, name: str, summary: str) -> Command:
    options = []
    arguments = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            options.append(_option(parameter))
        else:
            arguments.append(parameter.metavar or "|".join(_choices(parameter)))
    options.append(Option(("-h", "--help"), None, "Show this message and exit."))
    return Command(
        name, summary, tuple(arguments), _paragraphs(command), tuple(options), _examples(command)
    )


def _option(option: click.Option) -> Option:
    value = None
    if not option.is_flag and not option.count:
        value = option.metavar or "|".join(_choices(option)) or "NUMBER"
    short_first = tuple(sorted(option.opts, key=lambda spelling: spelling.startswith("--")))
    return Option(short_first, value, option.help or "")


def _choices(parameter: click.Parameter) -> tuple[str, ...]:
    kind = parameter.type
    return tuple(map(str, kind.choices)) if isinstance(kind, click.Choice) else ()


def _paragraphs(command: click.Command) -> tuple[str, ...]:
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    return tuple(" ".join(part.split()) for part in text.split("\n\n"))


def _examples(command: click.Command) -> tuple[str, ...]:
    _, _, text = (command.epilog or "").partition("Example:\n")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
