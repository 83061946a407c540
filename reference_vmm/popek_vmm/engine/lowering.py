"""Terms as LLVM IR text: each node once, in the order of its use, with the meaning that `terms` gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeAlias

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Leaf: TypeAlias = "Callable[[Emitter, Term, list[str]], str]"
"""Gives the value of a variable or of an applied function, whose arguments are lowered already."""

WIDEST_DIVISION = 256


def _divider(width: int) -> str:
    """A function that divides bit by bit: for wide numbers LLVM would call a library that may not be there."""
    kind = f"i{width}"
    return f"""define internal {{{kind}, {kind}}} @divide{width}({kind} %a, {kind} %b) noinline {{
start:
  br label %loop
loop:
  %i = phi {kind} [ {width - 1}, %start ], [ %less, %loop ]
  %q = phi {kind} [ 0, %start ], [ %quotient, %loop ]
  %r = phi {kind} [ 0, %start ], [ %rest, %loop ]
  %down = lshr {kind} %a, %i
  %bit = and {kind} %down, 1
  %up = shl {kind} %r, 1
  %tried = or {kind} %up, %bit
  %fits = icmp uge {kind} %tried, %b
  %taken = sub {kind} %tried, %b
  %rest = select i1 %fits, {kind} %taken, {kind} %tried
  %digit = zext i1 %fits to {kind}
  %twice = shl {kind} %q, 1
  %quotient = or {kind} %twice, %digit
  %less = sub {kind} %i, 1
  %done = icmp eq {kind} %i, 0
  br i1 %done, label %end, label %loop
end:
  %one = insertvalue {{{kind}, {kind}}} poison, {kind} %quotient, 0
  %two = insertvalue {{{kind}, {kind}}} %one, {kind} %rest, 1
  ret {{{kind}, {kind}}} %two
}}
"""


PRELUDE = _divider(128) + _divider(WIDEST_DIVISION)
"""What a module of lowered terms needs beside them."""


def type_of(width: int) -> str:
    """The LLVM type of a term of this width; a bool is one bit."""
    return f"i{max(width, 1)}"


def literal(value: int, width: int) -> str:
    if width <= 1:
        return "true" if value else "false"
    return str(value)


class Emitter:
    """The text of one LLVM function. `known` holds the values that are computed on every path to here.

    `chunk` starts a new block after so many nodes: LLVM needs long for one block of thousands.
    """

    def __init__(self, leaf: Leaf, chunk: int | None = None) -> None:
        self.leaf = leaf
        self.chunk = chunk
        self.lines: list[str] = []
        self.known: dict[Term, str] = {}
        self._numbers = count()

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def value(self, text: str) -> str:
        """Emits an instruction with a result; its name."""
        name = f"%v{next(self._numbers)}"
        self.line(f"{name} = {text}")
        return name

    def label(self, stem: str) -> str:
        """A new block's name; `begin` starts it."""
        return f"{stem}{next(self._numbers)}"

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def branch(self, condition: str, yes: str, no: str, unlikely: bool = False) -> None:
        weights = ", !prof !0" if unlikely else ""
        self.line(f"br i1 {condition}, label %{yes}, label %{no}{weights}")

    def term(self, term: Term) -> str:
        """The value of a term here."""
        self.all([term])
        return self._operand(term)

    def all(self, roots: Iterable[Term]) -> None:
        """Makes the values of all `roots` known."""
        nodes = (term for term in t.postorder(roots, self.known) if term.op != "const")
        for number, term in enumerate(nodes, 1):
            self.known[term] = self._node(term)
            if self.chunk and number % self.chunk == 0:
                on = self.label("chunk")
                self.line(f"br label %{on}")
                self.begin(on)

    def _operand(self, term: Term) -> str:
        return literal(term.value, term.width) if term.op == "const" else self.known[term]

    def resized(self, value: str, width: int, wanted: int) -> str:
        """A value cut or zero-extended to another width."""
        if width == wanted:
            return value
        how = "zext" if width < wanted else "trunc"
        return self.value(f"{how} {type_of(width)} {value} to {type_of(wanted)}")

    # -- one node ----------------------------------------------------------------------------------------------------

    def _node(self, term: Term) -> str:
        kind = type_of(term.width)
        values = [self._operand(arg) for arg in term.args]
        match term.op:
            case "var" | "apply":
                return self.leaf(self, term, values)
            case "not" | "bvnot":
                ones = literal(1, 0) if term.width <= 1 else "-1"
                return self.value(f"xor {kind} {values[0]}, {ones}")
            case "and" | "or":
                result = values[0]
                for value in values[1:]:
                    result = self.value(f"{term.op} i1 {result}, {value}")
                return result
            case "ite":
                return self.value(f"select i1 {values[0]}, {kind} {values[1]}, {kind} {values[2]}")
            case "eq" | "ult" | "slt":
                return self.value(f"icmp {term.op} {type_of(term.args[0].width)} {values[0]}, {values[1]}")
            case "neg":
                return self.value(f"sub {kind} {literal(0, term.width)}, {values[0]}")
            case "add" | "mul":
                return self.value(f"{term.op} {kind} {values[0]}, {values[1]}")
            case "bvand" | "bvor" | "bvxor":
                return self.value(f"{term.op[2:]} {kind} {values[0]}, {values[1]}")
            case "udiv" | "urem" | "sdiv" | "srem":
                return self._division(term, values)
            case "shl" | "lshr" | "ashr":
                return self._shift(term, values)
            case "extract":
                return self._extract(term, values[0])
            case "concat":
                return self._concat(term, values)
            case "sext":
                return self.value(f"sext {type_of(term.args[0].width)} {values[0]} to {kind}")
        raise ValueError(f"no lowering of {term.op}")

    def _extract(self, term: Term, value: str) -> str:
        width, low = term.args[0].width, t.bounds(term)[1]
        if low:
            value = self.value(f"lshr {type_of(width)} {value}, {low}")
        return self.resized(value, width, term.width)

    def _concat(self, term: Term, values: list[str]) -> str:
        (high, low), kind = term.args, type_of(term.width)
        below = self.resized(values[1], low.width, term.width)
        if high.op == "const" and high.value == 0:
            return below
        above = self.resized(values[0], high.width, term.width)
        above = self.value(f"shl {kind} {above}, {low.width}")
        return above if low.op == "const" and low.value == 0 else self.value(f"or {kind} {above}, {below}")

    def _shift(self, term: Term, values: list[str]) -> str:
        """LLVM leaves a shift by the width or more undefined; here it gives zero, or the sign."""
        a, by = term.args
        kind = type_of(a.width)
        if a.width == 1:
            zero = self.value(f"icmp eq i1 {values[1]}, false")
            return values[0] if term.op == "ashr" else self.value(f"and i1 {values[0]}, {zero}")
        if greatest(by) < a.width:
            return self.value(f"{term.op} {kind} {values[0]}, {values[1]}")
        inside = self.value(f"icmp ult {kind} {values[1]}, {a.width}")
        amount = self.value(f"select i1 {inside}, {kind} {values[1]}, {kind} {a.width - 1 if term.op == 'ashr' else 0}")
        shifted = self.value(f"{term.op} {kind} {values[0]}, {amount}")
        return shifted if term.op == "ashr" else self.value(f"select i1 {inside}, {kind} {shifted}, {kind} 0")

    def _division(self, term: Term, values: list[str]) -> str:
        """Division as `terms` defines it: by zero all ones or the dividend, and overflow wraps."""
        width, signed = term.width, term.op[0] == "s"
        if width > WIDEST_DIVISION:
            raise ValueError(f"no division of {width} bits")
        wide = max(width, 2) if width <= 64 else 128 if width < 128 else WIDEST_DIVISION
        how, kind = "sext" if signed else "zext", type_of(wide)
        a, b = values
        if wide != max(width, 1):
            a, b = (self.value(f"{how} {type_of(width)} {each} to {kind}") for each in values)
        zero = self.value(f"icmp eq {kind} {b}, 0")
        divisor = self.value(f"select i1 {zero}, {kind} 1, {kind} {b}")
        quotient = term.op[1:] == "div"
        found = self._divide(term.op, wide, a, divisor)
        found = self.value(f"select i1 {zero}, {kind} {'-1' if quotient else a}, {kind} {found}")
        return self.resized(found, wide, width)

    def _divide(self, op: str, wide: int, a: str, b: str) -> str:
        """Quotient or remainder by a divisor that is not zero. Wide numbers have a bit to spare, so that none overflows."""
        kind = type_of(wide)
        if wide <= 64 and op[0] == "u":
            return self.value(f"{op} {kind} {a}, {b}")
        if wide <= 64:
            minus = self.value(f"icmp eq {kind} {b}, -1")
            divisor = self.value(f"select i1 {minus}, {kind} 1, {kind} {b}")
            found = self.value(f"{op} {kind} {a}, {divisor}")
            negated = self.value(f"sub {kind} 0, {found}")
            return self.value(f"select i1 {minus}, {kind} {negated}, {kind} {found}")
        below = []
        if op[0] == "s":
            below = [self.value(f"icmp slt {kind} {each}, 0") for each in (a, b)]
            flipped = [self.value(f"sub {kind} 0, {each}") for each in (a, b)]
            a, b = (self.value(f"select i1 {n}, {kind} {f}, {kind} {e}") for n, f, e in zip(below, flipped, (a, b), strict=True))
        both = self.value(f"call {{{kind}, {kind}}} @divide{wide}({kind} {a}, {kind} {b})")
        found = self.value(f"extractvalue {{{kind}, {kind}}} {both}, {0 if op[1:] == 'div' else 1}")
        if op[0] == "u":
            return found
        minus = self.value(f"xor i1 {below[0]}, {below[1]}") if op == "sdiv" else below[0]
        negated = self.value(f"sub {kind} 0, {found}")
        return self.value(f"select i1 {minus}, {kind} {negated}, {kind} {found}")


def greatest(term: Term) -> int:
    """An upper bound of a term's value."""
    if term.op == "const":
        return term.value
    if term.op == "concat" and term.args[0].op == "const":
        low = term.args[1]
        return term.args[0].value << low.width | greatest(low)
    if term.op == "ite":
        return max(greatest(term.args[1]), greatest(term.args[2]))
    return (1 << max(term.width, 1)) - 1
