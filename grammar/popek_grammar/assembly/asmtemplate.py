"""Assembly templates: `"name {target}, {source}, {offset:s}"` parsed once, read in both directions.

A template is text with slots. Printing fills the slots; reading matches a line against it, with blanks free where they
separate nothing, and gives the text that stands in each slot. What a slot's text means is `asmvalue.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from popek_grammar.machine import Encoding, EnumType, Instruction, Machine, Type


@dataclass(frozen=True, slots=True)
class Slot:
    """`{name:kind}`; `kind` is empty when the operand's declaration decides."""

    name: str
    kind: str

    def __str__(self) -> str:
        return f"{{{self.name}:{self.kind}}}" if self.kind else f"{{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and slots in turn. `head` is the mnemonic in lower case, None when a slot is part of it."""

    text: str
    parts: tuple[str | Slot, ...]
    slots: tuple[Slot, ...]
    head: str | None
    pattern: re.Pattern[str]

    @property
    def lead(self) -> str:
        """What the first word of every line starts with."""
        first = self.parts[0] if self.parts else ""
        return next(iter(first.lower().split()), "") if isinstance(first, str) else ""

    def match(self, line: str) -> re.Match[str] | None:
        """The match of a whole line; group n is the text of slot n - 1."""
        return self.pattern.fullmatch(line)

    def fill(self, texts: Sequence[str]) -> str:
        """The line with the slots' texts in place. `+` before a negative number is left out."""
        line, values = "", iter(texts)
        for part in self.parts:
            piece = part if isinstance(part, str) else next(values)
            line = line[:-1] + piece if line.endswith("+") and piece.startswith("-") else line + piece
        return line


def instruction_template(instruction: Instruction, encoding: Encoding) -> Template:
    """The template of one encoding, with slots left only for operands."""
    operands = {operand.name for operand in instruction.operands}
    spelled = {name: _member(value, type_) for name, value, type_ in instruction.constants}
    return parse_template(encoding.asm or mnemonic(instruction), operands, spelled)


def mnemonic(instruction: Instruction) -> str:
    """The name as written in assembly."""
    return spelling(instruction.name)


def spelling(name: str) -> str:
    """A member's or clause's name as it is printed: `_` as `.`, and none at the end, where it keeps two names apart."""
    return name.rstrip("_").replace("_", ".")


def parse_template(text: str, operands: set[str] | None = None, spelled: Mapping[str, str] | None = None) -> Template:
    """Parses a template. A slot that names no operand is replaced by its spelling; without `operands` all are kept."""
    parts: list[str | Slot] = []
    for literal, name, kind in _SLOT.findall(text):
        if literal:
            _append(parts, literal)
        elif operands is None or name in operands:
            parts.append(Slot(name, kind))
        else:
            _append(parts, (spelled or {}).get(name, ""))
    slots = tuple(part for part in parts if isinstance(part, Slot))
    written = "".join(part if isinstance(part, str) else str(part) for part in parts)
    return Template(written, tuple(parts), slots, _head(parts), re.compile(_pattern(parts), re.IGNORECASE))


def mnemonics(machine: Machine) -> set[str | None]:
    """What a line of assembly may start with: a mnemonic, an alias; None where a template starts with an operand."""
    made = (
        instruction_template(instruction, encoding).head
        for instruction in machine.instructions.values()
        for encoding in instruction.encodings
    )
    return {*made, *(parse_template(alias.pattern).head for alias in machine.aliases)}


_SLOT = re.compile(r"([^{]+)|\{(\w+)(?::(\w+))?\}")
_TOKEN = re.compile(r"\s+|[\w.]+|.")
_IN_MNEMONIC = r"([^\s,\[\]]*?)"
_IN_OPERANDS = r"([^\s,\[\]](?:[^,\[\]]*?[^\s,\[\]])??)"


def _member(value: int, type_: Type) -> str:
    """How a family's field is spelled: the first by the member that it has here, another by its number."""
    return spelling(type_.members[value]) if isinstance(type_, EnumType) else str(value)


def _append(parts: list[str | Slot], literal: str) -> None:
    last = parts[-1] if parts else None
    if isinstance(last, str):
        parts[-1] = last + literal
    else:
        parts.append(literal)


def _head(parts: Sequence[str | Slot]) -> str | None:
    first, *rest = parts or [""]
    if not isinstance(first, str) or (first and not first.strip()):
        return None
    word = first.split()[0].lower() if first.strip() else ""
    glued = rest and len(first.split()) == 1 and not first[-1:].isspace()
    return None if glued else word


def _pattern(parts: Sequence[str | Slot]) -> str:
    """The regular expression of a template: one group a slot."""
    pieces: list[str] = []
    in_mnemonic = True
    for number, part in enumerate(parts):
        if isinstance(part, Slot):
            pieces.append(_IN_MNEMONIC if in_mnemonic else _IN_OPERANDS)
            continue
        after_word = number > 0
        tokens: list[str] = _TOKEN.findall(part)
        for at, token in enumerate(tokens):
            is_last = at == len(tokens) - 1
            before_word = (is_last and number + 1 < len(parts)) or (not is_last and _is_word(tokens[at + 1]))
            before_slot = is_last and number + 1 < len(parts)
            pieces.append(_token_pattern(token, after_word, before_word, before_slot))
            after_word = _is_word(token)
            in_mnemonic = in_mnemonic and not token.isspace()
    return r"\s*" + "".join(pieces) + r"\s*"


def _token_pattern(token: str, after_word: bool, before_word: bool, before_slot: bool) -> str:
    if token.isspace():
        return r"\s+" if after_word and before_word else r"\s*"
    if _is_word(token):
        return re.escape(token)
    if token == "+" and before_slot:
        return r"\s*(?:\+\s*|(?=-))"
    return rf"\s*{re.escape(token)}\s*"


def _is_word(token: str) -> bool:
    return token[0].isalnum() or token[0] in "_."
