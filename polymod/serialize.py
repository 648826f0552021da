r"""Records as plain data and as JSON text.

Keys come in field order with ``kind`` first and ``gaps`` last. JSON is pure
ASCII: other characters, and the surrogates that stand for bytes outside UTF-8
(PEP 383), are ``\u`` escapes, so that no locale can break a pipe.
"""

from __future__ import annotations

import dataclasses
import json
from operator import attrgetter
from typing import TYPE_CHECKING

from polymod.model.base import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    Plain = dict[str, object]

_plans: dict[type, tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]] = {}


def field_names(cls: type) -> tuple[str, ...]:
    """The keys of a record class in output order, without ``kind``."""
    names = [f.name for f in dataclasses.fields(cls)]
    if issubclass(cls, Record):
        names.remove("gaps")
        names.append("gaps")
    return tuple(names)


def _plan(cls: type) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    names = field_names(cls)
    getter: Callable[[object], tuple[object, ...]]
    if len(names) > 1:
        getter = attrgetter(*names)
    elif names:
        single = attrgetter(names[0])

        def getter(item: object) -> tuple[object, ...]:
            return (single(item),)
    else:

        def getter(_: object) -> tuple[object, ...]:
            return ()

    if issubclass(cls, Record):
        kind, inner = cls.kind, getter
        names = ("kind", *names)

        def getter(item: object) -> tuple[object, ...]:
            return (kind, *inner(item))

    _plans[cls] = names, getter
    return names, getter


def to_dict(item: object) -> Plain:
    """The keys of one record or part; its parts stay objects (see `to_plain`).

    Raises TypeError for anything that is no dataclass, as `json` expects it of
    a ``default`` hook.
    """
    cls = type(item)
    plan = _plans.get(cls)
    if plan is None:
        if not dataclasses.is_dataclass(cls):
            raise TypeError(f"{cls.__name__} is not a record")
        plan = _plan(cls)
    names, getter = plan
    return dict(zip(names, getter(item), strict=True))


_encoder = json.JSONEncoder(default=to_dict, separators=(", ", ": "), check_circular=False)


def to_json(item: object) -> str:
    """One line of JSON for a record, a part, or plain data holding such."""
    return _encoder.encode(item)


def to_plain(item: object) -> object:
    """The record as dicts, lists, strings, numbers, booleans and None only."""
    plain: object = json.loads(to_json(item))
    return plain
