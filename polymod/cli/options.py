"""Options that every verb takes, before or after its word, and what they add up to."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from polymod.cli.text import printable
from polymod.errors import PolymodError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polymod.api import Machine

FORMATS = ("table", "json", "ndjson", "csv")
_KEY = "polymod.settings"


class Settings(NamedTuple):
    """The global options of one run."""

    host: str = "local:"
    root: str | None = None
    backend: str | None = None
    output: str = "table"
    record: str | None = None
    verbose: int = 0
    quiet: bool = False

    def connect(self) -> Machine:
        """The host asked for, recorded if asked for."""
        from polymod.api import Machine, open_url

        url = self.host
        if self.root is not None:
            if url != "local:":
                raise UsageError("--host and --root exclude each other", remedy="give one of them")
            url = f"root:{self.root}"
        host = open_url(url)
        if self.record is not None:
            from polymod.hosts.record import RecordingHost

            host = RecordingHost(host, self.record)
        return Machine(host, backend=self.backend)

    def note(self, text: str, level: int = 0) -> None:
        """Say something to the person, on standard error, unless ``-q``."""
        if not self.quiet and self.verbose >= level:
            sys.stderr.write(f"polymod: {printable(text)}\n")


def settings(ctx: click.Context) -> Settings:
    """What the global options of this run add up to."""
    return Settings(**ctx.meta.get(_KEY, {}))


def tell_failures() -> None:
    """Name the plugins that failed in this run; it went on without them."""
    from polymod.plugins import shared

    for failure in shared().failures:
        tell(failure)


#: The global options of this run, for when it ends before anybody could ask.
_given: dict[str, object] = {}


def start_over() -> None:
    """Forget the options of an earlier run in this process."""
    _given.clear()


def _store(ctx: click.Context, parameter: click.Parameter, value: object) -> object:
    if value == "":
        raise UsageError(
            f"--{parameter.name} is given an empty value", remedy="leave it out, or say which"
        )
    if value is not None and value is not False and value != 0:
        ctx.meta.setdefault(_KEY, {})[str(parameter.name)] = value
        _given[str(parameter.name)] = value
    return value


def GLOBAL_OPTIONS() -> list[click.Parameter]:  # noqa: N802  # reads as the constant it is
    """Fresh copies of the global options, for the program and for each verb."""
    made: list[click.Parameter] = []

    def add(*names: str, **how: object) -> None:
        made.append(
            click.Option(names, expose_value=False, callback=_store, **how)  # type: ignore[arg-type]
        )

    add("--host", metavar="URL", help="Where to look: local:, root:DIR, replay:FILE.")
    add("--root", metavar="DIR", help="Look at the system below DIR (root:DIR).")
    add("--backend", metavar="NAME", help="Use this backend and no other.")
    add("-o", "--output", type=click.Choice(FORMATS), help="Form of the answer [table].")
    add("--record", metavar="FILE", help="Keep all the host answers, for replay:FILE.")
    add("-v", "--verbose", count=True, help="Say more on standard error.")
    add("-q", "--quiet", is_flag=True, help="Say nothing but errors on standard error.")
    return made


class VerbCommand(click.Command):
    """A verb: its own options, then the global ones."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed through
        self.params.extend(GLOBAL_OPTIONS())

    def invoke(self, ctx: click.Context) -> object:
        # From here on there may be garbage; what was imported never will be.
        gc.freeze()
        gc.enable()
        return super().invoke(ctx)


def verb(name: str, example: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function the verb `name`; its docstring is the help, `example` is shown below."""
    lines = "\n".join(f"  {line}" for line in example.strip().splitlines())
    return click.command(
        name,
        cls=VerbCommand,
        epilog=f"\b\nExample:\n{lines}",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def fatal(error: PolymodError, arguments: Sequence[str]) -> int:
    """Tell an error that ended the run, to people and to machines; its exit code."""
    code = report(error, arguments)
    tell(error)
    return code


def report(error: PolymodError, arguments: Sequence[str]) -> int:
    """Put an error that ended the run out as a record, where the arguments ask for such."""
    from polymod.cli.render import JsonWriter, NdjsonWriter, unfinished
    from polymod.model.failures import as_record

    forms = {"json": JsonWriter, "ndjson": NdjsonWriter}
    form = str(_given.get("output") or _asked_output(arguments))
    try:
        if form in forms:
            writer = unfinished() or forms[form](Settings())
            writer.put_errors([as_record(error)])
            writer.finish()
        sys.stdout.flush()
    except OSError:
        pass  # standard output is what failed, or nobody reads it: standard error remains
    return int(error.exit_code)


def tell(error: PolymodError) -> None:
    """One error, with its remedy, on standard error."""
    sys.stderr.write(f"polymod: {printable(str(error))}\n")
    if error.remedy:
        sys.stderr.write(f"  remedy: {printable(error.remedy)}\n")


def _asked_output(arguments: Sequence[str]) -> str:
    """The --output in force, found without click, which may not have got that far."""
    asked = "table"
    for at, word in enumerate(arguments):
        if word in ("-o", "--output") and at + 1 < len(arguments):
            asked = arguments[at + 1]
        elif word.startswith("--output="):
            asked = word.partition("=")[2]
        elif word.startswith("-o") and word[2:] in FORMATS:
            asked = word[2:]
    return asked
