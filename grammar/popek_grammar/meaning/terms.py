"""Terms: the one value domain that guards and bodies are evaluated over.

Immutable, hash-consed, constant-folding bit-vector terms. A concrete state folds to constants at once, so evaluating an
instruction on numbers is evaluating it on constant terms; the Z3 and LLVM readings are lowerings of the same nodes.
Two terms are equal exactly when they are the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b
from typing import Final

BOOL: Final = 0
"""The width of a truth value."""


class Term:
    """A node: operator, width in bits (0: bool), arguments, and a payload.

    `payload` is the value of a constant, the name of a variable or function, or the `(hi, lo)` of an extract.
    `key` digests the whole structure: equal in every process, so it orders commutative operands and keys the cache.
    """

    __slots__ = ("args", "key", "op", "payload", "width")

    def __init__(self, op: str, width: int, args: tuple[Term, ...], payload: object, key: int) -> None:
        self.op: Final = op
        self.width: Final = width
        self.args: Final = args
        self.payload: Final = payload
        self.key: Final = key

    @property
    def is_const(self) -> bool:
        return self.op == "const"

    @property
    def value(self) -> int:
        """The value of a constant; ValueError for any other term."""
        if self.op != "const" or not isinstance(self.payload, int):
            raise ValueError(f"not a constant: {self!r}")
        return self.payload

    @property
    def name(self) -> str:
        """The name of a variable or an uninterpreted function."""
        return str(self.payload)

    def __repr__(self) -> str:
        return render(self)

    def __reduce__(self) -> tuple[Callable[..., Term], tuple[object, ...]]:
        return make, (self.op, self.width, self.args, self.payload)


_table: dict[tuple[object, ...], Term] = {}


def make(op: str, width: int, args: tuple[Term, ...] = (), payload: object = None) -> Term:
    """The unique node of this shape, with no simplification."""
    shape = (op, width, payload, args)
    found = _table.get(shape)
    if found is None:
        text = f"{op} {width} {payload} {[arg.key for arg in args]}"
        key = int.from_bytes(blake2b(text.encode(), digest_size=16).digest())
        found = _table[shape] = Term(op, width, args, payload, key)
    return found


# -- leaves ----------------------------------------------------------------------------------------------------------


def const(value: int, width: int) -> Term:
    """The constant `value` modulo 2**width; a bool when width is 0."""
    return make("const", width, (), value & ((1 << width) - 1) if width else int(value != 0))


TRUE: Final = const(1, BOOL)
FALSE: Final = const(0, BOOL)


def boolean(value: bool) -> Term:
    return TRUE if value else FALSE


def var(name: str, width: int) -> Term:
    """A free variable; the same name always has the same width."""
    return make("var", width, (), name)


def apply(function: str, width: int, args: tuple[Term, ...]) -> Term:
    """An uninterpreted function: the base content of an array, or an operation kept opaque."""
    return make("apply", width, args, function)


# -- truth -----------------------------------------------------------------------------------------------------------


def not_(a: Term) -> Term:
    if a.op == "const":
        return FALSE if a.payload else TRUE
    if a.op == "not":
        return a.args[0]
    return make("not", BOOL, (a,))


def and_(*terms: Term) -> Term:
    return _junction("and", TRUE, FALSE, terms)


def or_(*terms: Term) -> Term:
    return _junction("or", FALSE, TRUE, terms)


def implies(a: Term, b: Term) -> Term:
    return or_(not_(a), b)


def _junction(op: str, unit: Term, zero: Term, terms: Iterable[Term]) -> Term:
    flat: dict[Term, None] = {}
    for term in terms:
        if term is zero:
            return zero
        for part in term.args if term.op == op else (term,):
            flat[part] = None
    flat.pop(unit, None)
    if any((part.args[0] if part.op == "not" else not_(part)) in flat for part in flat if part.op == "not"):
        return zero
    match tuple(flat):
        case ():
            return unit
        case (single,):
            return single
        case parts:
            return make(op, BOOL, parts)


def ite(condition: Term, yes: Term, no: Term) -> Term:
    if condition.op == "const":
        return yes if condition.payload else no
    if yes is no:
        return yes
    if condition.op == "not":
        return ite(condition.args[0], no, yes)
    if yes.width == BOOL:
        if yes is TRUE:
            return or_(condition, no)
        if yes is FALSE:
            return and_(not_(condition), no)
        if no is TRUE:
            return or_(not_(condition), yes)
        if no is FALSE:
            return and_(condition, yes)
    if yes.op == "ite" and yes.args[0] is condition:
        yes = yes.args[1]
    if no.op == "ite" and no.args[0] is condition:
        no = no.args[2]
    if yes is no:
        return yes
    return make("ite", yes.width, (condition, yes, no))


# -- comparison ------------------------------------------------------------------------------------------------------


def eq(a: Term, b: Term) -> Term:
    if a is b:
        return TRUE
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return FALSE
        return _eq_const(a, b)
    if a.key > b.key:
        a, b = b, a
    return make("eq", BOOL, (a, b))


def _eq_const(a: Term, b: Term) -> Term:
    """`a == b` for a constant b, pushed through what hides a constant."""
    if a.width == BOOL:
        return a if b.payload else not_(a)
    value = b.value
    if a.op == "ite" and (a.args[1].op == "const" or a.args[2].op == "const"):
        return ite(a.args[0], eq(a.args[1], b), eq(a.args[2], b))
    if a.op == "concat":
        high, low = a.args
        return and_(eq(high, const(value >> low.width, high.width)), eq(low, const(value, low.width)))
    if a.op == "bvnot":
        return eq(a.args[0], const(~value, a.width))
    if a.op == "add" and a.args[1].op == "const":
        return eq(a.args[0], const(value - a.args[1].value, a.width))
    return make("eq", BOOL, (a, b))


def ne(a: Term, b: Term) -> Term:
    return not_(eq(a, b))


def signed(value: int, width: int) -> int:
    """`value`, unsigned in `width` bits, read as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


