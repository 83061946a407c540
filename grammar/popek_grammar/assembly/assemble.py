"""The assembler: programs with labels and directives to memory cells.

A program is laid out again and again until its labels stay put. In the first round every label stands where it is
used, so each line takes its shortest form; from then on a line never shrinks, which makes the rounds end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from popek_grammar.assembly.asmexpr import UNKNOWN_NAME, Misfit, Scope, evaluate
from popek_grammar.assembly.asmline import Assembler, Line, assembler_of, error
from popek_grammar.assembly.decode import GuardHolds
from popek_grammar.assembly.words import cell_width, split_cells, to_cells
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import SpecError, suggest


def assemble_line(
    machine: Machine, text: str, pc: int = 0, labels: Mapping[str, int] | None = None, guard_holds: GuardHolds | None = None
) -> tuple[int, int]:
    """The word, and its width, of one instruction. SpecError when the line fits no instruction."""
    fit = assembler_of(machine, guard_holds).best(Line(text), Scope(pc, labels or {}))
    return fit.word, fit.width


def assemble(machine: Machine, text: str, origin: int = 0, file: str = "<asm>", guard_holds: GuardHolds | None = None) -> Program:
    """The cells of a whole program that starts at `origin`. SpecError at the first line that is wrong.

    `guard_holds` (elaborate/reserved.py) says which encodings are reserved: such a one is taken where no other fits.
    """
    assembler = assembler_of(machine, guard_holds)
    statements = tuple(_statements(text, file, _comment(machine)))
    names = _label_names(statements)
    layout = _Layout(assembler, names, origin)
    layout.run(statements)
    for _ in range(_ROUNDS):
        labels = layout.found
        layout = _Layout(assembler, names, origin, labels, layout.sizes)
        layout.run(statements)
        if layout.found == labels:
            return Program(origin, layout.cells, labels, tuple(layout.listing))
    raise _wrong("E0708", "the labels depend on their own places", statements[0].line)


@dataclass(frozen=True, slots=True)
class Placed:
    """What one statement became: its address, its cells, and its text."""

    address: int
    cells: tuple[int, ...]
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Program:
    """An assembled program: cell values by address, labels (and `.equ` names), and a listing in order of the text."""

    origin: int
    cells: Mapping[int, int]
    labels: Mapping[str, int]
    listing: tuple[Placed, ...]

    def image(self) -> tuple[int, list[int]]:
        """The lowest address used, and the cells from there on, zero in the gaps."""
        if not self.cells:
            return self.origin, []
        first = min(self.cells)
        return first, [self.cells.get(address, 0) for address in range(first, max(self.cells) + 1)]

    def render(self) -> str:
        """The listing as text."""
        return "\n".join(f"{p.address:8x}: {' '.join(f'{c:02x}' for c in p.cells):24} {p.text}" for p in self.listing)


# -- statements ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Statement:
    """A label, a directive or an instruction. `line.text` is the label's name, the arguments, or the instruction."""

    kind: str
    line: Line


_COMMENT = r"""("[^"]*"|'(?:\\.|[^'])')|(?:%s).*"""
_LABEL = re.compile(r"(\s*)([A-Za-z_.$][\w.$]*)\s*:")
_DIRECTIVE = re.compile(r"(\s*)(\.[A-Za-z]\w*)(?=\s|$)")


def _comment(machine: Machine) -> re.Pattern[str]:
    """Comments, and the strings that may hold their marks. `#` is a mark where no template of the machine needs it."""
    in_templates = any("#" in encoding.asm for each in machine.instructions.values() for encoding in each.encodings)
    return re.compile(_COMMENT % (";|//" if in_templates else ";|#|//"))


def _statements(text: str, file: str, comment: re.Pattern[str]) -> Iterator[_Statement]:
    for number, raw in enumerate(text.splitlines(), 1):
        rest, column = comment.sub(lambda found: found[1] or "", raw), 1
        while label := _LABEL.match(rest):
            yield _Statement("label", Line(label[2], file, number, column + len(label[1])))
            rest, column = rest[label.end() :], column + label.end()
        if directive := _DIRECTIVE.match(rest):
            yield _Statement(directive[2], Line(rest[directive.end() :], file, number, column + directive.end()))
        elif rest.strip():
            yield _Statement("instruction", Line(rest, file, number, column))


def _label_names(statements: tuple[_Statement, ...]) -> frozenset[str]:
    names: set[str] = set()
    for statement in statements:
        if statement.kind == "label":
            if statement.line.text in names:
                raise _wrong("E0705", f"label `{statement.line.text}` stands twice", statement.line)
            names.add(statement.line.text)
    return frozenset(names)


# -- layout ----------------------------------------------------------------------------------------------------------


_ROUNDS = 1000
"""More than any program needs whose labels have places at all."""


