"""Source positions and the types of values."""

from __future__ import annotations

from typing import TypeAlias

from popek_grammar.records import record


@record
class Span:
    """A stretch of source text: file name as given, 1-based line and column, and where it ends."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@record
class Bits:
    """A bit vector of `width` bits (at least 1). `layout` names its fields, when it has a layout."""

    width: int
    layout: str | None = None


@record
class Bool:
    """Truth values; not interchangeable with `Bits(1)`."""


@record
class Mode:
    """A processor mode, represented by its encoding (`Modes.width` bits)."""


@record
class EnumType:
    """A closed set of names: `access`, an operand family's `op`, the trap stacks. Represented by its ordinal."""

    name: str
    members: tuple[str, ...]


@record
class Unit:
    """The type of a function that returns nothing."""


Type: TypeAlias = Bits | Bool | Mode | EnumType | Unit

ACCESS = EnumType("access", ("fetch", "load", "store", "rmw"))
"""Kinds of memory access. `rmw` needs the rights of both load and store."""
