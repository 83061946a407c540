"""Every way in which a machine goes from one state to the next: instructions, trap entries, interrupts, inputs; and reset.

Memory is anywhere: where there are translations, each cell of an access may lie in any physical one, also where state is mapped,
and may fault. No fewer states follow than under the machine's own translation, whatever its tables say. A trap is entered for
every cause that is no interrupt, with any payload, from any state; an interrupt where it is deliverable, and none that comes
before it is. Clocks, `env` state and what devices drive may be anything at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from popek_checker.virtualizability.copies import Copy, pieces, start
from popek_checker.virtualizability.decide import Item, item_operands, items
from popek_grammar import machine as m
from popek_grammar.elaborate.sentences import ENTRY, INPUTS, INTERRUPT, called, kind_of
from popek_grammar.examine.effects import nodes, stored
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, execute
from popek_grammar.meaning.memory import main_array
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.state import PC_WRITTEN, ArrayValue, State, free_base, legal
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import deliverable, enter
from popek_grammar.meaning.views import View

FRESH = "'"
"""Suffix of what inputs become."""


class Anywhere(View):
    """Where there are translations, any cell may lie anywhere: no tables are looked at, and none is excluded."""

    def _left_out(self, run: Run, places: list[Term]) -> list[Term]:
        return []

    def _place(self, run: Run, cell: Term, frame: Term, page: int) -> Term:
        width = main_array(run).index_width
        return self._map("anywhere", width, (cell,)) if run.machine.translations else t.resize(cell, width)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of step. `copy.ok` says where it is taken; `operands` are those of an instruction, `locals` and `special` what a
    sentence about it can name beside the state.

    Nothing is taken for granted of the state before, not even that fields hold what is declared of them.
    """

    name: str
    part: str
    copy: Copy
    operands: Operands | None = None
    locals: Mapping[str, Term] = field(default_factory=dict)
    special: Mapping[str, Term] = field(default_factory=dict)


def reset(machine: m.Machine) -> Copy:
    """Where the machine begins: what declares a reset value has it, all else is anything legal."""
    state = start(machine, None, "").copy()
    for name, scalar in machine.scalars.items():
        if scalar.reset is not None:
            state.scalars[name] = t.const(scalar.reset, scalar.width)
    return _taken(machine, state, state, t.TRUE, (legal(machine, state),))


def candidates(machine: m.Machine, watched: Collection[str]) -> Iterator[Item]:
    """The steps that may write some of the state `watched`, as far as their text says; all others leave it as it is."""
    for item in items(machine):
        instruction = machine.instructions[item.instruction]
        code = (instruction.lets, instruction.guards, instruction.body)
        if machine.pc in watched or writes(machine, code, item.part) & set(watched):
            yield item
    entries = (tuple(machine.trap_stacks.values()), machine.delegate)
    if machine.pc in watched or writes(machine, entries) & set(watched):
        for cause in machine.causes.members:
            yield Item(called(INTERRUPT if cause.interrupt else ENTRY, machine.instructions), cause.name)
    if set(watched) & set(inputs(machine)):
        yield Item(called(INPUTS, machine.instructions))


def step(machine: m.Machine, item: Item) -> Step | None:
    """The step from any state whatever; None for an interrupt that no level takes."""
    before = start(machine, None, "")
    match kind_of(item.instruction, machine.instructions):
        case "reset":
            return Step(item.instruction, "", reset(machine))
        case "inputs":
            driven = inputs(machine)
            scalars = {name: t.var(name + FRESH, s.width) for name, s in machine.scalars.items() if name in driven}
            arrays = {name: ArrayValue(a, free_base(a, FRESH)) for name, a in machine.arrays.items() if name in driven}
            after = State({**before.scalars, **scalars}, {**before.arrays, **arrays})
            return Step(item.instruction, "", _taken(machine, before, after, legal(machine, after)))
        case "entry" | "interrupt":
            return _entry(machine, item, before)
        case _:
            operands = item_operands(machine, item)
            outcome = execute(machine, operands, before, Anywhere())
            facts = (operands.valid, *outcome.assumptions)
            here = t.add(before.scalars[machine.pc], operands.cells)
            special = {"insn": operands.word, "next_pc": here}
            return Step(item.instruction, item.part, Copy(machine, before, outcome, facts), operands, operands.locals, special)


