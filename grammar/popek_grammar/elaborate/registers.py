"""Registers with fields, CSRs and their views, flattened to scalars and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.attributes import Attributes, attributes, refuse_others
from popek_grammar.elaborate.constants import number
from popek_grammar.elaborate.context import Context, Node
from popek_grammar.elaborate.directions import check
from popek_grammar.elaborate.state import fresh, reset_value, scalar
from popek_grammar.elaborate.statements import block, guard
from popek_grammar.elaborate.types import bits_type, set_of


@dataclass(slots=True)
class Pending:
    """A declared register whose expressions wait until every name is known. `index` binds a CSR array's name."""

    name: str
    node: Tree[Token]
    body: Tree[Token] | None
    more: Attributes
    fields: list[tuple[int, Tree[Token]]]
    index: dict[str, int]
    file: str


def declare_register(ctx: Context, node: Tree[Token], pending: list[Pending]) -> None:
    """`register NAME[count] : bits(N) ... { fields }`."""
    name, count, type_, *rest = node.children
    assert isinstance(type_, Tree)
    elements = number(ctx, count, "the number of elements", 2, 1 << 16) if count is not None else 1
    _register(ctx, node, str(name), type_, rest, elements, None, {}, pending)


def declare_csr(ctx: Context, node: Tree[Token], pending: list[Pending]) -> None:
    """`csr NAME at A : bits(N) ...`, one or an array of them."""
    name, index, at, type_, *rest = node.children
    assert isinstance(type_, Tree)
    if not isinstance(index, Tree):
        return _register(ctx, node, str(name), type_, rest, 1, number(ctx, at, "a CSR address"), {}, pending)
    variable, first, last = index.children
    low = number(ctx, first, "the first index")
    high = number(ctx, last, "the last index", low, low + 4095)
    for step in range(low, high + 1):
        with ctx.scope(constants={str(variable): step}):
            if not attributes(ctx, rest).exists:
                continue
            address = number(ctx, at, "a CSR address")
            _register(ctx, node, f"{name}{step}", type_, rest, 1, address, {str(variable): step}, pending)


def _register(
    ctx: Context, node: Tree[Token], name: str, type_: Tree[Token], rest: Sequence[Node | None], count: int,
    address: int | None, index: dict[str, int], pending: list[Pending],
) -> None:  # fmt: skip
    more = attributes(ctx, rest)
    if not more.exists:
        ctx.absent[name] = "its `when` does not hold in this configuration"
        return
    fresh(ctx, node, name)
    if count > 1:
        refuse_others(ctx, more, "an array of registers", ("role", "names", "when"))
    else:
        refuse_others(ctx, more, "a register", ("role", "reset", "when", "min", "rw", "ro", "warl", "wlrl", "wpri"))
    width = bits_type(ctx, type_).width
    body = next((child for child in rest if isinstance(child, Tree) and child.data == "reg_body"), None)
    waiting = Pending(name, node, body, more, [], index, ctx.file)
    lines = [line for line in (body.children if body is not None else []) if isinstance(line, Tree) and line.data == "field"]
    fields: list[m.Field] = []
    for line in lines:
        with ctx.recover(line.children[0]):
            fields += _field(ctx, line, name, width, count, more, waiting)
    if not lines and not _computed(name, body):
        fields = [_whole(ctx, name, width, count, more, node)]
    _overlaps(ctx, fields)
    ctx.registers[name] = m.Register(
        name, width, count, tuple(fields), address, None, (), None, None, ctx.doc, ctx.span(node), names=more.names
    )
    pending.append(waiting)


def _computed(name: str, body: Tree[Token] | None) -> bool:
    """Whether a register without fields stores nothing: its `read` clause says what it is, without speaking of itself."""
    if body is None or not any(isinstance(line, Tree) and line.data == "read_rule" for line in body.children):
        return False
    return all(str(token) != name for token in body.scan_values(lambda token: isinstance(token, Token)))


def _whole(ctx: Context, name: str, width: int, count: int, more: Attributes, node: Node) -> m.Field:
    """A register without fields: one field, the whole."""
    made = m.Field("value", width - 1, 0, m.FieldKind.RW, name, None, None, None, more.role, "", ctx.span(node))
    made = _rule(ctx, made, more.access, width)
    if made.state is not None:
        _store(ctx, made, name, width, count, more, node)
    return made


def _field(
    ctx: Context, node: Tree[Token], owner: str, width: int, count: int, inherited: Attributes, waiting: Pending
) -> list[m.Field]:
    name, bounds, access, *rest = node.children
    more = attributes(ctx, rest, inherited.role)
    if not more.exists:
        ctx.absent[f"{owner}.{name}"] = "its `when` does not hold in this configuration"
        return []
    refuse_others(ctx, more, "a field", ("role", "when") if count > 1 else ("role", "reset", "when"))
    assert isinstance(bounds, Tree)
    top, bottom = bounds.children
    hi = number(ctx, top, "a bit number", 0, width - 1)
    lo = number(ctx, bottom, "a bit number", 0, hi) if bottom is not None else hi
    state = f"{owner}.{name}"
    made = m.Field(str(name), hi, lo, m.FieldKind.RW, state, None, None, None, more.role, "", ctx.span(node))
    made = _rule(ctx, made, access if isinstance(access, Tree) else None, hi - lo + 1)
    if made.state is not None:
        if more.reset is None and inherited.reset is not None:
            whole = reset_value(ctx, inherited.reset, m.Bits(width), width) or 0
            more.reset = Tree("int", [Token("INT", str(whole >> lo & (1 << (hi - lo + 1)) - 1))])
        _store(ctx, made, state, hi - lo + 1, count, more, node)
    if isinstance(access, Tree):
        waiting.fields.append((len(waiting.fields), node))
    return [made]


