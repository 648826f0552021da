"""The program: the group of verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from polymod.cli.options import GLOBAL_OPTIONS
from polymod.errors import ExitCode, PluginFailed, PolymodError, UsageError
from polymod.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.verbs import Verb


class Program(click.Group):
    """``polymod`` itself. Only the verb that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb.name for verb in _verbs()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for verb in VERBS:
            if verb.name == cmd_name:
                return _load(verb)
        for verb in _verbs():
            if verb.name == cmd_name:
                return _load(verb)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs out of the table, importing none of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name, verb.help) for verb in _verbs()])


def _verbs() -> tuple[Verb, ...]:
    from polymod.plugins import shared

    names = {verb.name for verb in VERBS}
    return (*VERBS, *(verb for verb in shared().commands() if verb.name not in names))


def _load(verb: Verb) -> click.Command:
    module, _, name = verb.target.partition(":")
    if verb in VERBS:
        command: click.Command = getattr(import_module(module), name)
        return command
    try:
        foreign = getattr(import_module(module), name)
    except Exception as error:
        raise PluginFailed(verb.name, f"{verb.target} cannot be loaded: {error}") from error
    if not isinstance(foreign, click.Command):
        raise PluginFailed(verb.name, f"{verb.target} is no click command")
    return foreign


def _version_option() -> click.Option:
    """``--version`` among other options; alone it is answered before click is loaded."""

    def show(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            from polymod.version import __version__

            click.echo(f"polymod {__version__}")
            ctx.exit()

    return click.Option(
        ["-V", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


#: Set by the scripts of `polymod completion`; click then answers the shell instead.
COMPLETE = "_POLYMOD_COMPLETE"

EPILOG = """\b
Exit codes: 0 done or yes, 1 no, 2 usage, 3 failed, 4 not found, 5 needs
privilege, 6 unsupported, 7 malformed file, 8 refused by policy, 9 reboot or
approval needed, 10 some of several failed.

\b
Example:
  polymod scan /lib/modules --output ndjson
"""

program = Program(
    "polymod",
    help="Read, compare and manage the kernel modules of any operating system.",
    epilog=EPILOG,
    params=[*GLOBAL_OPTIONS(), _version_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; every error ends here."""
    from polymod.cli import options, render
    from polymod.cli.options import fatal, report, tell_failures

    options.start_over()
    render.start_over()

    try:
        if COMPLETE in os.environ:
            program.main(prog_name="polymod", complete_var=COMPLETE)
        # Not click's main: it answers a closed pipe with exit code 1.
        with program.make_context("polymod", list(arguments)) as context:
            result = program.invoke(context)  # a verb returns its exit code
        sys.stdout.flush()
        tell_failures()
    except PolymodError as error:
        return fatal(error, arguments)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return report(UsageError(error.format_message()), arguments)
    except (MemoryError, RecursionError) as error:
        return fatal(PolymodError(f"gave up: {type(error).__name__}"), arguments)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("polymod: interrupted\n")
        _drop_output()
        return 130
    except BrokenPipeError:
        _drop_output()  # the reader had enough
        return int(ExitCode.OK)
    except OSError as error:
        from polymod.errors import from_os_error

        _drop_output()
        return fatal(from_os_error(error, "standard output", writing=True), arguments)
    return int(result) if isinstance(result, int) else int(ExitCode.OK)


def _drop_output() -> None:
    """Lose what Python would flush at exit, where it has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
