"""Popek and Goldberg's f: where the host has each piece of a guest's state while the guest runs."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import truth
from popek_grammar.elaborate.context import Context, Node, text, trees, words
from popek_grammar.elaborate.directions import check, condition
from popek_grammar.elaborate.places import place
from popek_grammar.elaborate.types import bits_type


def placement(ctx: Context, node: Tree[Token], source: str) -> m.Placement | None:
    """One `placement`; None where its `when` does not hold. `source` is the file's text, for the author's own words."""
    named, when, *lines = node.children
    name = text(named) if named is not None else ""
    if when is not None and truth(ctx, when) is False:
        ctx.absent[name] = "its `when` does not hold in this configuration"
        return None
    return placed(ctx, name, node, [child for child in lines if isinstance(child, Tree)], source)


def placed(ctx: Context, name: str, node: Tree[Token], lines: Sequence[Tree[Token]], source: str) -> m.Placement:
    """The placement that `lines` say, which stand in the declaration `node`."""
    draft = _Draft(ctx, source)
    used = set(ctx.names_used)
    with ctx.scope(fresh=True):
        for line in lines:
            with ctx.recover():
                draft.line(line)
    unused = set(draft.parameters) - ctx.names_used
    ctx.names_used.clear()  # to be held somewhere is neither a use nor a write
    ctx.names_used |= used
    made = draft.made(name, ctx.span(node))
    for parameter in sorted(unused):
        ctx.report("E0460", f"`{parameter}` is in no line of the placement, and has no effect", node)
    for held in made.held:
        if held.target in (*made.through, *made.apart):
            other = "let through, and the guest's own" if held.target in made.through else "the monitor's"
            ctx.report("E0488", f"`{held.place}` is held here, and {other} by another line", held.span, help="one of the two")
    return made


class _Draft:
    """A placement as far as its lines have been read."""

    def __init__(self, ctx: Context, source: str) -> None:
        self.ctx, self.source = ctx, source
        self.parameters: dict[str, int] = {}
        self.held: list[m.Held] = []
        self.through: list[str] = []
        self.apart: list[str] = []
        self.where: list[m.Expr] = []
        self.where_at: list[m.Span] = []
        self.memory: tuple[str, m.Expr, m.Expr] | None = None
        self.lines: list[str] = []

    def made(self, name: str, span: m.Span) -> m.Placement:
        return m.Placement(
            name, tuple(self.parameters.items()), tuple(self.held), tuple(self.through), tuple(self.apart), tuple(self.where),
            self.memory, tuple(self.where_at), tuple(self.lines), span,
        )  # fmt: skip

    def line(self, line: Tree[Token]) -> None:
        ctx = self.ctx
        match line.data, line.children:
            case "place_param", [name, type_]:
                found = bits_type(ctx, type_)  # type: ignore[arg-type]
                self.parameters[str(name)] = found.width
                ctx.locals = {**ctx.locals, str(name): found}
            case "place_map", [target, expr]:
                self._hold(target, expr, line)
            case "place_bank", [target, subject, *arms]:
                rest = Tree("arm", [Tree("patterns", [Tree("wildcard", [])]), target.children[0]])  # type: ignore[union-attr]
                match_ = Tree("match_expr", [subject, *arms, rest], line.meta)
                self._hold(target, match_, line)  # type: ignore[arg-type]
            case "place_through", [listed]:
                self.through += [name for each in trees(listed) for name in self._pieces(each, guest=False)]
            case "place_virtual", [listed]:
                self.apart += [name for each in trees(listed) for name in self._pieces(each, guest=True)]
            case "place_where", [expr]:
                self.where.append(condition(ctx, expr))
                self.where_at.append(ctx.span(line))
            case "place_memory", [name, base, size]:
                self._relocate(line, str(name), base, size)
        self.lines.append(words(self.source, line))

    def _hold(self, target: Node, expr: Node, line: Tree[Token]) -> None:
        """The host has `target` at an expression over the guest's state; a whole register field by field."""
        ctx, found = self.ctx, place(self.ctx, target)
        match found:
            case m.ScalarPlace(name):
                made = [m.Held(name, None, check(ctx, expr, m.Bits(found.width)), ctx.span(line))]
            case m.ElementPlace(array, m.Literal(index)):
                made = [m.Held(array, index, check(ctx, expr, m.Bits(found.width)), ctx.span(line))]
            case m.RegisterPlace(name, None):
                whole = check(ctx, expr, m.Bits(found.width))
                made = [
                    m.Held(field.state, None, m.Slice(whole, field.hi, field.lo, m.Bits(field.hi - field.lo + 1)), ctx.span(line))
                    for field in ctx.registers[name].fields
                    if field.state is not None
                ]
            case _:
                ctx.fail(
                    "E0266", "`host` places a plain piece of state, a register, or the element of a constant number", target,
                    help="host usp = .., host mstatus.MIE = .., host SP[0] = ..",
                )  # fmt: skip
        for one in made:
            if any((other.target, other.index) == (one.target, one.index) for other in self.held):
                ctx.fail("E0461", f"`{one.place}` is placed twice", target, help="a piece of state lies in one place")
            if self._role(one.target) is m.Role.MODE:
                ctx.fail(
                    "E0462", f"`{one.place}` is the mode: `for GUEST at HOST`, or a monitor's `run`, says the real one", target
                )
            if self._role(one.target) is m.Role.GUEST and one.is_identity:
                ctx.fail("E0463", f"`{one.place}` lies in place as it is: the line has no effect", line)
        self.held += made

    def _pieces(self, node: Tree[Token], guest: bool) -> list[str]:
        """The pieces of state that a name stands for, of which the line says something: all of a register's fields."""
        ctx, name = self.ctx, ".".join(str(part) for part in node.children)
        if name in ctx.registers:
            found = [field.state for field in ctx.registers[name].fields if field.state is not None]
        else:
            found = [name]
        known = [*ctx.scalars, *ctx.arrays]
        if any(piece not in known for piece in found):
            ctx.unknown("state", name, node, [*known, *ctx.registers])
        told = [piece for piece in found if (self._role(piece) is m.Role.GUEST) is guest]
        if not told:
            already = "lies in place as it is" if not guest else "is the monitor's as it is"
            ctx.fail("E0463", f"`{name}` {already}: the line has no effect", node)
        if any(self._role(piece) is m.Role.MODE for piece in told):
            ctx.fail("E0462", f"`{name}` is the mode: `for GUEST at HOST`, or a monitor's `run`, says the real one", node)
        return told

    def _role(self, name: str) -> m.Role:
        ctx = self.ctx
        return ctx.scalars[name].role if name in ctx.scalars else ctx.arrays[name].role

    def _relocate(self, line: Tree[Token], name: str, base: Node, size: Node) -> None:
        ctx = self.ctx
        if name not in ctx.arrays or not ctx.arrays[name].memory:
            ctx.unknown("memory", name, line, [array.name for array in ctx.arrays.values() if array.memory])
        if self.memory is not None:
            ctx.fail("E0461", f"`{name}` is placed twice", line, help="a piece of state lies in one place")
        width = m.Bits(ctx.arrays[name].index_width)
        self.memory = (name, check(ctx, base, width), check(ctx, size, width))
