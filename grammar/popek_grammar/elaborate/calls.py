"""Calls: the built-in functions, each with its own rule of widths, and the machine's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import constant, number, own_width, widths
from popek_grammar.elaborate.context import Context, Node, show
from popek_grammar.elaborate.directions import BOOL, NeedsContext, check, fitted, infer, value

Rule: TypeAlias = "Callable[[Context, Node, Sequence[Node], m.Type | None], m.Expr]"


def call(ctx: Context, node: Node, name: str, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    """A call, built-in or declared; `expected` is the type that the context asks for, if it does."""
    if name in ctx.functions:
        return declared(ctx, node, ctx.functions[name], arguments)
    if name not in RULES:
        ctx.unknown("function", name, node, [*ctx.functions, *RULES])
    return RULES[name](ctx, node, arguments, expected)


def declared(ctx: Context, node: Node, function: m.Function, arguments: Sequence[Node]) -> m.Expr:
    if len(arguments) != len(function.parameters):
        ctx.fail("E0250", f"`{function.name}` takes {len(function.parameters)} arguments, not {len(arguments)}", node)
    made = tuple(check(ctx, a, type_) for a, (_, type_) in zip(arguments, function.parameters, strict=True))
    ctx.names_used.add(f"fn {function.name}")
    return m.Call(function.name, made, function.result)


def _count(ctx: Context, node: Node, name: str, arguments: Sequence[Node], low: int, high: int) -> None:
    if not low <= len(arguments) <= high:
        takes = str(low) if low == high else f"{low} to {high}"
        ctx.fail("E0250", f"`{name}` takes {takes} arguments, not {len(arguments)}", node)


def _width(ctx: Context, arguments: Sequence[Node], expected: m.Type | None, at: int = 1) -> m.Bits:
    """The width given as argument number `at`, else the one that the context asks for."""
    if len(arguments) > at:
        return m.Bits(number(ctx, arguments[at], "a width", 1, 4096))
    if isinstance(expected, m.Bits):
        return m.Bits(expected.width)
    if expected is None:
        raise NeedsContext
    return m.Bits(ctx.width(expected) or 1)


def _extend(kind: str) -> Rule:
    def rule(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
        _count(ctx, node, kind, arguments, 1, 2)
        type_ = _width(ctx, arguments, expected)
        plain = constant(ctx, arguments[0])
        if plain is not None and not widths(ctx, arguments[0]):  # an integer: it has no width to begin with
            cut = plain & ((1 << type_.width) - 1) if kind == "trunc" else plain
            return m.Literal(cut, type_) if kind == "trunc" else fitted(ctx, arguments[0], plain, type_)
        operand = value(ctx, arguments[0])
        if isinstance(operand.type, m.Mode):
            operand = m.Resize("bits", operand, m.Bits(ctx.modes.width))
        if not isinstance(operand.type, (m.Bits, m.Bool)):
            ctx.fail("E0234", f"{kind} of {show(operand.type)}", arguments[0])
        width = ctx.width(operand.type) or 1
        if (kind == "trunc" and width < type_.width) or (kind != "trunc" and width > type_.width):
            ctx.fail("E0251", f"{kind} from {width} to {type_.width} bits", node, help="it goes the other way")
        return operand if operand.type == type_ else m.Resize(kind, operand, type_)

    return rule


def _low(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "low", arguments, 2, 2)
    operand = value(ctx, arguments[0])
    count = number(ctx, arguments[1], "the number of bits", 0, ctx.width(operand.type))
    return m.Builtin("low", (operand, m.Literal(count, m.Bits(32))), m.Bits(ctx.width(operand.type)))


def _bits_of(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "bits", arguments, 1, 1)
    operand = value(ctx, arguments[0])
    if isinstance(operand.type, m.Bits):
        return operand
    if isinstance(operand.type, m.Bool):
        return m.Resize("zext", operand, m.Bits(1))
    return m.Resize("bits", operand, m.Bits(ctx.width(operand.type)))


def _mode_of(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "mode_of", arguments, 1, 1)
    operand = value(ctx, arguments[0])
    if isinstance(operand.type, m.Mode):
        return operand
    return m.Resize("mode", operand, m.Mode())


def _counting(name: str) -> Rule:
    def rule(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
        _count(ctx, node, name, arguments, 1, 1)
        operand = value(ctx, arguments[0])
        width = 1 if name == "parity" else ctx.width(operand.type)
        return m.Builtin(name, (operand,), m.Bits(width))

    return rule


def _extreme(name: str) -> Rule:
    def rule(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
        _count(ctx, node, name, arguments, 2, 2)
        type_ = _common(ctx, arguments, expected)
        return m.Builtin(name, tuple(check(ctx, a, type_) for a in arguments), type_)

    return rule


def _common(ctx: Context, arguments: Sequence[Node], expected: m.Type | None) -> m.Type:
    """The type of the first argument that has one, else the one asked for, else that of the arguments' digits."""
    for argument in arguments:
        try:
            return infer(ctx, argument).type
        except NeedsContext:
            continue
    width = own_width(ctx, *arguments) if expected is None else None
    if expected is None and width is None:
        raise NeedsContext
    return expected if expected is not None else m.Bits(width or 1)


def _repeat(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "repeat", arguments, 2, 2)
    operand = value(ctx, arguments[0])
    count = number(ctx, arguments[1], "the number of copies", 1, 4096)
    return m.Builtin("repeat", (operand, m.Literal(count, m.Bits(32))), m.Bits(ctx.width(operand.type) * count))


def _is_mode(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "is_mode", arguments, 1, 1)
    return m.Builtin("is_mode", (value(ctx, arguments[0]),), BOOL)


