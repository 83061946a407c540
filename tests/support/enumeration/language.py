"""A small part of the language of `.isa` files, as trees: what the machines are made of that are decided by enumeration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

BOOL = 0
"""The width of what is true or false."""
FAULTS = {"load": "loads fault", "store": "stores fault"}
PLACE = "places"
"""The names of what an opaque view says."""


@dataclass(frozen=True)
class Num:
    """A literal with as many binary digits as it has bits."""

    width: int
    value: int


@dataclass(frozen=True)
class Read:
    """A scalar, an operand, a `let`, a constant of the monitor's, or a name of a trap's entry (`cause.code`)."""

    name: str
    width: int


@dataclass(frozen=True)
class Element:
    """An element of an array, or a physical cell of memory."""

    name: str
    index: Expr
    width: int


@dataclass(frozen=True)
class ModeCode:
    """`bits(mode)`."""

    width: int


@dataclass(frozen=True)
class ModeCompare:
    """`mode == S`, `mode < S`, `mode >= S`; `what` is the state compared."""

    op: str
    mode: str
    code: int
    width: int = BOOL
    what: str = "mode"


@dataclass(frozen=True)
class Op:
    """An operator over its arguments; widths are those of the language: no conversion is implied."""

    op: str
    width: int
    args: tuple[Expr, ...]


Expr: TypeAlias = "Num | Read | Element | ModeCode | ModeCompare | Op"


@dataclass(frozen=True)
class Set:
    """`name = value`, or of an element."""

    name: str
    value: Expr
    index: Expr | None = None


@dataclass(frozen=True)
class SetMode:
    """`mode = S`."""

    mode: str
    code: int


@dataclass(frozen=True)
class Let:
    name: str
    value: Expr


@dataclass(frozen=True)
class Load:
    """`let name = load(address, width)` of one cell."""

    name: str
    address: Expr
    width: int


@dataclass(frozen=True)
class Store:
    """`store(address, value)` of one cell."""

    address: Expr
    value: Expr


@dataclass(frozen=True)
class Guard:
    """`guard condition else trap cause(payload)`."""

    condition: Expr
    cause: str
    payload: Expr | None


@dataclass(frozen=True)
class Trap:
    cause: str
    payload: Expr | None


@dataclass(frozen=True)
class When:
    """`if condition { .. } else { .. }`."""

    condition: Expr
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Return:
    """`return_from stack`."""

    stack: str


Statement: TypeAlias = "Set | SetMode | Let | Load | Store | Guard | Trap | When | Return"


@dataclass(frozen=True)
class Piece:
    """State: a scalar (`count` 0) or an array; `modes` says that it holds a mode."""

    name: str
    width: int
    role: str
    count: int = 0
    reset: int | None = None
    modes: bool = False
    memory: bool = False


@dataclass(frozen=True)
class Instruction:
    name: str
    operands: tuple[tuple[str, int], ...]
    guards: tuple[Guard, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Stack:
    """A trap stack: what it saves where, what it writes, and the new pc."""

    name: str
    saves: tuple[tuple[str, str], ...]
    writes: tuple[Set | SetMode, ...]
    vector: Expr
    leaves: tuple[Set, ...] = ()


@dataclass(frozen=True)
class Placement:
    """f: `where` of guest and constants, pieces held, memory (`size` cells of it at a base), what is let through or apart."""

    constants: tuple[tuple[str, int], ...] = ()
    where: tuple[Expr, ...] = ()
    held: tuple[tuple[str, Expr], ...] = ()
    banked: tuple[tuple[str, str, int, str], ...] = ()  # piece, mode, its code, the other piece
    memory: tuple[Expr, int] | None = None
    through: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Toy:
    """A whole machine, with what is asked of it. `relocated`: addresses below b lie at themselves plus l, others fault."""

    modes: tuple[tuple[str, int], ...]
    pieces: tuple[Piece, ...]
    causes: tuple[str, ...]
    payload: int
    instructions: tuple[Instruction, ...]
    stacks: tuple[Stack, ...]
    delegate: tuple[Expr, str, str] | None = None
    relocated: bool = False
    placement: Placement | None = None
    guest: str = "S"
    host: str = "U"
    memory: str = "translated"
    assume: tuple[Expr, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Piece]:
        return {piece.name: piece for piece in self.all_pieces}

    @cached_property
    def slots(self) -> dict[str, int]:
        """The first slot of each piece."""
        found, at = {}, 0
        for piece in self.all_pieces:
            found[piece.name] = at
            at += max(1, piece.count)
        return found

    @cached_property
    def all_pieces(self) -> tuple[Piece, ...]:
        """The state, and what an opaque view of memory is: which accesses fault, and where others lie, by address (and mode).

        Copies that a definition compares share the view, so that it is like state of the program's that nothing writes.
        """
        if self.ram is None or self.memory == "translated":
            return self.pieces
        count = self.ram.count * (1 if self.memory == "view" else 1 + self.modes[-1][1])
        faults = [Piece(name, 1, "guest", count) for name in FAULTS.values()]
        places = [Piece(PLACE, (self.ram.count - 1).bit_length(), "guest", count)] if self.relocated else []
        return (*self.pieces, *faults, *places)

    def places(self, piece: Piece) -> range:
        """The slots of a piece."""
        return range(self.slots[piece.name], self.slots[piece.name] + max(1, piece.count))

    def code(self, mode: str) -> int:
        return dict(self.modes)[mode]

    @cached_property
    def ram(self) -> Piece | None:
        return next((piece for piece in self.pieces if piece.memory), None)

    @property
    def word(self) -> int:
        """Bits of an instruction: not a multiple of what pc counts to, so that the next instruction is another."""
        return {None: 11, 1: 11, 2: 10, 3: 9}[self.ram.width if self.ram else None]

    @property
    def length(self) -> int:
        """Cells of an instruction; of a machine without memory a cell is the whole."""
        return self.word // self.ram.width if self.ram else 1


def target(write: Set | SetMode) -> str:
    """What a line of a trap's entry writes."""
    return "mode" if isinstance(write, SetMode) else write.name
