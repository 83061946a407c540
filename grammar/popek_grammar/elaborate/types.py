"""Types as written: `bits(N)`, `bool`, `mode`, `access`, a layout's name; and sets of constants."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import MOST_BITS, constant, number
from popek_grammar.elaborate.context import Context


def type_of(ctx: Context, node: Tree[Token]) -> m.Type:
    """The type that a `type` rule names; memory types are not values and are refused here."""
    name, size, to = node.children
    match str(name):
        case "bits":
            if size is None or to is not None:
                ctx.fail("E0220", "`bits` takes one width, as in `bits(32)`", node)
            return m.Bits(number(ctx, size, "a width", 1, MOST_BITS))
        case "bool":
            return m.Bool()
        case "mode":
            return m.Mode()
        case "access":
            return m.ACCESS
        case layout if layout in ctx.layouts:
            return m.Bits(ctx.layouts[layout].width, layout)
        case "mem":
            ctx.fail("E0221", "`mem` is the type of a memory, not of a value", node)
        case other:
            ctx.unknown("type", other, node, ["bits", "bool", "mode", "access", *ctx.layouts])


def bits_type(ctx: Context, node: Tree[Token]) -> m.Bits:
    found = type_of(ctx, node)
    if not isinstance(found, m.Bits):
        ctx.fail("E0222", "expected `bits(N)` here", node)
    return found


def set_of(ctx: Context, node: Tree[Token], width: int, members: tuple[str, ...] = ()) -> tuple[tuple[int, int], ...]:
    """The inclusive ranges of a set of constants and mode names, in order; checked against `width` bits.

    `members` are those of the enumeration that the set is of, which it may name (`access in {store, rmw}`).
    """
    ranges = []
    for item in node.children:
        if not isinstance(item, Tree):
            continue
        first, last = item.children
        low = _element(ctx, first, members)
        if low is None:
            continue
        high = _element(ctx, last, members) if last is not None else low
        if high is None:
            continue
        if high < low or not 0 <= low <= high < 1 << width:
            ctx.fail("E0223", f"{low}..{high} is not a range of {width}-bit values", item)
        ranges.append((low, high))
    return tuple(sorted(ranges))


def _element(ctx: Context, node: Tree[Token] | Token | None, members: tuple[str, ...]) -> int | None:
    """A constant, or a mode's encoding; None for a mode that this configuration has not."""
    if isinstance(node, Tree) and node.data == "name":
        name = str(node.children[0])
        if name in members:
            return members.index(name)
        for mode, code in ctx.modes.members:
            if mode == name:
                return code
        if name in ctx.absent:
            return None
    value = constant(ctx, node)
    if value is None:
        ctx.fail("E0224", "a set holds constants and mode names", node)
    return value
