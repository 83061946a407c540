"""What stands around the processor, for programs to run: regions of memory and devices, their wires, clocks."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import constant, exists, literal
from popek_grammar.elaborate.context import Context, names, text_of
from popek_grammar.elaborate.places import place
from popek_grammar.elaborate.work import Work


def platform(work: Work) -> None:
    """Regions and what they are wired to, clocks, the devicetree."""
    ctx, draft = work.ctx, work.draft
    for node in work.each("region"):
        with ctx.recover():
            _region(ctx, node, draft.regions)
    _wires_lead_somewhere(ctx, draft.regions)
    for node in work.each("mapped"):
        with ctx.recover():
            _mapped(ctx, node, draft.mapped)
    for node in work.each("clock"):
        with ctx.recover():
            draft.clocks.extend(_clocks(ctx, node))
    for node in work.each("devicetree"):
        with ctx.recover():
            draft.devicetree = _devicetree(ctx, node) or draft.devicetree


def _region(ctx: Context, node: Tree[Token], known: dict[str, m.Region]) -> None:
    """Added to `known` if it is there in this configuration."""
    name, at, size, kind, device, when, wires = node.children
    if not exists(ctx, when):
        return
    start, count = constant(ctx, at), constant(ctx, size)
    if start is None or count is None or start < 0 or count < 1:
        ctx.fail("E0434", "a region starts at a constant address and has a constant size of at least 1", node)
    if (str(kind), device is None) not in (("ram", True), ("io", False)):
        ctx.fail("E0435", "a region is `ram`, or `io` and the kind of its device", node)
    if any(start < other.at + other.size and other.at < start + count for other in known.values()):
        ctx.fail("E0436", f"region `{name}` overlaps another", node)
    memory = next((array for array in ctx.arrays.values() if array.memory), None)
    if memory is None or start + count > 1 << memory.index_width:
        ctx.fail("E0437", f"region `{name}` lies outside the memory's addresses", node)
    listed = wires.children if isinstance(wires, Tree) else ()
    made = tuple(_wire(ctx, each) for each in listed if isinstance(each, Tree))
    known[str(name)] = m.Region(str(name), start, count, None if device is None else str(device), ctx.span(node), made)


def _mapped(ctx: Context, node: Tree[Token], known: list[m.Mapped]) -> None:
    """State that lies in memory; added to `known` if it is there in this configuration."""
    name, at, target, when = node.children
    if not exists(ctx, when):
        return
    array = ctx.arrays.get(str(name))
    if array is None or not array.memory:
        ctx.unknown("memory", str(name), node, [each.name for each in ctx.arrays.values() if each.memory])
    found, start = place(ctx, target), constant(ctx, at)
    if found.width % array.width:
        ctx.fail("E0464", f"`{name}` has cells of {array.width} bits; {found.width} bits fill no number of them", target)
    last = (start or 0) + found.width // array.width
    if start is None or start < 0 or last > 1 << array.index_width:
        ctx.fail("E0437", f"mapped state lies at a constant address of `{name}`", at)
    beside = [other for other in known if other.array == array.name]
    if any(start < other.at + other.place.width // array.width and other.at < last for other in beside):
        ctx.fail("E0436", "this overlaps other mapped state", node)
    known.append(m.Mapped(array.name, start, found, ctx.span(node)))


def _wire(ctx: Context, node: Tree[Token]) -> m.Wire:
    """`pin -> state`, or `pin -> region number`."""
    pin, target, line = node.children
    assert isinstance(target, Tree)
    if line is None:
        found = place(ctx, target)
        if not isinstance(found, m.ScalarPlace):
            ctx.fail("E0438", "a wire leads to a plain piece of state, or to a region and the number of its line", node)
        return m.Wire(str(pin), found.name, None, ctx.span(node))
    if target.data != "name":
        ctx.fail("E0438", "the number of a line goes with the name of a region", node)
    return m.Wire(str(pin), str(target.children[0]), literal(line), ctx.span(node))


def _wires_lead_somewhere(ctx: Context, regions: dict[str, m.Region]) -> None:
    for region in regions.values():
        for wire in region.wires:
            other = regions.get(wire.target)
            if wire.line is not None and (other is None or other.device is None):
                ctx.report("E0438", f"the wire leads to `{wire.target}`, and no device's region is called so", wire.span)


def _clocks(ctx: Context, node: Tree[Token]) -> list[m.Clock]:
    """State that advances by one with every step."""
    listed, completed = node.children
    made = []
    for name in names(listed):
        scalar = ctx.scalars.get(name)
        if scalar is None:
            ctx.unknown("state", name, node, list(ctx.scalars))
        if scalar.width != 64 or scalar.legal is not None:
            ctx.fail("E0439", f"a clock has 64 bits, all of them free; `{name}` has {scalar.width}", node)
        made.append(m.Clock(name, completed is not None, ctx.span(node)))
    return made


def _devicetree(ctx: Context, node: Tree[Token]) -> m.Devicetree | None:
    text, at, target, when = node.children
    if not exists(ctx, when):
        return None
    start = constant(ctx, at)
    if start is None or start < 0:
        ctx.fail("E0434", "a devicetree lies at a constant address", node)
    assert isinstance(target, Tree)
    match place(ctx, target):
        case m.ScalarPlace(name=name):
            return m.Devicetree(text_of(text), start, name, 0, ctx.span(node))  # type: ignore[arg-type]
        case m.ElementPlace(array=name, index=m.Literal(value=index)):
            return m.Devicetree(text_of(text), start, name, index, ctx.span(node))  # type: ignore[arg-type]
    ctx.fail("E0438", "a devicetree's address goes to a plain piece of state, or to an element with a constant index", node)
