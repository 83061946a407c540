"""A witness as a program: the machine's `program` lines, filled in with the state that shows the hole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from popek_checker.virtualizability.verdict import Witness
from popek_grammar import machine as m
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.assembly.words import encode


def program(machine: m.Machine, instruction: m.Instruction, witness: Witness) -> str:
    """Assembly text that brings about the last state of the witness and runs the instruction; empty without templates."""
    if not machine.program:
        return ""
    values = {cell.name: cell.before[-1] for cell in witness.cells}
    lines: list[str] = []
    for kind, name, template in machine.program:
        lines += [line for line in _lines(machine, kind, name, template, values) if kind != "end"]
    lines.append(f"    {text_of(machine, instruction, witness)}")
    lines += [template for kind, _, template in machine.program if kind == "end"]
    return "\n".join(lines).replace("\\n", "\n")


def text_of(machine: m.Machine, instruction: m.Instruction, witness: Witness) -> str:
    """The instruction of the witness in assembly."""
    encoding, operands = chosen(instruction, witness)
    word, width = encode(machine, encoding, operands)
    return disassemble_word(machine, word, width) or instruction.name


def chosen(instruction: m.Instruction, witness: Witness) -> tuple[m.Encoding, dict[str, int]]:
    """The encoding that a witness's operands pick, and the operands that it holds."""
    given = dict(witness.operands)
    encoding = next(
        (e for e in instruction.encodings if all(given.get(f"{name}.alt", 0) == ordinal for name, ordinal in e.choices)),
        instruction.encodings[0],
    )
    return encoding, {piece.operand: given.get(piece.operand, 0) for piece in encoding.pieces}


def _lines(machine: m.Machine, kind: str, name: str | None, template: str, values: Mapping[str, int]) -> Iterator[str]:
    match kind:
        case "state" if name is not None and name in machine.arrays:
            array = machine.arrays[name]
            for cell, value in values.items():
                if cell.startswith(f"{name}[") and value:
                    yield fill(template, _element(array, int(cell[len(name) + 1 : -1])), value)
        case "state" if name is not None and name in machine.registers:
            whole = composed(machine.registers[name], values)
            if whole:
                yield fill(template, name, whole)
        case "state" if name is not None:
            if values.get(name) or name == machine.mode:
                yield fill(template, name, values.get(name, 0))
        case "csr":
            for register in machine.registers.values():
                whole = composed(register, values)
                own = all(field.state is None or field.state.partition(".")[0] == register.name for field in register.fields)
                if register.address is not None and own and whole:
                    yield fill(template, register.name, whole)
        case _:
            yield template


def composed(register: m.Register, values: Mapping[str, int]) -> int:
    """The whole register from its stored fields."""
    return sum(values.get(field.state, 0) << field.lo for field in register.fields if field.state is not None)


def _element(array: m.Array, index: int) -> str:
    if array.names and index < len(array.names):
        return array.names[index]
    return hex(index) if array.memory else f"{array.name.lower()}{index}"


def fill(template: str, name: str, value: int) -> str:
    return template.replace("{name}", name).replace("{value}", hex(value))
