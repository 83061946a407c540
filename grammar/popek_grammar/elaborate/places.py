"""Names, fields, elements and slices: what they read, and what they are as places to write."""

from __future__ import annotations

from typing import Never

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import constant, number
from popek_grammar.elaborate.context import PAYLOAD, Abandon, Context, Node, show
from popek_grammar.elaborate.directions import BOOL, infer, sized, value


def read(ctx: Context, node: Node) -> m.Expr:
    """The value of a name, a field, an element or a slice."""
    assert isinstance(node, Tree)
    match node.data, node.children:
        case "name", [token]:
            return _name(ctx, node, str(token))
        case "field_of", [Tree(data="name", children=[owner]), field]:
            if f"{owner}.{field}" in ctx.specials:
                return m.Builtin(f"{owner}.{field}", (), ctx.specials[f"{owner}.{field}"])
            if (
                str(owner) == "cause"
                and "cause.code" in ctx.specials
                and "cause" not in (*ctx.locals, *ctx.registers, *ctx.scalars)
            ):
                _no_payload(ctx, node, str(field))
            if str(owner) in ctx.registers and str(owner) not in ctx.locals:
                return _register_field(ctx, node, ctx.registers[str(owner)], str(field))
            return _layout_field(ctx, node, node.children[0], str(field))
        case "field_of", [Tree(data="index", children=[Tree(data="name", children=[owner]), index]), field] if _is_register_array(
            ctx, str(owner)
        ):
            place = ctx.registers[str(owner)]
            found = _field(ctx, node, place, str(field))
            at = element_index(ctx, index, place.count, place.name)
            if found.value is not None:
                return found.value
            return m.ReadElement(_stored(ctx, node, place, found), at, m.Bits(found.hi - found.lo + 1))
        case "field_of", [inner, field]:
            return _layout_field(ctx, node, inner, str(field))
        case "index", [Tree(data="name", children=[owner]), index] if str(owner) not in ctx.locals and (
            str(owner) in ctx.arrays or _is_register_array(ctx, str(owner))
        ):
            return _element(ctx, str(owner), index)
        case "index", [inner, index]:
            return _bit(ctx, inner, index)
        case (("slice" | "slice_from"), [Tree(data="name", children=[owner]), *_]) if _is_array(ctx, str(owner)):
            _no_slices(ctx, node, str(owner))
        case "slice", [inner, hi, lo]:
            operand = value(ctx, inner)
            top, bottom = _bounds(ctx, node, operand, hi, lo)
            return m.Slice(operand, top, bottom, m.Bits(top - bottom + 1))
        case "slice_from", [inner, start, width]:
            return _slice_from(ctx, inner, start, width)
        case "range_of", _:
            ctx.fail("E0269", "a range of elements is no value", node, help="it is compared, on the left: open[0..7] == 0")
    ctx.fail("E0260", "this is not a value", node)


def _is_register_array(ctx: Context, name: str) -> bool:
    return name in ctx.registers and ctx.registers[name].count > 1 and name not in ctx.locals


def _no_payload(ctx: Context, node: Node, name: str) -> Never:
    if PAYLOAD in ctx.broken:
        raise Abandon  # what it may carry is not known
    ctx.unknown("part of a trap", f"cause.{name}", node, [known for known in ctx.specials if known.startswith("cause.")])


def _is_array(ctx: Context, name: str) -> bool:
    return name not in ctx.locals and (name in ctx.arrays or _is_register_array(ctx, name))


def _no_slices(ctx: Context, node: Tree[Token], name: str) -> Never:
    """E0268. Elements stand side by side in what is written, not in a slice."""
    what = "memory" if name in ctx.arrays and ctx.arrays[name].memory else f"`{name}`, an array,"
    first, second = (constant(ctx, part) for part in node.children[1:])
    hint = f"write {name}[i] @ {name}[i + 1]"
    if first is not None and second is not None:
        last = second if node.data == "slice" else first + second - 1
        steps = range(first, last + 1) if first <= last else range(first, last - 1, -1)
        hint = f"write {' @ '.join(f'{name}[{step}]' for step in steps[:8])}"
    ctx.fail("E0268", f"{what} has no slices", node, help=hint)


def _name(ctx: Context, node: Node, name: str) -> m.Expr:
    ctx.names_used.add(name)
    if name in ctx.locals:
        return m.Local(name, ctx.locals[name])
    if name in ctx.specials:
        return m.Builtin(name, (), ctx.specials[name])
    if name in ctx.scalars:
        return m.ReadScalar(name, ctx.scalars[name].type)
    if name in ctx.registers:
        register = ctx.registers[name]
        if register.count > 1:
            ctx.fail("E0261", f"`{name}` is an array of registers", node, help=f"write {name}[i]")
        ctx.names_used |= {field.state for field in register.fields if field.state is not None}
        return m.ReadRegister(name, None, m.Bits(register.width))
    if name in ctx.arrays:
        ctx.fail("E0261", f"`{name}` is an array", node, help=f"write {name}[i]")
    modes = dict(ctx.modes.members)
    if name in modes:
        return m.Literal(modes[name], m.Mode())
    if name in ctx.extensions:
        return m.Literal(int(ctx.extensions[name]), BOOL)
    ctx.unknown(
        "name", name, node, [*ctx.locals, *ctx.specials, *ctx.scalars, *ctx.registers, *ctx.arrays, *modes, *ctx.parameters]
    )


