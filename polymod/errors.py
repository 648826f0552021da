"""Everything polymod raises, and the exit code each error gives the CLI.

::

    PolymodError                     root: code, message, remedy
    ├── UsageError                   the request itself makes no sense
    ├── ModuleNotFound               no such file, module, alias or kernel tree
    ├── MalformedModule              a module file (or index) breaks its own format
    │   └── NotAModule               sound, or plain text, but no kernel module
    ├── UnsupportedOperation         this backend or host cannot do that
    ├── AmbiguousBackend             two backends claim the same thing equally
    ├── PermissionRefused            the OS wants a privilege the caller lacks
    ├── PolicyRefused                signature, lockdown, approval, block list
    ├── IncompatibleModule           that kernel would not take this file
    ├── ModuleInUse                  somebody holds the module
    ├── DependencyMissing            a dependency is not there
    ├── DependencyCycle              modules need each other in a ring
    ├── HostUnreachable              the host does not answer, or did not record it
    ├── UnreadableFile               the OS refused or failed to read a path
    ├── WriteFailed                  the OS refused or failed to write a path
    ├── WorkerDied                   a process of a parallel scan ended early
    ├── CommandFailed                a program ran and failed
    ├── PlanFailed                   a change stopped half way and was taken back
    └── PluginFailed                 a plugin raised, or is no plugin

No other exception leaves the public API, apart from ``TypeError`` and
``ValueError`` for wrong calls by a programmer, and ``KeyboardInterrupt``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """What the process returns; the numbers are part of the contract."""

    OK = 0
    NO = 1
    USAGE = 2
    FAILED = 3
    NOT_FOUND = 4
    PRIVILEGE = 5
    UNSUPPORTED = 6
    MALFORMED = 7
    POLICY = 8
    PENDING = 9
    PARTIAL = 10


class PolymodError(Exception):
    """Root of all errors polymod raises on purpose.

    `code` is kebab-case and stable, `message` is one sentence, `remedy` says
    what the reader can do (or is None where nothing can be done). `path`,
    `host` and `offset` (bytes) are None where they mean nothing.
    """

    code = "failed"
    exit_code = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        path: str | None = None,
        host: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.path = path
        self.host = host
        self.offset = offset

    def __str__(self) -> str:
        text = self.message
        if self.path is not None and self.path not in text:
            text = f"{self.path}: {text}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders in a parallel scan; keyword-only
        # constructors do not survive the default protocol.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(
    cls: type[PolymodError], args: tuple[object, ...], state: dict[str, object]
) -> PolymodError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(PolymodError):
    """The request contradicts itself or names an option value that does not exist."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ModuleNotFound(PolymodError):
    """Nothing by that path, module name, alias or kernel release is there."""

    code = "not-found"
    exit_code = ExitCode.NOT_FOUND


class MalformedModule(PolymodError):
    """A file breaks the format it claims; `offset` (bytes) and `field` say where."""

    code = "malformed"
    exit_code = ExitCode.MALFORMED

    def __init__(
        self,
        message: str,
        *,
        path: str | None,
        offset: int | None = None,
        field: str | None = None,
        remedy: str | None = "fetch or build the file again: this copy is damaged",
    ) -> None:
        super().__init__(message, path=path, offset=offset, remedy=remedy)
        self.field = field

    def __str__(self) -> str:
        where = [f"offset {self.offset:#x}"] if self.offset is not None else []
        if self.field:
            where.append(self.field)
        return f"{super().__str__()} ({', '.join(where)})" if where else super().__str__()


class NotAModule(MalformedModule):
    """The bytes are not a kernel module of any known OS."""

    code = "not-a-module"


class UnsupportedOperation(PolymodError):
    """`backend` (or the host) has no `operation`; `reason` says why."""

    code = "unsupported"
    exit_code = ExitCode.UNSUPPORTED

    def __init__(
        self, backend: str, operation: str, reason: str, *, remedy: str | None = None
    ) -> None:
        super().__init__(f"{backend}: {operation}: {reason}", remedy=remedy)
        self.backend = backend
        self.operation = operation
        self.reason = reason


class AmbiguousBackend(PolymodError):
    """Several backends claim the same file or host with equal strength."""

    code = "ambiguous-backend"
    exit_code = ExitCode.USAGE

    def __init__(self, subject: str, backends: Sequence[str]) -> None:
        names = " and ".join(backends)
        super().__init__(
            f"{subject}: claimed equally by {names}",
            remedy="choose one with --backend NAME",
        )
        self.backends = tuple(backends)


