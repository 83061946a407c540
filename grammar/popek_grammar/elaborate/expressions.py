"""Expressions: trees to typed expressions, in both directions.

`check` knows the type that the context asks for and hands it down; `infer` finds the type from the parts, and raises
`NeedsContext` for a form that has none of its own (a number, `sext(x)`, `load(a)`), so that the other operand is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import constant, number, truth
from popek_grammar.elaborate.context import Context, Node, show, tree
from popek_grammar.elaborate.types import set_of

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "<s", "<=s", ">s", ">=s"})
BOOL = m.Bool()

DIGIT_BITS = {"bin": 1, "oct": 3, "hex": 4}
"""Literals whose digits give them a width of their own, and how many bits a digit is."""


class NeedsContext(Exception):
    """The expression takes its width from what surrounds it, and nothing has been said."""


def value(ctx: Context, node: Node, expected: m.Type | None = None) -> m.Expr:
    """A typed expression: of the expected type when there is one."""
    if expected is not None:
        return check(ctx, node, expected)
    try:
        return infer(ctx, node)
    except NeedsContext:
        if isinstance(node, Tree) and node.data in DIGIT_BITS:
            digits, each = str(node.children[0]).replace("_", "")[2:], DIGIT_BITS[node.data]
            return m.Literal(int(digits, 1 << each), m.Bits(len(digits) * each))
        ctx.fail("E0230", "the width of this is not known here", node, help="give the name a type, or say zext(x, N)")


def condition(ctx: Context, node: Node) -> m.Expr:
    """A truth value; constant ones are folded."""
    known = truth(ctx, node)
    return m.Literal(int(known), BOOL) if known is not None else check(ctx, node, BOOL)


# -- down ------------------------------------------------------------------------------------------------------------


def check(ctx: Context, node: Node, expected: m.Type) -> m.Expr:
    """The expression, of type `expected`."""
    try:
        return _checked(ctx, node, expected)
    except NeedsContext:
        ctx.fail("E0230", f"this cannot be a {show(expected)}", node)


def _checked(ctx: Context, node: Node, expected: m.Type) -> m.Expr:
    assert isinstance(node, Tree)
    number_ = constant(ctx, node)
    if number_ is not None and isinstance(expected, m.Bits):
        return fitted(ctx, number_, expected, node)
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
        case "name", [name] if _member(expected, str(name)) is not None and str(name) not in ctx.locals:
            return m.Literal(_member(expected, str(name)) or 0, expected)
        case "name", [name] if isinstance(expected, m.Bits) and _mode_code(ctx, str(name)) is not None:
            return fitted(ctx, _mode_code(ctx, str(name)) or 0, expected, node)
        case "call", [Tree(data="name", children=[name]), *arguments]:
            from popek_grammar.elaborate.calls import call

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


def fitted(ctx: Context, number_: int, expected: m.Bits, node: Node) -> m.Literal:
    """A constant of an asked-for width; negative ones wrap, too large ones are an error."""
    if not -(1 << (expected.width - 1)) <= number_ < 1 << expected.width:
        ctx.fail("E0233", f"{number_} does not fit in {expected.width} bits", node)
    return m.Literal(number_ & ((1 << expected.width) - 1), expected)


def _member(type_: m.Type, name: str) -> int | None:
    if isinstance(type_, m.EnumType) and name in type_.members:
        return type_.members.index(name)
    return None


def _mode_code(ctx: Context, name: str) -> int | None:
    if name in ctx.locals or name in ctx.scalars:
        return None
    return dict(ctx.modes.members).get(name)


# -- up --------------------------------------------------------------------------------------------------------------


def infer(ctx: Context, node: Node) -> m.Expr:
    """The expression with the type that its parts give it."""
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
            first = next((infer(ctx, arm.children[1]) for arm in arms if isinstance(arm, Tree)), None)
            if first is None:
                raise NeedsContext
            return check(ctx, node, first.type)
        case ("or_" | "and_") as op, [left, right]:
            return m.Binary(str(op).rstrip("_"), condition(ctx, left), condition(ctx, right), BOOL)
        case "not_", [operand]:
            return m.Unary("not", condition(ctx, operand), BOOL)
        case "compare", [left, op, right]:
            return _compare(ctx, node, left, str(op), right)
        case "member", [operand, choices]:
            found = infer(ctx, operand)
            return m.Member(found, set_of(ctx, tree(choices), ctx.width(found.type)), BOOL)
        case "binary", [left, op, right]:
            if str(op) in ("<<", ">>", ">>s"):
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
            from popek_grammar.elaborate.calls import call

            return call(ctx, node, str(name), _given(arguments), None)
        case _:
            from popek_grammar.elaborate.places import read

            return read(ctx, node)


def _given(arguments: Sequence[Node | None]) -> list[Node]:
    return [argument for argument in arguments if argument is not None]


def _bits(ctx: Context, found: m.Expr, node: Node) -> m.Bits:
    if not isinstance(found.type, m.Bits):
        ctx.fail("E0234", f"arithmetic on {show(found.type)}", node, help="bits(x) gives the encoding")
    return m.Bits(found.type.width)


def _either(ctx: Context, left: Node, right: Node) -> m.Expr:
    """Whichever operand has a type of its own."""
    try:
        return infer(ctx, left)
    except NeedsContext:
        return infer(ctx, right)


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
    try:
        type_ = _either(ctx, left, right).type
    except NeedsContext:
        ctx.fail("E0230", "the width of this comparison is not known", node)
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
        code = _mode_code(ctx, str(node.children[0]))
        if code is not None:
            return m.Literal(code, m.Mode())
    found = infer(ctx, node)
    if isinstance(found.type, m.Bits) and found.type.width <= ctx.modes.width:
        return m.Resize("mode", found, m.Mode())
    return coerce(ctx, found, m.Mode(), node)


def _arithmetic(ctx: Context, left: Node, op: str, right: Node, type_: m.Bits) -> m.Expr:
    if op in ("<<", ">>", ">>s"):
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
    on = infer(ctx, subject)
    made = []
    for arm in arms:
        assert isinstance(arm, Tree)
        pattern, body = arm.children
        made.append((patterns(ctx, pattern, on.type), arm_value(body)))
    exhaustive(ctx, node, on.type, [values for values, _ in made])
    return m.Match(on, tuple(made), type_)


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
            code = _member(type_, name)
            if code is None and isinstance(type_, (m.Mode, m.Bits)):
                code = _mode_code(ctx, name) if _mode_code(ctx, name) is not None else ctx.parameters.get(name)
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


def _site(ctx: Context, node: Node) -> str:
    span = ctx.span(node)
    return f"{span.file.rsplit('/', 1)[-1]}@{span.line}.{span.column}"


def text_of(node: Token | None) -> str:
    return str(node)[1:-1] if node is not None else ""
