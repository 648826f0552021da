"""A recorded host: answers from a transcript and from nothing else.

The shape of the transcript is in `polymod.hosts.transcript`. Transcripts come
from other people, so nothing in one is trusted: whatever is not what it should
be is a MalformedModule for the transcript, when it is asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import (
    HostUnreachable,
    PolymodError,
    UnreadableFile,
    UnsupportedOperation,
)
from polymod.hosts.base import Completed, Entry, Host, Platform, Stat
from polymod.hosts.local import LocalHost
from polymod.hosts.transcript import SCHEMA, Reading
from polymod.source import ByteSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.hosts.base import Edit
    from polymod.hosts.transcript import Plain

_STEP = 16 << 20


class ReplayHost(Host):
    """The host that the transcript in `file` tells of.

    `url` is that of the recorded host, since answers and errors are about it.
    What was not recorded is a HostUnreachable that says what it was.
    Raises ModuleNotFound, PermissionRefused, UnreadableFile, and
    MalformedModule for what is no transcript.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._reading = Reading(file)
        take = self._reading.take
        whole = self._load()
        if whole.get("schema") != SCHEMA:
            raise self._reading.damaged(f"its schema is not {SCHEMA}", "schema")
        self.url = take(whole.get("host"), str, "host")
        self._platform = {key: whole[key] for key in ("platform",) if key in whole}
        self._stats: Plain = take(whole.get("stats"), dict, "stats")
        self._lists: Plain = take(whole.get("lists"), dict, "lists")
        self._files: Plain = take(whole.get("files"), dict, "files")
        self._reads: Plain = take(whole.get("reads"), dict, "reads")
        self._runs: list[object] = [*take(whole.get("runs"), list, "runs")]

    def _load(self) -> Plain:
        import json

        parts: list[bytes] = []
        with LocalHost().open(self._file) as source:
            if source.size > limits.TRANSCRIPT:
                raise UnreadableFile(
                    f"{self._file}: {source.size} bytes, more than the limit of"
                    f" {limits.TRANSCRIPT}",
                    path=self._file,
                )
            for at in range(0, source.size, _STEP):
                parts.append(source.read(at, min(_STEP, source.size - at)))  # noqa: PERF401
        try:
            whole: object = json.loads(b"".join(parts).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise self._reading.damaged(str(error)) from error
        return self._reading.take(whole, dict, "transcript")

    def platform(self) -> Platform | None:
        answer = self._answer(self._platform, "platform", "the running system")
        if answer is None:
            return None
        items = self._reading.items(answer, 3, "platform")
        return Platform(*(self._reading.take(item, str, "platform") for item in items))

    def stat(self, path: str) -> Stat | None:
        answer = self._answer(self._stats, path, f"what {path} is")
        if answer is None:
            return None
        number, place = self._reading.number, f"stats {path}"
        kind, size, modified_ns, identity = self._reading.items(answer, 4, place)
        device, inode = self._reading.items(identity, 2, place)
        return Stat(
            self._reading.take(kind, str, place),
            number(size, place),
            number(modified_ns, place, least=None),
            (number(device, place), number(inode, place)),
        )

    def list(self, path: str) -> Sequence[Entry]:
        answer = self._answer(self._lists, path, f"the names in {path}")
        place = f"lists {path}"
        take, items = self._reading.take, self._reading.items
        return [
            Entry(*(take(text, str, place) for text in items(entry, 3, place)))
            for entry in take(answer, list, place)
        ]

    def read(self, path: str, limit: int = limits.TEXT_FILE) -> bytes:
        answer = self._answer(self._reads, path, f"the content of {path}")
        data = self._reading.content(answer, f"reads {path}")
        if len(data) > limit:
            raise UnreadableFile(f"{path}: more than the limit of {limit} bytes", path=path)
        return data

    def open(self, path: str) -> ByteSource:
        answer = self._answer(self._files, path, f"the file {path}")
        reading, place = self._reading, f"files {path}"
        plain = reading.take(answer, dict, place)
        source = _ReplaySource(path, reading.number(plain.get("size"), place), self.url)
        end = plain.get("end")
        source.end = source.size if end is None else reading.number(end, place)
        for part in reading.take(plain.get("parts"), list, place):
            offset, data = reading.items(part, 2, place)
            if not source.add(reading.number(offset, place), reading.content(data, place)):
                raise reading.damaged("ranges that overlap or are out of order", place)
        for failure in reading.take(plain.get("failures", []), list, place):
            offset, size, what = reading.items(failure, 3, place)
            error = reading.error(what, place)
            if error is None:
                raise reading.damaged("a failure without an error", place)
            key = reading.number(offset, place), reading.number(size, place)
            source.failures[key] = error
        return source

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        reading, place = self._reading, "runs"
        found: Plain | None = None
        for kept in self._runs:
            plain = reading.take(kept, dict, place)
            if plain.get("argv") != list(argv):
                continue
            if reading.content(plain.get("stdin"), place) != stdin:
                continue
            if found is not None:
                # Asked several times, answered several times: the next one is next time's.
                self._runs.remove(found)
                break
            found = plain
        answer = self._answer(found or {}, "answer", f"running {' '.join(argv)}")
        done = reading.take(answer, dict, place)
        return Completed(
            tuple(argv),
            reading.number(done.get("exit_status"), place, least=None),
            reading.content(done.get("stdout"), place),
            reading.content(done.get("stderr"), place),
        )

    def write(self, edits: Sequence[Edit]) -> None:
        raise UnsupportedOperation(
            self.url, "write", "this is a recording", remedy="use the host itself"
        )

    def _answer(self, where: Plain, key: str, what: str) -> object:
        """What was kept below `key`; raises the error that was, or that nothing was."""
        if key not in where:
            raise HostUnreachable(
                f"{what} was not recorded",
                host=self.url,
                remedy="record the host again with the same request",
            )
        error = self._reading.error(where[key], key)
        if error is not None:
            raise error
        return where[key]


class _ReplaySource(ByteSource):
    """The recorded ranges of one file."""

    def __init__(self, path: str, size: int, host: str) -> None:
        super().__init__(path, size)
        self._host = host
        self._offsets: list[int] = []
        self._parts: list[bytes] = []
        #: Where the file ended when it was read; behind it there is nothing, recorded or not.
        self.end = size
        self.failures: dict[tuple[int, int], PolymodError] = {}

    def add(self, offset: int, data: bytes) -> bool:
        """Add the next range; False where it does not lie behind the others."""
        if self._parts:
            behind = self._offsets[-1] + len(self._parts[-1])
            if offset < behind:
                return False
        self._offsets.append(offset)
        self._parts.append(data)
        return True

    def _fetch(self, offset: int, size: int) -> bytes:
        failure = self.failures.get((offset, size))
        if failure is not None:
            raise failure
        size = min(size, self.end - offset)
        if size <= 0:
            return b""
        at = bisect_right(self._offsets, offset) - 1
        if at >= 0:
            start = offset - self._offsets[at]
            data = self._parts[at][start : start + size]
            if len(data) == size:
                return data
        raise HostUnreachable(
            f"{self.path}: bytes {offset} to {offset + size} were not recorded",
            path=self.path,
            host=self._host,
            remedy="record the host again with the same request",
        )
