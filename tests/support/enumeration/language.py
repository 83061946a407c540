"""A small part of the language of `.isa` files: trees, their text, and what they mean, as Python over numbers.

A machine's state is a tuple of numbers, a slot for each scalar and each element. An instruction becomes one Python function
from a state and operands to what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
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


# -- text --------------------------------------------------------------------------------------------------------------


def text(toy: Toy) -> str:
    """The machine as a `.isa` file."""
    return "\n".join(_lines(toy)) + "\n"


def _lines(toy: Toy) -> Iterator[str]:
    yield f"isa toy {{ encoding big parcel {toy.word} }}"
    yield "modes { " + " < ".join(f"{name} = {code}" for name, code in toy.modes) + " }"
    yield "state {"
    for piece in toy.pieces:
        yield f"  {_declared(piece, toy)}"
    yield "}"
    causes = "; ".join(f"{cause} = {code}" for code, cause in enumerate(toy.causes))
    yield f"causes{f' (p: bits({toy.payload}))' if toy.payload else ''} {{ {causes} }}"
    zero = f"(0b{'0' * toy.payload})" if toy.payload else ""
    if toy.ram is not None:
        yield f"fault f {{ fetch, load, store, rmw => {toy.causes[0]}{zero} }}"
    if toy.relocated:
        width = toy.by_name["pc"].width
        yield f"translation r {{ va {width}"
        yield f"  if zext(va, {width + 1}) >= zext(b, {width + 1}) {{ fault f }}"
        yield f"  if zext(va, {width + 1}) + zext(l, {width + 1}) >= {1 << width} {{ fault f }}"
        yield "  yield va + l }"
    for stack in toy.stacks:
        yield f"trap_stack {stack.name} {{"
        yield from (f"  save {source} -> {target}" for source, target in stack.saves)
        saved = {source for source, _ in stack.saves}
        yield from (f"  {'enter' if _target(w) in saved else 'record'} {said(w)}" for w in stack.writes)
        yield from (f"  leave {said(w)}" for w in stack.leaves)
        yield f"  vector = {shown(stack.vector)}"
        yield "}"
    if toy.delegate is not None:
        condition, one, other = toy.delegate
        yield f"delegate {{ yield if {shown(condition)} then {one} else {other} }}"
    if toy.placement is not None:
        yield from _placement(toy.placement, toy)
    for number, instruction in enumerate(toy.instructions):
        yield from _instruction(instruction, number, toy)
    yield f"otherwise trap {toy.causes[-1]}{zero}"
    lines = "".join(f"; assume {shown(held)}" for held in toy.assume)
    yield f"theorem t {{ for {toy.guest} at {toy.host}; memory {toy.memory}{lines}; show theorem1; expect holds }}"


def _target(write: Set | SetMode) -> str:
    return "mode" if isinstance(write, SetMode) else write.name


def _declared(piece: Piece, toy: Toy) -> str:
    if piece.memory:
        return f"{piece.name} : mem({(piece.count - 1).bit_length()} -> {piece.width})"
    kind = "mode" if piece.modes else f"bits({piece.width})"
    name = f"{piece.name}[{piece.count}]" if piece.count else piece.name
    reset = f" reset {toy.modes[-1][0] if piece.modes else piece.reset}" if piece.reset is not None else ""
    return f"{name} : {kind} role {piece.role}{reset}"


def _instruction(instruction: Instruction, number: int, toy: Toy) -> Iterator[str]:
    fixed = toy.word - 5 - sum(width for _, width in instruction.operands)
    operands = " ".join(f"{name}:{width}" for name, width in instruction.operands)
    yield f"instr {instruction.name} {{ enc {number:05b} {0:0{fixed}b} {operands}"
    shows = ", ".join(f"{{{name}}}" for name, _ in instruction.operands)
    yield f'  asm "{instruction.name} {shows}"'.rstrip(' "') + '"'
    yield from (f"  {said(guard)}" for guard in instruction.guards)
    if instruction.body:
        yield "  do {"
        for statement in instruction.body:
            yield f"    {said(statement)}"
        yield "  }"
    yield "}"


def _placement(placement: Placement, toy: Toy) -> Iterator[str]:
    yield "placement {"
    yield from (f"  let {name} : bits({width})" for name, width in placement.constants)
    yield from (f"  where {shown(expr)}" for expr in placement.where)
    yield from (f"  host {name} = {shown(expr)}" for name, expr in placement.held)
    yield from (f"  bank {name} by mode {{ {mode} => {other} }}" for name, mode, _, other in placement.banked)
    yield from (f"  through {name}" for name in placement.through)
    yield from (f"  virtual {name}" for name in placement.apart)
    if placement.memory is not None and toy.ram is not None:
        base, size = placement.memory
        yield f"  memory {toy.ram.name} at {shown(base)} size {size}"
    yield "}"


def shown(expr: Expr) -> str:
    """An expression as text, in parentheses wherever it has an operator."""
    match expr:
        case Num(width, value):
            return ("true" if value else "false") if width == BOOL else f"0b{value:0{width}b}"
        case Read(name):
            return name
        case Element(name, index):
            return f"{name}[{shown(index)}]"
        case ModeCode():
            return "bits(mode)"
        case ModeCompare(op, mode, _, _, what):
            return f"({what} {op} {mode})"
        case Op("zext", width, (inner,)):
            return f"zext({shown(inner)}, {width})"
        case Op("low", width, (inner,)):
            return f"{shown(inner)}[{width - 1}:0]"
        case Op("if", _, (condition, yes, no)):
            return f"(if {shown(condition)} then {shown(yes)} else {shown(no)})"
        case Op("~" | "not" as op, _, (inner,)):
            return f"({op} {shown(inner)})"
        case Op(op, _, (left, right)):
            return f"({shown(left)} {op} {shown(right)})"
    raise ValueError(expr)


def said(statement: Statement) -> str:
    """A statement as text, on one line."""
    match statement:
        case Set(name, value, None):
            return f"{name} = {shown(value)}"
        case Set(name, value, index) if index is not None:
            return f"{name}[{shown(index)}] = {shown(value)}"
        case SetMode(mode):
            return f"mode = {mode}"
        case Let(name, value):
            return f"let {name} = {shown(value)}"
        case Load(name, address, width):
            return f"let {name} = load({shown(address)}, {width})"
        case Store(address, value):
            return f"store({shown(address)}, {shown(value)})"
        case Guard(condition, cause, payload):
            return f"guard {shown(condition)} else trap {_raised(cause, payload)}"
        case Trap(cause, payload):
            return f"trap {_raised(cause, payload)}"
        case When(condition, then, other):
            rest = f" else {{ {'; '.join(map(said, other))} }}" if other else ""
            return f"if {shown(condition)} {{ {'; '.join(map(said, then))} }}{rest}"
        case Return(stack):
            return f"return_from {stack}"
    raise ValueError(statement)


def _raised(cause: str, payload: Expr | None) -> str:
    return cause if payload is None else f"{cause}({shown(payload)})"


# -- meaning -----------------------------------------------------------------------------------------------------------

State: TypeAlias = tuple[int, ...]
Raised: TypeAlias = tuple[str, int, bool]
"""A trap: its cause, its payload, whether an access to memory raised it."""
Result: TypeAlias = "tuple[State | None, Raised | None]"
"""The state after an instruction that completes, or the trap."""
Step: TypeAlias = Callable[..., Result]


@dataclass(frozen=True)
class _Names:
    """What names mean where code is: state in the list `n`, all else Python names."""

    toy: Toy
    state: str = "n"

    def value(self, expr: Expr) -> str:
        """The expression in Python; an address that faults never gets here."""
        match expr:
            case Num(_, value):
                return str(value)
            case Read(name) if name in self.toy.slots:
                return f"{self.state}[{self.toy.slots[name]}]"
            case Read(name):
                return "v_" + name.replace(".", "_")
            case Element(name, index):
                return f"{self.state}[{self.toy.slots[name]} + {self.value(index)}]"
            case ModeCode():
                return f"{self.state}[{self.toy.slots['mode']}]"
            case ModeCompare(op, _, code, _, what):
                return f"({self.state}[{self.toy.slots[what]}] {op} {code})"
            case Op("if", _, (condition, yes, no)):
                return f"({self.value(yes)} if {self.value(condition)} else {self.value(no)})"
            case Op(op, width, args):
                return _applied(op, width, [self.value(arg) for arg in args], [arg.width for arg in args])
        raise ValueError(expr)


def _applied(op: str, width: int, args: list[str], widths: list[int]) -> str:
    mask = (1 << width) - 1
    match op, args:
        case ("zext", [inner]):
            return f"int({inner})"
        case ("low", [inner]):
            return f"({inner} & {mask})"
        case ("not", [inner]):
            return f"(not {inner})"
        case ("~", [inner]):
            return f"({inner} ^ {mask})"
        case ("+" | "-" | "*", [left, right]):
            return f"(({left} {op} {right}) & {mask})"
        case ("@", [left, right]):
            return f"(({left} << {widths[1]}) | {right})"
        case ("<s", [left, right]):
            top = 1 << (widths[0] - 1)
            return f"(({left} ^ {top}) < ({right} ^ {top}))"
        case ("&" | "|" | "^" | "==" | "!=" | "<" | ">=" | "and" | "or", [left, right]):
            return f"({left} {op} {right})"
    raise ValueError(op)


class Meaning:
    """The machine as functions over numbers."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.steps = {instruction.name: self._step(instruction) for instruction in toy.instructions}
        self.enter = self._entry()

    def states(self, pieces: Sequence[Piece]) -> Iterator[State]:
        """Every state in which all but `pieces` is zero (of a mode: the least)."""
        codes = [code for _, code in self.toy.modes]
        ranges: list[Sequence[int]] = []
        for piece in self.toy.all_pieces:
            legal: Sequence[int] = codes if piece.modes else range(1 << piece.width)
            ranges += [legal if piece in pieces else legal[:1]] * max(1, piece.count)
        return product(*ranges)

    def predicate(self, exprs: Sequence[Expr]) -> Callable[[State], bool]:
        """Whether all of them hold of a state."""
        names = _Names(self.toy)
        return self.compiled(f"lambda n: {' and '.join(names.value(expr) for expr in exprs) or 'True'}")

    def function(self, expr: Expr, arguments: Sequence[str] = ()) -> Callable[..., int]:
        """An expression of a state, and of names that are no state."""
        return self.compiled(f"lambda n{''.join(f', v_{name}' for name in arguments)}: {_Names(self.toy).value(expr)}")

    @property
    def fault(self) -> Raised:
        """What an access that faults raises."""
        return self.toy.causes[0], 0, True

    @staticmethod
    def compiled(code: str) -> Callable[..., int]:
        return eval(code)

    def reach(self, address: str, kind: str, at: str = "n") -> tuple[str, str]:
        """Whether an address faults, and where it lies: as the relocation says, or as an opaque view does, of any kind."""
        assert self.toy.ram is not None
        if self.toy.memory != "translated":
            page = address if self.toy.memory == "view" else f"{at}[{self.toy.slots['mode']}] * {self.toy.ram.count} + {address}"
            place = f"{at}[{self.toy.slots[PLACE]} + {page}]" if self.toy.relocated else address
            return f"{at}[{self.toy.slots[FAULTS[kind]]} + {page}]", place
        if not self.toy.relocated:
            return "False", address
        low, bound = (f"{at}[{self.toy.slots[name]}]" for name in ("l", "b"))
        return f"({address} >= {bound} or {address} + {low} >= {self.toy.ram.count})", f"({address} + {low})"

    def _step(self, instruction: Instruction) -> Step:
        names, lines = _Names(self.toy), ["n = list(s)", "jumped = False"]
        for statement in (*instruction.guards, *instruction.body):
            lines += self._statement(statement, names)
        width = self.toy.by_name["pc"].width
        at = self.toy.slots["pc"]
        lines += [f"if not jumped: n[{at}] = (s[{at}] + {self.toy.length}) & {(1 << width) - 1}", "return tuple(n), None"]
        return self._defined("s" + "".join(f", v_{name}" for name, _ in instruction.operands), lines)

    def _statement(self, statement: Statement, names: _Names) -> list[str]:
        match statement:
            case Set(name, value, index):
                place = str(self.toy.slots[name]) + (f" + {names.value(index)}" if index is not None else "")
                return [f"n[{place}] = {names.value(value)}", *(["jumped = True"] if name == "pc" else [])]
            case SetMode(_, code):
                return [f"n[{self.toy.slots['mode']}] = {code}"]
            case Let(name, value):
                return [f"v_{name} = {names.value(value)}"]
            case Load(name, address, _):
                fault, place = self.reach("at", "load")
                assert self.toy.ram is not None
                begin = self.toy.slots[self.toy.ram.name]
                return [
                    f"at = {names.value(address)}",
                    f"if {fault}: return None, {self.fault!r}",
                    f"v_{name} = n[{begin} + {place}]",
                ]
            case Store(address, value):
                fault, place = self.reach("at", "store")
                assert self.toy.ram is not None
                begin = self.toy.slots[self.toy.ram.name]
                return [
                    f"at = {names.value(address)}",
                    f"put = {names.value(value)}",
                    f"if {fault}: return None, {self.fault!r}",
                    f"n[{begin} + {place}] = put",
                ]
            case Guard(condition, cause, payload):
                return [f"if not {names.value(condition)}: {self._trap(cause, payload, names)}"]
            case Trap(cause, payload):
                return [self._trap(cause, payload, names)]
            case When(condition, then, other):
                made = [f"if {names.value(condition)}:", *self._block(then, names)]
                return [*made, "else:", *self._block(other, names)] if other else made
            case Return(name):
                stack = next(stack for stack in self.toy.stacks if stack.name == name)
                slots = self.toy.slots
                reads = [f"r{number} = n[{slots[target]}]" for number, (_, target) in enumerate(stack.saves)]
                writes = [f"n[{slots[source]}] = r{number}" for number, (source, _) in enumerate(stack.saves)]
                leaves = [line for leave in stack.leaves for line in self._statement(leave, names)]
                return [*reads, *writes, "jumped = True", *leaves]
        raise ValueError(statement)

    def _block(self, statements: Sequence[Statement], names: _Names) -> list[str]:
        return [f"    {line}" for statement in statements for line in self._statement(statement, names)] or ["    pass"]

    def _trap(self, cause: str, payload: Expr | None, names: _Names) -> str:
        return f"return None, ({cause!r}, {names.value(payload) if payload is not None else 0}, False)"

    def _entry(self) -> Callable[[State, str, int], State]:
        """The state after the entry of a trap: all that is written is worked out in the state before."""
        names, lines = _Names(self.toy, "s"), ["n = list(s)"]
        lines += [f"v_cause_code = {list(self.toy.causes)!r}.index(cause)", "v_cause_p = payload"]
        one = self._entered(self.toy.stacks[0], names)
        if self.toy.delegate is None:
            lines += one
        else:
            condition, first, _ = self.toy.delegate
            pick = [self._entered(stack, names) for stack in self.toy.stacks]
            pick = pick if first == self.toy.stacks[0].name else pick[::-1]
            lines += [f"if {names.value(condition)}:", *(f"    {line}" for line in pick[0])]
            lines += ["else:", *(f"    {line}" for line in pick[1])]
        return self._defined("s, cause, payload", [*lines, "return tuple(n)"])  # type: ignore[return-value]

    def _entered(self, stack: Stack, names: _Names) -> list[str]:
        slots = self.toy.slots
        lines = [f"n[{slots[target]}] = s[{slots[source]}]" for source, target in stack.saves]
        for write in stack.writes:
            value = str(write.code) if isinstance(write, SetMode) else names.value(write.value)
            lines.append(f"n[{slots[_target(write)]}] = {value}")
        return [*lines, f"n[{slots['pc']}] = {names.value(stack.vector)}"]

    @staticmethod
    def _defined(arguments: str, lines: Sequence[str]) -> Step:
        space: dict[str, Step] = {}
        exec(f"def made({arguments}):\n" + "\n".join(f"    {line}" for line in lines), space)
        return space["made"]
