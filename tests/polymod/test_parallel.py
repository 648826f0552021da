"""Work in several processes: in order, with flat memory, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from polymod.errors import MalformedModule, WorkerDied
from polymod.parallel import map_chunks, processors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import RunBounded


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    with pytest.raises(ChildProcessError):  # no child, neither running nor waiting to be reaped
        os.waitpid(-1, os.WNOHANG)


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


@pytest.mark.parametrize("jobs", [1, 2, 3, 16])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 200])
def test_answers_come_in_the_order_of_the_items(jobs: int, count: int) -> None:
    def work(chunk: list[int]) -> list[int]:
        time.sleep(0.002 * (chunk[0] % 3))  # the later ones are often ready first
        return [item * item for item in chunk]

    before = _open_descriptors()
    answers = [*map_chunks(work, iter(range(count)), jobs=jobs, chunk=7)]
    assert [one for answer in answers for one in answer] == [n * n for n in range(count)]
    assert all(len(answer) == 7 for answer in answers[:-1])
    assert _open_descriptors() == before


def test_work_is_done_by_as_many_processes_as_asked() -> None:
    def work(chunk: list[int]) -> int:
        time.sleep(0.02)
        return os.getpid()

    assert {*map_chunks(work, range(20), jobs=1, chunk=2)} == {os.getpid()}
    others = {*map_chunks(work, range(40), jobs=3, chunk=2)}
    assert 1 < len(others) <= 3
    assert os.getpid() not in others


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_items_are_taken_only_a_little_ahead_of_the_answers(jobs: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield number

    answers = map_chunks(sum, items(), jobs=jobs, chunk=10)
    for done in range(1, 50):
        next(answers)
        assert taken <= (done + 4 * jobs) * 10
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert taken < 1000


def test_a_slow_chunk_does_not_let_the_others_fill_the_memory(run_bounded: RunBounded) -> None:
    source = """
import time
from polymod.parallel import map_chunks
def work(chunk):
    if chunk[0] == 0:
        time.sleep(1)
    return b"x" * (8 << 20)
print(sum(map(len, map_chunks(work, range(100), jobs=2, chunk=1))))
"""
    assert run_bounded(source, memory=400 << 20) == f"{100 * (8 << 20)}\n"


def test_answers_larger_than_a_pipe_come_whole() -> None:
    def work(chunk: list[int]) -> bytes:
        return bytes([chunk[0]]) * 5_000_000

    answers = [*map_chunks(work, range(6), jobs=2, chunk=1)]
    assert answers == [bytes([number]) * 5_000_000 for number in range(6)]


def test_chunks_larger_than_a_pipe_go_whole() -> None:
    items = ["x" * 300_000] * 6
    assert [*map_chunks(lambda chunk: len("".join(chunk)), items, jobs=2, chunk=3)] == [900_000] * 2


@pytest.mark.parametrize("jobs", [2, 4])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_is_told(jobs: int, number: signal.Signals) -> None:
    def work(chunk: list[int]) -> int:
        if chunk[0] == 5:
            os.kill(os.getpid(), number)
            time.sleep(60)
        return chunk[0]

    before = _open_descriptors()
    with pytest.raises(WorkerDied, match=f"ended with -{int(number)} before") as caught:
        list(map_chunks(work, range(50), jobs=jobs, chunk=1))
    assert caught.value.remedy
    assert _open_descriptors() == before


def test_a_worker_killed_while_it_is_idle_is_told() -> None:
    pids: list[int] = []

    def items() -> Iterator[int]:
        yield 0
        yield 1
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        yield 2

    def work(chunk: list[int]) -> int:
        # The first to answer has to be the one that is waited for first.
        time.sleep(0.5 * (chunk == [1]))
        return os.getpid()

    def answers() -> Iterator[object]:
        for pid in map_chunks(work, items(), jobs=2, chunk=1):
            pids.append(pid)
            yield pid

    with pytest.raises(WorkerDied):
        list(answers())


def test_our_errors_cross_the_border_as_they_are() -> None:
    def work(chunk: list[int]) -> int:
        if 3 in chunk:
            raise MalformedModule("is bad", path="/m", offset=64, field="e_shoff")
        return 0

    for jobs in (1, 2):
        with pytest.raises(MalformedModule) as caught:
            list(map_chunks(work, range(9), jobs=jobs, chunk=2))
        assert (caught.value.offset, caught.value.field) == (64, "e_shoff")


@pytest.mark.parametrize(
    "error", [ValueError("odd"), MemoryError(), RecursionError("deep"), UnicodeError()], ids=repr
)
def test_other_errors_cross_as_a_typed_one_with_their_name(error: Exception) -> None:
    def work(chunk: list[int]) -> int:
        raise error

    with pytest.raises(WorkerDied, match=type(error).__name__):
        list(map_chunks(work, range(9), jobs=2, chunk=2))


def test_an_answer_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(WorkerDied):
        list(map_chunks(lambda chunk: lambda: chunk, range(9), jobs=2, chunk=2))


def test_a_failing_input_ends_the_work() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise MalformedModule("input is bad", path="/m")

    with pytest.raises(MalformedModule):
        list(map_chunks(sum, items(), jobs=2, chunk=2))


def test_who_stops_listening_leaves_no_process() -> None:
    def work(chunk: list[int]) -> int:
        if chunk[0]:
            time.sleep(60)
        return 1

    before = _open_descriptors()
    answers = map_chunks(work, range(1000), jobs=3, chunk=1)
    assert next(answers) == 1
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert _open_descriptors() == before


def test_there_is_at_least_one_processor() -> None:
    assert processors() >= 1


SLEEPY = """
import os, sys, time
from polymod.parallel import map_chunks
def work(chunk):
    print(os.getpid(), flush=True)
    time.sleep(float(sys.argv[1]))
try:
    list(map_chunks(work, range(100), jobs=3, chunk=1))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("number", "seconds", "status"),
    [
        pytest.param(signal.SIGINT, "600", 130, id="Ctrl-C, at once"),
        pytest.param(signal.SIGTERM, "0.5", -signal.SIGTERM, id="a termination, after the chunk"),
        pytest.param(signal.SIGKILL, "0.5", -signal.SIGKILL, id="a kill, after the chunk"),
    ],
)
def test_workers_end_with_their_parent_at(
    polymod_env: Mapping[str, str], number: signal.Signals, seconds: str, status: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPY, seconds],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(polymod_env),
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        for _ in range(3):
            assert parent.stdout.readline()
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)  # a terminal tells the whole group
        else:
            parent.send_signal(number)
        # The pipes end when the last process that holds them is gone: no worker outlives this.
        _, err = parent.communicate(timeout=120)
    assert (parent.returncode, err) == (status, "")
