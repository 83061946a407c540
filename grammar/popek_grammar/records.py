"""Frozen dataclasses that are cheap to define: there are many, and every command that starts defines them all.

The standard decorator compiles six functions for each class; here it makes `__init__` only, and the others are shared.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, Final, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(made: type[T]) -> type[T]:
    """A frozen dataclass. Its attributes can be given once, by `__init__`; it equals another of its class with equal ones."""
    for name, shared in SHARED.items():
        setattr(made, name, shared)
    return dataclass(eq=False, repr=False)(made)


def _set_once(self: object, name: str, value: object) -> None:
    attributes = vars(self)
    if name in attributes or name not in type(self).__dataclass_fields__:  # type: ignore[attr-defined]
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    attributes[name] = value


def _kept(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _equal(self: object, other: object) -> Any:
    return vars(self) == vars(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(tuple(vars(self).values()))


def _shown(self: Any) -> str:
    inside = ", ".join(f"{part.name}={getattr(self, part.name)!r}" for part in fields(self))
    return f"{type(self).__qualname__}({inside})"


SHARED: Final = {"__setattr__": _set_once, "__delattr__": _kept, "__eq__": _equal, "__hash__": _hash, "__repr__": _shown}
