"""The completion scripts of the shells, as click makes them."""

from __future__ import annotations

from importlib.metadata import version

from click.shell_completion import get_completion_class

from polymod.cli.app import COMPLETE, program

FILES = {"bash": "polymod.bash", "zsh": "_polymod", "fish": "polymod.fish"}


def scripts() -> dict[str, str]:
    """Every script by its file name; the last line says which click made it."""
    made = {}
    for shell, name in FILES.items():
        script = get_completion_class(shell)
        if script is not None:
            text = script(program, {}, "polymod", COMPLETE).source().strip()
            made[name] = f"{text}\n{mark()}\n"
    return made


def mark() -> str:
    """The comment that tells by which click a script was made."""
    return f"# made by click {version('click')}"
