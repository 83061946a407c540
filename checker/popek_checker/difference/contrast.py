"""The witness of a difference: a state before, and what each of two machines makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from popek_checker.difference.common import SIDES
from popek_checker.difference.compare import Ends, Pair
from popek_checker.difference.delta import Contrast, Ending, Point
from popek_checker.difference.sides import ARGUMENT, CHOICE, FETCHED, OTHER, RESULT, Side, Unit
from popek_checker.solver.smt import Model
from popek_checker.virtualizability.program import text_of
from popek_checker.virtualizability.verdict import Witness
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import State


def contrast(pair: Pair, unit: Unit, ends: Ends, model: Model) -> Contrast:
    """What a model of the difference says."""
    operands = {name: value for side in ends.sides for name, value in _operands(side, model)}
    arguments = (name for name in model.variables if name.startswith(ARGUMENT))
    operands |= {name.removeprefix(ARGUMENT): model.variables[name] for name in arguments}
    texts = [_assembly(side, unit, tuple(operands.items())) for side in ends.sides]
    taken = ((name, value) for name, value in model.variables.items() if name.startswith(CHOICE))
    choices = tuple((_title(name), value) for name, value in taken if not name.startswith(CHOICE + OTHER))
    endings = (_ending(ends.sides[0], model), _ending(ends.sides[1], model))
    entered = ends.final is not ends.sides
    cells = tuple(_cells(pair, ends.final, model))
    return Contrast(tuple(operands.items()), (texts[0], texts[1]), endings, cells, choices, entered)


def _title(name: str) -> str:
    return f"choice {name.removeprefix(CHOICE).partition(':')[0]}"


def _operands(side: Side, model: Model) -> Iterator[tuple[str, int]]:
    if side.operands is not None:
        picked = side.operands.instruction.split
        for name, term in side.operands.locals.items():
            if not term.is_const or name in picked:
                yield name, model.value(term)


def _assembly(side: Side, unit: Unit, operands: tuple[tuple[str, int], ...]) -> str:
    if unit.kind != "instruction":
        return ""
    return text_of(side.machine, side.machine.instructions[unit.name], Witness("", (), operands, (), ()))


def _ending(side: Side, model: Model) -> Ending:
    if model.value(side.outcome.ok):
        return Ending(None)
    raised = next((trap for trap in side.outcome.traps if model.value(trap.condition)), None)
    if raised is None:
        return Ending("unknown")
    names = (name for name, _ in side.machine.causes.payload)
    return Ending(raised.cause, tuple(zip(names, map(model.value, raised.payload), strict=True)))


def _cells(pair: Pair, sides: Sequence[Side], model: Model) -> Iterator[Point]:
    """Every piece of state that is not zero before, or not the same after."""
    scalars = {**pair.a.scalars, **pair.b.scalars}
    for name, scalar in scalars.items():
        yield from _point(sides, name, None, scalar.role.value, scalar.width, model)
    if FETCHED in sides[0].before.scalars:
        yield from _point(sides, FETCHED, None, m.Role.GUEST.value, pair.a.parcel, model)
    if RESULT in sides[0].before.scalars:
        yield from _point(sides, RESULT, None, m.Role.GUEST.value, sides[0].before.scalars[RESULT].width, model)
    for name, array in {**pair.a.arrays, **pair.b.arrays}.items():
        for index in sorted(_places(sides, name, model)):
            yield from _point(sides, name, index, array.role.value, array.width, model)


def _point(sides: Sequence[Side], name: str, index: int | None, role: str, width: int, model: Model) -> Iterator[Point]:
    """The piece in each side that has it; a side that does not complete keeps what it had."""
    having = [side if name in side.before.scalars or name in side.before.arrays else None for side in sides]
    before = next(_read(side.before, name, index, model) for side in having if side is not None)
    after = [None if side is None else _read(_after(side, model), name, index, model) for side in having]
    if before or any(value != before for value in after if value is not None):
        yield Point(name if index is None else f"{name}[{index}]", role, width, before, (after[0], after[1]))


def _after(side: Side, model: Model) -> State:
    return side.outcome.state if model.value(side.outcome.ok) else side.before


def _read(state: State, name: str, index: int | None, model: Model) -> int:
    if index is None:
        return model.value(state.scalars[name])
    array = state.arrays[name]
    return model.value(array.read(t.const(index, array.array.index_width)))


def _places(sides: Sequence[Side], name: str, model: Model) -> set[int]:
    """The elements that the model speaks of, and those that are written."""
    found = {at[0] for suffix in ("", *SIDES) for at in model.functions.get(name + suffix, {})}
    for side in sides:
        array = side.outcome.state.arrays.get(name)
        if array is not None and model.value(side.outcome.ok):
            found |= {model.value(write.index) for write in array.writes if model.value(write.guard)}
    return found
