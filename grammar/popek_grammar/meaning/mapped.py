"""State that lies in memory: cells in which loads and stores find a register, after translation (`mapped`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from popek_grammar import machine as m
from popek_grammar.meaning import registers
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run


def load(run: Run, array: m.Array, places: list[Term]) -> list[Term]:
    """The cells at `places`: of memory, or of the state that lies there."""
    cells = [run.read_element(array.name, place) for place in places]
    for mapped in _in(run, array):
        hits = [[t.eq(place, _address(array, mapped.at + n)) for n in range(_count(array, mapped))] for place in places]
        if all(hit is t.FALSE for row in hits for hit in row):
            continue
        whole = registers.read_place(run, mapped.place)
        parts = [t.extract(whole, hi, lo) for hi, lo in _bounds(array, _count(array, mapped))]
        for number, row in enumerate(hits):
            for hit, part in zip(row, parts, strict=True):
                cells[number] = t.ite(hit, part, cells[number])
    return cells


def store(run: Run, array: m.Array, places: list[Term], cells: list[Term]) -> None:
    """Writes cells at `places`, lowest first: to memory, or to the state that lies there.

    A store that covers a piece of state writes it once; any other, cell by cell, each with the rest of it as it is.
    """
    choices: list[tuple[Term, Callable[[], None]]] = []
    for mapped in _in(run, array):
        if len(places) == _count(array, mapped):
            whole = t.concat_all(*(cells if array.big_endian else reversed(cells)))
            choices.append((t.eq(places[0], _address(array, mapped.at)), partial(registers.assign, run, mapped.place, whole)))

    def one_by_one() -> None:
        for place, cell in zip(places, cells, strict=True):
            _store_cell(run, array, place, cell)

    _first(run, choices, one_by_one)


def _store_cell(run: Run, array: m.Array, place: Term, cell: Term) -> None:
    choices: list[tuple[Term, Callable[[], None]]] = [
        (t.eq(place, _address(array, mapped.at + number)), partial(registers.assign, run, part, cell))
        for mapped in _in(run, array)
        for number, part in enumerate(_cells_of(array, mapped))
    ]
    _first(run, choices, lambda: run.write_element(array.name, place, cell))


def _first(run: Run, choices: Sequence[tuple[Term, Callable[[], None]]], otherwise: Callable[[], None]) -> None:
    """Runs the first choice whose condition holds."""
    if not choices:
        otherwise()
        return
    (condition, action), *rest = choices
    if condition.is_const:
        action() if condition.payload else _first(run, rest, otherwise)
    else:
        run.fork(condition, action, lambda: _first(run, rest, otherwise))


def inside(machine: m.Machine, array: m.Array, place: Term) -> Term:
    """Whether a cell is one in which state lies."""
    return t.or_(
        *(
            t.eq(place, _address(array, mapped.at + number))
            for mapped in machine.mapped
            if mapped.array == array.name
            for number in range(_count(array, mapped))
        )
    )


def _in(run: Run, array: m.Array) -> Iterator[m.Mapped]:
    return (mapped for mapped in run.machine.mapped if mapped.array == array.name)


def _count(array: m.Array, mapped: m.Mapped) -> int:
    return mapped.place.width // array.width


def _address(array: m.Array, at: int) -> Term:
    return t.const(at, array.index_width)


def _bounds(array: m.Array, count: int) -> Iterator[tuple[int, int]]:
    """The bits of each cell, lowest address first."""
    for number in range(count):
        low = (count - 1 - number if array.big_endian else number) * array.width
        yield low + array.width - 1, low


def _cells_of(array: m.Array, mapped: m.Mapped) -> Iterator[m.Place]:
    return (m.SlicePlace(mapped.place, hi, lo, array.width) for hi, lo in _bounds(array, _count(array, mapped)))
