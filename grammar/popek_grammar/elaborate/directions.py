"""The two directions of typing: `check` knows the type that is asked for and hands it down; `infer` finds it from the parts.

`infer` raises `NeedsContext` for a form that has no type of its own (a number, `sext(x)`, `load(a)`), so that the other
operand is asked. Which expression a tree is, the context's typer knows: whoever types a part of something asks here.
"""

from __future__ import annotations

from lark import Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import truth
from popek_grammar.elaborate.context import Context, Node, show

BOOL = m.Bool()

DIGIT_BITS = {"bin": 1, "oct": 3, "hex": 4}
"""Literals whose digits give them a width of their own, and how many bits a digit is."""


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
        if isinstance(node, Tree) and node.data in DIGIT_BITS:
            digits, each = str(node.children[0]).replace("_", "")[2:], DIGIT_BITS[node.data]
            return m.Literal(int(digits, 1 << each), m.Bits(len(digits) * each))
        ctx.fail("E0230", "the width of this is not known here", node, help="give the name a type, or say zext(x, N)")


def condition(ctx: Context, node: Node) -> m.Expr:
    """A truth value; constant ones are folded."""
    known = truth(ctx, node)
    return m.Literal(int(known), BOOL) if known is not None else check(ctx, node, BOOL)