def ult(a: Term, b: Term) -> Term:
    if a is b or (b.op == "const" and b.payload == 0):
        return FALSE
    if a.op == "const" and b.op == "const":
        return boolean(a.value < b.value)
    if b.op == "const" and b.payload == 1:
        return eq(a, const(0, a.width))
    if a.op == "const" and a.payload == (1 << a.width) - 2:
        return eq(b, const(-1, a.width))
    if a.op == "const" and a.payload == (1 << a.width) - 1:
        return FALSE
    if a.op == "const" and a.payload == 0:
        return ne(b, a)
    if b.op == "const" and b.payload == (1 << a.width) - 1:
        return ne(a, b)
    return make("ult", BOOL, (a, b))


def ule(a: Term, b: Term) -> Term:
    return not_(ult(b, a))


def slt(a: Term, b: Term) -> Term:
    if a is b:
        return FALSE
    if a.op == "const" and b.op == "const":
        return boolean(signed(a.value, a.width) < signed(b.value, b.width))
    return make("slt", BOOL, (a, b))


def sle(a: Term, b: Term) -> Term:
    return not_(slt(b, a))


# -- arithmetic ------------------------------------------------------------------------------------------------------


def add(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value + b.value, a.width)
        if b.payload == 0:
            return a
        if a.op == "add" and a.args[1].op == "const":
            return add(a.args[0], const(a.args[1].value + b.value, a.width))
        return make("add", a.width, (a, b))
    if (a.op == "neg" and a.args[0] is b) or (b.op == "neg" and b.args[0] is a):
        return const(0, a.width)
    for x, y in ((a, b), (b, a)):  # (p + q) - q = p, which addresses relocated and taken back need
        if x.op == "add" and y.op == "neg" and y.args[0] in x.args:
            return x.args[1] if x.args[0] is y.args[0] else x.args[0]
        if x.op == "add" and x.args[1].op == "neg" and x.args[1].args[0] is y:
            return x.args[0]
    if a.op == "add" and a.args[1].op == "const":
        return add(add(a.args[0], b), a.args[1])
    if b.op == "add" and b.args[1].op == "const":
        return add(add(a, b.args[0]), b.args[1])
    if a.key > b.key and b.op != "neg":
        a, b = b, a
    return make("add", a.width, (a, b))


