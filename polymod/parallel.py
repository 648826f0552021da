"""Work over many items on all processors, in order, with flat memory.

Children are forked, so they start in a few milliseconds and know all that the
parent knows. They take the next chunk when they are done with one, and their
answers come out in the order of the items. Where the system cannot fork, or
one process is asked for, the work is done here.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
from typing import TYPE_CHECKING, TypeVar

from polymod.errors import PolymodError, WorkerDied

if TYPE_CHECKING:
    import select
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

_LENGTH = struct.Struct("<Q")
_PIPE_BYTES = 1 << 19


def processors() -> int:
    """The number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_chunks(
    work: Callable[[list[T]], R], items: Iterable[T], *, jobs: int, chunk: int
) -> Iterator[R]:
    """``work(chunk of items)`` for every chunk, in order, by `jobs` processes.

    `items` is read only a few chunks ahead of the answers. What `work` returns
    must pickle; what it raises comes out here as PolymodError only if it is
    one. Raises WorkerDied.
    """
    chunks = _chunked(items, chunk)
    if jobs < 2 or not hasattr(os, "fork"):
        return (work(part) for part in chunks)
    return _Pool(work, jobs).run(chunks)


def _chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


class _Worker:
    """One forked child: it waits for a chunk, answers it, and waits again."""

    def __init__(self, work: Callable[[list[T]], R], others: list[_Worker]) -> None:
        request_out, request_in = os.pipe()
        answer_out, answer_in = os.pipe()
        _widen(answer_in)
        self.request, self.answer = request_in, answer_out
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(request_in)
                os.close(answer_out)
                for other in others:  # or they would never see the end of their requests
                    os.close(other.request)
                    os.close(other.answer)
                _serve(work, request_out, answer_in)
            finally:
                os._exit(0)
        os.close(request_out)
        os.close(answer_in)
        self.chunk = -1

    def ask(self, number: int, chunk: list[T]) -> None:
        """Hand over a chunk. The child is idle, so this cannot block for long."""
        self.chunk = number
        try:
            _send(self.request, chunk)
        except BrokenPipeError:
            raise self._death() from None

    def take(self) -> object:
        """The answer to the last chunk."""
        answer = _receive(self.answer)
        if answer is None:
            raise self._death()
        self.chunk = -1
        good, value = answer
        if good:
            return value
        raise value if isinstance(value, PolymodError) else WorkerDied(str(value))

    def _death(self) -> WorkerDied:
        code: int | str = "a status that nobody kept"
        with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored here
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
        self.pid = 0
        return WorkerDied(
            f"a worker process ended with {code} before it answered",
            remedy="retry with --jobs 1; was the machine out of memory?",
        )

    def stop(self) -> None:
        """End the child now, whatever it is at."""
        os.close(self.request)
        os.close(self.answer)
        if self.pid:
            import signal

            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)


class _Pool:
    """Hands chunks to workers and puts their answers back into order."""

    def __init__(self, work: Callable[[list[T]], R], jobs: int) -> None:
        self._work = work
        self._jobs = jobs

    def run(self, chunks: Iterator[list[T]]) -> Iterator[R]:
        import select

        workers: list[_Worker] = []
        answers: dict[int, object] = {}
        given = wanted = 0
        more = True
        try:
            poll = select.poll()
            by_descriptor: dict[int, _Worker] = {}
            while more or given > wanted:
                # No further ahead than this, or one slow chunk would fill the memory.
                while more and given - wanted < 4 * self._jobs:
                    worker = self._idle(workers, poll, by_descriptor)
                    if worker is None:
                        break
                    chunk = next(chunks, None)
                    if chunk is None:
                        more = False
                        break
                    worker.ask(given, chunk)
                    given += 1
                if given == wanted:
                    continue
                for descriptor, _ in poll.poll():
                    worker = by_descriptor[descriptor]
                    number = worker.chunk
                    answers[number] = worker.take()
                while wanted in answers:
                    yield answers.pop(wanted)  # type: ignore[misc]  # what `work` returned
                    wanted += 1
        finally:
            for worker in workers:
                worker.stop()

    def _idle(
        self, workers: list[_Worker], poll: select.poll, by_descriptor: dict[int, _Worker]
    ) -> _Worker | None:
        """A worker without a chunk; a new one while there may be more of them."""
        for worker in workers:
            if worker.chunk < 0:
                return worker
        if len(workers) == self._jobs:
            return None
        worker = _Worker(self._work, workers)
        workers.append(worker)
        poll.register(worker.answer)
        by_descriptor[worker.answer] = worker
        return worker


def _serve(work: Callable[[list[T]], R], requests: int, answers: int) -> None:
    """The life of a child: chunks in, answers out, until the requests end."""
    import gc
    import signal

    gc.freeze()  # what the parent left is not ours to walk; it would unshare the pages
    gc.set_threshold(20_000)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the parent's to report
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        chunk = _receive(requests)
        if chunk is None:
            return
        answer: tuple[bool, object]
        try:
            answer = (True, work(chunk))  # type: ignore[arg-type]  # what `ask` sent
        except PolymodError as error:
            answer = (False, error)
        except Exception as error:  # noqa: BLE001  # a process border: it has to be told
            answer = (False, f"{type(error).__name__}: {error}")
        try:
            _send(answers, answer)
        except BrokenPipeError:
            return


def _widen(pipe: int) -> None:
    """Let a pipe hold a whole answer, so that a child need not wait to be read.

    fcntl(2), F_SETPIPE_SZ; refused for users over their limit, and unknown outside Linux.
    """
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(descriptor: int, value: object) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def _receive(descriptor: int) -> tuple[bool, object] | None:
    header = _read_exactly(descriptor, _LENGTH.size)
    if header is None:
        return None
    data = _read_exactly(descriptor, _LENGTH.unpack(header)[0])
    if data is None:
        return None
    value: tuple[bool, object] = pickle.loads(data)  # written by our own fork
    return value


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
