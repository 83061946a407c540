"""The whole generated program of a machine: its instructions, trap entries and loop as one module of IR text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, general
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.state import symbolic
from popek_vmm.engine.accesses import Probed, first_choice
from popek_vmm.engine.effects import Effects, effects
from popek_vmm.engine.entries import decided
from popek_vmm.engine.frame import Frame, signature
from popek_vmm.engine.functions import finish, raise_traps
from popek_vmm.engine.loop import loop
from popek_vmm.engine.lowering import PRELUDE
from popek_vmm.engine.misses import miss
from popek_vmm.engine.plan import Plan, plan
from popek_vmm.engine.shape import Field, Shape
from popek_vmm.steps import Steps

SWAPS = "".join(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})\n" for bits in range(16, 272, 16))
DECLARATIONS = f"{SWAPS}declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n"
WEIGHTS = '!0 = !{!"branch_weights", i32 1, i32 2000}\n'


LONGEST_FULL, LONGEST_LIGHT = 500, 1500
"""Lines of a function up to which it is compiled with that effort."""


class Effort(Enum):
    """How well a part is compiled: what runs often well, what there is much of or what is rare in less time."""

    FULL = "full"
    LIGHT = "light"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Program:
    """A machine's program as text, in parts that are linked together, and its shape."""

    parts: Mapping[Effort, str]
    shape: Shape


def program(steps: Steps) -> Program:
    """Generates everything. Raises Unsupported for a machine that the engine cannot run."""
    machine = steps.machine
    made = plan(machine)
    functions: dict[str, tuple[Effort, str]] = {}
    handlers: dict[tuple[str, int | None], int] = {}
    known: dict[object, int] = {}
    held: list[tuple[Field, ...]] = []
    for key, operands in variants(machine):
        done = instruction_effects(made, steps, operands)
        done, fields = decided(machine, operands.instruction, done, made.entry_bytes)
        handlers[key] = number = known.setdefault((fields, _identity(done)), len(known))
        name = f"op.{number}"
        if name not in functions:
            text = instruction(made, name, fields, done)
            held.append(fields)
            functions[name] = _effort(text, key[1] is None), text
    for cause in machine.causes.members:
        text = entry(made, steps, cause)
        functions[f"trap.{cause.name}"] = _effort(text, True), text
    functions |= {name: (Effort.FULL, text) for name, text in loop(made)}
    functions |= {f"miss.{kind}": (Effort.NONE, miss(made, each)) for kind, each in made.reaches.items()}
    table = ", ".join(f"ptr @op.{number}" for number in range(len(known)))
    handlers_text = f"@handlers = constant [{len(known)} x ptr] [{table}]\n"
    parts = {effort: _part(made, effort, functions) for effort in Effort}
    parts[Effort.FULL] += handlers_text
    shape = Shape(
        made.layout, handlers, tuple(held), made.entry_bytes,
        made.page, made.page_slots, made.granule, made.parcel_cells, made.cell_bytes, made.longest,
        tuple(made.clocks),
    )  # fmt: skip
    return Program(parts, shape)


def _effort(text: str, few: bool) -> Effort:
    """The longer a function, the less is done about it; nor is much where there are many."""
    lines = text.count("\n")
    if lines > LONGEST_LIGHT:
        return Effort.NONE
    return Effort.FULL if few and lines <= LONGEST_FULL else Effort.LIGHT


def _part(made: Plan, effort: Effort, functions: Mapping[str, tuple[Effort, str]]) -> str:
    """The functions of one part, and declarations of all others."""
    own = [text for kind, text in functions.values() if kind is effort]
    others = [signature(made, name) for name, (kind, _) in functions.items() if kind is not effort]
    return "".join([PRELUDE, DECLARATIONS, *others, *own, WEIGHTS])


def variants(machine: m.Machine) -> Iterator[tuple[tuple[str, int | None], Operands]]:
    """Every instruction with its operands free; one that names a control register, once for each there is, and once for
    all others."""
    for name, instruction in machine.instructions.items():
        free = general(machine, instruction)
        if not instruction.split:
            yield (name, None), free
            continue
        for number in machine.csrs:
            fixed = general(machine, instruction, {instruction.split[0]: number})
            yield (name, number), replace(fixed, word=free.word, cells=free.cells)
        yield (name, -1), replace(free, unknown_csr=True)


def instruction_effects(made: Plan, steps: Steps, operands: Operands) -> Effects:
    """What an instruction does, its accesses through the TLB."""
    machine = made.machine
    memory = Probed(machine, made.mapping | made.acting)
    outcome = steps.execute(operands, symbolic(machine), memory, first_choice)
    tables = any(each.tables for each in made.reaches.values())
    following = t.add(t.var(machine.pc, made.pc.width), operands.cells)
    return effects(machine, outcome, following, memory.follows and tables)


def instruction(made: Plan, name: str, fields: tuple[Field, ...], done: Effects) -> str:
    """The function of one instruction."""
    return _body(Frame(made, name, {field.name: field for field in fields}), done)


def entry(made: Plan, steps: Steps, cause: m.CauseDef) -> str:
    """The function that enters a trap, which counts as the step of the instruction that raised it."""
    machine = made.machine
    frame = Frame(made, f"trap.{cause.name}")
    if not machine.trap_stacks:
        frame.go("left.slow")
        return frame.text()
    return _body(frame, effects(machine, trap_outcome(steps, cause), None))


def _body(frame: Frame, done: Effects) -> str:
    """Traps, then writes, then on."""
    raise_traps(frame, done)
    if done.completes:
        finish(frame, done)
    else:
        frame.go("left.slow")
    return frame.text()


def trap_outcome(steps: Steps, cause: m.CauseDef) -> Outcome:
    """Entering a trap with any payload."""
    machine = steps.machine
    run = Run(machine, symbolic(machine), Translated(), first_choice)
    payload = [t.var(f"%payload.{number}", width) for number, (_, width) in enumerate(machine.causes.payload)]
    following = t.resize(t.var("%next_pc", 64), machine.scalars[machine.pc].width)
    steps.enter(run, cause.name, payload, following)
    return run.outcome()


def _identity(done: Effects) -> object:
    """Equal for instructions that do the same with the same operands."""
    kinds = tuple(trap.cause for trap in done.traps)
    return kinds, tuple(done.scalars), tuple(done.arrays.items()), done.memory, tuple(done.roots()), done.completes, done.follows
