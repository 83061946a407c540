"""Expressions: trees to typed expressions, in both directions. A context has this module as its typer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from lark import Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.calls import call
from popek_grammar.elaborate.constants import DIGIT_BITS, SHIFTS, constant, own_width, truth
from popek_grammar.elaborate.context import Context, Node, show, tree
from popek_grammar.elaborate.directions import BOOL, NeedsContext, check, condition, fitted, infer, value
from popek_grammar.elaborate.matching import exhaustive, member_code, mode_code, patterns
from popek_grammar.elaborate.places import read
from popek_grammar.elaborate.ranges import each_element
from popek_grammar.elaborate.types import set_of

# -- down ------------------------------------------------------------------------------------------------------------


def checked(ctx: Context, node: Node, expected: m.Type) -> m.Expr:
    """The expression, of type `expected`. Raises `NeedsContext` where that does not help."""
    assert isinstance(node, Tree)
    number_ = constant(ctx, node)
    if number_ is not None and isinstance(expected, m.Bits):
        return fitted(ctx, node, number_, expected)
    match node.data, node.children:
        case "cond", [test, yes, no]:
            return _cond(ctx, test, lambda: check(ctx, yes, expected), lambda: check(ctx, no, expected), expected)
        case "match_expr", [subject, *arms]:
            return _match(ctx, node, subject, arms, lambda arm: check(ctx, arm, expected), expected)
        case "binary", [left, op, right] if isinstance(expected, m.Bits):
            return _arithmetic(ctx, left, str(op), right, expected)
        case "unary", [op, operand] if isinstance(expected, m.Bits):
            return m.Unary(str(op), check(ctx, operand, expected), expected)
        case "unspecified", _:
            return m.Unspecified(_site(ctx, node), None, expected)
        case "choose", [_, choices] if isinstance(expected, m.Bits):
            return m.Unspecified(_site(ctx, node), set_of(ctx, tree(choices), expected.width), expected)
        case "name", [name] if member_code(expected, str(name)) is not None and str(name) not in ctx.locals:
            return m.Literal(member_code(expected, str(name)) or 0, expected)
        case "name", [name] if isinstance(expected, m.Bits) and mode_code(ctx, str(name)) is not None:
            return _encoding(ctx, node, mode_code(ctx, str(name)) or 0, expected)
        case "call", [Tree(data="name", children=[name]), *arguments]:
            return coerce(ctx, call(ctx, node, str(name), _given(arguments), expected), expected, node)
        case "concat", [left, right] if isinstance(expected, m.Bits):
            return coerce(ctx, _concat(ctx, left, right, expected.width), expected, node)
    return coerce(ctx, infer(ctx, node), expected, node)


def coerce(ctx: Context, found: m.Expr, expected: m.Type, node: Node) -> m.Expr:
    """`found` where `expected` is asked for: no conversion, but a mode in a field that holds modes, and layouts."""
    match found.type, expected:
        case m.Bits(width), m.Bits(wanted):
            if width != wanted:
                hint = "zext or sext widens" if width < wanted else "trunc or a slice narrows"
                ctx.fail("E0231", f"{width} bits where {wanted} are expected", node, label=show(found.type), help=hint)
        case m.Mode(), m.Bits(wanted) if wanted >= ctx.modes.width:
            return m.Resize("bits", found, expected)
        case left, right if left != right:
            hint = "compare with `== 1` for a truth value" if isinstance(right, m.Bool) else ""
            ctx.fail("E0232", f"{show(left)} where {show(right)} is expected", node, help=hint)
    return found


def _encoding(ctx: Context, node: Node, code: int, expected: m.Bits) -> m.Literal:
    """A mode's name where bits are asked for."""
    if code >> expected.width:
        ctx.fail("E0233", f"{code} does not fit in {expected.width} bits", node)
    return m.Literal(code, expected)


# -- up --------------------------------------------------------------------------------------------------------------


def inferred(ctx: Context, node: Node) -> m.Expr:
    """The expression with the type that its parts give it. Raises `NeedsContext` where they give none."""
    assert isinstance(node, Tree)
    known = truth(ctx, node) if node.data in ("true", "false", "compare", "and_", "or_", "not_") else None
    if known is not None:
        return m.Literal(int(known), BOOL)
    if constant(ctx, node) is not None:
        raise NeedsContext
    match node.data, node.children:
        case "cond", [test, yes, no]:
            return _inferred_cond(ctx, test, yes, no)
        case "match_expr", [_, *arms]:
            return check(ctx, node, _either(ctx, *(arm.children[1] for arm in arms if isinstance(arm, Tree))).type)
        case ("or_" | "and_") as op, [left, right]:
            return m.Binary(str(op).rstrip("_"), condition(ctx, left), condition(ctx, right), BOOL)
        case "not_", [operand]:
            return m.Unary("not", condition(ctx, operand), BOOL)
        case "compare", [left, op, right]:
            return _compare(ctx, node, left, str(op), right)
        case "member", [operand, choices]:
            found = value(ctx, operand)
            members = found.type.members if isinstance(found.type, m.EnumType) else ()
            return m.Member(found, set_of(ctx, tree(choices), ctx.width(found.type), members), BOOL)
        case "binary", [left, op, right]:
            if str(op) in SHIFTS:
                first = infer(ctx, left)
                return _arithmetic(ctx, left, str(op), right, _bits(ctx, first, left))
            first = _either(ctx, left, right)
            return _arithmetic(ctx, left, str(op), right, _bits(ctx, first, node))
        case "unary", [op, operand]:
            found = infer(ctx, operand)
            return m.Unary(str(op), found, _bits(ctx, found, operand))
        case "concat", [left, right]:
            return _concat(ctx, left, right, None)
        case "unspecified" | "choose", _:
            raise NeedsContext
        case "call", [Tree(data="name", children=[name]), *arguments]:
            return call(ctx, node, str(name), _given(arguments), None)
        case _:
            return read(ctx, node)


