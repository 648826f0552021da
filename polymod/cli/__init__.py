"""The command line. `main` is the console script; everything else loads on demand."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run ``polymod`` with the arguments of this process and exit."""
    arguments = sys.argv[1:]
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as with `>&-`
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if arguments == ["--version"] or arguments == ["-V"]:
        # Asked by scripts and package tests in loops; it needs none of the rest.
        from polymod.version import __version__

        sys.stdout.write(f"polymod {__version__}\n")
        return
    # Imports make many objects and no garbage: collecting meanwhile only costs time.
    gc.disable()
    try:
        from polymod.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(arguments))