def _rule(ctx: Context, made: m.Field, access: Tree[Token] | None, width: int) -> m.Field:
    """The field's rule of access; expressions come later."""
    if access is None:
        return made
    match access.data, access.children:
        case "ro", [None]:
            return replace(made, kind=m.FieldKind.RO)
        case "ro", _:
            return replace(made, kind=m.FieldKind.RO, state=None, value=m.Literal(0, m.Bits(width)))
        case "warl", [choices, _]:
            assert isinstance(choices, Tree)
            return replace(made, kind=m.FieldKind.WARL, legal=set_of(ctx, choices, width))
        case "wlrl", [choices]:
            assert isinstance(choices, Tree)
            return replace(made, kind=m.FieldKind.WLRL, legal=set_of(ctx, choices, width))
        case "wpri", _:
            return replace(made, kind=m.FieldKind.WPRI, state=None)
    return made


def _store(ctx: Context, made: m.Field, name: str, width: int, count: int, more: Attributes, node: Node) -> None:
    if count > 1:
        index = max(1, (count - 1).bit_length())
        ctx.arrays[name] = m.Array(name, index, width, count, False, False, more.role, None, more.names, "", ctx.span(node))
    else:
        ctx.scalars[name] = scalar(ctx, name, m.Bits(width), more, made.legal, node)


def _overlaps(ctx: Context, fields: list[m.Field]) -> None:
    seen: list[m.Field] = []
    for made in fields:
        for other in seen:
            if made.lo <= other.hi and other.lo <= made.hi:
                ctx.report(
                    "E0204", f"fields `{made.name}` and `{other.name}` share bits", made.span, other=("the other", other.span)
                )
            if made.name == other.name:
                ctx.report("E0203", f"field `{made.name}` is declared twice", made.span, other=("first here", other.span))
        seen.append(made)


def declare_view(ctx: Context, node: Tree[Token], pending: list[Pending]) -> None:
    """`csr NAME at A views OTHER { FIELDS }`: the same stored fields, and no others."""
    name, at, other, fields, *rest = node.children
    if not attributes(ctx, rest).exists:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return
    fresh(ctx, node, str(name))
    if str(other) not in ctx.registers:
        ctx.unknown("register", str(other), node, list(ctx.registers))
    viewed = ctx.registers[str(other)]
    known = {made.name: made for made in viewed.fields}
    chosen = []
    assert isinstance(fields, Tree)
    for field_ in (str(child) for child in fields.children):
        if field_ in known:
            chosen.append(known[field_])
        elif f"{other}.{field_}" not in ctx.absent:
            ctx.unknown(f"field of {other}", field_, fields, list(known))
    address = number(ctx, at, "a CSR address")
    ctx.registers[str(name)] = m.Register(
        str(name), viewed.width, 1, tuple(chosen), address, None, (), None, None, ctx.doc, ctx.span(node)
    )


def finish(ctx: Context, waiting: Pending) -> None:
    """The expressions of a register: computed fields, WARL defaults, guards, `read` and `write`."""
    ctx.file = waiting.file
    register = ctx.registers[waiting.name]
    specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width()), "next_pc": m.Bits(ctx.pc_width())}
    with ctx.scope(constants=waiting.index, fresh=True, specials=specials):
        ctx.constants = dict(waiting.index)
        by_name = {str(node.children[0]): node for _, node in waiting.fields}
        fields = tuple(_finished(ctx, made, by_name.get(made.name), waiting) for made in register.fields)
        ctx.registers[waiting.name] = register = replace(register, fields=fields)
        lines = [line for line in (waiting.body.children if waiting.body else []) if isinstance(line, Tree)]
        guards, read, write = [], register.read, register.write
        for line in lines:
            with ctx.recover():
                match line.data, line.children:
                    case "guard", _:
                        guards.append(guard(ctx, line))
                    case "read_rule", [expr]:
                        read = check(ctx, expr, m.Bits(register.width))
                    case "write_rule", [parameter, body]:
                        with ctx.scope({str(parameter): m.Bits(register.width)}):
                            assert isinstance(body, Tree)
                            write = (str(parameter), block(ctx, body))
        mode = _min_mode(ctx, waiting)
        ctx.registers[waiting.name] = replace(register, guards=tuple(guards), read=read, write=write, min_mode=mode)


def _min_mode(ctx: Context, waiting: Pending) -> int | None:
    """The declared least mode; None when there is none, here or at all."""
    codes, named = dict(ctx.modes.members), waiting.more.min_mode
    if named is not None and str(named) not in codes and str(named) not in ctx.absent:
        ctx.unknown("mode", str(named), named, list(codes))
    return codes.get(str(named))


def _finished(ctx: Context, made: m.Field, node: Tree[Token] | None, waiting: Pending) -> m.Field:
    access = node.children[2] if node is not None else waiting.more.access
    bits = m.Bits(made.hi - made.lo + 1)
    with ctx.recover():
        match access:
            case Tree(data="ro", children=[expr]) if expr is not None:
                return replace(made, value=check(ctx, expr, bits))
            case Tree(data="warl", children=[_, otherwise]):
                return replace(made, otherwise=check(ctx, otherwise, bits))
    return made
