"""How memory accesses look to generated code: a probe that may miss, and what a miss comes to.

In an instruction's outcome a translated access is two opaque functions of its address: whether the software TLB misses
it, and where it lies. What the machine's translations and protections say is evaluated once for each kind of access,
and compiled into the function that a miss goes to.
"""

from __future__ import annotations

from dataclasses import dataclass

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated, acting_mode, consecutive, main_array, read_cells
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.paths import Ranges
from popek_grammar.meaning.state import State, symbolic
from popek_grammar.meaning.terms import Term

KINDS = m.ACCESS.members
MISS = "%miss"
"""The cause of the trap case in which a probe misses; its payload is the probe."""
STALE = "%stale"
"""The cause where an access follows a write, in the same instruction, to what translations depend on: the oracle's."""


def first_choice(site: str, width: int, ranges: Ranges) -> Term:
    """Open choices fall as they do in the oracle without a seed: on the first legal value."""
    return t.const(ranges[0][0] if ranges else 0, width)


def default_acting(machine: m.Machine, kind: str) -> Term:
    """The mode whose rights an access has, as a function of the state before the instruction."""
    return acting_mode(Run(machine, symbolic(machine), Translated(), first_choice), kind)


class Probed(Translated):
    """Accesses through the TLB. `sensitive` names the state that translations depend on.

    `follows` becomes true with an access that comes after a write to memory: that write might be to a table which the access
    is translated by.
    """

    def __init__(self, machine: m.Machine, sensitive: frozenset[str]) -> None:
        self.sensitive = sensitive
        self.follows = False
        self.before = symbolic(machine)
        self.usual = {kind: default_acting(machine, kind) for kind in KINDS}

    def physical(self, run: Run, address: Term, width: int) -> Term:
        return self.load(run, address, width, "load", None)

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        self.store(run, address, value, "store", None)

    def _places(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> list[Term]:
        array = main_array(run)
        self.follows |= bool(run.state.arrays[array.name].writes)
        mode = acting if acting is not None else acting_mode(run, kind)
        point = (address,) if mode is self.usual[kind] else (address, mode)
        cells, stale = width // array.width, self._changed(run.state)
        name = f"%place.{kind}.{cells}.{len(point) - 1}"
        miss = t.apply(f"{name}.miss", t.BOOL, point)
        path = run.path
        condition = t.and_(run.prefix, path, t.TRUE if stale else miss)
        if condition is not t.FALSE:
            run.traps.append(TrapCase(condition, STALE if stale else MISS, (miss,), True))
        run.path = t.FALSE if stale else t.and_(path, t.not_(miss))
        return consecutive(t.apply(name, array.index_width, point), cells)

    def _changed(self, state: State) -> bool:
        scalars = any(state.scalars[name] is not self.before.scalars[name] for name in self.sensitive if name in state.scalars)
        return scalars or any(state.arrays[name].writes for name in self.sensitive if name in state.arrays)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells that a walk read, under the condition of its path."""

    condition: Term
    place: Term
    cells: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What an access of one kind comes to, over `%va`, `%size` and `%acting`.

    `unchanged`: reaching leaves all state as it is. Reference bits, once set, are set again without a change.
    """

    kind: str
    outcome: Outcome
    place: Term
    tables: tuple[Table, ...]
    unchanged: Term


class _Walked(Translated):
    def __init__(self) -> None:
        self.tables: list[Table] = []

    def physical(self, run: Run, address: Term, width: int) -> Term:
        count = width // main_array(run).width
        place = self._implicit(run, address, count)
        if run.path is t.FALSE:
            return t.const(0, width)
        self.tables.append(Table(t.and_(run.prefix, run.path), place, count))
        return read_cells(run, consecutive(place, count), width)


def address_width(machine: m.Machine) -> int:
    """Bits of a virtual address: pc's, or more when the first translation takes more."""
    first = next((tr for tr in machine.translations.values() if tr.over is None), None)
    return max(machine.scalars[machine.pc].width, first.va_width if first is not None else 0)


def reach(machine: m.Machine, kind: str, address: Term | None = None) -> Reach:
    """The machine's translations and protections, evaluated for an access of any size within a page."""
    walked, before = _Walked(), symbolic(machine)
    run = Run(machine, before.copy(), walked, first_choice)
    va = address if address is not None else t.var("%va", address_width(machine))
    place = walked.translate(run, va, t.var("%size", 32), kind, t.var("%acting", max(1, machine.modes.width)))
    after = run.state
    same = [t.eq(value, before.scalars[name]) for name, value in after.scalars.items()]
    for name, array in after.arrays.items():
        same += [t.implies(write.guard, t.eq(write.value, before.arrays[name].read(write.index))) for write in array.writes]
    return Reach(kind, run.outcome(), place, tuple(walked.tables), t.and_(*same))


def dependencies(roots: list[Term], machine: m.Machine) -> frozenset[str]:
    """The scalars and arrays of the machine that terms read."""
    names = {leaf.name for leaf in t.free(roots)}
    return frozenset(name for name in names if name in machine.scalars or name in machine.arrays)


def page_bits(machine: m.Machine) -> int:
    """Offset bits of the smallest page; of a page of ours where the machine has none."""
    declared = [tr.page_bits for tr in machine.translations.values() if tr.page_bits]
    assert machine.main_memory is not None
    return min([*declared, 12, machine.arrays[machine.main_memory].index_width, address_width(machine)])


def without_zero_tests(machine: m.Machine, roots: list[Term]) -> dict[Term, Term]:
    """Rewrites `if index == zero then 0 else X[index]`, and what was made of it, to a plain read."""
    zero_at = {name: array.zero_at for name, array in machine.arrays.items() if array.zero_at is not None}

    def plain(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op != "ite" or args[1].op != "const" or args[0].op != "eq":
            return None
        index, constant = args[0].args
        reads = [leaf for leaf in t.free([args[2]]) if leaf.op == "apply" and leaf.name in zero_at and leaf.args[0] is index]
        if not reads or constant.op != "const" or constant.value != zero_at[reads[0].name]:
            return None
        zeros = {read: t.const(0, read.width) for read in reads}
        folded = t.substitute([args[2]], lambda node, _: zeros.get(node))[args[2]]
        return args[2] if folded is args[1] else None

    return t.substitute(roots, plain) if zero_at else {term: term for term in t.postorder(roots)}
