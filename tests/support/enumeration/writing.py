"""Machines as the text of a `.isa` file."""

from __future__ import annotations

from collections.abc import Iterator

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
    Statement,
    Store,
    Toy,
    Trap,
    When,
    target,
)


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
        yield from (f"  {'enter' if target(w) in saved else 'record'} {said(w)}" for w in stack.writes)
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
