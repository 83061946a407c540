"""Constant expressions: what parameters, loop variables and literals come to, as integers and as bits.

A number is an integer until it meets a width. A literal of digits (`0b011`, `0o17`, `0x1f`) also has a width of its own, and
where no other decides, what is made of such literals means what it would with the literals bound to names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Never

from lark import Token, Tree

from popek_grammar.elaborate.context import Context, Node
from popek_grammar.meaning import operators
from popek_grammar.meaning import terms as t

MOST_BITS = 4096
"""The widest value, and the most iterations of a loop, that a machine may ask for."""


def constant(ctx: Context, node: Node | None) -> int | None:
    """The number that an expression is, or None when it is not constant."""
    if not isinstance(node, Tree):
        return None
    match node.data, node.children:
        case (("int" | "hex" | "oct" | "bin"), [token]):
            return literal(token)
        case "name", [token]:
            return _named(ctx, str(token))
        case "unary", [op, operand]:
            value = constant(ctx, operand)
            return None if value is None else -value if str(op) == "-" else None
        case "binary", [left, op, right]:
            return _binary(ctx, left, str(op), right)
        case "cond", [condition, yes, no]:
            test = truth(ctx, condition)
            return None if test is None else constant(ctx, yes if test else no)
    return None


def literal(token: Node) -> int:
    """The number that a literal spells, in any of the four bases."""
    return int(str(token).replace("_", ""), 0) if not str(token).isdigit() else int(str(token))


def _named(ctx: Context, name: str) -> int | None:
    if name in ctx.locals:
        return None
    if name in ctx.constants:
        return ctx.constants[name]
    return ctx.parameters.get(name)


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "<<": lambda a, b: a << min(b, MOST_BITS) if b >= 0 else 0,
    ">>": lambda a, b: a >> b if b >= 0 else 0,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


def _binary(ctx: Context, left: Node, op: str, right: Node) -> int | None:
    a, b = constant(ctx, left), constant(ctx, right)
    if a is None or b is None:
        return None
    if op in ("/", "%"):
        if b == 0:
            ctx.fail("E0210", "division by zero in a constant expression", right)
        return a // b if op == "/" else a % b
    return _OPERATIONS[op](a, b) if op in _OPERATIONS else None


def truth(ctx: Context, node: Node | None) -> bool | None:
    """The truth value of a constant condition over parameters and extensions, or None."""
    if not isinstance(node, Tree):
        return None
    match node.data, node.children:
        case "true", _:
            return True
        case "false", _:
            return False
        case "name", [token]:
            name = str(token)
            return ctx.extensions.get(name) if name not in ctx.locals and name not in ctx.scalars else None
        case "not_", [operand]:
            value = truth(ctx, operand)
            return None if value is None else not value
        case ("and_" | "or_") as op, [left, right]:
            a, b = truth(ctx, left), truth(ctx, right)
            decisive = op == "or_"
            if decisive in (a, b):
                return decisive
            return None if a is None or b is None else not decisive
        case "compare", [left, op, right]:
            x, y = constant(ctx, left), constant(ctx, right)
            return None if x is None or y is None else _compare(ctx, node, str(op), x, y)
    return None


def _compare(ctx: Context, node: Tree[Token], op: str, x: int, y: int) -> bool:
    """Of integers; as soon as one side has a literal of digits, of bits as wide as that."""
    left, _, right = node.children
    found = widths(ctx, left) | widths(ctx, right)
    as_integers = _ordered(op.removesuffix("s"), x, y)
    pairs = {width: (wrapped(ctx, left, width), wrapped(ctx, right, width)) for width in found}
    as_bits = {_held(op, a, b, width) for width, (a, b) in pairs.items() if a is not None and b is not None}
    if len(as_bits) > 1 or (len(found) > 1 and as_bits - {as_integers}):
        two_widths(ctx, node, found)
    if not as_bits and found and (op.endswith("s") or x < 0 or y < 0):
        ctx.fail("E0233", f"{x} and {y} do not both fit in the {max(found)} bits that are compared", node)
    return next(iter(as_bits), as_integers)


def _held(op: str, a: int, b: int, width: int) -> bool:
    return operators.binary(op, t.const(a, width), t.const(b, width)) is t.TRUE


def _ordered(op: str, x: int, y: int) -> bool:
    return {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def exists(ctx: Context, when: Node | None) -> bool:
    """Whether what says `when` is in this configuration. The condition is one on parameters and extensions: else E0213."""
    known = truth(ctx, when) if when is not None else True
    if known is None:
        ctx.leave_if_broken(when)
        ctx.fail("E0213", "`when` takes a condition on parameters and extensions", when)
    return known


# -- as bits ---------------------------------------------------------------------------------------------------------

DIGIT_BITS = {"bin": 1, "oct": 3, "hex": 4}
"""Literals whose digits give them a width of their own, and how many bits a digit is."""

SHIFTS = ("<<", ">>", ">>s")


def widths(ctx: Context, node: Node | None) -> set[int]:
    """The widths of the literals of digits from which an expression can have its own."""
    if not isinstance(node, Tree):
        return set()
    match node.data, node.children:
        case ("bin" | "oct" | "hex") as kind, [token]:
            return {(len(str(token).replace("_", "")) - 2) * DIGIT_BITS[kind]}
        case "unary", [_, operand]:
            return widths(ctx, operand)
        case "binary", [left, op, right]:
            return widths(ctx, left) | (set() if str(op) in SHIFTS else widths(ctx, right))
        case "cond", [test, yes, no]:
            known = truth(ctx, test)
            return widths(ctx, yes) | widths(ctx, no) if known is None else widths(ctx, yes if known else no)
        case "match_expr", [_, *arms]:
            return {width for arm in arms if isinstance(arm, Tree) for width in widths(ctx, arm.children[1])}
    return set()


def own_width(ctx: Context, *nodes: Node) -> int | None:
    """The width that the literals of digits in these agree on; None without any."""
    found = {width for node in nodes for width in widths(ctx, node)}
    if len(found) > 1:
        two_widths(ctx, nodes[0], found)
    return next(iter(found), None)


def two_widths(ctx: Context, node: Node, found: set[int]) -> Never:
    """E0236."""
    listed = " and ".join(str(width) for width in sorted(found))
    hint = "write the same number of digits, or zext(x, N)"
    ctx.fail("E0236", f"literals of {listed} bits, and nothing says which width is meant", node, help=hint)


def wrapped(ctx: Context, node: Node, width: int) -> int | None:
    """What a constant expression comes to in bits, where every part of it has that width; None if one does not fit."""
    assert isinstance(node, Tree)
    match node.data, node.children:
        case "unary", [op, operand]:
            inner = wrapped(ctx, operand, width)
            return None if inner is None else operators.unary(str(op), t.const(inner, width)).value
        case "binary", [left, op, right]:
            a = wrapped(ctx, left, width)
            b = constant(ctx, right) if str(op) in SHIFTS else wrapped(ctx, right, width)
            if a is None or b is None or b < 0:
                return None
            size = max(width, b.bit_length())
            return operators.binary(str(op), t.const(a, width), t.const(b, size)).value
        case "cond", [test, yes, no]:
            return wrapped(ctx, yes if truth(ctx, test) else no, width)
    value = constant(ctx, node)
    return value & ((1 << width) - 1) if value is not None and fits(value, width) else None


def fits(value: int, width: int) -> bool:
    """Whether an integer is one of `width` bits, unsigned or in two's complement."""
    return -(1 << (width - 1)) <= value < 1 << width


# -- asked for -------------------------------------------------------------------------------------------------------


def number(ctx: Context, node: Node | None, what: str, low: int = 0, high: int = 1 << 64) -> int:
    """A constant in a range; reports and leaves otherwise."""
    value = literal(node) if isinstance(node, Token) else constant(ctx, node)
    if value is None:
        ctx.leave_if_broken(node)
        ctx.fail("E0211", f"{what} must be a constant", node, help="only numbers, parameters and loop variables are")
    if not low <= value <= high:
        ctx.fail("E0212", f"{what} must lie between {low} and {high}, not {value}", node)
    return value
