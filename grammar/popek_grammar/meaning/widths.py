"""How many bits a value of a type has."""

from __future__ import annotations

from typing import assert_never

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t


def width_of(type_: m.Type, machine: m.Machine) -> int:
    """Bits that represent a value of a type; 0 for a bool."""
    match type_:
        case m.Bits(width):
            return width
        case m.Mode():
            return machine.modes.width
        case m.EnumType(_, members):
            return max(1, (len(members) - 1).bit_length())
        case m.Bool() | m.Unit():
            return t.BOOL
        case _:
            assert_never(type_)
