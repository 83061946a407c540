"""Arms of a match: the values that each is for, and that every value has one."""

from __future__ import annotations

from lark import Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import number
from popek_grammar.elaborate.context import Context, Node


def member_code(type_: m.Type, name: str) -> int | None:
    """The number of a member of an enumeration; None for another type or name."""
    if isinstance(type_, m.EnumType) and name in type_.members:
        return type_.members.index(name)
    return None


def mode_code(ctx: Context, name: str) -> int | None:
    """The encoding of a mode; None for what is no mode here."""
    if name in ctx.locals or name in ctx.scalars:
        return None
    return dict(ctx.modes.members).get(name)


def patterns(ctx: Context, node: Node, type_: m.Type) -> tuple[int, ...]:
    """The values that an arm is for; none at all for `_`. A mode that this configuration has not is left out."""
    assert isinstance(node, Tree)
    found: list[int] = []
    for pattern in node.children:
        assert isinstance(pattern, Tree)
        if pattern.data == "wildcard":
            return ()
        if pattern.data == "name":
            name = str(pattern.children[0])
            code = member_code(type_, name)
            if code is None and isinstance(type_, (m.Mode, m.Bits)):
                code = mode_code(ctx, name) if mode_code(ctx, name) is not None else ctx.parameters.get(name)
            if code is None and name in ctx.absent:
                found.append(-1)
                continue
            if code is None:
                known = list(type_.members) if isinstance(type_, m.EnumType) else [n for n, _ in ctx.modes.members]
                ctx.unknown("pattern", name, pattern, known)
            found.append(code)
        else:
            found.append(number(ctx, pattern, "a pattern", 0, (1 << max(1, ctx.width(type_))) - 1))
    return tuple(found)


def exhaustive(ctx: Context, node: Node, type_: m.Type, arms: list[tuple[int, ...]]) -> None:
    """Every value has an arm, and no value two."""
    covered: set[int] = set()
    for values in arms:
        twice = covered & set(values) - {-1}
        if twice:
            ctx.report("E0241", f"two arms match {_name_of(ctx, type_, min(twice))}", node)
        covered |= set(values)
    if () in arms:
        return
    match type_:
        case m.EnumType(_, members):
            wanted = set(range(len(members)))
        case m.Mode():
            wanted = {code for _, code in ctx.modes.members}
        case m.Bits(width) if width <= 12:
            wanted = set(range(1 << width))
        case _:
            wanted = {-2}
    missing = wanted - covered
    if missing:
        some = ", ".join(_name_of(ctx, type_, value_) for value_ in sorted(missing)[:4])
        ctx.report("E0240", f"this match has no arm for {some}", node, help="add the arm, or `_ => ...`")


def _name_of(ctx: Context, type_: m.Type, value_: int) -> str:
    match type_:
        case m.EnumType(_, members) if 0 <= value_ < len(members):
            return members[value_]
        case m.Mode():
            return ctx.modes.name(value_)
        case _:
            return "the other values" if value_ < 0 else str(value_)
