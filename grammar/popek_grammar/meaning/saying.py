"""Terms over a machine's state as text of the language: what is said reads back as the same term.

The inverse of the evaluator on expressions. The text knows its own widths (`zext(0b0, 8)` where a bare number would have
none), so that it can stand in an `assume` line alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

LONGEST = 2000
"""Characters; a term that is longer as text is none that a person reads."""

COMPOUND, COMPARISON, ATOM = range(3)
"""How tightly a text holds together: `and`, `if`, an operation; a comparison; a name, a call, a slice."""

SYMBOLS = {
    "mul": "*", "udiv": "/", "urem": "%", "sdiv": "/s", "srem": "%s", "bvand": "&", "bvor": "|", "bvxor": "^",
    "shl": "<<", "lshr": ">>", "ashr": ">>s",
}  # fmt: skip


class Unsayable(Exception):
    """The language has no words for this term: an opaque view of memory, an open choice, an element that is none."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and how tightly it holds together."""

    text: str
    level: int = ATOM

    def inside(self, level: int = ATOM) -> str:
        """The text as an operand, in parentheses unless it holds together as tightly as `level`."""
        return self.text if self.level >= level else f"({self.text})"


def say(machine: m.Machine, term: Term, names: Callable[[str], str] = str) -> str:
    """`term` as the language's text; `names` turns the names of variables and functions into those of the machine's state.

    Raises `Unsayable`.
    """
    speaker = Speaker(machine, names)
    for node in t.postorder([term]):
        speaker.learn(node)
    return speaker.of(term).text


@dataclass(slots=True)
class Speaker:
    """What has been said so far, arguments first; or why it cannot be, which matters only where it is asked for."""

    machine: m.Machine
    names: Callable[[str], str]
    known: dict[Term, Said | Unsayable] = field(default_factory=dict)

    def learn(self, term: Term) -> None:
        """Says `term`, whose arguments are known."""
        try:
            said = self.node(term)
            self.known[term] = said if len(said.text) <= LONGEST else Unsayable("too long")
        except Unsayable as reason:
            self.known[term] = reason

    def of(self, term: Term) -> Said:
        """What was said of a term."""
        found = self.known[term]
        if isinstance(found, Unsayable):
            raise found
        return found

    def node(self, term: Term) -> Said:
        match term.op:
            case "const":
                return Said(number(term.value) if term.width else str(bool(term.payload)).lower())
            case "var":
                return self._scalar(term)
            case "apply":
                return self._element(term)
            case "not":
                return self._denied(term.args[0])
            case "and":
                parts = [self._row(run) for run in runs(term.args)]
                return parts[0] if len(parts) == 1 else Said(" and ".join(part.inside(COMPARISON) for part in parts), COMPOUND)
            case "or":
                return self._either(term)
            case "ite":
                return self._choice(*term.args)
            case "eq" | "ult" | "slt":
                return self._compared(term, denied=False)
            case "extract":
                hi, lo = t.bounds(term)
                return Said(f"{self._operand(term.args[0])}[{hi if hi == lo else f'{hi}:{lo}'}]")
            case "sext":
                return Said(f"sext({self.of(term.args[0]).text}, {term.width})")
            case "concat":
                return self._joined(*term.args)
            case "bvnot" | "neg":
                return Said(f"{'~' if term.op == 'bvnot' else '-'}{self._operand(term.args[0])}", COMPOUND)
            case "add":
                return self._sum(*term.args)
            case op:
                left, right = term.args
                first = typed(left) if left.is_const and op in ("shl", "lshr", "ashr") else self._operand(left)
                second = typed(right) if right.is_const and right.value == 0 else self._operand(right)  # `x / 0` is refused
                return Said(f"{first} {SYMBOLS[op]} {second}", COMPOUND)

    # -- state -------------------------------------------------------------------------------------------------------

    def _scalar(self, term: Term) -> Said:
        name = self.names(term.name)
        scalar = self.machine.scalars.get(name)
        if scalar is None or scalar.width != term.width:
            raise Unsayable(name)
        return Said(name if isinstance(scalar.type, m.Bits) else f"bits({name})")

    def _element(self, term: Term) -> Said:
        name = self.names(term.name)
        array = self.machine.arrays.get(name)
        if array is None or len(term.args) != 1 or array.width != term.width:
            raise Unsayable(name)
        index = term.args[0]
        if array.zero_at is not None and not (index.is_const and index.value != array.zero_at):
            raise Unsayable(f"{name}, whose element {array.zero_at} reads zero")
        return self._at(array, index)

    def _at(self, array: m.Array, index: Term) -> Said:
        if index.width != array.index_width or (index.is_const and index.value >= array.count):
            raise Unsayable(f"{array.name}[{self.of(index).text}]")
        owner, dot, part = array.name.partition(".")
        return Said(f"{owner}[{self.of(index).text}]{dot}{part}")

    # -- truth values ------------------------------------------------------------------------------------------------

    def _denied(self, inner: Term) -> Said:
        if inner.op in ("eq", "ult", "slt"):
            return self._compared(inner, denied=True)
        return Said(f"not {self.of(inner).inside()}", COMPOUND)

    def _row(self, run: Sequence[Term]) -> Said:
        """Comparisons of elements in a row with one value, as one of them all."""
        first = self.of(run[0])
        if len(run) == 1:
            return first
        self.of(run[-1])
        one, other = (number(element(part).args[0].value) for part in (run[0], run[-1]))
        return Said(first.text.replace(f"[{one}]", f"[{one}..{other}]", 1), COMPARISON)

    def _compared(self, term: Term, denied: bool) -> Said:
        """A comparison, or its negation; a constant stands on the right."""
        left, right = term.args
        if term.op == "eq":
            symbol = "!=" if denied else "=="
            one, other = self._mode(left, right) or (self._operand(left), self._operand(right))
            return Said(f"{one} {symbol} {other}", COMPARISON)
        suffix = "s" if term.op == "slt" else ""
        if left.is_const:
            return Said(f"{self._operand(right)} {'<=' if denied else '>'}{suffix} {self._operand(left)}", COMPARISON)
        return Said(f"{self._operand(left)} {'>=' if denied else '<'}{suffix} {self._operand(right)}", COMPARISON)

    def _mode(self, left: Term, right: Term) -> tuple[str, str] | None:
        """A piece of state that holds a mode, and the name of the mode that it is compared with."""
        scalar = self.machine.scalars.get(self.names(left.name)) if left.op == "var" else None
        if scalar is None or not isinstance(scalar.type, m.Mode) or not right.is_const:
            return None
        name = next((name for name, code in self.machine.modes.members if code == right.value), None)
        return None if name is None else (scalar.name, name)

    def _either(self, term: Term) -> Said:
        """Equalities of one term are a set; what else is joined by `or` is written as a choice, which is what reads back."""
        parts = [(part.args[0], part.args[1].value) for part in term.args if part.op == "eq" and part.args[1].is_const]
        values = [value for _, value in parts]
        if len(parts) == len(term.args) and len({operand for operand, _ in parts}) == 1 and values == sorted(values):
            return Said(f"{self._operand(parts[0][0])} in {{{', '.join(map(number, values))}}}", COMPARISON)
        *first, last = term.args
        text = self.of(last).inside()
        for part in reversed(first):
            text = f"(if {self.of(part).text} then true else {text})"
        return Said(text[1:-1], COMPOUND)

    # -- bits --------------------------------------------------------------------------------------------------------

    def _choice(self, condition: Term, yes: Term, no: Term) -> Said:
        test = self.of(condition).text
        if yes.width == 1 and yes.is_const and no.is_const and yes.value == 1:
            return Said(f"bits({test})")
        element = self._zero_element(condition, yes, no)
        if element is not None:
            return element
        first = typed(yes) if yes.is_const and no.is_const and yes.width else self.of(yes).inside()
        return Said(f"if {test} then {first} else {self.of(no).inside()}", COMPOUND)

    def _zero_element(self, condition: Term, yes: Term, no: Term) -> Said | None:
        """`if i == z then 0 else A[i]` is what `A[i]` means in a file whose element z reads zero."""
        if no.op != "apply" or not (yes.is_const and yes.value == 0) or condition.op != "eq":
            return None
        array = self.machine.arrays.get(self.names(no.name))
        index = no.args[0]
        if array is None or array.zero_at is None or condition.args != (index, t.const(array.zero_at, index.width)):
            return None
        return self._at(array, index)

    def _joined(self, high: Term, low: Term) -> Said:
        if high.is_const and high.value == 0 and not low.is_const:
            return Said(f"zext({self.of(low).text}, {high.width + low.width})")
        parts = [digits(part) if part.is_const else self._operand(part) for part in (high, low)]
        return Said(" @ ".join(parts), COMPOUND)

    def _sum(self, left: Term, right: Term) -> Said:
        if right.op == "neg":
            return Said(f"{self._operand(left)} - {self._operand(right.args[0])}", COMPOUND)
        return Said(f"{self._operand(left)} + {self._operand(right)}", COMPOUND)

    def _operand(self, term: Term) -> str:
        return self.of(term).inside()


