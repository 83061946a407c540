"""Operands as text: registers, CSRs, numbers and targets, read and printed by the kind of their slot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from popek_grammar.assembly.asmexpr import OUT_OF_RANGE, UNKNOWN_NAME, Misfit, Scope, evaluate, is_name
from popek_grammar.assembly.asmtemplate import Slot
from popek_grammar.machine import Machine, OperandKind


@dataclass(frozen=True, slots=True)
class Place:
    """A slot as one encoding has it: operand width, the operand bits that can be set, and the length in cells."""

    slot: Slot
    width: int
    held: int
    cells: int


class Operands:
    """Reads and prints the operands of one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._registers = {name: _element_names(machine, name) for name in _files(machine)}
        self._pc_width = machine.scalars[machine.pc].width if machine.pc in machine.scalars else 64

    def read(self, place: Place, text: str, scope: Scope) -> int:
        """The operand's bits; Misfit when the text does not fit."""
        kind = self._kind(place.slot)
        if isinstance(kind, OperandKind):
            return self._read_word(kind, place, text) if kind.words else self._read_register(kind, place, text)
        if kind == "csr":
            number = self._csr_numbers.get(text.lower())
            return self._number(place, number if number is not None else self._csr_number(text, scope), "u")
        value = evaluate(text, scope)
        if _is_relative(kind):
            value = signed(value - self._base(kind, place, scope.pc), self._pc_width)
        elif kind == "region":
            value = value - self._region(place, scope.pc)
        return self._number(place, value, kind)

    def show(self, place: Place, value: int, pc: int) -> str:
        """The operand as text that `read` takes back to `value`."""
        match self._kind(place.slot):
            case OperandKind(words=words) if words:
                return words[value] if value < len(words) else str(value)
            case OperandKind(array=array, offset=offset):
                return self._registers[array].spelling(value + offset)
            case "csr":
                return self.machine.csrs.get(value, hex(value))
            case "s":
                return str(signed(value, place.width))
            case "x":
                return hex(value)
            case "o":
                return oct(value)
            case str(kind) if _is_relative(kind):
                target = signed(value, place.width) + self._base(kind, place, pc)
                return hex(target & ((1 << self._pc_width) - 1))
            case "region":
                return hex(self._region(place, pc) + value)
            case _:
                return str(value)

    def _kind(self, slot: Slot) -> OperandKind | str:
        """How a slot is written: the template's word, else the operand's declaration; numbers are unsigned."""
        space = self.machine.csr_space.name if self.machine.csr_space else "csr"
        if slot.kind in self._registers:
            return OperandKind(slot.name, slot.kind, 0)
        if slot.kind:
            return "csr" if slot.kind == space else slot.kind
        declared = self.machine.operand_kinds.get(slot.name)
        if declared is None:
            return "u"
        return "csr" if declared.array == space else declared

    def _read_word(self, kind: OperandKind, place: Place, text: str) -> int:
        """The value that a word of the operand's declaration spells; a value without a word is written as a number."""
        word = text.lower()
        if word in kind.words and kind.words.index(word) & ~place.held == 0:
            return kind.words.index(word)
        if text.isdecimal() and int(text) >= len(kind.words):
            return self._number(place, int(text), "u")
        known = tuple(filter(None, kind.words))
        raise Misfit(f"`{place.slot.name}` cannot be `{text}`", f"one of {', '.join(known)}", UNKNOWN_NAME, known, text)

    def _read_register(self, kind: OperandKind, place: Place, text: str) -> int:
        file = self._registers[kind.array]
        index = file.numbers.get(text.lower())
        if index is None:
            message = f"expected {_article(kind.array)} {kind.array} register, found `{text}`"
            raise Misfit(message, rank=UNKNOWN_NAME if is_name(text) else 0, known=tuple(file.numbers), name=text)
        value = index - kind.offset
        if value < 0 or value & ~place.held:
            last = kind.offset + place.held
            allowed = f"{file.spelling(kind.offset)} to {file.spelling(last)}"
            raise Misfit(f"register `{text}` cannot stand here", f"one of {allowed}", OUT_OF_RANGE)
        return value

    @cached_property
    def _csr_numbers(self) -> dict[str, int]:
        return {name.lower(): number for number, name in self.machine.csrs.items()}

    def _csr_number(self, text: str, scope: Scope) -> int:
        if not is_name(text) or text in scope.labels:
            return evaluate(text, scope)
        raise Misfit(f"no CSR is named `{text}`", rank=UNKNOWN_NAME, known=tuple(self._csr_numbers), name=text)

    def _base(self, kind: str, place: Place, pc: int) -> int:
        """What a target is relative to: pc, the next instruction, or (`pcrel8`) so many cells after pc."""
        return pc + (place.cells if kind == "nextrel" else int(kind.removeprefix("pcrel") or 0))

    def _region(self, place: Place, pc: int) -> int:
        """The next instruction's address without the bits that the operand holds."""
        following = (pc + place.cells) & ((1 << self._pc_width) - 1)
        return following >> place.width << place.width

    def _number(self, place: Place, value: int, kind: str) -> int:
        """The bits of a number, checked against the range and the step that the encoding can hold."""
        low = 0 if kind in ("u", "region") else -(1 << (place.width - 1))
        high = (1 << (place.width - (0 if kind in ("u", "x", "o", "region") else 1))) - 1
        step = place.held & -place.held or 1
        if not low <= value <= high:
            what = "is too far" if _is_relative(kind) or kind == "region" else "is out of range"
            raise Misfit(f"{value} {what}", f"`{place.slot.name}` holds {low} to {high - step + 1}", OUT_OF_RANGE)
        bits = value & ((1 << place.width) - 1)
        if bits & (step - 1):
            raise Misfit(f"{value} is not a multiple of {step}", f"`{place.slot.name}` counts by {step}", OUT_OF_RANGE)
        if bits & ~place.held:
            raise Misfit(f"{value} has bits that this encoding cannot hold", f"mask {place.held:#x}", OUT_OF_RANGE)
        return bits


