"""Expressions: what has a value."""

from __future__ import annotations

from typing import TypeAlias

from popek_grammar.machine.types import Type
from popek_grammar.records import record


@record
class Literal:
    """A constant: bits, bool (0/1), mode encoding or enum ordinal."""

    value: int
    type: Type


@record
class Local:
    """A let-bound name, function parameter, loop variable, or instruction operand."""

    name: str
    type: Type


@record
class ReadScalar:
    """The value of scalar state `name` (a plain variable or a stored register field such as `mstatus.MIE`)."""

    name: str
    type: Type


@record
class ReadElement:
    """Element `index` of an array of state: a register file or a memory cell (`ram[a]`: physical, untranslated)."""

    array: str
    index: Expr
    type: Type


@record
class ReadRegister:
    """The whole of a register with fields, composed by its field rules and its `read` clause.

    `index` is given for an element of an array of registers.
    """

    register: str
    index: Expr | None
    type: Type


@record
class Unary:
    """`op` is `-`, `~` (bits) or `not` (bool)."""

    op: str
    operand: Expr
    type: Type


@record
class Binary:
    """Both operands have one width (`@`, concatenation, excepted; shifts take the left operand's width).

    `op`: `+ - * / % /s %s & | ^ << >> >>s @` give bits; `== != < <= > >= <s <=s >s >=s and or` give bool.
    `and` and `or` evaluate their right operand only when it matters. Modes compare by declared order.
    """

    op: str
    left: Expr
    right: Expr
    type: Type


@record
class Cond:
    """`if condition then yes else no`."""

    condition: Expr
    yes: Expr
    no: Expr
    type: Type


@record
class Match:
    """First arm whose value list holds the subject; an arm of `()` matches anything. Exhaustive by construction."""

    subject: Expr
    arms: tuple[tuple[tuple[int, ...], Expr], ...]
    type: Type


@record
class Slice:
    """Bits `hi` down to `lo`, constants."""

    operand: Expr
    hi: int
    lo: int
    type: Type


@record
class SliceFrom:
    """`operand[start +: width]`: `width` bits whose lowest is number `start`; bits beyond the top are zero."""

    operand: Expr
    start: Expr
    type: Type


@record
class Resize:
    """`kind` is `zext`, `sext` or `trunc`, to the width of `type`; `bits`/`mode` re-read a mode's encoding."""

    kind: str
    operand: Expr
    type: Type


@record
class Member:
    """`operand in { a, b..c }`: constants and inclusive unsigned ranges."""

    operand: Expr
    ranges: tuple[tuple[int, int], ...]
    type: Type


@record
class Call:
    """A call of a declared function; arguments are evaluated left to right. It may write state and may trap."""

    function: str
    arguments: tuple[Expr, ...]
    type: Type


@record
class Builtin:
    """A built-in operation; see docs/language.md, "Built-in names".

    `load(address[, kind])`, `load_as(mode, address)`: translated access of `type.width` bits; may fault.
    `phys_load(address)` : inside a translation or protection: a physical access made by the walk.
    `csr_read(number)`, `exists(number)`, `read_legal(register number)`;
    `splice(frame, va, n)` (type gives the width), `insn`, `va`, `pa`, `size`, `access`, `acting`,
    `cause.code`, `cause.interrupt`, `cause.PAYLOAD`, `csr.addr`, `csr.write`, `vector_index`...
    """

    name: str
    arguments: tuple[Expr, ...]
    type: Type


@record
class Unspecified:
    """A value that the manual leaves open; `ranges` restricts it (`choose`). `site` names it in reports."""

    site: str
    ranges: tuple[tuple[int, int], ...] | None
    type: Type


Expr: TypeAlias = (
    Literal
    | Local
    | ReadScalar
    | ReadElement
    | ReadRegister
    | Unary
    | Binary
    | Cond
    | Match
    | Slice
    | SliceFrom
    | Resize
    | Member
    | Call
    | Builtin
    | Unspecified
)
