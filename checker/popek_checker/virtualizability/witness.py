"""From a satisfying model to a witness that people read: small numbers first, only what matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from popek_checker.solver.smt import SMALL_LIMIT, Model, Scope, Smt, Status
from popek_checker.virtualizability.copies import Copy
from popek_checker.virtualizability.program import program
from popek_checker.virtualizability.questions import TWIN, Ask, Subject
from popek_checker.virtualizability.verdict import Cell, Witness
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands
from popek_grammar.meaning.state import ArrayValue, State
from popek_grammar.meaning.terms import Term

BIT_CHECKS = 60
"""At most this many solver calls are spent on clearing single bits."""


SMALL_MEMORY = 64
"""A memory of at most this many cells is shown whole, where it is not zero."""


def minimise(smt: Smt, goal: Term, known: Model | None = None) -> Model | None:
    """A model with as few and as small non-zero leaves as halving finds: whole groups to zero, then single bits.

    Registers first, and then the cells: once addresses are numbers, what a cell can be is quickly answered. `known` is a
    model at hand, for a goal that is too hard to go on from.
    """
    leaves = [leaf for leaf in t.free([goal]) if leaf.width > 0 and not leaf.name.startswith("at.")]
    with smt.within([goal]) as scope:
        if scope.status() is not Status.SAT:
            return known or smt.check([goal]).model
        search = Smaller(scope)
        registers = [leaf for leaf in leaves if leaf.op == "var"]
        for leaf in search.zeros(registers):
            search.shrink(leaf)
        search.freeze(registers)
        for leaf in search.zeros([leaf for leaf in leaves if leaf.op != "var"]):
            search.shrink(leaf)
        return search.model()


class Smaller:
    """A model that only gets smaller: what is settled stays, and what the last model has by chance is not asked."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._budget = BIT_CHECKS

    def model(self) -> Model:
        return self._scope.model()

    def zeros(self, leaves: list[Term]) -> list[Term]:
        """Settles leaves to zero, in groups by halving; returns those that cannot be."""
        if not leaves or self._settle(t.and_(*(t.eq(leaf, t.const(0, leaf.width)) for leaf in leaves))):
            return []
        if len(leaves) == 1:
            return leaves
        middle = len(leaves) // 2
        return self.zeros(leaves[:middle]) + self.zeros(leaves[middle:])

    def freeze(self, leaves: list[Term]) -> None:
        """Leaves stay what they are in the model."""
        for leaf in leaves:
            self._scope.keep(t.eq(leaf, t.const(self._scope.found(leaf), leaf.width)))

    def shrink(self, leaf: Term) -> None:
        """Settles `leaf` to one if that works, else clears its bits by halving."""
        if self._settle(t.eq(leaf, t.const(1, leaf.width))):
            return
        ranges = [(leaf.width - 1, 0)]
        while ranges and self._budget > 0:
            hi, lo = ranges.pop()
            self._budget -= 1
            if not self._settle(t.eq(t.extract(leaf, hi, lo), t.const(0, hi - lo + 1))) and hi > lo:
                middle = (hi + lo) // 2
                ranges += [(middle, lo), (hi, middle + 1)]

    def _settle(self, wish: Term) -> bool:
        """Keeps `wish` if it can be had."""
        if not self._scope.found(wish) and self._scope.status(wish, SMALL_LIMIT) is not Status.SAT:
            return False
        self._scope.keep(wish)
        return True


def witness(smt: Smt, subject: Subject, ask: Ask) -> Witness | None:
    """The minimal witness of a satisfiable ask; None when it can no longer be reproduced within limits."""
    goal = t.and_(*(fact for item in ask.copies for fact in item.facts), *ask.constraints)
    model = smt.smallest(goal, lambda: minimise(smt, goal))
    return None if model is None else describe(subject, ask, model)


def describe(subject: Subject, ask: Ask, model: Model) -> Witness:
    """The witness that a model is."""
    machine = subject.machine
    cells, operands = cells_of(machine, ask.copies, model), operands_of(subject.operands, model)
    tables = tuple(
        (name, tuple(sorted(points.items())))
        for name, points in sorted(model.functions.items())
        if name.removesuffix(TWIN) not in machine.arrays
    )
    results = tuple(result(item, model) for item in ask.copies)
    made = Witness(ask.question, ask.labels, operands, results, tuple(cells), tables)
    return replace(made, program=program(machine, subject.operands.instruction, made))


def operands_of(operands: Operands, model: Model) -> tuple[tuple[str, int], ...]:
    """What a model gives to the operands of an instruction."""
    free = {name: term for name, term in operands.locals.items() if not term.is_const or name in operands.instruction.split}
    return tuple((name, model.value(term)) for name, term in free.items())


def cells_of(machine: m.Machine, copies: Sequence[Copy], model: Model) -> list[Cell]:
    """The pieces of state that a model makes other than zero, that differ, or that change."""
    return [*_scalar_cells(machine, copies, model), *_array_cells(machine, copies, model)]


def result(item: Copy, model: Model) -> str:
    """How an execution ends in a model."""
    if model.value(item.ok):
        return "completes"
    return next((trap.cause for trap in item.outcome.traps if model.value(trap.condition)), "traps")


def _scalar_cells(machine: m.Machine, copies: Sequence[Copy], model: Model) -> list[Cell]:
    cells = []
    for name, scalar in machine.scalars.items():
        before = tuple(model.value(item.before.scalars[name]) for item in copies)
        after = tuple(_after(item, item.after.scalars[name], item.before.scalars[name], model) for item in copies)
        if any(before) or len(set(before)) > 1 or after != before:
            held = scalar.legal is not None and len(scalar.legal) == 1 and scalar.legal[0][0] == scalar.legal[0][1]
            cells.append(Cell(name, scalar.role.value, scalar.width, before, after, held))
    return cells


def _after(item: Copy, after: Term, before: Term, model: Model) -> int:
    """The value after, where the copy completes; else the value before, since a trap discards all writes."""
    return model.value(after if model.value(item.ok) else before)


def _array_cells(machine: m.Machine, copies: Sequence[Copy], model: Model) -> list[Cell]:
    cells = []
    for name, array in machine.arrays.items():
        points = {index[0] for key in (name, name + TWIN) for index in model.functions.get(key, {})}
        if array.memory and array.count <= SMALL_MEMORY:
            points = set(range(array.count))
        points |= {
            model.value(write.index)
            for item in copies
            for write in item.after.arrays[name].writes
            if model.value(item.ok) and model.value(write.guard)
        }
        for point in sorted(points):
            cell = _element(name, array, point, copies, model)
            if any(cell.before) or any(cell.after):
                cells.append(cell)
    return cells


def _element(name: str, array: m.Array, point: int, copies: Sequence[Copy], model: Model) -> Cell:
    index = t.const(point, array.index_width)

    def at(state: State) -> int:
        value: ArrayValue = state.arrays[name]
        return model.value(value.read(index))

    before = tuple(at(item.before) for item in copies)
    after = tuple(at(item.after) if model.value(item.ok) else at(item.before) for item in copies)
    alias = array.names[point] if point < len(array.names) else ""
    return Cell(f"{name}[{point}]", array.role.value, array.width, before, after, alias=alias)
