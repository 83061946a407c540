"""Trap stacks, delegation and interrupts."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import exists
from popek_grammar.elaborate.context import Context, Node
from popek_grammar.elaborate.directions import check, condition, value
from popek_grammar.elaborate.places import place
from popek_grammar.elaborate.statements import assign, block, statements
from popek_grammar.examine.effects import nodes


def trap_stack(ctx: Context, node: Tree[Token]) -> m.TrapStack:
    """Entry and return of a kind of trap."""
    name = str(node.children[0])
    lines = [child for child in node.children if isinstance(child, Tree) and child.data != "block_open"]
    pc = m.Bits(ctx.pc_width())
    code = max((c.code.bit_length() for c in ctx.causes.values()), default=1) or 1
    specials: dict[str, m.Type] = {"cause.code": m.Bits(code), "cause.interrupt": m.Bool(), "next_pc": pc}
    specials |= {f"cause.{what}": m.Bits(width) for what, width in ctx.payload}
    parts: dict[str, list[object]] = {key: [] for key in ("vector", "before", "save", "record", "enter", "leave", "clobber")}
    with ctx.scope(fresh=True, specials=specials, returns=m.Unit()):
        before = [line for line in lines if line.data == "before"]
        for line in [*before, *(line for line in lines if line.data != "before")]:
            with ctx.recover():
                _trap_line(ctx, line, parts)
    return m.TrapStack(
        name,
        parts["vector"][0] if parts["vector"] else None,  # type: ignore[arg-type]
        tuple(parts["before"]), tuple(parts["save"]), tuple(parts["record"]), tuple(parts["enter"]),  # type: ignore[arg-type]
        tuple(parts["leave"]), tuple(parts["clobber"]), ctx.span(node.children[0]),  # type: ignore[arg-type]
        _finds(parts),
    )  # fmt: skip


def _finds(parts: dict[str, list[object]]) -> tuple[m.Let, ...]:
    """The `let`s of `before` by which a return finds what was saved, and those that `leave` lines use."""
    targets = [save.target for save in parts["save"] if isinstance(save, m.Save) and save.restore is not None]
    wanted, found = _locals([targets, parts["leave"]]), list[m.Let]()
    for statement in reversed(parts["before"]):
        if isinstance(statement, m.Let) and statement.name in wanted:
            found.append(statement)
            wanted |= _locals(statement.value)
    return tuple(reversed(found))


def _locals(root: object) -> set[str]:
    return {node.name for node in nodes(root) if isinstance(node, m.Local)}


def _trap_line(ctx: Context, line: Tree[Token], parts: dict[str, list[object]]) -> None:
    match line.data, line.children:
        case "vector", [expr]:
            parts["vector"].append(check(ctx, expr, m.Bits(ctx.pc_width())))
        case "before", [body]:
            assert isinstance(body, Tree)
            inner = [child for child in body.children if isinstance(child, Tree) and child.data != "block_open"]
            parts["before"].extend(statements(ctx, inner))
        case "save", [source, target]:
            parts["save"].append(_save(ctx, line, source, target))
        case ("record" | "enter") as kind, [target, expr]:
            parts[str(kind)].append(assign(ctx, line, target, expr))
        case "leave", [inner]:
            assert isinstance(inner, Tree)
            parts["leave"].extend(statements(ctx, [inner]))
        case "clobber", [dotted]:
            assert isinstance(dotted, Tree)
            for name in dotted.children:
                assert isinstance(name, Tree)
                parts["clobber"].append(_clobbered(ctx, name))


def _clobbered(ctx: Context, node: Tree[Token]) -> str:
    name = ".".join(str(part) for part in node.children)
    known = {*ctx.scalars, *ctx.arrays, *ctx.registers}
    if name not in known and name not in ctx.absent:
        ctx.unknown("state", name, node, known)
    return name


def _save(ctx: Context, line: Tree[Token], source: Node, target: Node) -> m.Save:
    where = place(ctx, target)
    made = value(ctx, source)
    restore: m.Place | None = None
    if _is_place(ctx, source):
        restore = place(ctx, source)
        ctx.names_used |= set(written(where))  # read again by return_from
    width = ctx.width(made.type)
    narrow = isinstance(made.type, m.Mode)
    if width != where.width and not narrow:
        ctx.report("E0413", f"saves {width} bits in {where.width}", line, help="a save must lose nothing")
    return m.Save(made, restore, where, ctx.span(line))


def _is_place(ctx: Context, node: Node) -> bool:
    """A saved expression that is a place is restored on return."""
    if not isinstance(node, Tree):
        return False
    match node.data, node.children:
        case "name", [name]:
            return str(name) in ctx.scalars or str(name) in ctx.registers
        case (("concat" | "lvalue"), parts):
            return all(_is_place(ctx, part) for part in parts)
        case (("field_of" | "index" | "slice"), [inner, *_]):
            return (
                isinstance(inner, Tree)
                and (inner.data != "name" or str(inner.children[0]) not in ctx.locals)
                and (not (inner.data == "name" and str(inner.children[0]) == "cause"))
            )
    return False


def written(where: m.Place) -> list[str]:
    """The pieces of state that a place is."""
    match where:
        case m.ScalarPlace(name):
            return [name]
        case m.ElementPlace(array):
            return [array]
        case m.RegisterPlace(register):
            return [register]
        case m.SlicePlace(inner):
            return written(inner)
        case m.ConcatPlace(parts):
            return [name for part in parts for name in written(part)]


def delegate(ctx: Context, node: Tree[Token]) -> tuple[m.Stmt, ...]:
    code = max((c.code.bit_length() for c in ctx.causes.values()), default=1) or 1
    specials: dict[str, m.Type] = {"cause.code": m.Bits(code), "cause.interrupt": m.Bool()}
    body = node.children[0]
    assert isinstance(body, Tree)
    with ctx.scope(fresh=True, specials=specials, returns=ctx.stacks):
        return block(ctx, body)


def interrupts(ctx: Context, node: Tree[Token]) -> m.Interrupts:
    """`interrupts { pending ..; level .. }`."""
    pending: m.Expr | None = None
    levels: list[m.Level] = []
    with ctx.scope(fresh=True):
        for line in (child for child in node.children if isinstance(child, Tree)):
            match line.data, line.children:
                case "pending", [expr]:
                    pending = value(ctx, expr)
                case "level", [stack, when, *rest]:
                    if exists(ctx, when):
                        levels.append(_level(ctx, line, str(stack), rest))
    if pending is None:
        ctx.fail("E0415", "interrupts need a `pending` line", node)
    return m.Interrupts(pending, tuple(levels))


def _level(ctx: Context, line: Tree[Token], stack: str, rest: list[Node]) -> m.Level:
    if stack not in ctx.stacks.members:
        if stack in ctx.absent:
            hint = f"level {stack} when E : ..., with the condition of the trap stack, if its interrupts go with it"
            ctx.fail("E0418", f"trap_stack {stack}, to which these interrupts go, is not in this configuration", line, help=hint)
        ctx.unknown("trap stack", stack, line, list(ctx.stacks.members))
    *order, enable, when = rest
    for name in order:
        if str(name) not in ctx.causes:
            ctx.unknown("interrupt", str(name), line, [c.name for c in ctx.causes.values() if c.interrupt])
        ctx.names_used.add(f"cause {name}")
    made = [condition(ctx, part) if part is not None else None for part in (enable, when)]
    return m.Level(stack, tuple(str(name) for name in order), made[0], made[1], ctx.span(line))
