"""Assembly text that does not tell instructions apart."""

from __future__ import annotations

import re

from popek_grammar import machine as m
from popek_grammar.text.diagnostics import Diagnostics, Note

SLOT = re.compile(r"\{(\w+)(?::\w+)?\}")


def check_texts(machine: m.Machine, found: Diagnostics) -> None:
    """W0507: two clauses that are written alike, so that the assembler takes one of them and a reader cannot tell which."""
    first: dict[str, m.Instruction] = {}
    told: set[tuple[str, str]] = set()
    for instruction in machine.instructions.values():
        for encoding in instruction.encodings:
            key = _shape(machine, instruction, encoding)
            other = first.setdefault(key, instruction)
            if other.clause == instruction.clause and other.name == instruction.name:
                continue
            if (other.clause, instruction.clause) not in told:
                told.add((other.clause, instruction.clause))
                names = f"`{other.name}` and `{instruction.name}`"
                message = f"{names} have one assembly text, `{encoding.asm}`"
                notes = [Note("the other", other.span)]
                found.warning("W0507", message, instruction.span, notes=notes, help='asm "..": one mnemonic each')


def _shape(machine: m.Machine, instruction: m.Instruction, encoding: m.Encoding) -> str:
    """A template with its operands by the way in which they are written: their names are the author's own."""
    fixed = {name: str(value) for name, value in encoding.constants}
    fixed |= {name: instruction.name for name, _, _ in instruction.constants}

    def kind(slot: re.Match[str]) -> str:
        name = slot.group(1)
        known = machine.operand_kinds.get(name)
        return fixed.get(name) or (f"{{{known.array}{known.offset}{known.words}}}" if known is not None else "{number}")

    return " ".join(SLOT.sub(kind, encoding.asm).split()).lower()
