"""Constant expressions: what parameters, loop variables and literals come to."""

from __future__ import annotations

from collections.abc import Callable

from lark import Token, Tree

from popek_grammar.elaborate.context import Context, Node

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
            return None if x is None or y is None else _compare(str(op), x, y)
    return None


def _compare(op: str, x: int, y: int) -> bool:
    op = op.removesuffix("s")
    return {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def number(ctx: Context, node: Node | None, what: str, low: int = 0, high: int = 1 << 64) -> int:
    """A constant in a range; reports and leaves otherwise."""
    value = int(str(node)) if isinstance(node, Token) else constant(ctx, node)
    if value is None:
        ctx.fail("E0211", f"{what} must be a constant", node, help="only numbers, parameters and loop variables are")
    if not low <= value <= high:
        ctx.fail("E0212", f"{what} must lie between {low} and {high}, not {value}", node)
    return value
