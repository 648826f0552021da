"""What kmod says about module files: ``modinfo`` and ``modprobe``, parsed.

``modinfo -0`` separates everything by NUL. Keys of the file come as
``key=value``; ``filename`` and the paired parameters keep the padded column of
the form for people, and the signature keeps its line breaks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Files handed to one process.
BATCH = 400

_FILENAME = re.compile(rb"filename: +")
_PARM = re.compile(rb"parm: +")

#: What modinfo adds of its own, in this order, behind the strings of .modinfo.
SIGNATURE_KEYS = ("build-id", "sig_id", "signer", "sig_key", "sig_hashalgo", "signature")

_EACH = 'for f; do modprobe "$MODE" "$f"; printf "\\0"; done'


@dataclass(slots=True, kw_only=True)
class Modinfo:
    """One file's answer: the pairs of .modinfo, the signature's, the parameters' texts."""

    path: str
    pairs: list[tuple[str, str]] = field(default_factory=list)
    signature: dict[str, str] = field(default_factory=dict)
    parms: list[str] = field(default_factory=list)


def available() -> bool:
    """Whether kmod's tools are installed."""
    return shutil.which("modinfo") is not None and shutil.which("modprobe") is not None


def batches(paths: Iterable[str], size: int = BATCH) -> Iterator[list[str]]:
    """The paths in lists of at most `size`."""
    rest = iter(paths)
    while part := list(islice(rest, size)):
        yield part


def modinfo(paths: Sequence[str]) -> Iterator[Modinfo]:
    """What ``modinfo -0`` prints for each of the paths, in their order.

    A file that modinfo cannot read has an answer without pairs.
    """
    for part in batches(paths):
        done = subprocess.run(
            ["modinfo", "-0", *part], capture_output=True, env=_environment(), check=False
        )
        yield from _parse(done.stdout)


def _parse(output: bytes) -> Iterator[Modinfo]:
    answer: Modinfo | None = None
    for entry in output.split(b"\0"):
        if found := _FILENAME.match(entry):
            if answer is not None:
                yield _with_signature(answer)
            answer = Modinfo(path=os.fsdecode(entry[found.end() :]))
        elif answer is None:
            continue
        elif found := _PARM.match(entry):
            answer.parms.append(_text(entry[found.end() :]))
        elif b"=" in entry:
            key, _, value = entry.partition(b"=")
            answer.pairs.append((_text(key), _text(value)))
    if answer is not None:
        yield _with_signature(answer)


def _with_signature(answer: Modinfo) -> Modinfo:
    """Split what modinfo read from the signature off the end of the pairs."""
    keys = [key for key, _ in answer.pairs]
    tail = [key for key in SIGNATURE_KEYS if key in keys[-len(SIGNATURE_KEYS) :]]
    while tail and keys[-len(tail) :] != tail:
        tail = tail[1:]
    if tail:
        answer.signature = dict(answer.pairs[-len(tail) :])
        del answer.pairs[-len(tail) :]
    return answer


def modversions(paths: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """The (symbol, ``0x`` CRC) pairs of each file's modversions table, in its order."""
    return _symbols("--dump-modversions", paths)


def exports(paths: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """The (symbol, ``0x`` CRC) pairs that each file exports."""
    return _symbols("--show-exports", paths)


def _symbols(mode: str, paths: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    # modprobe answers for one file a process: a shell saves starting each from here.
    for part in batches(paths):
        done = subprocess.run(
            ["sh", "-c", _EACH, "sh", *part],
            capture_output=True,
            env={**_environment(), "MODE": mode},
            check=False,
        )
        for answer in done.stdout.split(b"\0")[:-1]:
            lines = [line.partition(b"\t") for line in answer.splitlines()]
            yield [(_text(name), _text(crc)) for crc, _, name in lines]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}