class PermissionRefused(PolymodError):
    """The OS refused for want of `privilege` (a capability, a mode bit, an entitlement)."""

    code = "permission-refused"
    exit_code = ExitCode.PRIVILEGE

    def __init__(
        self, message: str, *, privilege: str, path: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, path=path, remedy=remedy or f"run with {privilege}")
        self.privilege = privilege


class PolicyRefused(PolymodError):
    """The kernel's `policy` (signatures, lockdown, approval, block list) refuses."""

    code = "policy-refused"
    exit_code = ExitCode.POLICY

    def __init__(self, message: str, *, policy: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.policy = policy


class IncompatibleModule(PolymodError):
    """That kernel would not take this file; `reasons` lists all of them."""

    code = "incompatible"
    exit_code = ExitCode.NO

    def __init__(self, message: str, *, reasons: Sequence[str], path: str | None = None) -> None:
        super().__init__(message, path=path, remedy="use a file built for that kernel")
        self.reasons = tuple(reasons)


class ModuleInUse(PolymodError):
    """The module is held by `holders`."""

    code = "in-use"
    exit_code = ExitCode.FAILED

    def __init__(self, name: str, *, holders: Sequence[str]) -> None:
        super().__init__(
            f"{name} is in use by {', '.join(holders)}", remedy="unload its holders first"
        )
        self.holders = tuple(holders)


class DependencyMissing(PolymodError):
    """The last name of `chain` is needed by the ones before it and is not there."""

    code = "dependency-missing"
    exit_code = ExitCode.NOT_FOUND

    def __init__(self, chain: Sequence[str], *, remedy: str | None = None) -> None:
        super().__init__(
            f"{chain[-1]} is missing, needed by {' <- '.join(reversed(chain[:-1]))}",
            remedy=remedy or "install the missing module, or rebuild the index",
        )
        self.chain = tuple(chain)


class DependencyCycle(PolymodError):
    """The modules of `chain` need each other; the first one is repeated at the end."""

    code = "dependency-cycle"
    exit_code = ExitCode.FAILED

    def __init__(self, chain: Sequence[str], *, members: Sequence[str] = ()) -> None:
        super().__init__(
            f"dependency cycle: {' -> '.join(chain)}",
            remedy="such modules can never be loaded: rebuild one without the dependency",
        )
        self.chain = tuple(chain)
        self.members = tuple(members) or tuple(dict.fromkeys(chain))


class HostUnreachable(PolymodError):
    """The host does not answer, or a recorded host was never asked this."""

    code = "host-unreachable"


class UnreadableFile(PolymodError):
    """The operating system failed to read a path that exists."""

    code = "unreadable"


class WriteFailed(PolymodError):
    """The operating system failed to write; what was there before is still whole."""

    code = "write-failed"


class WorkerDied(PolymodError):
    """A worker process ended without an answer (killed, or out of memory)."""

    code = "worker-died"


class CommandFailed(PolymodError):
    """A program ran and ended with `exit_status`; `stderr` is what it said."""

    code = "command-failed"

    def __init__(self, argv: Sequence[str], exit_status: int, stderr: str) -> None:
        super().__init__(f"{argv[0]} ended with status {exit_status}: {stderr.strip()}")
        self.argv = tuple(argv)
        self.exit_status = exit_status
        self.stderr = stderr


class PlanFailed(PolymodError):
    """`step` failed; the steps in `undone` were taken back, those in `not_undone` were not."""

    code = "plan-failed"

    def __init__(
        self, message: str, *, step: str, undone: Sequence[str], not_undone: Sequence[str]
    ) -> None:
        remedy = f"take back by hand: {', '.join(not_undone)}" if not_undone else None
        super().__init__(message, remedy=remedy)
        self.step = step
        self.undone = tuple(undone)
        self.not_undone = tuple(not_undone)


class PluginFailed(PolymodError):
    """A plugin raised, or does not have the shape of one; it is left out of the request."""

    code = "plugin-failed"

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(
            f"plugin {plugin}: {message}", remedy=f"update or uninstall the plugin {plugin}"
        )
        self.plugin = plugin


def from_os_error(error: OSError, path: str, *, writing: bool = False) -> PolymodError:
    """The typed error for an ``OSError`` met at `path`; the errno text is kept."""
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not writing:
        return ModuleNotFound(f"{path}: {reason}", path=path, remedy="check the path")
    if isinstance(error, PermissionError):
        verb = "write" if writing else "read"
        return PermissionRefused(
            f"{path}: {reason}", privilege=f"{verb} access to it (often root)", path=path
        )
    if writing:
        return WriteFailed(
            f"{path}: {reason}", path=path, remedy="free space or choose another place, then retry"
        )
    return UnreadableFile(f"{path}: {reason}", path=path, remedy="check the path and the disk")
