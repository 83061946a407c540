"""State: variables, arrays and memories; and the roles that state is given."""

from __future__ import annotations

from dataclasses import replace

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.attributes import ROLES, Attributes, attributes, refuse_others
from popek_grammar.elaborate.constants import number
from popek_grammar.elaborate.context import Context, Node
from popek_grammar.elaborate.directions import check
from popek_grammar.elaborate.types import type_of


def declare_state(ctx: Context, node: Tree[Token]) -> None:
    """One line of a `state` block."""
    name, count, type_, *rest = node.children
    more = attributes(ctx, rest)
    if not more.exists:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return
    assert isinstance(type_, Tree)
    if str(type_.children[0]) == "mem":
        return _memory(ctx, node, str(name), type_, more)
    fresh(ctx, node, str(name))
    found = type_of(ctx, type_)
    if not isinstance(found, m.Bits | m.Mode):
        ctx.fail("E0293", f"state holds bits or a mode, not a truth value: {name}", type_, help="bits(1), and compare with == 1")
    if count is None:
        refuse_others(ctx, more, "a variable", ("role", "reset", "when"))
    else:
        refuse_others(ctx, more, "an array", ("role", "names", "zero", "when"))
        elements = number(ctx, count, "the number of elements", 1, 1 << 20)
        index = max(1, (elements - 1).bit_length())
        ctx.arrays[str(name)] = m.Array(
            str(name), index, ctx.width(found), elements, False, False, more.role, more.zero_at, more.names, "", ctx.span(node)
        )
        return
    ctx.scalars[str(name)] = scalar(ctx, str(name), found, more, None, node)


def _memory(ctx: Context, node: Tree[Token], name: str, type_: Tree[Token], more: Attributes) -> None:
    _, width, cell = type_.children
    if cell is None:
        ctx.fail("E0225", "a memory is `mem(address bits -> cell bits)`", type_)
    fresh(ctx, node, name)
    refuse_others(ctx, more, "a memory", ("role", "big", "little", "when"))
    bits, cells = number(ctx, width, "an address width", 1, 128), number(ctx, cell, "a cell width", 1, 256)
    ctx.arrays[name] = m.Array(name, bits, cells, 1 << bits, True, "big" in more.flags, more.role, None, (), "", ctx.span(node))


def fresh(ctx: Context, node: Node, name: str) -> None:
    """Reports a name that is taken: by state of some kind already, or by what every body calls its instruction's own."""
    if name in ("insn", "next_pc"):
        ctx.fail("E0209", f"`{name}` is what a body calls the instruction's own; state of that name would be hidden", node)
    known = ctx.scalars.get(name) or ctx.arrays.get(name) or ctx.registers.get(name)
    if known is not None:
        ctx.report("E0203", f"`{name}` is declared twice", node, other=("first declared here", known.span))


def scalar(
    ctx: Context, name: str, type_: m.Type, more: Attributes, legal: tuple[tuple[int, int], ...] | None, node: Node
) -> m.Scalar:
    """A variable with what its attributes say; one that holds a mode holds declared encodings only."""
    width = max(1, ctx.width(type_))
    if isinstance(type_, m.Mode):
        legal = tuple(sorted((code, code) for _, code in ctx.modes.members))
    reset = reset_value(ctx, more.reset, type_, width)
    return m.Scalar(name, type_, width, more.role, reset, legal, "", ctx.span(node))


def reset_value(ctx: Context, node: Node | None, type_: m.Type, width: int) -> int | None:
    """What state of so many bits holds after reset: a constant that fits, or nothing is said."""
    if node is None:
        return None
    made = check(ctx, node, type_ if not isinstance(type_, m.Bits) else m.Bits(width))
    if not isinstance(made, m.Literal):
        ctx.fail("E0211", "a reset value must be a constant", node)
    return made.value


def assign_role(ctx: Context, node: Tree[Token]) -> None:
    """`role R for a, b.f when E`: state that was declared with another role has this one."""
    name, dotted, when = node.children
    if str(name) not in ROLES:
        ctx.unknown("role", str(name), node, list(ROLES))
    if not attributes(ctx, [Tree("when", [when])] if when is not None else []).exists:
        return
    role = ROLES[str(name)]
    for part in (child for child in dotted.children if isinstance(child, Tree)):  # type: ignore[union-attr]
        wanted = ".".join(str(word) for word in part.children)
        known = [state for state in (*ctx.scalars, *ctx.arrays) if state == wanted or state.startswith(wanted + ".")]
        if not known:
            ctx.unknown("state", wanted, part, [*ctx.scalars, *ctx.arrays, *ctx.registers])
        for state in known:
            if state in ctx.scalars:
                ctx.scalars[state] = replace(ctx.scalars[state], role=role)
            else:
                ctx.arrays[state] = replace(ctx.arrays[state], role=role)
    for register in ctx.registers.values():
        fields = tuple(replace(f, role=_role_of(ctx, f.state, f.role)) for f in register.fields)
        ctx.registers[register.name] = replace(register, fields=fields)


def _role_of(ctx: Context, state: str | None, role: m.Role) -> m.Role:
    """The role of the state that a field stores; of a computed field, the one declared."""
    known = ctx.scalars.get(state or "") or ctx.arrays.get(state or "")
    return known.role if known is not None else role
