"""Causes of traps, and the fault kinds that accesses raise them by."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import literal
from popek_grammar.elaborate.context import PAYLOAD, Context, names
from popek_grammar.elaborate.statements import cause
from popek_grammar.elaborate.types import bits_type

WORD = m.Bits(32)


def causes(ctx: Context, node: Tree[Token], before: m.Causes) -> m.Causes:
    """`causes (payload) { ... }`: the causes of this block after those of the blocks `before`."""
    members: list[m.CauseDef] = []
    for child in node.children:
        if isinstance(child, Tree) and child.data == "params":
            with ctx.recover(PAYLOAD):
                ctx.payload = tuple(
                    (str(part.children[0]), bits_type(ctx, part.children[1]).width)  # type: ignore[arg-type]
                    for part in child.children
                    if isinstance(part, Tree)
                )
        elif isinstance(child, Tree) and child.data == "cause_def":
            members.append(_cause_def(ctx, child))
    for member in members:
        if member.name in ctx.causes:
            ctx.report("E0203", f"cause `{member.name}` is declared twice", member.span)
        ctx.causes[member.name] = member
    every = (*before.members, *members)
    width = max((member.code.bit_length() for member in every), default=1)
    return m.Causes(ctx.payload, every, max(1, width))


def _cause_def(ctx: Context, node: Tree[Token]) -> m.CauseDef:
    name, code = (child for child in node.children if isinstance(child, Token))
    # The word `interrupt` is not in the tree: it is there when the clause begins before the name does.
    return m.CauseDef(str(name), literal(code), node.meta.start_pos != name.start_pos, ctx.span(node))


def access_scope(ctx: Context, width: int) -> dict[str, m.Type]:
    """What a translation or protection knows of the access under way."""
    origin = m.Bits(ctx.pc_width())
    return {"va": m.Bits(width), "origin": origin, "access": m.ACCESS, "implicit": m.Bool(), "acting": m.Mode(), "size": WORD}


def fault(ctx: Context, node: Tree[Token], width: int) -> m.FaultKind:
    """`fault NAME { fetch => cause(va), ... }`: complete over the kinds of access."""
    name, *arms = (child for child in node.children if child is not None)
    made: dict[str, m.Cause] = {}
    with ctx.scope(fresh=True, specials=access_scope(ctx, width)):
        for arm in arms:
            assert isinstance(arm, Tree)
            kinds, raised = arm.children
            for kind in names(kinds):
                if kind not in m.ACCESS.members:
                    ctx.unknown("kind of access", kind, arm, list(m.ACCESS.members))
                made[kind] = cause(ctx, raised)  # type: ignore[arg-type]
    if "rmw" not in made and "store" in made:
        made["rmw"] = made["store"]
    missing = [kind for kind in m.ACCESS.members if kind not in made]
    if missing:
        ctx.report("E0240", f"fault `{name}` has no cause for {', '.join(missing)}", node)
    return m.FaultKind(str(name), tuple(made.items()))
