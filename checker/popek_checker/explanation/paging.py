"""The arithmetic of address translation, derived from its declaration: levels, field widths, table and segment sizes.

A page walk says which bits of the virtual address it uses at each level; where it does not, they follow from the page
size and the entry size, since a table fills a page. A translation that indexes registers by address bits is
segmentation: those bits are the selector, the bits below them bound the size of a segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TypeAlias

from popek_grammar import machine as m

Range: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of tables: address bits `hi..lo` pick one of `entries`; an entry covers `reach` cells of addresses."""

    number: int
    hi: int
    lo: int
    entries: int
    reach: int


@dataclass(frozen=True, slots=True)
class Segments:
    """Segmentation: address bits `hi..lo` pick one of `count` segments of at most `largest` cells."""

    hi: int
    lo: int
    count: int
    largest: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How a virtual address is taken apart. `widths` lists its fields from the top, the page offset last.

    `derived` says that the levels come from page and entry size, not from the walk's own slices.
    """

    va_bits: int
    page_bits: int
    entry_bits: int | None
    widths: tuple[int, ...]
    levels: tuple[Level, ...]
    segments: Segments | None
    derived: bool
    notes: tuple[str, ...]


def translation_shape(machine: m.Machine, translation: m.Translation) -> Shape:
    """The shape of a declared translation."""
    walk = next((statement for statement in translation.body if isinstance(statement, m.Walk)), None)
    used = _walk_slices(walk) if walk is not None else {}
    entry = translation.entry.width if translation.entry is not None else None
    cell = machine.arrays[machine.main_memory].width if machine.main_memory else 8
    derived = not used and entry is not None and translation.page_bits > 0
    if derived and entry is not None:
        levels = derived_levels(translation.va_width, translation.page_bits, entry, cell)
    else:
        levels = tuple(_level(number, hi, lo) for number, (hi, lo) in used.items())
    notes = _gaps(levels, translation) if levels else ()
    if walk is not None and derived and len(walk.levels) != len(levels):
        notes += (f"the walk has {len(walk.levels)} levels, page and entry size give {len(levels)}",)
    segments = _segments(translation)
    widths = [level.hi - level.lo + 1 for level in levels]
    if segments is not None and not levels:
        widths = [segments.hi - segments.lo + 1]
    rest = translation.va_width - sum(widths)
    return Shape(
        translation.va_width, translation.page_bits, entry, (*widths, rest) if rest > 0 else tuple(widths), levels,
        segments, derived, notes,
    )  # fmt: skip


def derived_levels(va_bits: int, page_bits: int, entry_bits: int, cell_bits: int = 8) -> tuple[Level, ...]:
    """The levels of a walk whose tables fill one page each: the top one takes the bits that are left."""
    index = page_bits - ((entry_bits // cell_bits) - 1).bit_length()
    if index < 1:
        return ()
    lows = list(range(page_bits, va_bits, index))
    return tuple(_level(number, min(low + index, va_bits) - 1, low) for number, low in reversed(list(enumerate(lows))))


def _level(number: int, hi: int, lo: int) -> Level:
    return Level(number, hi, lo, 1 << (hi - lo + 1), 1 << lo)


def _gaps(levels: tuple[Level, ...], translation: m.Translation) -> tuple[str, ...]:
    """Address bits that no level looks at, or that two do."""
    notes, expected = [], translation.va_width - 1
    for level in levels:
        if level.hi < expected:
            notes.append(f"address bits {expected}..{level.hi + 1} pick no entry")
        if level.hi > expected:
            notes.append(f"address bits {level.hi}..{expected + 1} are used twice or lie beyond the address")
        expected = level.lo - 1
    if expected != translation.page_bits - 1:
        notes.append(f"the last level leaves {expected + 1} bits, the page has {translation.page_bits}")
    return tuple(notes)


# -- which address bits a body uses ----------------------------------------------------------------------------------


def _walk_slices(walk: m.Walk) -> dict[int, Range]:
    """For each level the address bits in the address of its table entry."""
    found: dict[int, Range] = {}
    for number, body in walk.levels:
        names = _slice_names(body)
        loads = (n for n in nodes(body) if isinstance(n, m.Builtin) and n.name in ("phys_load", "load"))
        slices = [bits for load in loads for bits in _slices(load.arguments, names)]
        if slices:
            found[number] = slices[0]
    return found


def _segments(translation: m.Translation) -> Segments | None:
    """The address bits that index state, if any."""
    names = _slice_names(translation.body)
    for node in nodes(translation.body):
        index = node.index if isinstance(node, m.ReadElement | m.ReadRegister) else None
        for hi, lo in _slices((index,), names) if index is not None else ():
            return Segments(hi, lo, 1 << (hi - lo + 1), 1 << lo)
    return None


def _slice_names(body: Iterable[m.Stmt]) -> dict[str, Range]:
    """Names that are bound to bits of the address."""
    names: dict[str, Range] = {}
    for node in nodes(tuple(body)):
        if isinstance(node, m.Let) and (found := _slices((node.value,), names)):
            names[node.name] = found[0]
    return names


def _slices(exprs: object, names: Mapping[str, Range]) -> list[Range]:
    found: list[Range] = []
    for node in nodes(exprs):
        match node:
            case m.Slice(operand, hi, lo, _) if _is_address(operand):
                found.append((hi, lo))
            case m.SliceFrom(operand, m.Literal(start, _), m.Bits(width)) if _is_address(operand):
                found.append((start + width - 1, start))
            case m.Local(name, _) if name in names:
                found.append(names[name])
            case _:
                pass
    return found


def _is_address(expr: m.Expr) -> bool:
    return isinstance(expr, m.Builtin | m.Local) and expr.name == "va"


def nodes(tree: object) -> Iterable[object]:
    """Every node of statements and expressions, outermost first."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from nodes(item)
    elif is_dataclass(tree):
        yield tree
        for field in fields(tree):
            yield from nodes(getattr(tree, field.name))