@dataclass(slots=True)
class _Layout:
    """One round: places every statement, given last round's label places and the least size of each line."""

    assembler: Assembler
    names: frozenset[str]
    pc: int
    labels: Mapping[str, int] | None = None
    least: Mapping[int, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    cells: dict[int, int] = field(default_factory=dict)
    listing: list[Placed] = field(default_factory=list)

    def run(self, statements: tuple[_Statement, ...]) -> None:
        for number, statement in enumerate(statements):
            match statement.kind:
                case "label":
                    self.found[statement.line.text] = self.pc
                case "instruction":
                    self._instruction(number, statement.line)
                case directive:
                    self._directive(directive, statement.line)

    def _scope(self) -> Scope:
        """In the first round a label that has no place yet stands at the line that uses it."""
        if self.labels is None:
            return Scope(self.pc, dict.fromkeys(self.names, self.pc) | self.found)
        return Scope(self.pc, self.labels)

    def _instruction(self, number: int, line: Line) -> None:
        fit = self.assembler.best(line, self._scope(), self.least.get(number, 0))
        self.sizes[number] = fit.width
        self._put(to_cells(fit.word, fit.width, self.assembler.machine), line, line.text.strip())

    def _directive(self, name: str, line: Line) -> None:
        arguments = [text.strip() for text in line.text.split(",")] if line.text.strip() else []
        handler = _DIRECTIVES.get(name)
        if handler is None:
            found = suggest(name, _DIRECTIVES)
            raise _wrong("E0706", f"no directive is named `{name}`", line, f"did you mean `{found}`?" if found else "")
        try:
            handler(self, name, arguments, line)
        except Misfit as misfit:
            known = suggest(misfit.name, misfit.known) if misfit.name else None
            code = "E0703" if misfit.rank == UNKNOWN_NAME else "E0702"
            raise _wrong(code, misfit.message, line, f"did you mean `{known}`?" if known else misfit.help) from None

    def _put(self, cells: list[int], line: Line, text: str) -> None:
        for address, cell in enumerate(cells, self.pc):
            if address in self.cells:
                raise _wrong("E0707", f"address {address:#x} is filled twice", line, "move one of the two by `.org`")
            self.cells[address] = cell
        self.listing.append(Placed(self.pc, tuple(cells), text, line.number))
        self.pc += len(cells)

    # -- directives --------------------------------------------------------------------------------------------------

    def data(self, name: str, arguments: list[str], line: Line) -> None:
        """`.byte`, `.half`, `.word`, `.dword`: numbers of 8 to 64 bits in the memory's byte order."""
        if not arguments:
            raise Misfit(f"`{name}` needs at least one number")
        machine, width = self.assembler.machine, DATA_WIDTHS[name]
        cells: list[int] = []
        for text in arguments:
            value = evaluate(text, self._scope())
            if not -(1 << (width - 1)) <= value < 1 << width:
                raise Misfit(f"{value} is out of range", f"`{name}` holds {-(1 << (width - 1))} to {(1 << width) - 1}")
            cells += split_cells(value & ((1 << width) - 1), width, cell_width(machine), big=_data_is_big(machine))
        self._put(cells, line, f"{name} {', '.join(arguments)}")

    def org(self, name: str, arguments: list[str], line: Line) -> None:
        """`.org ADDRESS`"""
        self.pc = self._number(name, arguments)

    def space(self, name: str, arguments: list[str], line: Line) -> None:
        """`.space COUNT`: zero cells."""
        self._put([0] * self._number(name, arguments), line, f"{name} {arguments[0]}")

    def align(self, name: str, arguments: list[str], line: Line) -> None:
        """`.align N`: on to the next multiple of 2 to the N, over zero cells."""
        step = 1 << self._number(name, arguments, limit=24)
        self._put([0] * (-self.pc % step), line, f"{name} {arguments[0]}")

    def equ(self, name: str, arguments: list[str], line: Line) -> None:
        """`.equ NAME, VALUE`"""
        if len(arguments) != 2 or _LABEL.fullmatch(f"{arguments[0]}:") is None:
            raise Misfit(f"`{name}` needs a name and a value", f"{name} NAME, VALUE")
        self.found[arguments[0]] = evaluate(arguments[1], self._scope())

    def _number(self, name: str, arguments: list[str], limit: int = 1 << 24) -> int:
        if len(arguments) != 1:
            raise Misfit(f"`{name}` needs one number")
        value = evaluate(arguments[0], self._scope())
        if value < 0 or (value > limit and name != ".org"):
            raise Misfit(f"{value} is out of range", f"`{name}` takes 0 to {limit}")
        return value


DATA_WIDTHS = {".byte": 8, ".half": 16, ".word": 32, ".dword": 64}
"""The data directives, with their widths in bits."""

_Handler: TypeAlias = Callable[[_Layout, str, list[str], Line], None]

_DIRECTIVES: dict[str, _Handler] = {
    **dict.fromkeys(DATA_WIDTHS, _Layout.data),
    ".org": _Layout.org,
    ".space": _Layout.space,
    ".align": _Layout.align,
    ".equ": _Layout.equ,
}


def _data_is_big(machine: Machine) -> bool:
    return machine.main_memory is not None and machine.arrays[machine.main_memory].big_endian


def _wrong(code: str, message: str, line: Line, help: str = "") -> SpecError:
    start = len(line.text) - len(line.text.lstrip())
    return error(code, message, line, start, len(line.text.rstrip()), "here", (), help)
