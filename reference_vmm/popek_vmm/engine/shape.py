"""What the host must know of a generated program. The modules that generate one are not needed to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from popek_vmm.engine.layout import Layout

FLAG_CODE, FLAG_TABLE, FLAG_WATCH = 1, 2, 4
"""What a granule of memory holds: decoded code, entries that a walk has read, cells that a store to is reported."""

LEFT_BUDGET, LEFT_DECODE, LEFT_SLOW, LEFT_WATCH, LEFT_DEVICE = 1, 2, 3, 4, 5
"""Why generated code returned."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the host must know of a generated program. `handlers` numbers the functions of instructions: by name and, for
    one that names a control register, by its number (-1 for any that does not exist)."""

    layout: Layout
    fields: Mapping[str, Mapping[str, tuple[int, int]]]
    handlers: Mapping[tuple[str, int | None], int]
    entry_bytes: int
    page: int
    page_slots: int
    granule: int
    parcel_cells: int
    cell_bytes: int
    longest: int
    clocks: tuple[str, ...]
