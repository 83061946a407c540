"""Statements: bodies of instructions, functions, translations and traps."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.calls import EFFECTS, call
from popek_grammar.elaborate.constants import MOST_BITS, number, truth
from popek_grammar.elaborate.context import PAYLOAD, Abandon, Context, Node, show, tree
from popek_grammar.elaborate.directions import check, condition, sized, value
from popek_grammar.elaborate.matching import exhaustive, patterns
from popek_grammar.elaborate.places import place
from popek_grammar.elaborate.types import type_of


def block(ctx: Context, node: Tree[Token]) -> tuple[m.Stmt, ...]:
    """The statements of a `{ }` block, in a scope of their own."""
    with ctx.scope():
        return statements(ctx, _inside(node))


def _inside(node: Tree[Token]) -> list[Tree[Token]]:
    return [child for child in node.children if isinstance(child, Tree) and child.data != "block_open"]


def statements(ctx: Context, nodes: Sequence[Tree[Token]]) -> tuple[m.Stmt, ...]:
    """Statements in order; each `let` is seen by those after it. A wrong one is reported and left out."""
    made: list[m.Stmt] = []
    for node in nodes:
        with ctx.recover(node.children[0] if node.data == "let" else None):
            made.extend(statement(ctx, node))
    return tuple(made)


def statement(ctx: Context, node: Tree[Token]) -> list[m.Stmt]:
    """One statement; a loop becomes its copies."""
    match node.data, node.children:
        case "let", [name, type_, expr]:
            return [let(ctx, str(name), tree(type_) if type_ is not None else None, expr)]
        case "assign", [target, expr]:
            return [assign(ctx, node, target, expr)]
        case "fields_assign", [target, fields, expr]:
            return _fields(ctx, node, tree(target), tree(fields), expr)
        case "if_stmt", [test, yes, no]:
            return _if(ctx, test, tree(yes), tree(no) if no is not None else None)
        case "match_stmt", [subject, *arms]:
            return [_match(ctx, node, subject, arms)]
        case "for_stmt", [name, first, last, body]:
            return _for(ctx, node, str(name), first, last, tree(body))
        case "guard", [test, cause_]:
            return [guard(ctx, node)]
        case "trap", [cause_]:
            return [m.Trap(cause(ctx, tree(cause_)))]
        case "return_stmt", [expr]:
            return [m.Return(_returned(ctx, node, expr))]
        case "yield_stmt", [expr]:
            return [m.Return(_returned(ctx, node, expr))]
        case "next_stmt", [expr]:
            return [m.Next(_next(ctx, expr))]
        case "fault", [kind]:
            return [m.Fault(fault_kind(ctx, node, str(kind)), ctx.span(node))]
        case "return_from", [stack]:
            if str(stack) not in ctx.stacks.members:
                ctx.unknown("trap stack", str(stack), node, list(ctx.stacks.members))
            ctx.names_used.add(f"return_from {stack}")
            return [m.ReturnFrom(str(stack))]
        case "call_stmt", [expr]:
            return [_call(ctx, node, expr)]
    ctx.fail("E0270", f"`{node.data}` is not a statement here", node)


def let(ctx: Context, name: str, type_: Tree[Token] | None, expr: Node) -> m.Let:
    """`let x = e`, or `let x : T = e`, where x is a T: its fields are those of the layout T."""
    written = type_of(ctx, type_) if type_ is not None else None
    made = check(ctx, expr, written) if written is not None else value(ctx, expr)
    ctx.locals = {**ctx.locals, name: written or made.type}
    return m.Let(name, made)


def assign(ctx: Context, node: Node, target: Node, expr: Node) -> m.Assign:
    where = place(ctx, target)
    return m.Assign(where, _for_place(ctx, where, expr), ctx.span(node))


def _for_place(ctx: Context, where: m.Place, expr: Node) -> m.Expr:
    if isinstance(where, m.ScalarPlace):
        type_ = ctx.scalars[where.name].type
        return check(ctx, expr, type_ if not isinstance(type_, m.Bits) else m.Bits(where.width))
    return check(ctx, expr, m.Bits(where.width))


def _fields(ctx: Context, node: Node, target: Tree[Token], fields: Tree[Token], expr: Node) -> list[m.Stmt]:
    """`R.{A, B} = v`: each field takes its own bits of v."""
    name = str(target.children[0]) if target.data == "name" else ""
    if name not in ctx.registers:
        ctx.fail("E0271", "`.{ }` follows the name of a register", node)
    register = ctx.registers[name]
    source = check(ctx, expr, m.Bits(register.width))
    known = {field.name: field for field in register.fields}
    made: list[m.Stmt] = [m.Let("%fields", source)]
    for field in (str(child) for child in fields.children):
        if field not in known:
            ctx.unknown(f"field of {name}", field, fields, list(known))
        found = known[field]
        if found.state is not None:
            bits = m.Bits(found.hi - found.lo + 1)
            ctx.names_used.add(f"write {found.state}")
            part = m.Slice(m.Local("%fields", source.type), found.hi, found.lo, bits)
            made.append(m.Assign(m.ScalarPlace(found.state, bits.width), part, ctx.span(node)))
    return [m.If(m.Literal(1, m.Bool()), tuple(made), ())]


def _if(ctx: Context, test: Node, yes: Tree[Token], no: Tree[Token] | None) -> list[m.Stmt]:
    known = truth(ctx, test)
    if known is not None:
        taken = yes if known else no
        return [] if taken is None else [m.If(m.Literal(1, m.Bool()), _branch(ctx, taken), ())]
    made = condition(ctx, test)
    return [m.If(made, _branch(ctx, yes), _branch(ctx, no) if no is not None else ())]


def _branch(ctx: Context, node: Tree[Token]) -> tuple[m.Stmt, ...]:
    return tuple(statement(ctx, node)) if node.data == "if_stmt" else block(ctx, node)


def _match(ctx: Context, node: Node, subject: Node, arms: Sequence[Node]) -> m.Stmt:
    on = value(ctx, subject)
    made = []
    for arm in arms:
        assert isinstance(arm, Tree)
        pattern, body = arm.children
        assert isinstance(body, Tree)
        made.append((patterns(ctx, pattern, on.type), block(ctx, body)))
    exhaustive(ctx, node, on.type, [values for values, _ in made])
    return m.MatchStmt(on, tuple(made))


def _for(ctx: Context, node: Node, name: str, first: Node, last: Node, body: Tree[Token]) -> list[m.Stmt]:
    """Unrolled: the loop variable is a constant in each copy."""
    low = number(ctx, first, "the first value of a loop")
    high = number(ctx, last, "the last value of a loop")
    steps = range(low, high - 1, -1) if low > high else range(low, high + 1)
    if len(steps) > MOST_BITS:
        ctx.fail("E0272", f"a loop of {len(steps)} iterations", node, help=f"at most {MOST_BITS} are unrolled")
    made: list[m.Stmt] = []
    for step in steps:
        with ctx.scope(constants={name: step}):
            made.append(m.If(m.Literal(1, m.Bool()), block(ctx, body), ()))
    return made


def guard(ctx: Context, node: Tree[Token]) -> m.Guard:
    """`guard E else trap C`."""
    test, cause_ = node.children
    assert isinstance(cause_, Tree)
    made = m.Guard(condition(ctx, test), cause(ctx, cause_), ctx.span(node))
    if made.condition == m.Literal(1, m.Bool()) and not _configurable(ctx, test):
        ctx.report("W0405", "this guard never fails", node, severity="warning")
    return made


def _configurable(ctx: Context, node: Node) -> bool:
    """Whether a condition speaks of parameters or extensions, so that another configuration may decide otherwise."""
    names = {str(token) for token in node.scan_values(lambda t: isinstance(t, Token))} if isinstance(node, Tree) else set()
    return bool(names & (ctx.parameters.keys() | ctx.extensions.keys()))


def cause(ctx: Context, node: Tree[Token]) -> m.Cause:
    """A cause and its payload."""
    name, *given = (child for child in node.children if child is not None)
    if str(name) not in ctx.causes:
        ctx.unknown("trap cause", str(name), node, list(ctx.causes))
    if PAYLOAD in ctx.broken:
        raise Abandon  # what it may carry is not known
    if len(given) > len(ctx.payload):
        ctx.fail("E0273", f"`{name}` carries {len(ctx.payload)} values, not {len(given)}", node)
    ctx.names_used.add(f"cause {name}")
    made = []
    for expr, (what, width) in zip(given, ctx.payload, strict=False):
        made.append(payload(ctx, expr, width, what))
    return m.Cause(str(name), tuple(made), ctx.span(node))


def payload(ctx: Context, node: Node, width: int, what: str) -> m.Expr:
    """A payload value: as wide as declared; an address of another width is cut or widened."""
    found = sized(ctx, node, width)
    if isinstance(found, m.Builtin) and found.name in ("va", "insn", "pa") and ctx.width(found.type) != width:
        return m.Resize("zext" if ctx.width(found.type) < width else "trunc", found, m.Bits(width))
    if ctx.width(found.type) != width:
        ctx.fail("E0231", f"{ctx.width(found.type)} bits where `{what}` has {width}", node)
    return found


def fault_kind(ctx: Context, node: Node, kind: str) -> str:
    if kind not in ctx.fault_kinds:
        ctx.unknown("fault", kind, node, ctx.fault_kinds)
    if "access" not in ctx.specials:
        ctx.fail("E0274", "`fault` is for translations and protections", node, help="an instruction traps: trap C(...)")
    return kind


def _returned(ctx: Context, node: Node, expr: Node | None) -> m.Expr | None:
    expected = ctx.returns
    if isinstance(expected, m.Unit) or expected is None:
        if expr is not None:
            ctx.fail("E0275", "nothing is returned here", node)
        return None
    if expr is None:
        ctx.fail("E0275", f"a {show(expected)} is returned here", node)
    if isinstance(expected, m.Bits) and expected.layout == "%address":
        return _address(ctx, expr, expected.width)
    return check(ctx, expr, expected)


def _address(ctx: Context, expr: Node, width: int) -> m.Expr:
    """What a translation yields: a physical address, cut or widened to the memory's."""
    found = check(ctx, expr, m.Bits(width)) if isinstance(expr, Tree) and expr.data == "call" else sized(ctx, expr, width)
    if ctx.width(found.type) == width:
        return found
    return m.Resize("zext" if ctx.width(found.type) < width else "trunc", found, m.Bits(width))


def _next(ctx: Context, expr: Node) -> m.Expr:
    base = ctx.specials.get("%base")
    if base is None:
        ctx.fail("E0276", "`next` goes on with a walk, and there is none here", expr)
    return check(ctx, expr, base)


def _call(ctx: Context, node: Node, expr: Node) -> m.Stmt:
    if not (isinstance(expr, Tree) and expr.data == "call"):
        ctx.fail("E0277", "a statement that does nothing", node, help="calls, assignments and traps do something")
    callee, *arguments = expr.children
    if not (isinstance(callee, Tree) and callee.data == "name"):
        ctx.fail("E0277", "only functions are called", node)
    made = call(ctx, expr, str(callee.children[0]), [a for a in arguments if a is not None], m.Unit())
    if isinstance(made, m.Call) or (isinstance(made, m.Builtin) and made.name in EFFECTS):
        return m.Do(made)
    ctx.fail("E0277", "the value of this call is not used", node)
