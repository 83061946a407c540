"""One thing performed in one machine: an instruction, the entry of a trap, a fetch, what interrupts do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from popek_checker.virtualizability.decide import Item, item_operands
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, execute
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.paths import Ranges
from popek_grammar.meaning.state import State, legal
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import deliverable, enter
from popek_grammar.meaning.widths import width_of

CHOICE = "?"
"""How the variables of open values begin."""
OTHER = "~"
"""Marks the open values of one side, where they are asked about apart from those of the other."""
FETCHED = "fetched"
"""Pseudo-scalar: what a fetch brings in."""
RESULT = "result"
"""Pseudo-scalar: what a function returns."""
WIDE = 128
"""Bits of an address that may be any: those who read it take as many of them as they have."""
ARGUMENT = "argument."
"""How the variables of a function's arguments begin."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is compared: an instruction (with its CSR), the entry of a trap, or what the machine does between them."""

    kind: str
    name: str
    part: str = ""
    fixed: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Choices:
    """Open values by position: the n-th that a machine takes is the n-th of the other, when both are alike.

    `mark` sets a machine's values apart from the other's.
    """

    mark: str = ""
    taken: int = 0

    def __call__(self, site: str, width: int, ranges: Ranges) -> Term:
        self.taken += 1
        return t.var(f"{CHOICE}{self.mark}{self.taken}:{width}:{ranges}", width)


@dataclass(frozen=True, slots=True)
class Side:
    """What one machine makes of a unit: the state before, what came of it, and the facts assumed."""

    machine: m.Machine
    before: State
    outcome: Outcome
    following: Term
    choices: Choices
    operands: Operands | None = None
    midway: bool = False
    """Whether it is met in the midst of an instruction, where state may be what it never is between two."""

    @property
    def facts(self) -> tuple[Term, ...]:
        valid = self.operands.valid if self.operands is not None else t.TRUE
        return t.TRUE if self.midway else legal(self.machine, self.before), valid, *self.outcome.assumptions

    def entered(self, trap: TrapCase) -> Side:
        """The entry of a trap from the state before: what the machine has come to when its handler begins."""
        run = Run(self.machine, self.before.copy(), Translated(), self.choices)
        enter(run, trap.cause, trap.payload, self.following)
        return replace(self, outcome=run.outcome())


def item(unit: Unit) -> Item:
    return Item(unit.name, unit.part, unit.fixed)


def roots(side: Side) -> Iterator[Term]:
    """Every term of the outcome but the state that stays as it was, writes of arrays included."""
    outcome = side.outcome
    yield outcome.ok
    for trap in outcome.traps:
        yield from (trap.condition, *trap.payload)
    yield from (value for name, value in outcome.state.scalars.items() if side.before.scalars.get(name) is not value)
    for array in outcome.state.arrays.values():
        yield from (part for write in array.writes for part in (write.guard, write.index, write.value))


def written(side: Side) -> list[str]:
    """The state that is written somewhere."""
    after = side.outcome.state
    scalars = [name for name in side.machine.scalars if after.scalars[name] is not side.before.scalars[name]]
    return scalars + [name for name, array in after.arrays.items() if array.writes]


def perform(machine: m.Machine, unit: Unit, before: State, choices: Choices, word: Term | None = None) -> Side:
    """The unit in one machine, its own translation and protection in force."""
    here = before.scalars[machine.pc]
    run = Run(machine, before.copy(), Translated(), choices)
    run.special = {"next_pc": here, "insn": t.var("insn", here.width)}
    match unit.kind:
        case "instruction":
            operands = item_operands(machine, item(unit))
            operands = operands if word is None or word.width != operands.word.width else replace(operands, word=word)
            outcome = execute(machine, operands, before, Translated(), choices)
            return Side(machine, before, outcome, t.add(here, operands.cells), choices, operands)
        case "entry":
            payload = tuple(t.var(f"cause.{name}", width) for name, width in machine.causes.payload)
            outcome = Outcome(t.FALSE, before, (TrapCase(t.TRUE, unit.name, payload, False),), ())
            return Side(machine, before, outcome, t.var("next_pc", here.width), choices)
        case "interrupts":
            return Side(machine, before, _interrupted(run), here, choices)
        case "function":
            return Side(machine, before, _called(run, machine.functions[unit.name], before), here, choices, midway=True)
        case "access":
            return Side(machine, before, _accessed(run, unit.name, before), here, choices, midway=True)
        case "fetch":
            before.scalars[FETCHED] = t.const(0, machine.parcel)
            return Side(machine, before, _fetched(run), here, choices)
        case _:
            assert machine.otherwise is not None
            run.trap(machine.otherwise)
            return Side(machine, before, run.outcome(), here, choices)


def _interrupted(run: Run) -> Outcome:
    """The first of the deliverable interrupts as the trap it is; completes where there is none."""
    payload = tuple(t.const(0, width) for _, width in run.machine.causes.payload)
    traps: list[TrapCase] = []
    none = t.TRUE
    for condition, cause in deliverable(run):
        traps.append(TrapCase(t.and_(none, condition), cause.name, payload, False))
        none = t.and_(none, t.not_(condition))
    return Outcome(none, run.state, tuple(traps), tuple(run.assumptions))


def _called(run: Run, function: m.Function, before: State) -> Outcome:
    """The function with any arguments, where any access or trap may be under way: what it returns, writes and raises.

    KeyError where it reads what only a caller gives.
    """
    machine = run.machine
    arguments = [t.var(f"{ARGUMENT}{name}", width_of(type_, machine)) for name, type_ in function.parameters]
    widths = {"va": WIDE, "origin": WIDE, "size": 32, "access": 2, "acting": max(1, machine.modes.width), "implicit": t.BOOL}
    widths |= {"cause.code": machine.causes.code_width, "cause.interrupt": t.BOOL}
    widths |= {f"cause.{name}": width for name, width in machine.causes.payload}
    with run.bound(**{name: t.var(name, width) for name, width in widths.items()}):
        result = run.call(function, arguments)
    if result is not None:
        before.scalars[RESULT] = t.const(0, result.width)
        run.state.scalars[RESULT] = result
    return run.outcome()


def _accessed(run: Run, said: str, before: State) -> Outcome:
    """One access, as `clauses.py` names it, at any address with the rights of any mode."""
    operation, kind, moved, wide = said.split()
    address, acting = t.var("access.address", int(wide)), t.var("access.acting", max(1, run.machine.modes.width))
    if operation == "store":
        run.memory.store(run, address, t.var("access.value", int(moved)), kind, acting)
        return run.outcome()
    before.scalars[RESULT] = t.const(0, int(moved))
    run.state.scalars[RESULT] = run.memory.load(run, address, int(moved), kind, acting)
    return run.outcome()


def _fetched(run: Run) -> Outcome:
    """One parcel at the program counter, through translation and protection."""
    address = run.state.scalars[run.machine.pc]
    first = next((tr for tr in run.machine.translations.values() if tr.over is None), None)
    wide = max(address.width, first.va_width if first is not None else 0)
    run.state.scalars[FETCHED] = run.memory.load(run, t.zext(address, wide), run.machine.parcel, "fetch", None)
    return run.outcome()
