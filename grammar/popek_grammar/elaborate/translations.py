"""Translations with their walks, layouts of entries, and protections."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.causes import access_scope
from popek_grammar.elaborate.constants import literal, number, truth
from popek_grammar.elaborate.context import Context, Node, names
from popek_grammar.elaborate.directions import condition, value
from popek_grammar.elaborate.statements import block, fault_kind, statements
from popek_grammar.elaborate.types import bits_type


def translation(ctx: Context, node: Tree[Token], address: int) -> m.Translation | None:
    """One declared translation; None when its `when` is false here."""
    name, modes, over, when, *lines = node.children
    if when is not None and truth(ctx, when) is False:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return None
    trees = [line for line in lines if isinstance(line, Tree) and line.data != "block_open"]
    heads = {str(line.data): line for line in trees}
    if "va" not in heads:
        ctx.fail("E0416", f"translation {name} has no `va` line", node, help="va 39 canonical else fault page")
    width, canonical = heads["va"].children
    page = literal(heads["page"].children[0]) if "page" in heads else 0
    codes = dict(ctx.modes.members)
    wanted = [mode for mode in names(modes) if mode in codes or mode not in ctx.absent]
    for mode in wanted:
        if mode not in codes:
            ctx.unknown("mode", mode, node, list(codes))
    va = literal(width)
    with ctx.scope(fresh=True, specials=access_scope(ctx, va), returns=m.Bits(address, "%address")):
        fault_name = fault_kind(ctx, node, str(canonical)) if canonical is not None else None
        condition_ = condition(ctx, when) if when is not None else None
        entry = _entry(ctx, str(name), heads.get("entry"))
        ctx.walk_entry = entry
        body: list[m.Stmt] = []
        for line in trees:
            with ctx.recover():
                if line.data == "walk":
                    body.append(_walk(ctx, line, fault_name))
                elif line.data not in ("va", "page", "entry"):
                    body.extend(statements(ctx, [line]))
        ctx.walk_entry = None
    return m.Translation(
        str(name), tuple(codes[mode] for mode in wanted), str(over) if over is not None else None, condition_, va,
        fault_name, page, entry, tuple(body), ctx.span(name),
    )  # fmt: skip


def _entry(ctx: Context, owner: str, node: Tree[Token] | None) -> m.Bits | None:
    if node is None:
        return None
    type_, *fields = node.children
    found = bits_type(ctx, type_)  # type: ignore[arg-type]
    given = [field for field in fields if isinstance(field, Tree)]
    if not given:
        return found
    name = f"{owner}.entry"
    ctx.layouts[name] = m.Layout(name, found.width, layout_fields(ctx, given, found.width))
    return m.Bits(found.width, name)


def layout_fields(ctx: Context, nodes: list[Tree[Token]], width: int) -> tuple[tuple[str, int, int], ...]:
    """The named bit fields of a layout."""
    made: list[tuple[str, int, int]] = []
    for node in nodes:
        name, bounds = node.children[:2]
        assert isinstance(bounds, Tree)
        hi = number(ctx, bounds.children[0], "a bit number", 0, width - 1)
        lo = number(ctx, bounds.children[1], "a bit number", 0, hi) if bounds.children[1] is not None else hi
        if any(str(name) == other for other, _, _ in made):
            ctx.report("E0203", f"field `{name}` is declared twice", node)
        made.append((str(name), hi, lo))
    return tuple(made)


def _walk(ctx: Context, node: Tree[Token], fault_name: str | None) -> m.Walk:
    """A walk, its body made once a level."""
    variable, first, last, base, start, body = node.children
    assert isinstance(body, Tree)
    begin = value(ctx, start)
    high, low = number(ctx, first, "the first level", 0, 63), number(ctx, last, "the last level", 0, 63)
    levels = []
    for level in range(high, low - 1, -1) if high >= low else range(high, low + 1):
        outer_specials = {"%base": m.Bits(ctx.width(begin.type))}
        with ctx.scope({str(base): begin.type}, constants={str(variable): level}, specials=outer_specials):
            levels.append((level, block(ctx, body)))
    return m.Walk(str(variable), str(base), begin, tuple(levels), fault_name or _first_fault(ctx, body))


def _first_fault(ctx: Context, body: Tree[Token]) -> str:
    """The fault that a walk names first: for what falls past its last level, where `canonical` names none."""

    def within(node: Node | None) -> str | None:
        if not isinstance(node, Tree):
            return None
        return str(node.children[0]) if node.data == "fault" else next(filter(None, map(within, node.children)), None)

    return within(body) or next(iter(sorted(ctx.fault_kinds)), "")


def protection(ctx: Context, node: Tree[Token], address: int, pc: int) -> m.Protection | None:
    name, when, body = node.children
    if when is not None and truth(ctx, when) is False:
        return None
    assert isinstance(body, Tree)
    specials = {**access_scope(ctx, pc), "pa": m.Bits(address)}
    with ctx.scope(fresh=True, specials=specials, returns=m.Unit()):
        test = condition(ctx, when) if when is not None else None
        return m.Protection(str(name), test, block(ctx, body), ctx.span(name))
