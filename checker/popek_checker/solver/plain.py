"""Values of frozen dataclasses as plain JSON, and back: reading makes such a value or fails, and never runs anything.

A dataclass is the list of its fields, an enumeration's member its value, a mapping a list of pairs. What is read is checked
against the declared types all the way down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader: TypeAlias = "Callable[[Any], Any]"
"""From plain JSON to a value; ValueError where it is not one."""

SCALARS: Final = (str, int, bool, float, NoneType)


class Plain(Generic[T]):
    """How values of one type are written and read. `kind` may be generic: `tuple[Row, ...]`, `dict[str, int]`."""

    def __init__(self, kind: type[T]) -> None:
        self.kind: Any = kind

    def text(self, value: T) -> str:
        """The value as JSON, on one line."""
        return json.dumps(_written(value), separators=(",", ":"))

    def value(self, text: str) -> T:
        """The value that `text` says; ValueError where it says none of this type."""
        try:
            found: T = reader(self.kind)(json.loads(text))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return found


def _written(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case str() | int() | float() | None:
            return value
        case Mapping():
            return [[_written(name), _written(held)] for name, held in value.items()]
        case tuple() | list() | frozenset():
            return [_written(held) for held in value]
        case _ if is_dataclass(value):
            return [_written(getattr(value, part.name)) for part in fields(value) if part.init]
    raise TypeError(f"{type(value).__name__} has no plain form")


@lru_cache(maxsize=256)
def reader(kind: Any) -> Reader:
    """What reads values of a type. TypeError for a type that has no plain form."""
    origin, inside = get_origin(kind), get_args(kind)
    if kind in SCALARS:
        return _scalar(kind)
    if origin in (Union, UnionType):
        return _optional(inside)
    if origin in (tuple, list, frozenset):
        return _sequence(origin, inside)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(inside)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind} has no plain form")


def _scalar(kind: type) -> Reader:
    def read(plain: Any) -> Any:
        if type(plain) is not kind:
            raise ValueError(f"{kind.__name__} expected")
        return plain

    return read


def _optional(kinds: tuple[Any, ...]) -> Reader:
    kept = [kind for kind in kinds if kind is not NoneType]
    if len(kept) != 1 or len(kinds) != 2:
        raise TypeError("of unions, only `T | None` has a plain form")
    read = reader(kept[0])
    return lambda plain: None if plain is None else read(plain)


def _sequence(made: Callable[[Iterable[Any]], Any], inside: tuple[Any, ...]) -> Reader:
    if made is not tuple or inside[1:] == (...,):
        read = reader(inside[0])
        return lambda plain: made([read(part) for part in _listed(plain)])
    reads = [reader(kind) for kind in inside]
    return lambda plain: tuple(read(part) for read, part in zip(reads, _listed(plain), strict=True))


def _mapping(inside: tuple[Any, ...]) -> Reader:
    names, values = map(reader, inside)

    def read(plain: Any) -> dict[Any, Any]:
        return {names(name): values(held) for name, held in map(_listed, _listed(plain))}

    return read


def _record(kind: type) -> Reader:
    hints = get_type_hints(kind)
    reads = [reader(hints[part.name]) for part in fields(kind) if part.init]
    return lambda plain: kind(*(read(part) for read, part in zip(reads, _listed(plain), strict=True)))


def _listed(plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise ValueError("a list expected")
    return plain
