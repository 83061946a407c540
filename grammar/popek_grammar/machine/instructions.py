"""Instructions: encodings, operands, meaning; how they are written."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.statements import Guard, Let, Stmt
from popek_grammar.machine.types import Span, Type
from popek_grammar.records import record


@record
class Length:
    """An instruction is `width` bits long where its first parcels, `insn`, satisfy `when`, whether it decodes or not."""

    width: int
    when: Expr
    span: Span


@record
class Function:
    """`parameters` are (name, type) pairs. `body` ends in Return on every path unless `result` is Unit."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    result: Type
    body: tuple[Stmt, ...]
    span: Span


@record
class Piece:
    """Bits of an operand inside an encoding: operand bits `hi..lo` stand at encoding bits `at + (hi-lo) .. at`."""

    operand: str
    hi: int
    lo: int
    at: int


@record
class Encoding:
    """One bit pattern: instruction word `w` (as an integer of `width` bits) matches iff `w & mask == value`.

    `choices` records which alternative of each fragment, and `constants` which value each family field, this
    pattern stands for (name -> ordinal or bits). Operands not covered by pieces are zero there.
    """

    width: int
    mask: int
    value: int
    pieces: tuple[Piece, ...]
    choices: tuple[tuple[str, int], ...]
    constants: tuple[tuple[str, int], ...]
    asm: str


@record
class Operand:
    """An operand field: total width, and the bits that the encodings give (others are zero)."""

    name: str
    width: int
    present: int
    span: Span


@record
class Instruction:
    """One mnemonic. A family (`ops`) becomes one Instruction each, sharing `clause`.

    `lets` are computed before guards and body (fragment bindings; `Local("NAME.alt")` is the alternative's ordinal).
    `split` names the operands that pick a CSR, on which queries are split.
    """

    name: str
    clause: str
    encodings: tuple[Encoding, ...]
    operands: tuple[Operand, ...]
    constants: tuple[tuple[str, int, Type], ...]
    lets: tuple[Let, ...]
    guards: tuple[Guard, ...]
    body: tuple[Stmt, ...]
    over: tuple[str, ...]
    needs: tuple[str, ...]
    split: tuple[str, ...]
    doc: str
    span: Span


@record
class OperandKind:
    """How an operand is written: an element of register file `array` numbered from `offset`, a CSR, a word, or a number.

    `words` spell the values from 0 on; one of them may be empty.
    """

    operand: str
    array: str
    offset: int
    words: tuple[str, ...] = ()


@record
class Alias:
    """Assembler-only: text of the form `pattern` stands for `expansion`."""

    pattern: str
    expansion: str
    span: Span


@record
class Layout:
    """Named bit fields of a value: (name, hi, lo)."""

    name: str
    width: int
    fields: tuple[tuple[str, int, int], ...]


@record
class FragmentAlternative:
    name: str
    width: int


@record
class FragmentInfo:
    """For reports: the alternatives of an encoding fragment."""

    name: str
    alternatives: tuple[FragmentAlternative, ...]