def address(ctx: Context, node: Node) -> m.Expr:
    """An address: as wide as the program counter, or what it is by itself."""
    try:
        return infer(ctx, node)
    except NeedsContext:
        return check(ctx, node, m.Bits(ctx.pc_width()))


def _kind(ctx: Context, node: Node) -> m.Expr:
    return check(ctx, node, m.ACCESS)


def _load(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    """`load(a)`, `load(a, N)`, `load(a, N, kind)`; inside a walk `load(a)` is physical, of the entry's layout."""
    _count(ctx, node, "load", arguments, 1, 3)
    ctx.names_used.add("memory")
    if ctx.walk_entry is not None and len(arguments) == 1:
        return m.Builtin("phys_load", (value(ctx, arguments[0]),), ctx.walk_entry)
    type_ = _width(ctx, arguments, expected)
    _whole_cells(ctx, node, type_)
    kind = (_kind(ctx, arguments[2]),) if len(arguments) == 3 else ()
    return m.Builtin("load", (address(ctx, arguments[0]), *kind), type_)


def _load_as(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "load_as", arguments, 2, 4)
    type_ = _width(ctx, arguments, expected, at=2)
    _whole_cells(ctx, node, type_)
    kind = (_kind(ctx, arguments[3]),) if len(arguments) == 4 else ()
    return m.Builtin("load_as", (check(ctx, arguments[0], m.Mode()), address(ctx, arguments[1]), *kind), type_)


def _store(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "store", arguments, 2, 3)
    stored = value(ctx, arguments[1])
    _whole_cells(ctx, node, m.Bits(ctx.width(stored.type)))
    kind = (_kind(ctx, arguments[2]),) if len(arguments) == 3 else ()
    name = "phys_store" if ctx.walk_entry is not None else "store"
    return m.Builtin(name, (address(ctx, arguments[0]), stored, *kind), m.Unit())


def _store_as(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "store_as", arguments, 3, 4)
    stored = value(ctx, arguments[2])
    kind = (_kind(ctx, arguments[3]),) if len(arguments) == 4 else ()
    acting = check(ctx, arguments[0], m.Mode())
    return m.Builtin("store_as", (acting, address(ctx, arguments[1]), stored, *kind), m.Unit())


def _whole_cells(ctx: Context, node: Node, type_: m.Bits) -> None:
    memory = next((a for a in ctx.arrays.values() if a.memory), None)
    if memory is None:
        ctx.fail("E0252", "this machine has no memory", node, help="declare one: ram : mem(32 -> 8)")
    if type_.width % memory.width:
        ctx.fail("E0253", f"an access of {type_.width} bits is not a whole number of {memory.width}-bit cells", node)


def _csr_read(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "csr_read", arguments, 1, 1)
    width = max((r.width for r in ctx.registers.values() if r.address is not None), default=1)
    return m.Builtin("csr_read", (check(ctx, arguments[0], m.Bits(ctx.csr_width)),), m.Bits(width))


def _csr_write(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "csr_write", arguments, 2, 2)
    width = max((r.width for r in ctx.registers.values() if r.address is not None), default=1)
    number_ = check(ctx, arguments[0], m.Bits(ctx.csr_width))
    return m.Builtin("csr_write", (number_, check(ctx, arguments[1], m.Bits(width))), m.Unit())


def _exists(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "exists", arguments, 1, 1)
    return m.Builtin("exists", (check(ctx, arguments[0], m.Bits(ctx.csr_width)),), BOOL)


def _splice(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    _count(ctx, node, "splice", arguments, 3, 3)
    frame, va = infer(ctx, arguments[0]), infer(ctx, arguments[1])
    count = number(ctx, arguments[2], "the number of frame bits taken from the address", 0, 4096)
    type_ = m.Bits(expected.width) if isinstance(expected, m.Bits) else m.Bits(_physical(ctx))
    return m.Builtin("splice", (frame, va, m.Literal(count, m.Bits(32))), type_)


def _old(ctx: Context, node: Node, arguments: Sequence[Node], expected: m.Type | None) -> m.Expr:
    """`old(e)`: e in the state before the step. It stands apart, and a name stands for it."""
    _count(ctx, node, "old", arguments, 1, 1)
    if ctx.old is None:
        hint = "invariant NAME after INSTRUCTION { x == old(x) }"
        ctx.fail("E0458", "`old` is of the state before a step, and there is none here", node, help=hint)
    made = infer(ctx, arguments[0]) if expected is None else check(ctx, arguments[0], expected)
    name = f"old({len(ctx.old)})"
    ctx.old.append((name, made))
    return m.Local(name, made.type)


def _physical(ctx: Context) -> int:
    return next((a.index_width for a in ctx.arrays.values() if a.memory), 64)


RULES: dict[str, Rule] = {
    "zext": _extend("zext"), "sext": _extend("sext"), "trunc": _extend("trunc"), "low": _low, "bits": _bits_of,
    "mode_of": _mode_of, "popcount": _counting("popcount"), "clz": _counting("clz"), "ctz": _counting("ctz"),
    "parity": _counting("parity"), "min": _extreme("min"), "max": _extreme("max"), "repeat": _repeat,
    "is_mode": _is_mode, "load": _load, "load_as": _load_as, "store": _store, "store_as": _store_as,
    "csr_read": _csr_read, "csr_write": _csr_write, "exists": _exists, "splice": _splice, "old": _old,
}  # fmt: skip
"""The built-in functions."""

EFFECTS = frozenset({"store", "store_as", "phys_store", "csr_write"})
"""Built-ins that only act."""
