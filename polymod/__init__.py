"""polymod: one library over the kernel modules of every serious operating system.

All public names live here and load when they are first used::

    import polymod

    polymod.inspect("e1000e.ko.xz").parameters
    for item in polymod.scan("/lib/modules"):
        ...
"""

from __future__ import annotations

from importlib import import_module

#: Module below polymod: the names that live there. Type checkers read __init__.pyi instead.
_HOMES = {
    "api": "Machine connect inspect scan",
    "backend": "Backend Claim Control Depth Edge FileFormat Indexer Inventory",
    "errors": (
        "AmbiguousBackend CommandFailed DependencyCycle DependencyMissing ExitCode"
        " HostUnreachable IncompatibleModule MalformedModule ModuleInUse ModuleNotFound"
        " NotAModule PermissionRefused PlanFailed PluginFailed PolicyRefused PolymodError"
        " UnreadableFile UnsupportedOperation UsageError WorkerDied WriteFailed"
    ),
    "hookspecs": "hookimpl",
    "model.answers": (
        "BackendInfo Dependant DependencyEdge DependencyStep Finding IndexFile Presence"
        " Relation Resolution Severity"
    ),
    "model.base": "Gap Origin Record Why",
    "model.changes": "ChangeRequest Plan Step StepOutcome StepResult",
    "model.failures": "ModuleError",
    "model.files": (
        "Architecture BuiltFor Compression Dependency DependencyKind Format ModuleFile"
        " Parameter Provided Signature SignatureStatus Symbol"
    ),
    "rules": "Rule",
    "serialize": "to_dict to_json to_plain",
    "verbs": "Verb",
    "version": "__version__",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'polymod' has no attribute {name!r}")
    value: object = getattr(import_module(f"polymod.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