def runs(parts: Sequence[Term]) -> list[list[Term]]:
    """The parts of a conjunction, those together that say the same of one element after the other."""
    found: list[list[Term]] = []
    for part in parts:
        if found and follows(found[-1][-1], part):
            found[-1].append(part)
        else:
            found.append([part])
    return found


def follows(one: Term, other: Term) -> bool:
    """Whether `other` says of the next element what `one` says of an element."""
    here, there = element(one), element(other)
    if here is t.TRUE or there is t.TRUE or here.name != there.name or here.width != there.width:
        return False
    alike = (one.op, _bare(one).args[1]) == (other.op, _bare(other).args[1])
    return alike and there.args[0].value == here.args[0].value + 1


def element(part: Term) -> Term:
    """The element that is compared with a constant; TRUE where none is."""
    bare = _bare(part)
    if bare.op == "eq" and bare.args[1].is_const and bare.args[0].op == "apply" and bare.args[0].args[0].is_const:
        return bare.args[0]
    return t.TRUE


def _bare(part: Term) -> Term:
    return part.args[0] if part.op == "not" else part


def number(value: int) -> str:
    """A constant that takes its width from what stands beside it."""
    return str(value) if value < 10 else hex(value)


def digits(term: Term) -> str:
    """A constant whose digits give it its width."""
    if term.width % 4 == 0 and term.width > 8:
        return f"0x{term.value:0{term.width // 4}x}"
    return f"0b{term.value:0{term.width}b}"


def typed(term: Term) -> str:
    """A constant of its own width where nothing else gives it one."""
    return f"zext(0b{term.value:b}, {term.width})"
