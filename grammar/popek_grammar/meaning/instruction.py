"""The meaning of one instruction: its operands, then its guards and body, as an outcome record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from popek_grammar import machine as m
from popek_grammar.assembly.words import encode
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.paths import Chooser, MemoryModel, free_choice
from popek_grammar.meaning.state import PC_WRITTEN, State
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.widths import width_of


@dataclass(frozen=True, slots=True)
class Operands:
    """An instruction with its operands filled in: numbers when decoded, variables when asked about in general.

    `locals` binds operands, family constants and fragment choices; `word` is the instruction word in pc's width;
    `cells` its length in memory cells, in pc's width; `valid` restricts the free ones to what some encoding can give.
    """

    instruction: m.Instruction
    locals: Mapping[str, Term]
    word: Term
    cells: Term
    valid: Term
    unknown_csr: bool = False


def decoded(machine: m.Machine, instruction: m.Instruction, encoding: m.Encoding, values: Mapping[str, int]) -> Operands:
    """A decoded instruction: every operand a number."""
    names = {operand.name: t.const(values.get(operand.name, 0), operand.width) for operand in instruction.operands}
    word, _ = encode(machine, encoding, {piece.operand: values.get(piece.operand, 0) for piece in encoding.pieces})
    names |= _constants(machine, instruction)
    names |= {f"{name}.alt": t.const(ordinal, _alt_width(machine, name)) for name, ordinal in encoding.choices}
    pc = machine.scalars[machine.pc].width
    cells = t.const(encoding.width // cell_bits(machine), pc)
    return Operands(instruction, names, t.const(word, pc), cells, t.TRUE)


def general(machine: m.Machine, instruction: m.Instruction, fixed: Mapping[str, int] | None = None) -> Operands:
    """The instruction with every operand a variable `op.NAME`, but those in `fixed`."""
    fixed = fixed or {}
    names: dict[str, Term] = {}
    for operand in instruction.operands:
        if operand.name in fixed:
            names[operand.name] = t.const(fixed[operand.name], operand.width)
        else:
            names[operand.name] = _operand_variable(operand)
    names |= _constants(machine, instruction)
    choices = {name for encoding in instruction.encodings for name, _ in encoding.choices}
    names |= {f"{name}.alt": t.var(f"op.{name}.alt", _alt_width(machine, name)) for name in sorted(choices)}
    pc = machine.scalars[machine.pc].width
    picks = [_picked(encoding, names) for encoding in instruction.encodings]
    word = _word(instruction.encodings[-1], names, pc)
    cells = t.const(instruction.encodings[-1].width // cell_bits(machine), pc)
    for encoding, pick in list(zip(instruction.encodings, picks, strict=True))[-2::-1]:
        word = t.ite(pick, _word(encoding, names, pc), word)
        cells = t.ite(pick, t.const(encoding.width // cell_bits(machine), pc), cells)
    return Operands(instruction, names, word, cells, t.or_(*picks))


def execute(
    machine: m.Machine,
    operands: Operands,
    state: State,
    memory: MemoryModel,
    choose: Chooser = free_choice,
) -> Outcome:
    """Guards in order, then the body; a body that wrote no program counter goes on at the next instruction."""
    run = Run(machine, state.copy(), memory, choose, dict(operands.locals), unknown_csr=operands.unknown_csr)
    here = state.scalars[machine.pc]
    following = t.add(here, operands.cells)
    run.special = {"insn": operands.word, "next_pc": following}
    for let in operands.instruction.lets:
        run.env[let.name] = run.value(let.value)
    for guard in operands.instruction.guards:
        if run.path is not t.FALSE:
            run.guard(run.value(guard.condition), guard.cause)
    run.outermost(operands.instruction.body)
    if run.path is not t.FALSE:
        scalars = run.state.scalars
        scalars[machine.pc] = t.ite(scalars[PC_WRITTEN], scalars[machine.pc], following)
        scalars[PC_WRITTEN] = t.FALSE
    return run.outcome()


def cell_bits(machine: m.Machine) -> int:
    """Bits of one memory cell, the unit of addresses; the parcel in a machine without memory."""
    return machine.arrays[machine.main_memory].width if machine.main_memory else machine.parcel


def _constants(machine: m.Machine, instruction: m.Instruction) -> dict[str, Term]:
    return {name: t.const(value, width_of(type_, machine)) for name, value, type_ in instruction.constants}


def _alt_width(machine: m.Machine, fragment: str) -> int:
    return max(1, (len(machine.fragments[fragment].alternatives) - 1).bit_length())


def _operand_variable(operand: m.Operand) -> Term:
    """A variable for the bits that encodings give; the missing low ones are zero."""
    low = (operand.present & -operand.present).bit_length() - 1
    free = t.var(f"op.{operand.name}", operand.width - low)
    return t.concat(free, t.const(0, low)) if low else free


def _picked(encoding: m.Encoding, names: Mapping[str, Term]) -> Term:
    """This encoding is the one meant: its fragment alternatives are chosen and operands that it lacks are zero."""
    here = {piece.operand for piece in encoding.pieces}
    choices = [t.eq(names[f"{name}.alt"], t.const(ordinal, names[f"{name}.alt"].width)) for name, ordinal in encoding.choices]
    absent = [
        t.eq(term, t.const(0, term.width))
        for name, term in names.items()
        if name not in here and not name.endswith(".alt") and term.op != "const" and encoding.choices
    ]
    return t.and_(*choices, *absent)


def _word(encoding: m.Encoding, names: Mapping[str, Term], width: int) -> Term:
    """The instruction word, cut or extended to `width` bits."""
    parts: list[Term] = []
    top = encoding.width
    for piece in sorted(encoding.pieces, key=lambda p: -p.at):
        upper = piece.at + piece.hi - piece.lo + 1
        if upper < top:
            parts.append(t.const(encoding.value >> upper, top - upper))
        parts.append(t.extract(names[piece.operand], piece.hi, piece.lo))
        top = piece.at
    if top:
        parts.append(t.const(encoding.value, top))
    return t.resize(t.concat_all(*parts), width)
