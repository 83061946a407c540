"""Random small machines, each from a seed: modes, settings alone and in pairs, hidden state, payloads, relocation, arrays, f."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from enumeration.language import (
    BOOL,
    Element,
    Expr,
    Guard,
    Instruction,
    Let,
    Load,
    ModeCode,
    ModeCompare,
    Num,
    Op,
    Piece,
    Placement,
    Read,
    Return,
    Set,
    SetMode,
    Stack,
    Statement,
    Store,
    Toy,
    Trap,
    When,
)

TWO = (("U", 0), ("S", 1))
THREE = (("U", 0), ("S", 1), ("M", 2))
SPARSE = (("U", 0), ("S", 1), ("M", 3))


def generate(seed: int, instructions: int = 5) -> Toy:
    """The machine of a seed."""
    return _Maker(Random(seed)).machine(instructions)


@dataclass
class _Scope:
    """What an expression may read: names of values, by width."""

    values: list[Read] = field(default_factory=list)
    arrays: list[Piece] = field(default_factory=list)
    mode: bool = True


@dataclass
class _Maker:
    random: Random
    pieces: list[Piece] = field(default_factory=list)
    modes: tuple[tuple[str, int], ...] = TWO
    payload: int = 0
    relocated: bool = False
    lets: int = 0

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def pick(self, *what: object) -> object:
        return self.random.choice(what)

    # -- state ---------------------------------------------------------------------------------------------------------

    def machine(self, many: int) -> Toy:
        self.modes = self.random.choice((TWO, TWO, THREE, SPARSE))
        kind = self.random.choice(("plain", "plain", "plain", "relocated", "placed", "bent"))
        self.relocated = kind in ("relocated", "placed")
        self.payload = self.random.choice((0, 0, 1, 2))
        self._state(kind)
        stacks = self._stacks()
        delegate = None
        if len(stacks) > 1:
            scope = self._scope(entry=True)
            scope.values = [value for value in scope.values if value.name != "cause.p"]
            delegate = (self.boolean(scope, 1), stacks[0].name, stacks[1].name)
        names = [name for name, _ in self.modes]
        guest, host = self.random.choice(
            [(g, h) for n, g in enumerate(names) for h in names[: max(1, n)] if n or len(names) == 1]
        )
        made = tuple(self._instruction(f"i{number}", stacks) for number in range(many))
        memory = "translated" if kind == "placed" or self.chance(0.5) else self.random.choice(("view", "per_mode"))
        if memory != "translated" and any(piece.memory for piece in self.pieces):
            made = tuple(one for one in made if not _physical(one, self.pieces)) or made[:0]
        assume = self._assumed()
        placement = self._placement(kind)
        return Toy(
            self.modes, tuple(self.pieces), ("mem", "no", "call", "odd"), self.payload, made, stacks, delegate, self.relocated,
            placement, guest, host, memory, assume,
        )  # fmt: skip

    def _state(self, kind: str) -> None:
        add = self.pieces.append
        pc = 1 if self.relocated else self.random.choice((1, 1, 2))
        if kind == "placed":
            pc = 2
        code = max(1, (self.modes[-1][1]).bit_length())
        add(Piece("pc", pc, "guest"))
        add(Piece("mode", code, "mode", reset=self.modes[-1][1], modes=True))
        if self.chance(0.8):
            add(Piece("A", self.random.choice((1, 1, 2)), "guest"))
        if self.chance(0.3):
            add(Piece("R", 1, "guest", 2))
        if self.relocated or self.chance(0.3):
            add(Piece("E", 1, "guest", 1 << pc, memory=True))
        add(Piece("c", self.random.choice((1, 1, 2)), "control"))
        if self.chance(0.6):
            add(Piece("d", 1, "control"))
        if self.chance(0.25):
            add(Piece("K", 1, "control", 2))
        if self.relocated:
            add(Piece("l", pc, "map"))
            add(Piece("b", pc + (kind == "relocated"), "map"))
        elif self.chance(0.3):
            add(Piece("l", self.random.choice((1, 2)), "map"))
        if self.chance(0.3):
            add(Piece("t", 1, "env"))
        if self.chance(0.35):
            add(Piece("h", 1, "hidden", reset=self.random.choice((None, 0))))
        if kind == "bent":
            add(Piece("usp", 1, "guest"))
            add(Piece("ssp", 1, "guest"))

    def _stacks(self) -> tuple[Stack, ...]:
        pc, mode = (next(piece for piece in self.pieces if piece.name == name) for name in ("pc", "mode"))
        made = []
        for name in ("T", "V")[: 2 if self.chance(0.2) else 1]:
            prefix = "s" if name == "T" else "v"
            role = self.random.choice(("control", "control", "guest"))
            if name == "T":
                self.pieces.append(Piece("spc", pc.width, role))
                self.pieces.append(Piece("sm", mode.width, role, modes=True))
                if self.chance(0.4):
                    self.pieces.append(Piece("sx", self.random.choice((1, 2)), self.random.choice(("control", "guest"))))
            saves = [("pc", "spc"), ("mode", "sm")]
            top, code = self.random.choice(self.modes[1:]) if prefix == "v" else self.modes[-1]
            writes: list[Set | SetMode] = [SetMode(top, code)]
            scope = self._scope(entry=True)
            for piece in self.pieces:
                if piece.name == "sx":
                    writes.append(Set("sx", self.value(scope, piece.width, 1)))
            vector = self.value(scope, pc.width, 1) if self.chance(0.3) else Num(pc.width, 1)
            made.append(Stack(name, tuple(saves), tuple(writes), vector))
        return tuple(made)

    def _assumed(self) -> tuple[Expr, ...]:
        settings = [piece for piece in self.pieces if piece.name in ("c", "d", "K")]
        if not settings or self.chance(0.6):
            return ()
        piece = self.random.choice(settings)
        if piece.count:
            return (Op("==", BOOL, (Element(piece.name, Num(1, self.random.randrange(2)), 1), Num(1, self.random.randrange(2)))),)
        value = Num(piece.width, self.random.randrange(1 << piece.width))
        return (Op(self.random.choice(("==", "==", "!=")), BOOL, (Read(piece.name, piece.width), value)),)

    def _placement(self, kind: str) -> Placement | None:
        if kind == "placed":
            low, bound, k = Read("l", 2), Read("b", 2), Read("k", 2)
            wide = tuple(Op("zext", 4, (part,)) for part in (low, bound))
            where: tuple[Expr, ...] = (Op("<", BOOL, (Op("+", 4, wide), Num(4, 3))), Op("<", BOOL, (k, Num(2, 3))))
            if self.chance(0.2):
                where = where[1:]
            return Placement((("k", 2),), where, (("l", Op("+", 2, (low, k))), ("b", bound)), (), (k, 2))
        if kind != "bent":
            return None
        held: list[tuple[str, Expr]] = []
        banked: tuple[tuple[str, str, int, str], ...] = ()
        through: tuple[str, ...] = ()
        apart: tuple[str, ...] = ()
        code = dict(self.modes)["S"]
        match self.random.randrange(4):
            case 0:
                banked = (("usp", "S", code, "ssp"),)
            case 1:
                width = next(piece.width for piece in self.pieces if piece.name == "c")
                held.append(("c", self.random.choice((Read("c", width), self._followed(width)))))
            case 2:
                through = ("c",)
            case 3:
                apart = ("ssp",)
        if self.chance(0.3) and not banked and not apart:
            banked = (("usp", "S", code, "ssp"),)
        return Placement((), (), tuple(held), banked, None, through, apart)

    def _followed(self, width: int) -> Expr:
        on = Num(width, self.random.randrange(1 << width))
        return Op("if", width, (ModeCompare("==", "S", dict(self.modes)["S"]), on, Read("c", width)))

    # -- instructions ----------------------------------------------------------------------------------------------------

    def _instruction(self, name: str, stacks: tuple[Stack, ...]) -> Instruction:
        operands = tuple((word, 1) for word in ("x", "y")[: self.random.choice((0, 1, 1, 2))])
        scope = self._scope()
        scope.values += [Read(word, width) for word, width in operands]
        guards = tuple(self._guard(scope) for _ in range(self.random.choice((0, 0, 1, 1, 1, 2))))
        body: list[Statement] = []
        if stacks and self.chance(0.08):
            return Instruction(name, operands, guards, (Return(self.random.choice(stacks).name),))
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3))):
            body += self._statement(scope, 1)
        if any(isinstance(statement, Trap) for statement in body):
            body = body[: 1 + next(n for n, statement in enumerate(body) if isinstance(statement, Trap))]
        return Instruction(name, operands, guards, tuple(body))

    def _guard(self, scope: _Scope) -> Guard:
        if self.chance(0.45):
            name, code = self.random.choice(self.modes)
            condition: Expr = ModeCompare(self.random.choice(("==", ">=", "<")), name, code)
            if code == 0 and isinstance(condition, ModeCompare) and condition.op != "==":
                condition = ModeCompare("==", *self.modes[-1])
            if self.chance(0.3):
                condition = Op("or", BOOL, (condition, self.boolean(scope, 1)))
        else:
            condition = self.boolean(scope, 1)
        return Guard(condition, *self._raised(scope))

    def _raised(self, scope: _Scope) -> tuple[str, Expr | None]:
        cause = self.random.choice(("no", "call", "odd"))
        if not self.payload:
            return cause, None
        return cause, self.value(scope, self.payload, 1) if self.chance(0.5) else Num(
            self.payload, self.random.randrange(1 << self.payload)
        )

    def _statement(self, scope: _Scope, depth: int) -> list[Statement]:
        ram = next((piece for piece in self.pieces if piece.memory), None)
        match self.random.choice(
            ("set",) * 9 + ("mode", "load", "load", "store", "store", "guard", "guard", "if", "if", "let", "trap", "raw")
        ):
            case "mode":
                return [SetMode(*self.random.choice(self.modes))]
            case "load" if ram is not None:
                self.lets += 1
                load = Load(f"w{self.lets}", self.value(scope, self._pc, 1), ram.width)
                scope.values.append(Read(load.name, ram.width))
                return [load]
            case "store" if ram is not None:
                return [Store(self.value(scope, self._pc, 1), self.value(scope, ram.width, 1))]
            case "raw" if ram is not None:
                if self.chance(0.5):
                    return [Set("E", self.value(scope, ram.width, 1), self.value(scope, self._pc, 1))]
                cell = Element("E", self.value(scope, self._pc, 0), ram.width)
                return [self._set(scope, cell)]
            case "guard":
                return [self._guard(scope)]
            case "if" if depth:
                inner, second = _Scope(list(scope.values), scope.arrays), _Scope(list(scope.values), scope.arrays)
                then = tuple(self._statement(inner, depth - 1))
                other = tuple(self._statement(second, depth - 1)) if self.chance(0.4) else ()
                mode = ModeCompare("==", *self.random.choice(self.modes))
                return [When(mode if self.chance(0.4) else self.boolean(scope, 1), then, other)]
            case "let":
                self.lets += 1
                value = self.value(scope, self.random.choice((1, 2)), 2)
                scope.values.append(Read(f"w{self.lets}", value.width))
                return [Let(f"w{self.lets}", value)]
            case "trap" if depth and self.chance(0.5):
                return [Trap(*self._raised(scope))]
        return [self._set(scope)]

    @property
    def _pc(self) -> int:
        return self.pieces[0].width

    def _set(self, scope: _Scope, value: Expr | None = None) -> Set:
        """Some state takes a value; the program's own more often than what is not."""
        able = [piece for piece in self.pieces if piece.role != "mode" and not piece.modes and not piece.memory]
        weights = [4 if piece.name == "A" else 2 if piece.role in ("guest", "hidden") else 1 for piece in able]
        (piece,) = self.random.choices(able, weights)
        index = self.value(scope, 1, 1) if piece.count else None
        if value is not None:
            return Set(piece.name, _fitted(value, piece.width), index)
        return Set(piece.name, self.value(scope, piece.width, 2), index)

    # -- expressions -------------------------------------------------------------------------------------------------------

    def _scope(self, entry: bool = False) -> _Scope:
        able = [piece for piece in self.pieces if not piece.memory and piece.role != "mode" and not piece.modes]
        values = [Read(piece.name, piece.width) for piece in able if not piece.count]
        if entry:
            values = [value for value in values if value.name not in ("spc", "sx")]
            values.append(Read("cause.p", self.payload)) if self.payload else None
        return _Scope(values, [piece for piece in able if piece.count])

    def value(self, scope: _Scope, width: int, depth: int) -> Expr:
        """A value of so many bits."""
        choice = self.random.random()
        if depth and choice < 0.3:
            op = self.random.choice(("+", "-", "&", "|", "^", "^", "+"))
            left, right = self.value(scope, width, depth - 1), self.value(scope, width, depth - 1)
            return left if _constant(left) and _constant(right) else Op(op, width, (left, right))
        if depth and choice < 0.36:
            parts = (self.value(scope, width, depth - 1), self.value(scope, width, depth - 1))
            return Op("if", width, (self.boolean(scope, depth - 1), *parts))
        if choice < 0.42:
            return Num(width, self.random.randrange(1 << width))
        if choice < 0.47 and scope.mode:
            return _fitted(ModeCode(max(1, self.modes[-1][1].bit_length())), width)
        if choice < 0.6 and scope.arrays:
            array = self.random.choice(scope.arrays)
            return _fitted(Element(array.name, self.value(scope, 1, 0), array.width), width)
        if depth and choice < 0.63:
            inner = self.value(scope, width, depth - 1)
            return inner if _constant(inner) else Op("~", width, (inner,))
        return _fitted(self.random.choice(scope.values), width)

    def boolean(self, scope: _Scope, depth: int) -> Expr:
        """What is true or false."""
        choice = self.random.random()
        if choice < 0.12:
            return ModeCompare("==", *self.random.choice(self.modes))
        if depth and choice < 0.22:
            op = self.random.choice(("and", "or"))
            return Op(op, BOOL, (self.boolean(scope, depth - 1), self.boolean(scope, depth - 1)))
        read = self.value(scope, 1, 0) if choice < 0.3 else self.random.choice(scope.values)
        if choice < 0.7:
            return Op("==", BOOL, (read, Num(read.width, self.random.randrange(1 << read.width))))
        op = self.random.choice(("==", "!=", "<", ">=", "<s"))
        return Op(op, BOOL, (read, self.value(scope, read.width, depth)))


def _constant(value: Expr) -> bool:
    """What the language reads as an integer, of no width: no arithmetic is made of such alone."""
    return isinstance(value, Num) or (isinstance(value, Op) and all(map(_constant, value.args)))


def _fitted(value: Expr, width: int) -> Expr:
    if value.width == width:
        return value
    return Op("zext" if value.width < width else "low", width, (value,))


def _physical(tree: object, pieces: list[Piece]) -> bool:
    """Whether a body names cells of memory."""
    match tree:
        case Element("E") | Set("E"):
            return True
    if isinstance(tree, tuple):
        return any(_physical(part, pieces) for part in tree)
    return hasattr(tree, "__dataclass_fields__") and any(_physical(getattr(tree, n), pieces) for n in tree.__dataclass_fields__)