def _field(ctx: Context, node: Node, register: m.Register, name: str) -> m.Field:
    for field in register.fields:
        if field.name == name:
            return field
    if f"{register.name}.{name}" in ctx.absent:
        ctx.fail("E0202", f"field `{register.name}.{name}` does not exist here", node, help=ctx.absent[f"{register.name}.{name}"])
    ctx.unknown(f"field of {register.name}", name, node, [field.name for field in register.fields])


def _one(ctx: Context, node: Node, register: m.Register, name: str) -> m.Field:
    """A field of a register that stands alone."""
    if register.count > 1:
        ctx.fail("E0261", f"`{register.name}` is an array of registers", node, help=f"write {register.name}[i].{name}")
    return _field(ctx, node, register, name)


def _register_field(ctx: Context, node: Node, register: m.Register, name: str) -> m.Expr:
    field = _one(ctx, node, register, name)
    ctx.names_used.add(field.state or f"{register.name}.{name}")
    if field.value is not None:
        return field.value
    width = field.hi - field.lo + 1
    if field.state is None:
        return m.Literal(0, m.Bits(width))
    return m.ReadScalar(field.state, m.Bits(width))


def _stored(ctx: Context, node: Node, register: m.Register, field: m.Field) -> str:
    if field.state is None:
        ctx.fail("E0262", f"field `{register.name}.{field.name}` stores nothing", node, help="it is read-only")
    ctx.names_used.add(field.state)
    return field.state


def _layout_field(ctx: Context, node: Node, inner: Node, name: str) -> m.Expr:
    operand = infer(ctx, inner)
    if not isinstance(operand.type, m.Bits) or operand.type.layout is None:
        ctx.fail("E0263", f"{show(operand.type)} has no fields", node)
    layout = ctx.layouts[operand.type.layout]
    for field, hi, lo in layout.fields:
        if field == name:
            return m.Slice(operand, hi, lo, m.Bits(hi - lo + 1))
    ctx.unknown(f"field of {layout.name}", name, node, [field for field, _, _ in layout.fields])


def element_index(ctx: Context, node: Node, count: int, name: str) -> m.Expr:
    """An index: a constant below the count, or bits."""
    known = constant(ctx, node)
    if known is not None:
        if not 0 <= known < count:
            ctx.fail("E0264", f"{name} has {count} elements; there is none at {known}", node)
        return m.Literal(known, m.Bits(max(1, (count - 1).bit_length())))
    found = sized(ctx, node, max(1, (count - 1).bit_length()))
    if not isinstance(found.type, m.Bits):
        ctx.fail("E0234", f"an index is bits, not {show(found.type)}", node)
    return found


def _element(ctx: Context, name: str, index: Node) -> m.Expr:
    ctx.names_used.add(name)
    if name in ctx.registers:
        register = ctx.registers[name]
        return m.ReadRegister(name, element_index(ctx, index, register.count, name), m.Bits(register.width))
    array = ctx.arrays[name]
    return m.ReadElement(name, element_index(ctx, index, array.count, name), m.Bits(array.width))


def _bit(ctx: Context, inner: Node, index: Node) -> m.Expr:
    operand = value(ctx, inner)
    known = constant(ctx, index)
    if known is None:
        return m.SliceFrom(operand, sized(ctx, index, ctx.width(operand.type)), m.Bits(1))
    top, _ = _bounds(ctx, index, operand, index, index)
    return m.Slice(operand, top, top, m.Bits(1))


def _bounds(ctx: Context, node: Node, operand: m.Expr, hi: Node, lo: Node) -> tuple[int, int]:
    if not isinstance(operand.type, m.Bits):
        ctx.fail("E0234", f"a slice of {show(operand.type)}", node)
    return slice_bounds(ctx, node, operand.type.width, hi, lo)


def slice_bounds(ctx: Context, node: Node, width: int, hi: Node, lo: Node) -> tuple[int, int]:
    """Constant bounds of a slice within `width` bits."""
    top = number(ctx, hi, "the upper bound of a slice")
    bottom = number(ctx, lo, "the lower bound of a slice")
    if not 0 <= bottom <= top < width:
        ctx.fail("E0265", f"[{top}:{bottom}] is not a slice of {width} bits", node, help="bits are numbered from 0")
    return top, bottom