def _given(arguments: Sequence[Node | None]) -> list[Node]:
    return [argument for argument in arguments if argument is not None]


def _bits(ctx: Context, found: m.Expr, node: Node) -> m.Bits:
    if not isinstance(found.type, m.Bits):
        ctx.fail("E0234", f"arithmetic on {show(found.type)}", node, help="bits(x) gives the encoding")
    return m.Bits(found.type.width)


def _either(ctx: Context, *nodes: Node) -> m.Expr:
    """The first of some operands, or arms, that has a type of its own."""
    for node in nodes:
        try:
            return infer(ctx, node)
        except NeedsContext:
            continue
    raise NeedsContext


def _cond(ctx: Context, test: Node, yes: Callable[[], m.Expr], no: Callable[[], m.Expr], type_: m.Type) -> m.Expr:
    """A constant condition picks one side, and the other is not looked at: it may have other widths."""
    known = truth(ctx, test)
    if known is not None:
        return yes() if known else no()
    return m.Cond(condition(ctx, test), yes(), no(), type_)


def _inferred_cond(ctx: Context, test: Node, yes: Node, no: Node) -> m.Expr:
    known = truth(ctx, test)
    if known is not None:
        return infer(ctx, yes if known else no)
    type_ = _either(ctx, yes, no).type
    return m.Cond(condition(ctx, test), check(ctx, yes, type_), check(ctx, no, type_), type_)


def _compare(ctx: Context, node: Node, left: Node, op: str, right: Node) -> m.Expr:
    if several := each_element(ctx, left):
        alone: list[m.Expr] = [_compare(ctx, node, one, op, right) for one in several]
        return reduce(lambda before, one: m.Binary("and", before, one, BOOL), alone)
    try:
        type_ = _either(ctx, left, right).type
    except NeedsContext:
        width = own_width(ctx, left, right)
        if width is None:
            ctx.fail("E0230", "the width of this comparison is not known", node)
        type_ = m.Bits(width)
    if isinstance(type_, m.Bits):
        type_ = m.Bits(type_.width)
    if isinstance(type_, m.Mode):
        return m.Binary(op, _as_mode(ctx, left), _as_mode(ctx, right), BOOL)
    if isinstance(type_, (m.Bool, m.EnumType)) and op not in ("==", "!="):
        ctx.fail("E0235", f"{show(type_)} values have no order", node)
    return m.Binary(op, check(ctx, left, type_), check(ctx, right, type_), BOOL)


def _as_mode(ctx: Context, node: Node) -> m.Expr:
    """An operand compared with a mode: a mode, its name, or bits that hold an encoding."""
    assert isinstance(node, Tree)
    if node.data == "name":
        code = mode_code(ctx, str(node.children[0]))
        if code is not None:
            return m.Literal(code, m.Mode())
    found = infer(ctx, node)
    if isinstance(found.type, m.Bits) and found.type.width <= ctx.modes.width:
        return m.Resize("mode", found, m.Mode())
    return coerce(ctx, found, m.Mode(), node)


def _arithmetic(ctx: Context, left: Node, op: str, right: Node, type_: m.Bits) -> m.Expr:
    if op in SHIFTS:
        amount = constant(ctx, right)
        by = m.Literal(amount, m.Bits(max(type_.width, amount.bit_length()))) if amount is not None else value(ctx, right)
        return m.Binary(op, check(ctx, left, type_), by, type_)
    if op in ("/", "%", "/s", "%s") and constant(ctx, right) == 0:
        ctx.fail("E0210", "division by zero", right)
    return m.Binary(op, check(ctx, left, type_), check(ctx, right, type_), type_)


def _concat(ctx: Context, left: Node, right: Node, width: int | None) -> m.Expr:
    """One part without a width of its own takes what is left of the width asked for."""
    parts: list[m.Expr | None] = []
    for part in (left, right):
        try:
            parts.append(_concat_part(ctx, part))
        except NeedsContext:
            parts.append(None)
    known = sum(ctx.width(part.type) for part in parts if part is not None)
    for position, node in enumerate((left, right)):
        if parts[position] is None:
            if width is None or known >= width or parts.count(None) > 1:
                raise NeedsContext
            parts[position] = check(ctx, node, m.Bits(width - known))
    high, low = parts
    assert high is not None and low is not None
    return m.Binary("@", high, low, m.Bits(ctx.width(high.type) + ctx.width(low.type)))


def _concat_part(ctx: Context, node: Node) -> m.Expr:
    if isinstance(node, Tree) and node.data in DIGIT_BITS:
        return value(ctx, node)
    found = infer(ctx, node)
    match found.type:
        case m.Bits():
            return found
        case m.Mode():
            return m.Resize("bits", found, m.Bits(ctx.modes.width))
        case m.Bool():
            return m.Resize("zext", found, m.Bits(1))
        case _:
            ctx.fail("E0234", f"{show(found.type)} cannot be joined with @", node)


def _match(
    ctx: Context, node: Node, subject: Node, arms: list[Node], arm_value: Callable[[Node], m.Expr], type_: m.Type
) -> m.Expr:
    on = value(ctx, subject)
    made = []
    for arm in arms:
        assert isinstance(arm, Tree)
        pattern, body = arm.children
        made.append((patterns(ctx, pattern, on.type), arm_value(body)))
    exhaustive(ctx, node, on.type, [values for values, _ in made])
    return m.Match(on, tuple(made), type_)


def _site(ctx: Context, node: Node) -> str:
    span = ctx.span(node)
    return f"{span.file.rsplit('/', 1)[-1]}@{span.line}.{span.column}"
