"""How an access at a virtual address reaches memory in the machine as declared: translation, second stage, protection, cells.

The memory models that stand for what a monitor gives a guest are those of `views.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from popek_grammar import machine as m
from popek_grammar.meaning import mapped
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run


class Placed:
    """Accesses that first find where their cells lie, and then find there what memory or the state in it holds."""

    def _places(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> list[Term]:
        """The cells of an access, lowest address first; faults end the path."""
        raise NotImplementedError

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term:
        places = self._places(run, address, width, kind, acting)
        return load_cells(run, places) if run.path is not t.FALSE else t.const(0, width)

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None:
        places = self._places(run, address, value.width, kind, acting)
        if run.path is not t.FALSE:
            store_cells(run, places, value)


class Translated(Placed):
    """Accesses go through the declared translations and protections."""

    def own_cells(self, machine: m.Machine, array: str) -> str:
        """The array that a body means which reads or writes elements of `array` itself: all memory is one."""
        return array

    def physical(self, run: Run, address: Term, width: int) -> Term:
        """A walk's own load: through the second stage, if any, and protection, as an ordinary load."""
        array = main_array(run)
        count = width // array.width
        pa = self._implicit(run, address, count)
        if run.path is t.FALSE:
            return t.const(0, width)
        return read_cells(run, consecutive(pa, count), width)

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        count = value.width // main_array(run).width
        pa = self._implicit(run, address, count)
        if run.path is not t.FALSE:
            write_cells(run, consecutive(pa, count), value)

    def _implicit(self, run: Run, address: Term, count: int) -> Term:
        """Where an access that a walk makes itself lies; `access` still says what the walk is for."""
        with run.bound(implicit=t.TRUE):
            pa = self._second_stage(run, run.walk_translation, t.resize(address, main_array(run).index_width))
            self._protect(run, pa, t.const(count, 32))
        return pa

    def translate(self, run: Run, address: Term, cells: Term, kind: str, mode: Term) -> Term:
        """Where `cells` cells lie, a 32-bit number, reached with the rights of `mode`. That they lie in one page is assumed."""
        with self._access(run, address, cells, kind, mode):
            paged, onward = self._before_pages(run, address)
            crosses = self._crosses(run, paged, cells)
            if crosses is not t.FALSE:
                run.assumptions.append(t.implies(t.and_(run.prefix, run.path), t.not_(crosses)))
            pa = onward(paged)
            self._protect(run, pa, cells)
        return pa

    def _places(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> list[Term]:
        """The physical cells of an access, lowest address first; faults end the path."""
        count = width // main_array(run).width
        mode = acting if acting is not None else acting_mode(run, kind)
        size = t.const(count, 32)
        with self._access(run, address, size, kind, mode):
            paged, onward = self._before_pages(run, address)
        if run.path is t.FALSE:
            return []

        def piece(offset: int, cells: int) -> list[Term]:
            """So many cells, all in one page."""
            if run.path is t.FALSE:
                return []
            size = t.const(cells, 32)
            with self._access(run, t.add(address, t.const(offset, address.width)), size, kind, mode):
                pa = onward(t.add(paged, t.const(offset, paged.width)))
                self._protect(run, pa, size)
            return consecutive(pa, cells)

        crosses = self._crosses(run, paged, size)
        if not crosses.is_const:
            run.assumptions.append(t.implies(t.and_(run.prefix, run.path), t.not_(crosses)))
        if crosses is not t.TRUE:
            return piece(0, count)
        page = page_bits(run.machine)
        first = (1 << page) - t.extract(paged, page - 1, 0).value
        return [*piece(0, first), *piece(first, count - first)]

    def _access(self, run: Run, address: Term, size: Term, kind: str, mode: Term) -> AbstractContextManager[None]:
        """What translations and protections know of an access."""
        origin = t.resize(address, run.machine.scalars[run.machine.pc].width)
        known = {"va": address, "origin": origin, "access": access_term(kind), "implicit": t.FALSE, "acting": mode}
        return run.bound(**known, size=size)

    def _before_pages(self, run: Run, address: Term) -> tuple[Term, Callable[[Term], Term]]:
        """The address that pages are looked up for, and the way on from it.

        A single first stage without pages (segments) takes the access whole; what is over it has pages, and takes pieces.
        """
        width = main_array(run).index_width
        stages = [tr for tr in run.machine.translations.values() if tr.over is None]
        if len(stages) != 1 or stages[0].page_bits:
            return address, lambda place: self._stages(run, stages, place, width)
        only = stages[0]
        moved = run.branch(
            applies(run, only), lambda: t.resize(self.apply(run, only, address), width), lambda: t.resize(address, width)
        )
        return moved, lambda place: self._second_stage(run, only, place)

    def _crosses(self, run: Run, address: Term, cells: Term) -> Term:
        """Whether the access spans two pages of the smallest size. Symbolic answers become an assumption."""
        page = page_bits(run.machine)
        if not page or (cells.is_const and cells.value == 1):
            return t.FALSE
        offset = t.zext(t.extract(address, page - 1, 0), cells.width)
        return t.ult(t.sub(t.const(1 << page, cells.width), cells), offset)

    def _stages(self, run: Run, stages: list[m.Translation], address: Term, width: int) -> Term:
        """The first translation whose condition holds; then its second stage."""
        if not stages:
            return self._second_stage(run, None, t.resize(address, width))
        translation, *rest = stages

        def through() -> Term:
            result = t.resize(self.apply(run, translation, address), width)
            return self._second_stage(run, translation, result) if run.path is not t.FALSE else result

        return run.branch(applies(run, translation), through, lambda: self._stages(run, rest, address, width))

    def apply(self, run: Run, translation: m.Translation, address: Term) -> Term:
        """Where one translation, which is on, leads; its faults end the path."""
        if translation.canonical is not None and translation.va_width < address.width:
            cut = t.extract(address, translation.va_width - 1, 0)
            run_path = run.path
            good = t.eq(t.sext(cut, address.width), address)
            run.path = t.and_(run_path, t.not_(good))
            run.fault(translation.canonical)
            run.path = t.and_(run_path, good)
            if run.path is t.FALSE:
                return address
        outer, run.walk_translation = run.walk_translation, translation
        with run.bound(va=address):
            result = run.body(translation.body, {})
        run.walk_translation = outer
        return result if result is not None else address

    def _second_stage(self, run: Run, first: m.Translation | None, address: Term) -> Term:
        """The stage declared over `first`, if there is one and it is on; then what is declared over that stage."""
        over = [
            tr for tr in run.machine.translations.values() if tr.over is not None and (first is None or tr.over == first.name)
        ]
        if not over or run.path is t.FALSE:
            return address
        second = over[0]
        result = run.branch(
            applies(run, second), lambda: t.resize(self.apply(run, second, address), address.width), lambda: address
        )
        return self._second_stage(run, second, result)

    def _protect(self, run: Run, pa: Term, size: Term) -> None:
        """The declared protections, for `size` cells from a physical address on."""
        for protection in run.machine.protections.values():
            if run.path is t.FALSE:
                return
            with run.bound(pa=pa, size=size):
                on = t.TRUE if protection.when is None else run.value(protection.when)
                run.branch(on, lambda body=protection.body: run.body(body, {}) or t.FALSE, lambda: t.FALSE)  # type: ignore[misc]


# -- shared pieces ---------------------------------------------------------------------------------------------------


def main_array(run: Run) -> m.Array:
    name = run.machine.main_memory
    assert name is not None, "the resolver rejects loads and stores in a machine without memory"
    return run.machine.arrays[name]


def page_bits(machine: m.Machine) -> int:
    """Address bits below the smallest page that translations declare; 0 without pages."""
    return min((tr.page_bits for tr in machine.translations.values() if tr.page_bits), default=0)


def page_number(address: Term, page: int) -> Term:
    """The page that an address lies in; the address itself where each cell is one."""
    return t.extract(address, address.width - 1, page) if page < address.width else t.const(0, 1)


def access_term(kind: str) -> Term:
    return t.const(m.ACCESS.members.index(kind), 2)


def acting_mode(run: Run, kind: str) -> Term:
    """The mode whose rights an access has: the declared `acting`, else the current mode."""
    with run.bound(access=access_term(kind)):
        if run.machine.acting is not None:
            return run.value(run.machine.acting)
    if run.machine.mode is None:
        return t.const(0, max(1, run.machine.modes.width))
    return run.state.scalars[run.machine.mode]


def applies(run: Run, translation: m.Translation) -> Term:
    acting = run.special["acting"]
    modes = translation.modes
    in_mode = t.or_(*(t.eq(acting, t.const(code, acting.width)) for code in modes)) if modes else t.TRUE
    if translation.when is None or in_mode is t.FALSE:
        return in_mode
    return t.and_(in_mode, run.value(translation.when))


def consecutive(address: Term, count: int) -> list[Term]:
    return [t.add(address, t.const(cell, address.width)) for cell in range(count)]


def load_cells(run: Run, places: list[Term]) -> Term:
    """What a load finds: cells joined in the memory's byte order, with the state that lies among them."""
    array = main_array(run)
    cells = mapped.load(run, array, places)
    return t.concat_all(*(cells if array.big_endian else reversed(cells)))


def store_cells(run: Run, places: list[Term], value: Term) -> None:
    """What a store leaves, the state that lies among the cells included."""
    array = main_array(run)
    parts = [t.extract(value, number * array.width + array.width - 1, number * array.width) for number in range(len(places))]
    mapped.store(run, array, places, [*reversed(parts)] if array.big_endian else parts)


def read_cells(run: Run, places: list[Term], width: int) -> Term:
    """Cells joined in the memory's byte order."""
    name = main_array(run).name
    cells = [run.read_element(name, place) for place in places]
    return t.concat_all(*(cells if main_array(run).big_endian else reversed(cells)))


def write_cells(run: Run, places: list[Term], value: Term) -> None:
    array = main_array(run)
    count = len(places)
    for number, place in enumerate(places):
        cell = count - 1 - number if array.big_endian else number
        run.write_element(array.name, place, t.extract(value, (cell + 1) * array.width - 1, cell * array.width))
