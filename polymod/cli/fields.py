"""One field of a module file, by the contract's word or by the OS's own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from polymod.serialize import to_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polymod.model.files import ModuleFile


def values_of(module: ModuleFile, field: str) -> list[object]:
    """Every value of `field`; nothing for a null or an unknown field, as modinfo -F.

    The backend's own key comes first: for Linux ``license`` gives all that
    .modinfo has, as modinfo does. A dotted path reaches into parts:
    ``signatures.signer``, ``built_for.release``.
    """
    native = module.native.get(field)
    if native is not None:
        return _flat(native)
    values: list[object] = [module]
    for key in field.split("."):
        values = [inner for value in values for inner in _flat(_member(value, key))]
    return values


def _member(value: object, key: str) -> object:
    if dataclasses.is_dataclass(value):
        return to_dict(value).get(key)
    if isinstance(value, dict):
        mapping: Mapping[str, object] = value
        return mapping.get(key)
    return None


def _flat(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        items: Iterable[object] = value
        return list(items)
    return [value]