def _is_relative(kind: str) -> bool:
    return _RELATIVE.fullmatch(kind) is not None


_RELATIVE = re.compile(r"nextrel|pcrel\d*")


def signed(value: int, width: int) -> int:
    """The low `width` bits as a two's complement number."""
    low = value & ((1 << width) - 1)
    return low - (1 << width) if low >> (width - 1) else low


# -- register names --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    """The spellings of a register file's elements: its own names and, always, file name + number."""

    prefix: str
    names: tuple[str, ...]
    numbers: dict[str, int]

    def spelling(self, index: int) -> str:
        return self.names[index] if index < len(self.names) else f"{self.prefix}{index}"


def _files(machine: Machine) -> list[str]:
    """What an operand can be an element of: register files, and arrays of registers with fields."""
    plain = [array.name for array in machine.arrays.values() if not array.memory]
    fielded = [register.name for register in machine.registers.values() if register.count > 1]
    declared = {kind.array for kind in machine.operand_kinds.values()}
    return [name for name in dict.fromkeys(plain + fielded) if name in declared or "." not in name]


def _element_names(machine: Machine, file: str) -> _File:
    array = machine.arrays.get(file) or machine.registers[file]
    widest = max((o.width for i in machine.instructions.values() for o in i.operands if _is_of(machine, o.name, file)), default=0)
    numbers = {f"{file.lower()}{index}": index for index in range(max(array.count, 1 << min(widest, 8)))}
    numbers |= {name.lower(): index for index, name in enumerate(array.names)}
    return _File(file.lower(), array.names, numbers)


def _is_of(machine: Machine, operand: str, file: str) -> bool:
    kind = machine.operand_kinds.get(operand)
    return kind is not None and kind.array == file


def _article(name: str) -> str:
    return "an" if name[:1].lower() in "aeioux" else "a"
