"""Elements in a row: `open[0..7] == 0` says of each what the comparison says of one."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar.elaborate.constants import MOST_BITS, number
from popek_grammar.elaborate.context import Context, Node


def each_element(ctx: Context, node: Node) -> list[Tree[Token]]:
    """The operand `node` of a comparison with each element of its range in turn; empty where it has no range.

    The range is of an array or of an array of registers, `seg[0..3].DPL`; `E0238` where it is of anything else.
    """
    ranged = next(node.find_data("range_of"), None) if isinstance(node, Tree) else None
    if ranged is None or not isinstance(node, Tree):
        return []
    owner, first, last = ranged.children
    name = str(owner.children[0]) if isinstance(owner, Tree) and owner.data == "name" else ""
    register = ctx.registers.get(name)
    if name in ctx.locals or not (name in ctx.arrays or (register is not None and register.count > 1)):
        ctx.fail("E0238", "a range picks elements of an array", ranged, help="bits are picked by a slice, as in x[7:0]")
    low, high = number(ctx, first, "the first element"), number(ctx, last, "the last element")
    if not low <= high < low + MOST_BITS:
        ctx.fail("E0238", f"{low}..{high} is not a range of elements", ranged, help="the lower number comes first")
    return [_with(node, ranged, index) for index in range(low, high + 1)]


def _with(node: Tree[Token], ranged: Tree[Token], index: int) -> Tree[Token]:
    """`node` with the element at `index` where it has the range."""
    if node is ranged:
        at = Tree("int", [Token("INT", str(index))], ranged.meta)
        return Tree("index", [ranged.children[0], at], ranged.meta)
    children = [_with(child, ranged, index) if isinstance(child, Tree) else child for child in node.children]
    return Tree(node.data, children, node.meta)
