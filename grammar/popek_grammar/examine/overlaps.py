"""Encodings of different lengths where the shorter one also matches the start of the longer, and `over`s in vain.

Two encodings of one length are compared where encodings are read. This looks at all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from popek_grammar import machine as m
from popek_grammar.text.diagnostics import Diagnostics, Note

FEW = 16
"""Patterns that are compared pair by pair; more are split first, by the value of one bit."""


@dataclass(frozen=True, slots=True)
class Row:
    """A pattern aligned with the longest one: the first parcel fetched at the same end."""

    instruction: m.Instruction
    encoding: m.Encoding
    mask: int
    value: int
    shift: int


def check_lengths(machine: m.Machine, found: Diagnostics) -> None:
    """Reports a pair of clauses once, with a word that both match, and a clause once; one mistake gives one error."""
    rows = _rows(machine)
    over = _over(machine)
    reported: dict[tuple[str, str], tuple[Row, Row]] = {}
    overlapping: set[tuple[str, str]] = set()
    for a, b in sorted(_pairs(rows, list(range(len(rows))), _span(rows))):
        first, second = rows[a], rows[b]
        overlapping |= {(first.instruction.name, second.instruction.name), (second.instruction.name, first.instruction.name)}
        clauses = (first.instruction.clause, second.instruction.clause)
        if first.encoding.width == second.encoding.width or clauses in reported or _explained(first, second, over):
            continue
        if not any(_settles(third, first, second, over) for third in rows):
            reported[clauses] = first, second
    told: set[str] = set()
    for (one, other), (first, second) in reported.items():
        if not {one, other} & told:
            _report(first, second, len(reported), found)
        told |= {one, other} if _operands_first(first, second) is None else {c for pair in reported for c in pair}
    _idle(machine, overlapping, found)


def _rows(machine: m.Machine) -> list[Row]:
    longest = max((e.width for i in machine.instructions.values() for e in i.encodings), default=0)
    rows = []
    for instruction in machine.instructions.values():
        for encoding in instruction.encodings:
            shift = 0 if machine.order == "little" else longest - encoding.width
            rows.append(Row(instruction, encoding, encoding.mask << shift, encoding.value << shift, shift))
    return rows


def _span(rows: Sequence[Row]) -> int:
    return max((row.mask.bit_length() for row in rows), default=0)


def _pairs(rows: Sequence[Row], chosen: list[int], width: int, tried: int = 0) -> set[tuple[int, int]]:
    """Index pairs of patterns that agree on every bit which both fix."""
    bit = _best_bit(rows, chosen, width, tried) if len(chosen) > FEW else None
    if bit is None:
        return {
            (a, b)
            for at, a in enumerate(chosen)
            for b in chosen[at + 1 :]
            if not (rows[a].value ^ rows[b].value) & rows[a].mask & rows[b].mask
        }
    zero = [i for i in chosen if not rows[i].mask & bit or not rows[i].value & bit]
    one = [i for i in chosen if not rows[i].mask & bit or rows[i].value & bit]
    return _pairs(rows, zero, width, tried | bit) | _pairs(rows, one, width, tried | bit)


def _best_bit(rows: Sequence[Row], chosen: list[int], width: int, tried: int) -> int | None:
    """The bit that leaves the fewest patterns on its larger side."""
    best, least = None, len(chosen)
    for number in range(width):
        bit = 1 << number
        if tried & bit:
            continue
        ones = sum(1 for i in chosen if rows[i].value & bit)
        zeros = sum(1 for i in chosen if rows[i].mask & bit) - ones
        larger = len(chosen) - min(ones, zeros)
        if larger < least:
            best, least = bit, larger
    return best


# -- what explains an overlap ----------------------------------------------------------------------------------------


def _over(machine: m.Machine) -> dict[str, set[str]]:
    """The instructions and clauses that each instruction may lie inside, following `over` through others."""
    direct = {i.name: set(i.over) for i in machine.instructions.values()}
    by_clause: dict[str, set[str]] = {}
    for instruction in machine.instructions.values():
        by_clause.setdefault(instruction.clause, set()).update(instruction.over)
    result: dict[str, set[str]] = {}
    for name, names in direct.items():
        seen, waiting = set[str](), list(names)
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += direct.get(other, set()) | by_clause.get(other, set())
        result[name] = seen
    return result


def _explained(a: Row, b: Row, over: dict[str, set[str]]) -> bool:
    """One pattern strictly inside the other, declared; alternatives of one instruction need no declaration."""
    for inner, outer in ((a, b), (b, a)):
        if _inside(inner, outer) and (
            inner.instruction.name == outer.instruction.name
            or {outer.instruction.name, outer.instruction.clause} & over[inner.instruction.name]
        ):
            return True
    return False


def _settles(third: Row, a: Row, b: Row, over: dict[str, set[str]]) -> bool:
    """Whether a third pattern, declared to lie over both, is what every word means that both match."""
    both = a.mask | b.mask
    covers = not third.mask & ~both and not (third.value ^ (a.value | b.value)) & third.mask
    named = over[third.instruction.name]
    return covers and all({one.instruction.name, one.instruction.clause} & named for one in (a, b))


def _inside(inner: Row, outer: Row) -> bool:
    smaller = inner.mask & outer.mask == outer.mask and (inner.mask != outer.mask)
    return smaller and inner.encoding.width >= outer.encoding.width


def _report(a: Row, b: Row, pairs: int, found: Diagnostics) -> None:
    word = (a.value | b.value) >> min(a.shift, b.shift)
    longer = max(a.encoding.width, b.encoding.width)
    inner, outer = (a, b) if _inside(a, b) else (b, a)
    nested = _inside(inner, outer)
    names = f"`{inner.instruction.name}` and `{outer.instruction.name}`"
    more = f"; so do {pairs - 1} other pairs of clauses" if pairs > 2 else ""
    found.error(
        "E0433",
        f"encodings of {names} overlap: both match 0x{word:0{(longer + 3) // 4}x}{more}",
        inner.instruction.span,
        notes=[Note("the other encoding", outer.instruction.span)],
        help=f"over {outer.instruction.clause}" if nested else _apart(inner, outer),
    )


def _apart(a: Row, b: Row) -> str:
    """What to do about two patterns of which neither lies inside the other."""
    clause = _operands_first(a, b)
    if clause is not None:
        return f"of `{clause}` the last bits of `enc` are fetched first, and they are all operands: little or big?"
    return "neither lies inside the other: other bits, `when` or `needs`, or a third clause for what both match, `over` the two"


def _operands_first(a: Row, b: Row) -> str | None:
    """The longer clause, if it fixes nothing in the bits that are fetched with all of the shorter one: parcels in wrong order."""
    short, long = sorted((a, b), key=lambda row: row.encoding.width)
    first = (1 << short.encoding.width) - 1
    return long.instruction.clause if not long.shift and not long.encoding.mask & first and long.encoding.mask else None


def _idle(machine: m.Machine, overlapping: set[tuple[str, str]], found: Diagnostics) -> None:
    """W0434: an `over` that explains nothing."""
    members: dict[str, set[str]] = {}
    for instruction in machine.instructions.values():
        members.setdefault(instruction.clause, set()).add(instruction.name)
        members.setdefault(instruction.name, set()).add(instruction.name)
    for clause, names in [(c, n) for c, n in members.items() if any(machine.instructions[i].clause == c for i in n)]:
        for other in sorted({o for n in names for o in machine.instructions[n].over if o in members}):
            if not any((a, b) in overlapping for a in names for b in members[other]):
                span = machine.instructions[min(names)].span
                found.warning("W0434", f"`{clause}` says `over {other}`, but the two do not overlap", span)
