"""Causes, fault kinds, trap stacks, delegation, interrupts, translations and protections."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import number, truth
from popek_grammar.elaborate.context import Context, Node, names
from popek_grammar.elaborate.directions import check, condition, value
from popek_grammar.elaborate.places import place
from popek_grammar.elaborate.statements import assign, block, cause, fault_kind, statements
from popek_grammar.elaborate.types import bits_type

WORD = m.Bits(32)


def causes(ctx: Context, node: Tree[Token], before: m.Causes) -> m.Causes:
    """`causes (payload) { ... }`: the causes of this block after those of the blocks `before`."""
    members: list[m.CauseDef] = []
    for child in node.children:
        if isinstance(child, Tree) and child.data == "params":
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
    name, code = (child for child in node.children if isinstance(child, Token) and child.type in ("NAME", "INT"))
    # The word `interrupt` is not in the tree: it is there when the clause begins before the name does.
    return m.CauseDef(str(name), int(str(code)), node.meta.start_pos != name.start_pos, ctx.span(node))


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


# -- trap stacks -----------------------------------------------------------------------------------------------------


def trap_stack(ctx: Context, node: Tree[Token]) -> m.TrapStack:
    """Entry and return of a kind of trap, with the check that nothing entered is lost."""
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
    made = m.TrapStack(
        name,
        parts["vector"][0] if parts["vector"] else None,  # type: ignore[arg-type]
        tuple(parts["before"]), tuple(parts["save"]), tuple(parts["record"]), tuple(parts["enter"]),  # type: ignore[arg-type]
        tuple(parts["leave"]), tuple(parts["clobber"]), ctx.span(node.children[0]),  # type: ignore[arg-type]
    )  # fmt: skip
    _nothing_lost(ctx, made)
    return made


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


def _nothing_lost(ctx: Context, stack: m.TrapStack) -> None:
    """E412: every field that `enter` writes is saved or clobbered; and the stack sets a program counter."""
    kept = {name for save in stack.saves if save.restore is not None for name in written(save.restore)}
    kept |= set(stack.clobbers)
    for line in stack.enters:
        for name in written(line.place):
            if name not in kept:
                ctx.report(
                    "E0412", f"trap_stack {stack.name} changes {name} on entry and does not save it", line.span,
                    label="every field that `enter` writes must appear in `save` or `clobber`",
                    help=f"save {name} -> ...",
                )  # fmt: skip
    entered = {name for line in stack.enters for name in written(line.place)}
    if stack.vector is None and ctx.pc not in entered and ctx.pc in ctx.scalars:
        ctx.report("E0414", f"trap_stack {stack.name} has no `vector`, and no `enter` line sets {ctx.pc}", stack.span)


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
                case "level", [stack, *rest]:
                    level = _level(ctx, line, str(stack), rest)
                    levels += [level] if level is not None else []
    if pending is None:
        ctx.fail("E0415", "interrupts need a `pending` line", node)
    return m.Interrupts(pending, tuple(levels))


def _level(ctx: Context, line: Tree[Token], stack: str, rest: list[Node]) -> m.Level | None:
    if stack not in ctx.stacks.members:
        if stack in ctx.absent:
            return None
        ctx.unknown("trap stack", stack, line, list(ctx.stacks.members))
    *order, enable, when = rest
    for name in order:
        if str(name) not in ctx.causes:
            ctx.unknown("interrupt", str(name), line, [c.name for c in ctx.causes.values() if c.interrupt])
        ctx.names_used.add(f"cause {name}")
    made = [condition(ctx, part) if part is not None else None for part in (enable, when)]
    return m.Level(stack, tuple(str(name) for name in order), made[0], made[1], ctx.span(line))


# -- translation -----------------------------------------------------------------------------------------------------


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
    page = int(str(heads["page"].children[0])) if "page" in heads else 0
    codes = dict(ctx.modes.members)
    wanted = [mode for mode in names(modes) if mode in codes or mode not in ctx.absent]
    for mode in wanted:
        if mode not in codes:
            ctx.unknown("mode", mode, node, list(codes))
    va = int(str(width))
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
