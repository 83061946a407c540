"""Accesses to several memory cells at once: what the evaluator splits into cells, put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import Write
from popek_grammar.meaning.terms import Term


def base_and_offset(index: Term) -> tuple[Term, int]:
    """`index` as a term plus a constant."""
    if index.op == "add" and index.args[1].op == "const":
        return index.args[0], index.args[1].value
    return index, 0


def wide_reads(memory: m.Array, roots: Sequence[Term]) -> dict[Term, Term]:
    """Rewrites concatenations of adjacent 8-bit cells to applications of `MEMORY#COUNT` at the lowest address."""
    if memory.width != 8:
        return {term: term for term in t.postorder(roots)}

    def join(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op != "concat":
            return None
        high, (low, *rest) = args[0], args[1].args if args[1].op == "concat" else (args[1],)
        first, second = cells_read(memory, high), cells_read(memory, low)
        if not first or not second:
            return None
        below, above = (high, low) if memory.big_endian else (low, high)
        ahead = cells_read(memory, below)
        if above.args[0] is not t.add(below.args[0], t.const(ahead, memory.index_width)):
            return None
        joined = t.apply(f"{memory.name}#{first + second}", high.width + low.width, (below.args[0],))
        return t.concat(joined, rest[0]) if rest else joined

    return t.substitute(roots, join)


def cells_read(memory: m.Array, term: Term) -> int:
    """How many cells a read of memory takes; 0 for another term."""
    if term.op != "apply":
        return 0
    name, _, count = term.name.partition("#")
    return 0 if name != memory.name else int(count) if count else 1


@dataclass(frozen=True, slots=True)
class WideWrite:
    """Cells from `index` on take `value`, the lowest bits first unless the memory is big-endian."""

    guard: Term
    index: Term
    value: Term
    cells: int


def wide_writes(memory: m.Array, writes: Sequence[Write]) -> Iterator[WideWrite]:
    """Writes in order, those of adjacent cells under one guard together."""
    at = 0
    while at < len(writes):
        end = at + 1
        while memory.width == 8 and end < len(writes) and end - at < 16 and _follows(memory, writes[end - 1], writes[end]):
            end += 1
        group = writes[at:end]
        values = [write.value for write in group]
        value = t.concat_all(*(values if memory.big_endian else reversed(values)))
        yield WideWrite(group[0].guard, group[0].index, value, len(group))
        at = end


def _follows(memory: m.Array, one: Write, two: Write) -> bool:
    return one.guard is two.guard and two.index is t.add(one.index, t.const(1, memory.index_width))
