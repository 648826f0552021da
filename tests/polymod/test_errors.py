"""The error tree: what is drawn is what there is, and every error crosses a process border."""

from __future__ import annotations

import errno
import pickle

import pytest

import polymod
from polymod import errors
from polymod.errors import ExitCode, PolymodError, from_os_error

#: One of each, with all it can carry.
EXAMPLES: list[PolymodError] = [
    errors.PolymodError("went wrong", remedy="try", path="/p", host="h:", offset=7),
    errors.UsageError("no such option"),
    errors.ModuleNotFound("nothing", path="/p"),
    errors.MalformedModule("broken", path="/p", offset=0x40, field="e_shoff"),
    errors.NotAModule("is a text", path="/p", offset=None),
    errors.UnsupportedOperation("aix", "index", "AIX has none", remedy="none"),
    errors.AmbiguousBackend("/p", ["a", "b"]),
    errors.PermissionRefused("no", privilege="CAP_SYS_MODULE", path="/p"),
    errors.PolicyRefused("no", policy="lockdown"),
    errors.IncompatibleModule("no", reasons=["vermagic", "crc"], path="/p"),
    errors.ModuleInUse("m", holders=["n", "o"]),
    errors.DependencyMissing(["a", "b", "c"]),
    errors.DependencyCycle(["a", "b", "a"]),
    errors.HostUnreachable("silence", host="ssh://h"),
    errors.UnreadableFile("bad disk", path="/p"),
    errors.WriteFailed("disk full", path="/p"),
    errors.WorkerDied("gone"),
    errors.CommandFailed(["ls", "-l"], 2, "no such file\n"),
    errors.PlanFailed("stopped", step="load", undone=["a"], not_undone=["b"]),
    errors.PluginFailed("stranger", "raised"),
]

#: The contract: code and exit code of every class.
CONTRACT = {
    "PolymodError": ("failed", 3),
    "UsageError": ("usage", 2),
    "ModuleNotFound": ("not-found", 4),
    "MalformedModule": ("malformed", 7),
    "NotAModule": ("not-a-module", 7),
    "UnsupportedOperation": ("unsupported", 6),
    "AmbiguousBackend": ("ambiguous-backend", 2),
    "PermissionRefused": ("permission-refused", 5),
    "PolicyRefused": ("policy-refused", 8),
    "IncompatibleModule": ("incompatible", 1),
    "ModuleInUse": ("in-use", 3),
    "DependencyMissing": ("dependency-missing", 4),
    "DependencyCycle": ("dependency-cycle", 3),
    "HostUnreachable": ("host-unreachable", 3),
    "UnreadableFile": ("unreadable", 3),
    "WriteFailed": ("write-failed", 3),
    "WorkerDied": ("worker-died", 3),
    "CommandFailed": ("command-failed", 3),
    "PlanFailed": ("plan-failed", 3),
    "PluginFailed": ("plugin-failed", 3),
}


def _name(error: PolymodError) -> str:
    return type(error).__name__


def _tree(cls: type[PolymodError], depth: int = 0) -> list[tuple[str, int]]:
    rows = [(cls.__name__, depth)]
    for inner in cls.__subclasses__():
        if inner.__module__.startswith("polymod"):
            rows += _tree(inner, depth + 1)
    return rows


def _drawn() -> list[tuple[str, int]]:
    rows = []
    for line in (errors.__doc__ or "").splitlines():
        text = line.lstrip(" │├└─")
        if line.startswith("    ") and text:
            rows.append((text.split()[0], (len(line) - len(text)) // 4 - 1))
    return rows


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    import polymod.cli.app
    import polymod.hosts.record
    import polymod.hosts.replay
    import polymod.scanning  # noqa: F401  # so that any class they add is counted

    assert sorted(_drawn()) == sorted(_tree(PolymodError))


def test_every_class_is_in_the_contract_table_and_public() -> None:
    names = {name for name, _ in _tree(PolymodError)}
    assert names == CONTRACT.keys()
    assert names <= set(polymod.__all__)


@pytest.mark.parametrize("error", EXAMPLES, ids=_name)
def test_code_and_exit_code_are_those_of_the_contract(error: PolymodError) -> None:
    assert (error.code, int(error.exit_code)) == CONTRACT[_name(error)]


@pytest.mark.parametrize("error", EXAMPLES, ids=_name)
def test_an_error_survives_pickling_whole(error: PolymodError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=_name)
def test_a_message_is_one_line_that_names_the_path(error: PolymodError) -> None:
    assert error.message
    assert "\n" not in str(error)
    if error.path:
        assert error.path in str(error)


def test_there_is_an_example_of_every_class() -> None:
    assert {_name(error) for error in EXAMPLES} == CONTRACT.keys()


def test_a_malformed_module_says_where() -> None:
    error = errors.MalformedModule("is cut", path="/m.ko", offset=0x40, field="e_shoff")
    assert str(error) == "/m.ko: is cut (offset 0x40, e_shoff)"


def test_the_exit_codes_are_the_numbers_of_the_contract() -> None:
    expected = {
        "OK": 0, "NO": 1, "USAGE": 2, "FAILED": 3, "NOT_FOUND": 4, "PRIVILEGE": 5,
        "UNSUPPORTED": 6, "MALFORMED": 7, "POLICY": 8, "PENDING": 9, "PARTIAL": 10,
    }  # fmt: skip
    assert {code.name: int(code) for code in ExitCode} == expected


@pytest.mark.parametrize(
    ("number", "writing", "expected"),
    [
        pytest.param(errno.ENOENT, False, "ModuleNotFound", id="nothing there"),
        pytest.param(errno.ENOTDIR, False, "ModuleNotFound", id="below a file"),
        pytest.param(errno.EACCES, False, "PermissionRefused", id="not allowed to read"),
        pytest.param(errno.EPERM, True, "PermissionRefused", id="not allowed to write"),
        pytest.param(errno.EIO, False, "UnreadableFile", id="bad disk"),
        pytest.param(errno.ELOOP, False, "UnreadableFile", id="ring of links"),
        pytest.param(errno.ENAMETOOLONG, False, "UnreadableFile", id="name too long"),
        pytest.param(errno.ENOSPC, True, "WriteFailed", id="disk full"),
        pytest.param(errno.EROFS, True, "WriteFailed", id="read-only file system"),
        pytest.param(errno.ENOENT, True, "WriteFailed", id="no directory to write into"),
    ],
)
def test_os_errors_become(number: int, writing: bool, expected: str) -> None:
    cause = OSError(number, "The Reason")
    error = from_os_error(cause, "/p", writing=writing)
    assert type(error).__name__ == expected
    assert error.path == "/p"
    assert "the reason" in str(error)
