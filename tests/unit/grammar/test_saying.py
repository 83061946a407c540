"""Terms as text: what is said of a machine's state reads back as the same term."""

from __future__ import annotations

from random import Random

import pytest

from machines import machine, representatives
from popek_checker.virtualizability.candidates import atoms, said
from popek_checker.virtualizability.check import Options, main_claim
from popek_checker.virtualizability.copies import holds
from popek_checker.virtualizability.decide import items, make_subject
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.saying import Unsayable, say
from popek_grammar.meaning.state import State, symbolic
from popek_grammar.meaning.terms import Term
from popek_grammar.text.source import load_texts

TEXT = """
isa said { encoding little parcel 8 }
modes { U = 0 < S = 1 < M = 3 }
state {
  pc : bits(8)
  m : mode role mode reset M
  before : mode role control
  one : bits(1) role control
  five : bits(5) role control
  byte : bits(8) role control
  other : bits(8)
  X[8] : bits(8) zero at 0
  open[6] : bits(1) role control
  ram : mem(8 -> 8)
}
register status : bits(8) role control { IE [0] rw; LEVEL [3:1] rw }
register seg[4] : bits(8) role map { DPL [1:0] rw; BASE [7:2] rw }
causes { no = 0 }
otherwise trap no
instr nop { enc 00000000; do { } }
theorem one { for S at U
  show theorem1 }
"""


@pytest.fixture(scope="module")
def small() -> m.Machine:
    return elaborate(load_texts({"said.isa": TEXT}))


def back(made: m.Machine, text: str) -> Term:
    """What a condition means."""
    return holds(made, symbolic(made), assumption(made, text))


@pytest.mark.parametrize(("file", "config"), representatives())
def test_what_shipped_machines_compare_reads_back(file: str, config: str) -> None:
    """Every comparison of held state in every instruction, and its negation, in the words of the language."""
    made = machine(file, config)
    claim, invariant = main_claim(made, Options(), list(made.theorems.values()))
    seen: set[Term] = set()
    for item in items(made):
        subject = make_subject(made, item, claim, invariant)
        host = subject.host_copy
        for atom in atoms(subject, [*subject.roots(host), *(trap.condition for trap in host.outcome.traps)]):
            if atom not in seen:
                seen.add(atom)
                assert said(made, host.before, atom) is not None


@pytest.mark.parametrize("seed", range(20))
def test_random_terms_read_back(small: m.Machine, seed: int) -> None:
    """Every operator over every kind of state; what has no words says so."""
    choose = Random(seed)
    spoken = 0
    for _ in range(60):
        term = truth(choose, symbolic(small), 3)
        if term.is_const:
            continue
        try:
            text = say(small, term)
        except Unsayable:
            continue
        spoken += 1
        assert back(small, text) is term, text
    assert spoken > 20


def truth(choose: Random, state: State, depth: int) -> Term:
    """A truth value over the machine's state."""
    match choose.randrange(7) if depth else 6:
        case 0:
            return t.not_(truth(choose, state, depth - 1))
        case 1:
            return t.and_(*(truth(choose, state, depth - 1) for _ in range(choose.randrange(2, 4))))
        case 2:
            return t.or_(*(truth(choose, state, depth - 1) for _ in range(choose.randrange(2, 4))))
        case 3:
            return t.ite(*(truth(choose, state, depth - 1) for _ in range(3)))
        case 4:
            value = bits(choose, state, 8, depth - 1)
            return t.or_(*(t.eq(value, t.const(number, 8)) for number in choose.sample(range(256), 3)))
        case _:
            width = choose.choice((1, 2, 3, 5, 8, 16))
            compare = choose.choice((t.eq, t.ne, t.ult, t.ule, t.slt, t.sle))
            return compare(bits(choose, state, width, max(depth - 1, 0)), bits(choose, state, width, max(depth - 1, 0)))


def bits(choose: Random, state: State, width: int, depth: int) -> Term:
    """A value of so many bits over the machine's state."""
    if depth == 0:
        return leaf(choose, state, width)

    def inner(wanted: int = width) -> Term:
        return bits(choose, state, wanted, depth - 1)

    match choose.randrange(9):
        case 0:
            return choose.choice((t.neg, t.bvnot))(inner())
        case 1 | 2:
            return choose.choice((t.add, t.sub, t.mul, t.bvand, t.bvor, t.bvxor))(inner(), inner())
        case 3:
            return choose.choice((t.udiv, t.urem, t.sdiv, t.srem, t.shl, t.lshr, t.ashr))(inner(), inner())
        case 4:
            return t.ite(truth(choose, state, depth - 1), inner(), inner())
        case 5 if width > 1:
            high = choose.randrange(1, width)
            return t.concat(inner(width - high), inner(high))
        case 6:
            low = choose.randrange(4)
            return t.extract(inner(width + low + 1), width + low - 1, low)
        case 7 if width > 1:
            return choose.choice((t.zext, t.sext))(inner(width - 1), width)
        case 8 if width in (1, 6, 8):
            array, index = {1: ("open", 3), 6: ("seg.BASE", 2), 8: ("X", 3)}[width]
            return state.arrays[array].read(inner(index))
        case _:
            return leaf(choose, state, width)


def leaf(choose: Random, state: State, width: int) -> Term:
    """A piece of state cut or stretched to a width, or a constant."""
    if choose.randrange(4) == 0:
        return t.const(choose.getrandbits(width), width)
    name = choose.choice(("before", "one", "five", "byte", "other", "status.IE", "status.LEVEL"))
    return t.resize(state.scalars[name], width)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("byte & 0x81 != 0", "(byte & 0x81) != 0"),
        ("before == S", "before == S"),
        ("before != M", "before != M"),
        ("5 > byte", "byte < 5"),
        ("not (byte > 5)", "byte <= 5"),
        ("byte in {1, 2, 7}", "byte in {1, 2, 7}"),
        ("open[5] == 1 and seg[2].DPL == 3", "open[5] == 1 and seg[2].DPL == 3"),
        ("X[other[2:0]] < 5", "X[other[2:0]] < 5"),
        ("byte * byte == 3", "(byte * byte) == 3"),
    ],
)
def test_the_words(small: m.Machine, text: str, shown: str) -> None:
    assert say(small, back(small, text)) == shown


@pytest.mark.parametrize(
    "term",
    [
        t.eq(t.apply("view", 8, (t.var("byte", 8),)), t.const(1, 8)),
        t.eq(t.var("?choice", 8), t.const(1, 8)),
        t.eq(t.apply("open", 1, (t.const(7, 3),)), t.const(1, 1)),
        t.eq(t.apply("X", 8, (t.var("status.LEVEL", 3),)), t.const(1, 8)),
    ],
)
def test_what_has_no_words_says_so(small: m.Machine, term: Term) -> None:
    """A view of memory, an open choice, an element that is none, and one that reads otherwise than it is stored."""
    with pytest.raises(Unsayable):
        say(small, term)