def _entry(machine: m.Machine, item: Item, before: State) -> Step | None:
    """The entry of a trap or an interrupt. One that itself traps leads nowhere: the machine stops."""
    if not machine.trap_stacks:
        return None
    taken = t.TRUE
    if kind_of(item.instruction, machine.instructions) == INTERRUPT:
        taken = first_of(deliverable(Run(machine, before.copy(), Anywhere())), item.part)
        if taken is t.FALSE:
            return None
    run = Run(machine, before.copy(), Anywhere())
    payload = {f"cause.{name}": t.var(f"cause.{name}", width) for name, width in machine.causes.payload}
    following = t.var("next_pc", machine.scalars[machine.pc].width)
    enter(run, item.part, list(payload.values()), following)
    reached = t.and_(taken, run.prefix, run.path)
    cause = machine.causes.find(item.part)
    code = t.const(cause.code, machine.causes.code_width)
    special = {"next_pc": following, "cause.code": code, "cause.interrupt": t.boolean(cause.interrupt), **payload}
    return Step(item.instruction, item.part, _taken(machine, before, run.state, reached, tuple(run.assumptions)), special=special)


def first_of(found: Sequence[tuple[Term, m.CauseDef]], name: str) -> Term:
    """Where the interrupt of that name is taken: it is deliverable, and none that comes before it is."""
    taken = before = t.FALSE
    for condition, cause in found:
        if cause.name == name:
            taken = t.or_(taken, t.and_(condition, t.not_(before)))
        before = t.or_(before, condition)
    return taken


def _taken(machine: m.Machine, before: State, after: State, where: Term, facts: tuple[Term, ...] = ()) -> Copy:
    after.scalars[PC_WRITTEN] = t.FALSE
    return Copy(machine, before, Outcome(where, after, (), ()), facts)


def inputs(machine: m.Machine) -> list[str]:
    """The state that the world around the processor sets: what has the role `env`, clocks, what devices' wires lead to."""
    wired = {wire.target for region in machine.regions.values() for wire in region.wires if wire.line is None}
    driven = wired | {clock.name for clock in machine.clocks}
    return [name for name, piece in pieces(machine) if piece.role is m.Role.ENV or name in driven]


# -- what a text can write --------------------------------------------------------------------------------------------


def writes(machine: m.Machine, roots: object, part: str = "") -> set[str]:
    """The scalars and arrays that typed trees may write, through calls, registers' rules and returns; `part` is the CSR named.

    A superset: it goes by the text, not by the values that conditions have.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting: list[object] = [roots]
    while waiting:
        for node in nodes(waiting.pop()):
            direct, further = _told(machine, node, part)
            found |= direct
            waiting += [root for name, root in further if name not in seen]
            seen |= {name for name, _ in further}
    return found


def _told(machine: m.Machine, node: object, part: str) -> tuple[set[str], list[tuple[str, object]]]:
    """What one node writes itself, and the pieces of the text that it leads to, by name."""
    match node:
        case m.ScalarPlace(name) | m.ElementPlace(name):
            return {name}, []
        case m.RegisterPlace(name):
            register = machine.registers[name]
            return stored(register), _rules(register)
        case m.ReadRegister(name) if name in machine.registers:
            return set(), _rules(machine.registers[name])
        case m.Call(name):
            return set(), [(f"fn {name}", machine.functions[name].body)]
        case m.ReturnFrom(name):
            stack = machine.trap_stacks[name]
            return set(), [(f"stack {name}", ([save.restore for save in stack.saves], stack.leaves))]
        case m.Builtin("csr_read" | "csr_write" | "exists" as name):
            named = [part] if part else list(machine.csrs.values())
            registers = [machine.registers[each] for each in named if each in machine.registers]
            rules: list[tuple[str, object]] = [rule for register in registers for rule in _rules(register)]
            space: list[tuple[str, object]] = [("space", machine.csr_space)] if machine.csr_space is not None else []
            direct = set().union(*map(stored, registers)) if name == "csr_write" else set()
            return direct, [*rules, *space]
        case m.Builtin("store" | "store_as" | "phys_store") if machine.main_memory is not None:
            seen = [mapped.place for mapped in machine.mapped if mapped.array == machine.main_memory]
            return {machine.main_memory}, [("mapped", seen)]
        case _:
            return set(), []


def _rules(register: m.Register) -> list[tuple[str, object]]:
    """The expressions and statements that a register's own reading and writing go through."""
    fields = [(field.value, field.otherwise) for field in register.fields]
    return [(f"register {register.name}", (register.guards, register.read, register.write, fields))]


def translations_write(machine: m.Machine) -> set[str]:
    """What address translation and protection write on their own: no view of memory shows it."""
    return writes(machine, (tuple(machine.translations.values()), tuple(machine.protections.values()), machine.acting))
