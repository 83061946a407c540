"""The two directions of typing: `check` knows the type that is asked for and hands it down; `infer` finds it from the parts.

`infer` raises `NeedsContext` for a form that has no type of its own (a number, `sext(x)`, `load(a)`), so that the other
operand is asked. Which expression a tree is, the context's typer knows: whoever types a part of something asks here.
"""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import constant, fits, own_width, truth, wrapped
from popek_grammar.elaborate.context import Context, Node, show

BOOL = m.Bool()


class NeedsContext(Exception):
    """The expression takes its width from what surrounds it, and nothing has been said."""


def check(ctx: Context, node: Node, expected: m.Type) -> m.Expr:
    """The expression, of type `expected`."""
    try:
        return ctx.typer.checked(ctx, node, expected)
    except NeedsContext:
        ctx.fail("E0230", f"this cannot be a {show(expected)}", node)


def infer(ctx: Context, node: Node) -> m.Expr:
    """The expression with the type that its parts give it."""
    return ctx.typer.inferred(ctx, node)


def value(ctx: Context, node: Node, expected: m.Type | None = None) -> m.Expr:
    """A typed expression: of the expected type when there is one."""
    if expected is not None:
        return check(ctx, node, expected)
    try:
        return infer(ctx, node)
    except NeedsContext:
        width = own_width(ctx, node)
        if width is not None:
            return check(ctx, node, m.Bits(width))
        ctx.fail("E0230", "the width of this is not known here", node, help="give the name a type, or say zext(x, N)")


def fitted(ctx: Context, node: Node, number: int, expected: m.Bits) -> m.Literal:
    """A constant of an asked-for width; negative ones wrap, too large ones are an error.

    So is one that comes to something else where every part of it has that width (`(0xff << 4) >> 4` in 8 bits).
    """
    if not fits(number, expected.width):
        ctx.fail("E0233", f"{number} does not fit in {expected.width} bits", node)
    made = number & ((1 << expected.width) - 1)
    inside = wrapped(ctx, node, expected.width)
    if inside is not None and inside != made:
        message = f"this is {number} in integers, and {inside} where every part has {expected.width} bits"
        ctx.fail("E0237", message, node, help="write the number that is meant, or bind a part of it by `let x : bits(N)`")
    return m.Literal(made, expected)


def sized(ctx: Context, node: Node, width: int) -> m.Expr:
    """What has a type of its own has that; what has none is `width` bits."""
    if constant(ctx, node) is not None:
        return check(ctx, node, m.Bits(width))
    try:
        return infer(ctx, node)
    except NeedsContext:
        return check(ctx, node, m.Bits(width))


def condition(ctx: Context, node: Node) -> m.Expr:
    """A truth value; constant ones are folded."""
    known = truth(ctx, node)
    return m.Literal(int(known), BOOL) if known is not None else check(ctx, node, BOOL)