def _slice_from(ctx: Context, inner: Node, start: Node, width: Node) -> m.Expr:
    operand = value(ctx, inner)
    count = number(ctx, width, "the width of a slice", 1, 4096)
    known = constant(ctx, start)
    if known is not None and isinstance(operand.type, m.Bits):
        if known + count > operand.type.width:
            ctx.fail("E0265", f"[{known} +: {count}] is not a slice of {operand.type.width} bits", start)
        return m.Slice(operand, known + count - 1, known, m.Bits(count))
    return m.SliceFrom(operand, sized(ctx, start, ctx.width(operand.type)), m.Bits(count))


# -- places ----------------------------------------------------------------------------------------------------------


def place(ctx: Context, node: Node) -> m.Place:
    """An `lvalue`, or a postfix expression, as a place to write."""
    assert isinstance(node, Tree)
    if node.data == "lvalue":
        parts = [place(ctx, part) for part in node.children]
        return parts[0] if len(parts) == 1 else m.ConcatPlace(tuple(parts), sum(part.width for part in parts))
    match node.data, node.children:
        case "concat", [left, right]:
            high, low = place(ctx, left), place(ctx, right)
            return m.ConcatPlace((high, low), high.width + low.width)
        case "name", [token]:
            return _named_place(ctx, node, str(token))
        case "field_of", [Tree(data="name", children=[owner]), field] if str(owner) in ctx.registers:
            register = ctx.registers[str(owner)]
            found = _one(ctx, node, register, str(field))
            return m.ScalarPlace(_written(ctx, node, register, found), found.hi - found.lo + 1)
        case "field_of", [Tree(data="index", children=[Tree(data="name", children=[owner]), index]), field] if _is_register_array(
            ctx, str(owner)
        ):
            register = ctx.registers[str(owner)]
            found = _field(ctx, node, register, str(field))
            at = element_index(ctx, index, register.count, register.name)
            return m.ElementPlace(_written(ctx, node, register, found), at, found.hi - found.lo + 1)
        case "index", [Tree(data="name", children=[owner]), index] if str(owner) in ctx.arrays:
            array = ctx.arrays[str(owner)]
            ctx.names_used.add(f"write {owner}")
            return m.ElementPlace(array.name, element_index(ctx, index, array.count, array.name), array.width)
        case "index", [Tree(data="name", children=[owner]), index] if _is_register_array(ctx, str(owner)):
            register = ctx.registers[str(owner)]
            return m.RegisterPlace(register.name, element_index(ctx, index, register.count, register.name), register.width)
        case "index", [inner, index]:
            outer = place(ctx, inner)
            top, bottom = slice_bounds(ctx, node, outer.width, index, index)
            return m.SlicePlace(outer, top, bottom, 1)
        case (("slice" | "slice_from"), [Tree(data="name", children=[owner]), *_]) if _is_array(ctx, str(owner)):
            _no_slices(ctx, node, str(owner))
        case "slice", [inner, hi, lo]:
            outer = place(ctx, inner)
            top, bottom = slice_bounds(ctx, node, outer.width, hi, lo)
            return m.SlicePlace(outer, top, bottom, top - bottom + 1)
    _known_owner(ctx, node)
    ctx.fail("E0266", "this cannot be assigned to", node, help="state, its fields, elements and slices can")


def _known_owner(ctx: Context, node: Node) -> None:
    """What is wrong may be the name that a field or element is of."""
    while isinstance(node, Tree) and node.data in ("field_of", "index", "slice"):
        inner = node.children[0]
        assert isinstance(inner, Tree)
        node = inner
    if isinstance(node, Tree) and node.data == "name":
        name, known = str(node.children[0]), [*ctx.scalars, *ctx.registers, *ctx.arrays]
        if name not in known and name not in ctx.locals:
            ctx.unknown("state", name, node, known)


def _named_place(ctx: Context, node: Node, name: str) -> m.Place:
    if name in ctx.registers and ctx.registers[name].count > 1 and name not in ctx.locals:
        ctx.fail("E0261", f"`{name}` is an array of registers", node, help=f"write {name}[i]")
    if name in ctx.locals:
        ctx.fail("E0267", f"`{name}` is bound by `let` or is an operand; only state changes", node, help=f"let {name} = ...")
    if name in ctx.scalars:
        ctx.names_used.add(f"write {name}")
        return m.ScalarPlace(name, ctx.scalars[name].width)
    if name in ctx.registers:
        ctx.names_used |= {f"write {field.state}" for field in ctx.registers[name].fields}
        return m.RegisterPlace(name, None, ctx.registers[name].width)
    ctx.unknown("state", name, node, [*ctx.scalars, *ctx.registers, *ctx.arrays])


def _written(ctx: Context, node: Node, register: m.Register, field: m.Field) -> str:
    if field.state is None:
        ctx.fail("E0262", f"field `{register.name}.{field.name}` stores nothing", node, help="it is read-only")
    ctx.names_used.add(f"write {field.state}")
    return field.state
