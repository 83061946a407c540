"""State: modes, scalars, arrays, registers with fields, the CSR space."""

from __future__ import annotations

from enum import Enum

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.statements import Guard, Stmt
from popek_grammar.machine.types import Span, Type
from popek_grammar.records import record


class Role(Enum):
    """What a piece of state is to a virtual machine monitor (Popek and Goldberg's resource state, refined)."""

    GUEST = "guest"  # visible state: belongs to the running program
    MODE = "mode"  # M
    MAP = "map"  # R: relocation, protection
    CONTROL = "control"  # the rest of the resource state
    ENV = "env"  # inputs: time, pending lines
    HIDDEN = "hidden"  # must never reach guest state


@record
class Modes:
    """The modes in increasing privilege: (name, encoding) pairs; `width` bits hold any encoding."""

    members: tuple[tuple[str, int], ...]
    width: int

    def rank(self, encoding: int) -> int:
        """Position in the order of privilege, or -1 for an encoding that no mode has."""
        return next((rank for rank, (_, code) in enumerate(self.members) if code == encoding), -1)

    def code(self, name: str) -> int:
        """The encoding of a mode; KeyError when there is none of that name."""
        return dict(self.members)[name]

    def name(self, encoding: int) -> str:
        """The name of an encoding, or `?n`."""
        return next((name for name, code in self.members if code == encoding), f"?{encoding}")


@record
class Scalar:
    """One flat piece of state: a variable, or a stored field `register.FIELD`.

    `legal` lists the only values it ever holds (WARL sets, mode-typed state), as inclusive ranges; None means all.
    """

    name: str
    type: Type
    width: int
    role: Role
    reset: int | None
    legal: tuple[tuple[int, int], ...] | None
    doc: str
    span: Span

    @property
    def initial(self) -> int:
        """The declared reset value, else the lowest legal one."""
        if self.reset is not None:
            return self.reset
        return self.legal[0][0] if self.legal else 0


@record
class Array:
    """Indexed state: a register file (`memory` False) or a memory.

    `count` elements when a register file; `zero_at` is the index that always reads zero. `legal` as in Scalar.
    """

    name: str
    index_width: int
    width: int
    count: int
    memory: bool
    big_endian: bool
    role: Role
    zero_at: int | None
    names: tuple[str, ...]
    doc: str
    span: Span


class FieldKind(Enum):
    RW = "rw"
    RO = "ro"
    WARL = "warl"
    WLRL = "wlrl"
    WPRI = "wpri"


@record
class Field:
    """Bits `hi..lo` of a register.

    `state` is the scalar (or array, in an array of registers) that stores it, None when nothing is stored.
    `value` is what an RO field reads (None: its stored state); `legal` the WARL/WLRL ranges;
    `otherwise` what a WARL field takes when the written value is illegal.
    """

    name: str
    hi: int
    lo: int
    kind: FieldKind
    state: str | None
    value: Expr | None
    legal: tuple[tuple[int, int], ...] | None
    otherwise: Expr | None
    role: Role
    doc: str
    span: Span


@record
class Register:
    """A register with fields, perhaps a CSR (`address`), perhaps an array element family (`count` > 1).

    `guards` run on every CSR access before the read or write. `read` replaces composition by fields;
    `write` is (parameter, body) and replaces the field rules. Bits that no field covers read as zero.
    `names` are those of the elements of an array, in assembly text.
    `index` is the constant bound to the declaration's index name for one member of a CSR array.
    """

    name: str
    width: int
    count: int
    fields: tuple[Field, ...]
    address: int | None
    min_mode: int | None
    guards: tuple[Guard, ...]
    read: Expr | None
    write: tuple[str, tuple[Stmt, ...]] | None
    doc: str
    span: Span
    names: tuple[str, ...] = ()


@record
class CsrSpace:
    """The rule of access for all CSRs: guards over `addr`, `write` (bool) and the derived expressions."""

    name: str
    width: int
    rules: tuple[tuple[str, Expr], ...]
    guards: tuple[Guard, ...]
