"""A host that keeps a transcript of all that the host behind it answers.

The shape of the transcript is in `polymod.hosts.transcript`. Of files, only
the ranges that were read are kept, so that a transcript of a scan is small;
whoever replays it can ask the same again, and nothing else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import PolymodError, UnsupportedOperation, WriteFailed, from_os_error
from polymod.hosts.base import Edit, Host
from polymod.hosts.transcript import SCHEMA, content_to_plain, error_to_plain
from polymod.source import ByteSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from polymod.hosts.base import Completed, Entry, Platform, Stat
    from polymod.hosts.transcript import Plain

    T = TypeVar("T")


class RecordingHost(Host):
    """Passes everything on to `inner` and keeps what it answers.

    `close` writes the transcript to `file` (replacing it whole, readable by
    its owner only) and closes `inner`. Of several answers to one question the
    first is kept, except that an answer replaces an error; programs are kept
    each time they run. The names below a directory are kept by directory.
    Raises WriteFailed where `file` could never be written.
    """

    parallel = False

    def __init__(self, inner: Host, file: str) -> None:
        self._inner = inner
        self._file = os.path.abspath(file)
        _check_place(self._file)
        self.url = inner.url
        self._stats: Plain = {}
        self._lists: Plain = {}
        self._reads: Plain = {}
        self._files: dict[str, FileRecord | Plain] = {}
        self._runs: list[Plain] = []
        self._platform: Plain = {}
        self._room = limits.TRANSCRIPT
        self._open = True

    def platform(self) -> Platform | None:
        return self._kept(self._platform, "platform", self._inner.platform, _listed)

    def stat(self, path: str) -> Stat | None:
        return self._kept(self._stats, path, lambda: self._inner.stat(path), _listed)

    def list(self, path: str) -> Sequence[Entry]:
        return self._kept(self._lists, path, lambda: self._inner.list(path), list)

    def read(self, path: str, limit: int = limits.TEXT_FILE) -> bytes:
        return self._kept(self._reads, path, lambda: self._inner.read(path, limit), self._content)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes | PolymodError]:
        answers = self._inner.read_many(paths)
        for path, answer in answers.items():
            if isinstance(answer, PolymodError):
                self._reads.setdefault(path, error_to_plain(answer))
            else:
                _keep(self._reads, path, self._content(answer))
        return answers

    def open(self, path: str) -> ByteSource:
        try:
            source = self._inner.open(path)
        except PolymodError as error:
            self._files.setdefault(path, error_to_plain(error))
            raise
        return self._recorded(path, source)

    def open_many(self, paths: Iterable[str]) -> Iterator[tuple[str, ByteSource | PolymodError]]:
        for path, answer in self._inner.open_many(paths):
            if isinstance(answer, PolymodError):
                self._files.setdefault(path, error_to_plain(answer))
                yield path, answer
            else:
                yield path, self._recorded(path, answer)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        kept: Plain = {"argv": list(argv), "stdin": self._content(stdin)}
        self._runs.append(kept)
        return self._kept(
            kept,
            "answer",
            lambda: self._inner.run(argv, stdin=stdin, timeout_s=timeout_s),
            lambda done: {
                "exit_status": done.exit_status,
                "stdout": self._content(done.stdout),
                "stderr": self._content(done.stderr),
            },
        )

    def write(self, edits: Sequence[Edit]) -> None:
        self._inner.write(edits)

    def close(self) -> None:
        """Write the transcript and close the host behind; a second call does nothing.

        Raises WriteFailed, PermissionRefused, and UnsupportedOperation where
        more was asked than a transcript may hold.
        """
        if not self._open:
            return
        self._open = False
        self._inner.close()
        if self._room >= 0:
            data = self._transcript()
            self._room = limits.TRANSCRIPT - len(data)
        if self._room < 0:
            raise UnsupportedOperation(
                self.url,
                "record",
                f"a transcript of more than {limits.TRANSCRIPT} bytes",
                remedy="record fewer files, or without --hash",
            )
        _replace(self._file, data)

    # -- keeping ------------------------------------------------------------

    def _kept(
        self, where: Plain, key: str, ask: Callable[[], T], plain: Callable[[T], object]
    ) -> T:
        """Ask, and keep the answer or the error below `key`."""
        try:
            answer = ask()
        except PolymodError as error:
            where.setdefault(key, error_to_plain(error))
            raise
        _keep(where, key, plain(answer))
        return answer

    def _content(self, data: bytes) -> object:
        return content_to_plain(data) if self.spend(len(data)) else ""

    def _recorded(self, path: str, source: ByteSource) -> ByteSource:
        record = self._files.get(path)
        if not isinstance(record, FileRecord):
            record = self._files[path] = FileRecord(source.size)
        return _RecordingSource(source, record, self)

    def spend(self, size: int) -> bool:
        """Whether there is room for `size` more bytes of content; from then on it is taken."""
        self._room -= size
        return self._room >= 0

    def _transcript(self) -> bytes:
        """The transcript, a line an answer, in the order of the questions."""
        from json import dumps

        files: Plain = {
            path: record.plain() if isinstance(record, FileRecord) else record
            for path, record in self._files.items()
        }
        parts: Plain = {"schema": SCHEMA, "host": self.url, **self._platform}
        lines = [f"{dumps(key)}: {dumps(value)}" for key, value in parts.items()]
        for key, answers in (
            ("stats", self._stats),
            ("lists", self._lists),
            ("files", files),
            ("reads", self._reads),
        ):
            inner = ",\n".join(f"{dumps(path)}: {dumps(it)}" for path, it in answers.items())
            lines.append(f'"{key}": {{\n{inner}\n}}')
        runs = ",\n".join(map(dumps, self._runs))
        lines.append(f'"runs": [\n{runs}\n]')
        return ("{" + ",\n".join(lines) + "}\n").encode("ascii")


def _keep(where: Plain, key: str, value: object) -> None:
    """Keep `value`, but not over an earlier answer that was no error."""
    before = where.get(key)
    if key not in where or (isinstance(before, dict) and "error" in before):
        where[key] = value


def _listed(value: tuple[object, ...] | None) -> object:
    return None if value is None else list(value)


class FileRecord:
    """What was read of one file: `size` as told when it was opened, and the ranges."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._end: int | None = None
        self._parts: dict[int, bytes] = {}
        self._failures: list[object] = []

    def add(self, offset: int, size: int, data: bytes) -> bool:
        """Keep what `size` bytes asked for at `offset` gave; False where that was known."""
        if len(data) < size:
            end = offset + len(data)
            self._end = end if self._end is None else min(self._end, end)
        if len(data) <= len(self._parts.get(offset, b"")):
            return False
        self._parts[offset] = data
        return True

    def fail(self, offset: int, size: int, error: PolymodError) -> None:
        """Keep that reading there failed."""
        self._failures.append([offset, size, error_to_plain(error)])

    def plain(self) -> Plain:
        """The ranges, joined where they overlap or touch, in the order of the file."""
        joined: list[tuple[int, bytearray]] = []
        for offset, data in sorted(self._parts.items()):
            done = joined[-1][0] + len(joined[-1][1]) if joined else -1
            if offset <= done:
                joined[-1][1].extend(data[done - offset :])
            else:
                joined.append((offset, bytearray(data)))
        parts = [[offset, content_to_plain(bytes(data))] for offset, data in joined]
        plain: Plain = {"size": self._size, "end": self._end, "parts": parts}
        if self._failures:
            plain["failures"] = self._failures
        return plain


