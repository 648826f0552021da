"""Arguments that are paths: from the command line, and from standard input for ``-``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def paths(arguments: Iterable[str], *, null: bool = False) -> Iterator[str]:
    """The arguments, with the lines of standard input in the place of ``-``.

    `null` separates by NUL instead of newline, as ``find -print0`` writes.
    Raises UsageError for a line that is longer than any path.
    """
    for argument in arguments:
        if argument == "-":
            yield from _lines(b"\0" if null else b"\n")
        else:
            yield argument


def _lines(separator: bytes) -> Iterator[str]:
    rest = b""
    # Straight from the descriptor, so that a slow producer is followed line by line.
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):
        *whole, rest = (rest + chunk).split(separator)
        for line in whole:
            if line:
                yield _path(line)
        if len(rest) > limits.PATH:
            raise UsageError(
                f"standard input has a line of more than {limits.PATH} bytes",
                remedy="one path a line; with --null, paths separated by NUL",
            )
    if rest:
        yield _path(rest)


def _path(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")
