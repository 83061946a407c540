"""A generated program with its state block and guest memory: reading, writing, running until it leaves."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from popek_grammar import machine as m
from popek_grammar.assembly.decode import Decoded
from popek_vmm.engine.block import Block
from popek_vmm.engine.build import Built
from popek_vmm.engine.compiled import link
from popek_vmm.engine.shape import FLAG_CODE, FLAG_WATCH


class Stuck(Exception):
    """The machine cannot go on; the text says why."""


class OutsideMemory(Stuck):
    """An access to a place where there is neither memory nor a device."""

    def __init__(self, place: int) -> None:
        super().__init__(f"no memory at {place:#x}")


WINDOW = 16
"""Cells behind guest memory through which accesses to devices go."""


class Core:
    """`low` is the first cell of guest memory, and there are `cells` of them.

    State, memory, entries and flags each end where the host's pages cannot be touched: see `Block`.
    """

    def __init__(self, machine: m.Machine, built: Built, low: int, cells: int) -> None:
        self.machine, self.shape = machine, built.shape
        self.low, self.cells = low, cells
        shape = built.shape
        pages = -(-cells >> shape.page)
        granules = (low + cells + WINDOW - 1 >> shape.granule) - (low >> shape.granule) + 1
        self.state = Block(shape.layout.size)
        self.memory = Block((cells + WINDOW) * shape.cell_bytes)
        self.entries = Block(pages * shape.page_slots * shape.entry_bytes)
        self.flags = Block(granules)
        self.library = link(built.codes, ("run", "flush", "unknown", "handlers"))
        on_state = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        self._run, self._flush = (on_state(self.library.address(name)) for name in ("run", "flush"))
        self.watched = range(0)
        self.noted: list[int] = []
        """Watched cells that the oracle has written."""
        self._filled: dict[tuple[int, int], bytes] = {}
        self._unknown = self.library.address("unknown")
        self._handlers = (ctypes.c_uint64 * len(shape.fields)).from_address(self.library.address("handlers"))
        words = {
            "ram_low": low, "ram_cells": cells, "bias": self.memory.address - low * shape.cell_bytes,
            "entries": self.entries.address, "flags": self.flags.address - (low >> shape.granule), "dirty": 1,
        }  # fmt: skip
        for name, value in words.items():
            self.control(name, value)

    # -- state -------------------------------------------------------------------------------------------------------

    def get(self, name: str, index: int = 0) -> int:
        """A scalar, or an element of an array beside the memory."""
        slot = self.shape.layout.slots[name]
        return self.state.number(slot.offset + slot.size * index, slot.size)

    def set(self, name: str, value: int, index: int = 0) -> None:
        """As if the host had written it: what depends on it is found anew."""
        slot = self.shape.layout.slots[name]
        self.state.put(slot.offset + slot.size * index, slot.size, value & ((1 << max(slot.width, 1)) - 1))
        self.control("dirty", 1)

    def control(self, name: str, value: int) -> None:
        slot = self.shape.layout.slots[f"%{name}"]
        self.state.put(slot.offset, slot.size, value & ((1 << 8 * slot.size) - 1))

    def field(self, name: str) -> int:
        return self.get(f"%{name}")

    # -- memory ------------------------------------------------------------------------------------------------------

    def inside(self, place: int, count: int = 1) -> bool:
        return self.low <= place and place + count <= self.low + self.cells

    def cell(self, place: int) -> int:
        """A cell of guest memory; zero where there is none."""
        size = self.shape.cell_bytes
        return self.memory.number((place - self.low) * size, size) if self.inside(place) else 0

    def put_cell(self, place: int, value: int) -> None:
        """Writes a cell as a store does: code decoded from it is forgotten, translations read from it too. Raises Stuck."""
        if not self.inside(place):
            raise OutsideMemory(place)
        size = self.shape.cell_bytes
        self.memory.put((place - self.low) * size, size, value)
        if place in self.watched:
            self.noted.append(place)
        if self.flags.bytes[(place >> self.shape.granule) - (self.low >> self.shape.granule)] & ~FLAG_WATCH:
            self.forget(place, 1)

    def put(self, place: int, data: bytes) -> None:
        """Puts bytes into a memory of 8-bit cells. IndexError outside guest memory."""
        if not self.inside(place, len(data)):
            raise IndexError(f"{len(data)} cells at {place:#x} do not fit the memory")
        at = place - self.low
        self.memory.bytes[at : at + len(data)] = data
        self.forget(place, len(data))

    def fetch(self, place: int, size: int) -> bytes:
        """Bytes of a memory of 8-bit cells. IndexError outside guest memory."""
        if not self.inside(place, size):
            raise IndexError(f"{size} cells at {place:#x} are not in the memory")
        return bytes(self.memory.bytes[place - self.low : place - self.low + size])

    def forget(self, place: int, count: int) -> None:
        """Drops all that was decoded from cells or depends on a translation."""
        start, end = max(place - self.shape.longest + 1, self.low), min(place + count, self.low + self.cells)
        for granule in self._granules(start, end):
            first = granule << self.shape.granule
            for at in range(max(first, start), min(first + (1 << self.shape.granule), end)):
                self.entries.put(self._entry(at), 8, self._unknown)
        self.control("dirty", 1)

    def _granules(self, start: int, end: int) -> Iterator[int]:
        """Those with decoded code, among the ones that hold cells from `start` to `end`."""
        low = self.low >> self.shape.granule
        for granule in range(start >> self.shape.granule, (end - 1 >> self.shape.granule) + 1):
            if self.flags.bytes[granule - low] & FLAG_CODE:
                yield granule

    def forget_all(self) -> None:
        """Drops everything decoded, after memory has changed as a whole."""
        self.forget(self.low, self.cells)

    def watch(self, place: int, count: int) -> None:
        """Makes stores to these cells leave the program."""
        self.watched = range(place, place + count)
        self.control("watch_low", place)
        self.control("watch_high", place + count)
        self._flag(place, count, FLAG_WATCH)

    # -- code --------------------------------------------------------------------------------------------------------

    def _entry(self, place: int) -> int:
        page, inner = divmod(place - self.low, 1 << self.shape.page)
        return (page * self.shape.page_slots + inner // self.shape.parcel_cells) * self.shape.entry_bytes

    def _flag(self, place: int, count: int, flag: int) -> None:
        first = self.low >> self.shape.granule
        for granule in range(place >> self.shape.granule, (place + count - 1 >> self.shape.granule) + 1):
            self.flags.bytes[granule - first] |= flag

    def enter(self, place: int, decoded: Decoded) -> bool:
        """Fills the entry of the instruction at a place; False for one that the program does not hold so."""
        count = -(-decoded.encoding.width // self.machine.arrays[self.machine.main_memory or ""].width)
        if (place >> self.shape.page) != (place + count - 1 >> self.shape.page):
            return False
        word = decoded.encoding.width, decoded.word
        filled = self._filled.get(word)
        if filled is None:
            filled = self._filled[word] = self._entry_of(decoded)
        self._prepare(place - self.low >> self.shape.page)
        at = self._entry(place)
        self.entries.bytes[at : at + len(filled)] = filled
        self._flag(place, count, FLAG_CODE)
        return True

    def _entry_of(self, decoded: Decoded) -> bytes:
        """What the entry of an instruction holds."""
        instruction = decoded.instruction
        picked = decoded.operands[instruction.split[0]] if instruction.split else None
        number = self.shape.handlers.get((instruction.name, picked))
        if number is None:
            number = self.shape.handlers[instruction.name, -1]
        operands = dict(operand_values(decoded))
        filled = bytearray(self._handlers[number].to_bytes(8, "little"))
        for field in self.shape.fields[number]:
            filled += field.value(operands).to_bytes(field.size, "little")
        return bytes(filled)

    def _prepare(self, page: int) -> None:
        """Makes all entries of a page unknown, when the first of them is about to be filled: from one to the next no entry is
        taken for empty."""
        size = self.shape.page_slots * self.shape.entry_bytes
        first = page * size
        if not self.entries.number(first + size - self.shape.entry_bytes, 8):
            entry = self._unknown.to_bytes(8, "little").ljust(self.shape.entry_bytes, b"\0")
            self.entries.bytes[first : first + size] = entry * self.shape.page_slots

    # -- devices -----------------------------------------------------------------------------------------------------

    def window(self) -> int:
        """The place of cells behind guest memory through which one access to a device goes."""
        return self.low + self.cells

    def put_window(self, number: int, value: int) -> None:
        """A cell of the window."""
        size = self.shape.cell_bytes
        self.memory.put((self.cells + number) * size, size, value)

    def get_window(self, number: int) -> int:
        size = self.shape.cell_bytes
        return self.memory.number((self.cells + number) * size, size)

    def run_through_window(self) -> bool:
        """Runs the instruction at pc, whose only access, which has just missed, goes to the window instead; whether it did."""
        if self.field("dirty"):
            self._flush(self.state.address)
            self.control("dirty", 0)
        va, at = self.field("va"), self.field("tlb_entry") - self.state.address
        self.state.put(at, 8, va >> self.shape.page)
        self.state.put(at + 8, 8, self.window() - va & m.CLOCK_MASK)
        _, left = self.run(1)
        self.state.put(at, 8, m.CLOCK_MASK)
        return left == 0

    def run(self, budget: int) -> tuple[int, int]:
        """Runs at most `budget` steps: why it left, and how many steps are left."""
        self.control("left", budget)
        self.control("retry", -1)
        self._shift_clocks(budget)
        self._run(self.state.address)
        left = self.field("left")
        self._shift_clocks(-left)
        return self.field("exit"), left

    def _shift_clocks(self, steps: int) -> None:
        """Generated code takes the steps that are left from what it finds in the slot of a clock."""
        for name in self.shape.clocks:
            slot = self.shape.layout.slots[name]
            self.state.put(slot.offset, slot.size, self.state.number(slot.offset, slot.size) + steps & m.CLOCK_MASK)


def operand_values(decoded: Decoded) -> Iterator[tuple[str, int]]:
    """The variables of an instruction's general meaning, as this word has them."""
    for operand in decoded.instruction.operands:
        low = (operand.present & -operand.present).bit_length() - 1
        yield f"op.{operand.name}", decoded.operands[operand.name] >> max(low, 0)
    for name, ordinal in decoded.encoding.choices:
        yield f"op.{name}.alt", ordinal