def neg(a: Term) -> Term:
    if a.op == "const":
        return const(-a.value, a.width)
    if a.op == "neg":
        return a.args[0]
    return make("neg", a.width, (a,))


def sub(a: Term, b: Term) -> Term:
    return const(0, a.width) if a is b else add(a, neg(b))


def mul(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value * b.value, a.width)
        if b.payload == 0:
            return b
        if b.payload == 1:
            return a
    elif a.key > b.key:
        a, b = b, a
    return make("mul", a.width, (a, b))


def udiv(a: Term, b: Term) -> Term:
    """Unsigned quotient; all ones when b is zero (SMT-LIB, RISC-V M)."""
    return _arithmetic("udiv", a, b, lambda x, y, w: x // y if y else -1)


def urem(a: Term, b: Term) -> Term:
    """Unsigned remainder; the dividend when b is zero."""
    return _arithmetic("urem", a, b, lambda x, y, w: x % y if y else x)


def sdiv(a: Term, b: Term) -> Term:
    """Signed quotient, toward zero; all ones when b is zero, the dividend on overflow."""
    return _arithmetic("sdiv", a, b, _signed_quotient)


def srem(a: Term, b: Term) -> Term:
    """Signed remainder, the sign of the dividend; the dividend when b is zero."""
    return _arithmetic("srem", a, b, _signed_remainder)


def _arithmetic(op: str, a: Term, b: Term, fold: Callable[[int, int, int], int]) -> Term:
    if a.op == "const" and b.op == "const":
        return const(fold(a.value, b.value, a.width), a.width)
    return make(op, a.width, (a, b))


def _signed_quotient(x: int, y: int, width: int) -> int:
    x, y = signed(x, width), signed(y, width)
    if y == 0:
        return -1
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _signed_remainder(x: int, y: int, width: int) -> int:
    x, y = signed(x, width), signed(y, width)
    if y == 0:
        return x
    remainder = abs(x) % abs(y)
    return -remainder if x < 0 else remainder


# -- bits ------------------------------------------------------------------------------------------------------------


def bvnot(a: Term) -> Term:
    if a.op == "const":
        return const(~a.value, a.width)
    if a.op == "bvnot":
        return a.args[0]
    return make("bvnot", a.width, (a,))


def bvand(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    ones = (1 << a.width) - 1
    if b.op == "const":
        if a.op == "const":
            return const(a.value & b.value, a.width)
        if b.payload == 0:
            return b
        if b.payload == ones:
            return a
        if a.op == "concat":
            return concat(
                bvand(a.args[0], extract(b, a.width - 1, a.args[1].width)), bvand(a.args[1], extract(b, a.args[1].width - 1, 0))
            )
        return _masked(a, b.value)
    if a is b:
        return a
    return _commutative("bvand", a, b)


def _masked(a: Term, mask: int) -> Term:
    """`a & mask` for a constant mask, as extracts when the mask is one run of ones."""
    low = (mask & -mask).bit_length() - 1
    run = mask >> low
    if run & (run + 1) == 0:
        top = low + run.bit_length()
        return zext(concat_all(extract(a, top - 1, low), *([const(0, low)] if low else [])), a.width)
    return make("bvand", a.width, (a, const(mask, a.width)))


def bvor(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value | b.value, a.width)
        if b.payload == 0:
            return a
        if b.payload == (1 << a.width) - 1:
            return b
        if a.op == "concat":
            return concat(
                bvor(a.args[0], extract(b, a.width - 1, a.args[1].width)), bvor(a.args[1], extract(b, a.args[1].width - 1, 0))
            )
    if a is b:
        return a
    return _commutative("bvor", a, b)


def bvxor(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value ^ b.value, a.width)
        if b.payload == 0:
            return a
        if b.payload == (1 << a.width) - 1:
            return bvnot(a)
    if a is b:
        return const(0, a.width)
    return _commutative("bvxor", a, b)


def _commutative(op: str, a: Term, b: Term) -> Term:
    if a.key > b.key and b.op != "const":
        a, b = b, a
    return make(op, a.width, (a, b))


def shl(a: Term, b: Term) -> Term:
    """Shift left by b (same width); zero when b is at least the width."""
    if b.op == "const":
        n = min(b.value, a.width)
        if n == 0:
            return a
        return const(0, a.width) if n == a.width else concat(extract(a, a.width - n - 1, 0), const(0, n))
    return make("shl", a.width, (a, b))


def lshr(a: Term, b: Term) -> Term:
    if b.op == "const":
        n = min(b.value, a.width)
        if n == 0:
            return a
        return const(0, a.width) if n == a.width else zext(extract(a, a.width - 1, n), a.width)
    return make("lshr", a.width, (a, b))


def ashr(a: Term, b: Term) -> Term:
    if b.op == "const":
        n = min(b.value, a.width - 1)
        return a if n == 0 else sext(extract(a, a.width - 1, n), a.width)
    return make("ashr", a.width, (a, b))


def extract(a: Term, hi: int, lo: int) -> Term:
    """Bits `hi` down to `lo` of `a`."""
    width = hi - lo + 1
    if width == a.width:
        return a
    match a.op:
        case "const":
            return const(a.value >> lo, width)
        case "extract":
            below = bounds(a)[1]
            return extract(a.args[0], hi + below, lo + below)
        case "concat":
            high, low = a.args
            if lo >= low.width:
                return extract(high, hi - low.width, lo - low.width)
            if hi < low.width:
                return extract(low, hi, lo)
            return concat(extract(high, hi - low.width, 0), extract(low, low.width - 1, lo))
        case "sext" if hi < a.args[0].width:
            return extract(a.args[0], hi, lo)
        case "ite" if a.args[1].op in ("const", "concat") or a.args[2].op in ("const", "concat"):
            return ite(a.args[0], extract(a.args[1], hi, lo), extract(a.args[2], hi, lo))
        case "bvand" | "bvor" | "bvxor" if a.args[1].op == "const":
            fold = {"bvand": bvand, "bvor": bvor, "bvxor": bvxor}[a.op]
            return fold(extract(a.args[0], hi, lo), extract(a.args[1], hi, lo))
        case "bvnot":
            return bvnot(extract(a.args[0], hi, lo))
    return make("extract", width, (a,), (hi, lo))


def bounds(a: Term) -> tuple[int, int]:
    """The upper and lower bit of an extract."""
    assert isinstance(a.payload, tuple)
    return a.payload


def concat(high: Term, low: Term) -> Term:
    """`high` above `low`; adjacent constants and adjacent slices of one term are joined. Nests to the right."""
    if high.op == "const" and low.op == "const":
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == "concat":
        return concat(high.args[0], concat(high.args[1], low))
    first, *rest = low.args if low.op == "concat" else (low,)
    joined = _joined(high, first)
    if joined is not None:
        return concat(joined, rest[0]) if rest else joined
    return make("concat", high.width + low.width, (high, low))


def _joined(high: Term, low: Term) -> Term | None:
    if high.op == "const" and low.op == "const":
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == low.op == "extract" and high.args[0] is low.args[0] and bounds(high)[1] == bounds(low)[0] + 1:
        return extract(high.args[0], bounds(high)[0], bounds(low)[1])
    return None


def concat_all(*parts: Term) -> Term:
    """All parts, the first highest."""
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = concat(part, result)
    return result


def zext(a: Term, width: int) -> Term:
    return a if width == a.width else concat(const(0, width - a.width), a)


def sext(a: Term, width: int) -> Term:
    if width == a.width:
        return a
    if a.op == "const":
        return const(signed(a.value, a.width), width)
    if a.op == "concat" and a.args[0].op == "const":
        top = a.args[0].value >> (a.args[0].width - 1)
        return concat(const(-top, width - a.width), a)
    if a.op == "sext":
        return sext(a.args[0], width)
    return make("sext", width, (a,))


def resize(a: Term, width: int) -> Term:
    """`a` cut or zero-extended to `width`."""
    return zext(a, width) if width >= a.width else extract(a, width - 1, 0)


def from_bool(a: Term) -> Term:
    """One bit: 1 when `a` holds."""
    return ite(a, const(1, 1), const(0, 1))


# -- walking ---------------------------------------------------------------------------------------------------------

OPERATIONS: Final[dict[str, Callable[..., Term]]] = {
    "not": not_, "and": and_, "or": or_, "ite": ite, "eq": eq, "ult": ult, "slt": slt, "add": add, "neg": neg, "mul": mul,
    "udiv": udiv, "urem": urem, "sdiv": sdiv, "srem": srem, "bvnot": bvnot, "bvand": bvand, "bvor": bvor, "bvxor": bvxor,
    "shl": shl, "lshr": lshr, "ashr": ashr, "concat": concat,
}  # fmt: skip
"""The folding constructor of each operator that has no payload and takes its width from its arguments."""


def rebuild(term: Term, args: tuple[Term, ...]) -> Term:
    """The same operator on other arguments, folded."""
    match term.op:
        case "extract":
            return extract(args[0], *bounds(term))
        case "sext":
            return sext(args[0], term.width)
        case "apply":
            return apply(term.name, term.width, args)
        case "const" | "var":
            return term
        case op:
            return OPERATIONS[op](*args)


def postorder(roots: Iterable[Term], below: Collection[Term] = ()) -> list[Term]:
    """Every node below `roots` once, arguments first, but what is in `below`. No recursion: terms may be deep."""
    seen: set[Term] = set()
    order: list[Term] = []
    stack = [(root, False) for root in roots]
    while stack:
        term, done = stack.pop()
        if done:
            order.append(term)
        elif term not in seen and term not in below:
            seen.add(term)
            stack.append((term, True))
            stack.extend((arg, False) for arg in term.args if arg not in seen)
    return order


def substitute(
    roots: Iterable[Term],
    replace: Callable[[Term, tuple[Term, ...]], Term | None],
    known: dict[Term, Term] | None = None,
) -> dict[Term, Term]:
    """Rewrites bottom up: `replace(node, new_args)` gives the new node, or None to rebuild it folded.

    `known` holds what was rewritten before, and is added to.
    """
    new: dict[Term, Term] = {} if known is None else known
    for term in postorder(roots, new):
        args = tuple(new[arg] for arg in term.args)
        found = replace(term, args)
        new[term] = found if found is not None else (rebuild(term, args) if args else term)
    return new


def free(roots: Iterable[Term]) -> list[Term]:
    """The variables and function applications below `roots`, in a stable order."""
    return [term for term in postorder(roots) if term.op in ("var", "apply")]


def render(term: Term, depth: int = 6) -> str:
    """A short text of a term, for messages and debugging."""
    match term.op:
        case "const":
            return str(bool(term.payload)).lower() if term.width == BOOL else hex(term.value)
        case "var":
            return term.name
        case _ if depth == 0:
            return "..."
    inside = ", ".join(render(arg, depth - 1) for arg in term.args)
    head = term.name if term.op == "apply" else term.op if term.payload is None else f"{term.op}{term.payload}"
    return f"{head}({inside})"
