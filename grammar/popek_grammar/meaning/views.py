"""The memory models in which a monitor gives a guest its memory.

`View`: one opaque partial map from pages to a guest's own memory, the same in every mode and for every value of the map
state (Popek and Goldberg's E|R, compared as a view). `PerMode`: one such map for each mode, what a guest gets whose own
tables, with their rights by mode, stand while it runs in another mode than it believes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Final

from popek_grammar import machine as m
from popek_grammar.meaning import mapped
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.memory import (
    Placed,
    Translated,
    acting_mode,
    consecutive,
    main_array,
    page_bits,
    page_number,
)
from popek_grammar.meaning.operators import binary
from popek_grammar.meaning.outcome import TrapCase
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run

MEMORY_FAULT = "memory fault"
"""The cause of a trap raised by an opaque view: which of the machine's faults it is does not matter."""


def physical_array(memory: str) -> str:
    """The name of the host's memory, in a machine whose guest sees `memory` through a view."""
    return f"physical {memory}"


class View(Placed):
    """Accesses go through one opaque map of pages: whether a page faults and where it lies are free functions of it.

    Offsets in a page are kept (its size is the smallest that the machine declares); where pages are not declared, each cell
    is one, and where no translation is, an address is its own place. So what a wide store leaves, narrow loads find. An access
    made with the rights of a lesser mode than the current one goes through a map of that mode, since a monitor keeps a view
    (shadow tables) for each virtual mode. One with greater rights reads system structures. Memory that a body names by its
    physical cells is not the view's: it is the host's (`physical_array`), where the machine has been given one.
    `tables` makes the map a particular one, that of a witness: function name to (arguments to value); zero elsewhere.
    """

    def __init__(self, tables: Mapping[str, Mapping[tuple[int, ...], int]] | None = None) -> None:
        self.tables = tables

    def own_cells(self, machine: m.Machine, array: str) -> str:
        """The array that a body means which reads or writes elements of `array` itself."""
        return physical_array(array) if array == machine.main_memory and physical_array(array) in machine.arrays else array

    def reached(self, run: Run, page: Term, kind: str, acting: Term | None) -> tuple[Term, Term]:
        """Whether a page faults, and where it lies. With fewer rights than the current mode's, in the view of that mode."""
        fault, frame = self.through(run, "view", kind, (page,))
        lesser = self._lesser(run, acting)
        if acting is None or lesser is t.FALSE:
            return fault, frame
        other_fault, other_frame = self.through(run, "view.as", kind, (acting, page))
        return t.ite(lesser, other_fault, fault), t.ite(lesser, other_frame, frame)

    def through(self, run: Run, name: str, kind: str, point: tuple[Term, ...]) -> tuple[Term, Term]:
        """The map `name` at a point: whether accesses of a kind fault there, and the frame (of a page of one cell, its place)."""
        bits = max(1, main_array(run).index_width - page_bits(run.machine))
        return self._map(f"{name}.{kind}.faults", t.BOOL, point), self._map(f"{name}.place", bits, point)

    def _map(self, name: str, width: int, point: tuple[Term, ...]) -> Term:
        if self.tables is None:
            return t.apply(name, width, point)
        return t.const(self.tables.get(name, {}).get(tuple(part.value for part in point), 0), width)

    def _lesser(self, run: Run, acting: Term | None) -> Term:
        """The access is made with fewer rights than those of the current mode."""
        if acting is None or run.machine.mode is None:
            return t.FALSE
        return binary("<", acting, run.state.scalars[run.machine.mode], run.machine.modes)

    def physical(self, run: Run, address: Term, width: int) -> Term:
        return self.load(run, address, width, "load", None)

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        self.store(run, address, value, "store", None)

    def _places(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> list[Term]:
        """Where the cells of an access lie, lowest address first; a fault in any page that they touch ends the path."""
        cells = consecutive(address, width // main_array(run).width)
        page = page_bits(run.machine)
        reached = [self.reached(run, page_number(cell, page), kind, acting) for cell in cells]
        path = run.path
        frames = [frame for _, frame in reached]
        places = [self._place(run, cell, frame, page) for cell, frame in zip(cells, frames, strict=True)]
        fault = t.or_(*(fault for fault, _ in ((reached[0], reached[-1]) if page else reached)), *self._left_out(run, places))
        condition = t.and_(run.prefix, path, fault)
        if condition is not t.FALSE:
            payload = tuple(t.const(0, size) for _, size in run.machine.causes.payload)
            run.traps.append(TrapCase(condition, MEMORY_FAULT, payload, True))
        run.path = t.and_(path, t.not_(fault))
        if run.machine.translations and not page:  # cells of one access are different cells
            run.assumptions.extend(t.implies(t.and_(run.prefix, path), t.ne(*pair)) for pair in combinations(frames, 2))
        return places

    def _left_out(self, run: Run, places: list[Term]) -> list[Term]:
        """The monitor leaves state that lies in memory out of the guest's map; without a translation it cannot."""
        if not run.machine.translations:
            return []
        return [mapped.inside(run.machine, main_array(run), place) for place in places]

    def _place(self, run: Run, cell: Term, frame: Term, page: int) -> Term:
        """Where one cell lies whose page has this frame."""
        width = main_array(run).index_width
        if not run.machine.translations or page >= width:
            return t.resize(cell, width)
        if not page:
            return frame
        return t.concat(frame, t.resize(cell, page))


class PerMode(View):
    """One opaque map for each mode: the same tables in guest and host, read with the rights of the acting mode."""

    def reached(self, run: Run, page: Term, kind: str, acting: Term | None) -> tuple[Term, Term]:
        return self.through(run, "view", kind, (page, acting if acting is not None else acting_mode(run, kind)))


MODELS: Final[Mapping[str, Callable[[], View | Translated]]] = {"view": View, "per_mode": PerMode, "translated": Translated}
"""The memory models by the name that theorems and reports use."""
