"""The machine's state as one block of memory: control fields of the engine, then scalars and arrays by their own names."""

from __future__ import annotations

from collections.abc import Mapping

from popek_grammar.machine import Array, Machine
from popek_grammar.records import record

LARGEST_INDEX = 20
"""Arrays beside the main memory with more index bits than this are not laid out."""


WHOLE_MEMORY = 24
"""Index bits up to which a memory without a `ram` region is there entirely."""


class Unsupported(Exception):
    """The engine cannot run this machine; the text says why."""


@record
class Slot:
    """Where `count` elements of `width` bits lie, each in `size` bytes."""

    offset: int
    width: int
    size: int
    count: int = 1

    @property
    def container(self) -> str:
        return f"i{8 * self.size}"


@record
class Layout:
    """`size` bytes. Slots by name: scalars and arrays of the machine; control fields start with `%`."""

    slots: Mapping[str, Slot]
    size: int


def container_bytes(width: int) -> int:
    """Bytes that hold an element: a power of two up to 16, then a multiple of 16."""
    needed = (max(width, 1) + 7) // 8
    return 1 << (needed - 1).bit_length() if needed <= 16 else (needed + 15) // 16 * 16


def elements(array: Array) -> int:
    """Elements held: every index there is, and one more that takes writes to the element that stays zero."""
    if array.index_width > LARGEST_INDEX:
        raise Unsupported(f"{array.name} has {array.index_width} index bits: only the main memory may be so large")
    return (1 << array.index_width) + 1


def layout(machine: Machine, control: Mapping[str, tuple[int, int]]) -> Layout:
    """Places control fields, given as (width, count), and all state but the main memory."""
    wanted = {f"%{name}": shape for name, shape in control.items()}
    wanted |= {name: (scalar.width, 1) for name, scalar in machine.scalars.items()}
    arrays = (array for array in machine.arrays.values() if array.name != machine.main_memory)
    wanted |= {array.name: (array.width, elements(array)) for array in arrays}
    slots: dict[str, Slot] = {}
    at = 0
    for name, (width, count) in sorted(wanted.items(), key=lambda item: item[1][1]):
        size = container_bytes(width)
        at = -(-at // min(size, 16)) * min(size, 16)
        slots[name] = Slot(at, width, size, count)
        at += size * count
    return Layout(slots, -(-at // 64) * 64)


def memory_region(machine: Machine) -> tuple[int, int]:
    """First cell and size of guest memory: the `ram` region, or all of a small memory."""
    if machine.main_memory is None:
        raise Unsupported(f"{machine.name} has no memory to run programs from")
    declared = [region for region in machine.regions.values() if region.device is None]
    if declared:
        return declared[0].at, declared[0].size
    return 0, 1 << min(machine.arrays[machine.main_memory].index_width, WHOLE_MEMORY)
