"""What the host must know of a generated program. The modules that generate one are not needed to run it."""

from __future__ import annotations

from collections.abc import Mapping

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_grammar.records import record
from popek_vmm.engine.layout import Layout

FLAG_CODE, FLAG_TABLE, FLAG_WATCH = 1, 2, 4
"""What a granule of memory holds: decoded code, entries that a walk has read, cells that a store to is reported."""

LEFT_BUDGET, LEFT_DECODE, LEFT_SLOW, LEFT_WATCH, LEFT_DEVICE = 1, 2, 3, 4, 5
"""Why generated code returned."""


@record
class Field:
    """A number of an entry: the value of `term`, over operand variables, extended with its sign or with zeros.

    It lies in `size` bytes at `offset`, and stands for the variable `name` in the generated function.
    """

    name: str
    term: Term
    signed: bool
    offset: int
    size: int

    def value(self, operands: Mapping[str, int]) -> int:
        """What is to be held for an instruction with these operands; those that its encoding lacks are zero."""

        def given(term: Term, _: object) -> Term | None:
            return t.const(operands.get(term.name, 0), term.width) if term.op == "var" else None

        value = given(self.term, ()) or t.substitute([self.term], given)[self.term]
        number = value.value
        return t.signed(number, self.term.width) & (1 << 8 * self.size) - 1 if self.signed else number


@record
class Shape:
    """What the host must know of a generated program. `handlers` numbers the functions of instructions: by name and, for
    one that names a control register, by its number (-1 for any that does not exist). `fields` are those of each function."""

    layout: Layout
    handlers: Mapping[tuple[str, int | None], int]
    fields: tuple[tuple[Field, ...], ...]
    entry_bytes: int
    page: int
    page_slots: int
    granule: int
    parcel_cells: int
    cell_bytes: int
    longest: int
    clocks: tuple[str, ...]