class _RecordingSource(ByteSource):
    """A source that keeps what is read through it."""

    def __init__(self, inner: ByteSource, record: FileRecord, host: RecordingHost) -> None:
        super().__init__(inner.path, inner.size)
        self._inner = inner
        self._record = record
        self._host = host

    def _fetch(self, offset: int, size: int) -> bytes:
        try:
            data = self._inner._fetch(offset, size)
        except PolymodError as error:
            self._record.fail(offset, size, error)
            raise
        if self._host.spend(len(data)) and not self._record.add(offset, size, data):
            self._host.spend(-len(data))
        return data

    def close(self) -> None:
        super().close()
        self._inner.close()


def _check_place(file: str) -> None:
    """Refuse now what would fail at the end, or destroy a device or a pipe there."""
    directory = os.path.dirname(file)
    if not os.path.isdir(directory):
        raise WriteFailed(f"{file}: no such directory", path=file, remedy=f"make {directory}")
    if os.path.lexists(file) and (os.path.islink(file) or not os.path.isfile(file)):
        raise WriteFailed(
            f"{file}: is no regular file, a transcript would replace it",
            path=file,
            remedy="name a new file",
        )


def _replace(file: str, data: bytes) -> None:
    """Write the transcript beside its place as a new file, then rename it there.

    A replaced file lends its mode to the new one; a transcript must not have
    the mode of whatever stood there before.
    """
    from polymod.hosts.atomic import write_all

    fresh = f"{file}.{os.getpid()}"
    write_all([(fresh, Edit(fresh, data, 0o600))])
    try:
        os.replace(fresh, file)
    except OSError as error:
        write_all([(fresh, Edit(fresh, None))])
        raise from_os_error(error, file, writing=True) from error
