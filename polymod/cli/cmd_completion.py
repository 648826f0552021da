"""``polymod completion``."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from polymod.cli.options import verb
from polymod.errors import UsageError


@verb("completion", 'eval "$(polymod completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that lets a shell complete verbs, options and paths.

    For bash and zsh evaluate it in the start-up file; for fish write it to
    ~/.config/fish/completions/polymod.fish.
    """
    from polymod.cli.app import COMPLETE, program

    script = get_completion_class(shell)
    if script is None:
        raise UsageError(f"no completion for {shell}")
    made = script(program, {}, "polymod", COMPLETE)
    sys.stdout.write(made.source() + "\n")
    return 0
