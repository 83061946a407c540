"""What a monitor must save of a guest and give back, and with which instructions: derived, in the machine's most privileged mode.

An instruction reads a piece of state where, all else chosen well, no two of its values leave the rest of the state alike. One
sets it where, all else chosen well, every value that it can have is what it becomes, bit by bit from other state or operands.
What none reads or sets as such (the hidden part of a descriptor, the link of LL and SC) is lost when another guest has run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Final

from popek_checker.solver.smt import Answer, Model, Smt, Status, kept_solver
from popek_checker.virtualizability.copies import Copy, pieces, start
from popek_checker.virtualizability.decide import Item, item_operands, items
from popek_checker.virtualizability.steps import Anywhere, step, writes
from popek_checker.virtualizability.verdict import Restored
from popek_grammar import machine as m
from popek_grammar.elaborate.sentences import ENTRY, called
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import execute
from popek_grammar.meaning.state import ArrayValue, legal, member
from popek_grammar.meaning.terms import Term

PIECE: Final = "%piece"
"""The variable that stands for the piece asked about."""
TRIES: Final = 3
"""States in which an instruction is tried, each with other operands."""
AFFORDABLE: Final = 600
"""So many pairs of a scalar and an instruction that may write it are looked at in a report."""
ELEMENTS: Final = 32
"""Of a larger array the first and the last element are asked about."""


@dataclass(frozen=True, slots=True)
class Known:
    """An instruction in the most privileged mode, and the state that it depends on and writes."""

    item: Item
    copy: Copy
    reads: frozenset[str]
    writes: frozenset[str]


def restored(machine: m.Machine, smt: Smt, arrays: bool = True) -> list[Restored]:
    """Every piece of guest or hidden state but memory and the program counter, which trap entry and return see to.

    Without `arrays`, scalars only.
    """
    known = [_known(machine, item) for item in items(machine)]
    written = {name for each in known for name in each.writes} | writes(machine, tuple(machine.trap_stacks.values()))
    found: list[Restored] = []
    entries = cache(lambda: _entries(machine))
    for piece, element in asked(machine):
        if not arrays and element is not None:
            continue
        if isinstance(piece, m.Scalar) and piece.reset is not None and piece.name not in written:
            continue  # what it is after reset it is for every guest
        found.append(_found(machine, smt, known, entries, piece, element))
        for name in (found[-1].sets, found[-1].reads):  # the next element is likely read and set alike
            known.sort(key=lambda each, name=name: each.item.label != name)  # type: ignore[misc]
    return found


def scalars_lost(machine: m.Machine, timeout: float) -> tuple[Restored, ...]:
    """What is lost of the scalars, for a report; nothing of a machine in which that is much work: it is told when asked for."""
    scalars = [name for name, scalar in machine.scalars.items() if scalar.role in (m.Role.GUEST, m.Role.HIDDEN)]
    codes = [writes(machine, (i.lets, i.guards, i.body)) for i in machine.instructions.values()]
    if sum(len(code.intersection(scalars)) for code in codes) > AFFORDABLE:
        return ()
    return tuple(lost(restored(machine, kept_solver(timeout), arrays=False)))


def lost(found: list[Restored]) -> list[Restored]:
    """Those that no instruction reads, or none sets."""
    return [piece for piece in found if not piece.reads or not piece.sets]


def asked(machine: m.Machine) -> Iterator[tuple[m.Scalar | m.Array, int | None]]:
    """The pieces, arrays by element."""
    for name, piece in pieces(machine):
        if piece.role not in (m.Role.GUEST, m.Role.HIDDEN) or name == machine.pc:
            continue
        if isinstance(piece, m.Scalar):
            yield piece, None
        elif not piece.memory:
            every = range(piece.count) if piece.count <= ELEMENTS else (0, piece.count - 1)
            yield from ((piece, element) for element in every if element != piece.zero_at)


def _known(machine: m.Machine, item: Item) -> Known:
    top = machine.modes.members[-1][1] if machine.modes.members else None
    before, operands = start(machine, top, ""), item_operands(machine, item)
    outcome = execute(machine, operands, before, Anywhere())
    return _of(item, Copy(machine, before, outcome, (legal(machine, before), operands.valid, *outcome.assumptions)))


def _of(item: Item, made: Copy) -> Known:
    machine = made.machine
    written = {name for name, value in made.after.scalars.items() if value is not made.before.scalars.get(name)}
    written |= {name for name, array in made.after.arrays.items() if array.writes}
    leaves = t.free([made.ok, *results(made)])
    return Known(item, made, frozenset(leaf.name for leaf in leaves), frozenset(written & {*machine.scalars, *machine.arrays}))


def _entries(machine: m.Machine) -> tuple[Known, ...]:
    """Trap entry of every cause that is no interrupt: what it puts into the system's registers is there to be read."""
    causes = [cause.name for cause in machine.causes.members if not cause.interrupt]
    entry = called(ENTRY, machine.instructions)
    made = ((Item(entry, cause), step(machine, Item(entry, cause))) for cause in causes)
    return tuple(_of(item, taken.copy) for item, taken in made if taken is not None)


def results(made: Copy) -> list[Term]:
    """Every term of the state after."""
    roots = [value for name, value in made.after.scalars.items() if value is not made.before.scalars.get(name)]
    return roots + [part for a in made.after.arrays.values() for w in a.writes for part in (w.guard, w.index, w.value)]


def _found(
    machine: m.Machine, smt: Smt, known: list[Known], entries: Callable[[], tuple[Known, ...]], piece: m.Scalar | m.Array,
    element: int | None,
) -> Restored:  # fmt: skip
    one = Piece(machine, smt, piece, element)
    readers = (each for group in (lambda: known, entries) for each in group() if piece.name in each.reads)
    reads = next((each.item.label for each in readers if one.is_read(each)), "")
    left: tuple[str, ...] = ("reads",) if one.undecided and not reads else ()
    one.undecided = False
    writers = [each for each in known if piece.name in each.writes]
    sets = next((each.item.label for each in writers if one.is_set(each)), "")
    left += ("sets",) if one.undecided and not sets else ()
    touched = () if sets else tuple(dict.fromkeys(each.item.instruction for each in writers))
    return Restored(piece.name, element, piece.role.value, piece.width, reads, sets, touched, left)


class Piece:
    """Questions about one piece of state. `undecided`: one of them was not answered, so that a no since then is none."""

    def __init__(self, machine: m.Machine, smt: Smt, piece: m.Scalar | m.Array, element: int | None) -> None:
        self._smt = smt
        self._piece = piece
        self._element = None if element is None or isinstance(piece, m.Scalar) else t.const(element, piece.index_width)
        self._value = t.var(PIECE, piece.width)
        self._legal = piece.legal if isinstance(piece, m.Scalar) else None
        self.undecided = False

    def is_read(self, known: Known) -> bool:
        """With all else as in a state where it shows, no two values leave the rest of the state alike."""
        made = known.copy
        shown = [made.ok, *made.facts, *(part for name, part in _rest(made, self._piece.name, self._element))]
        named = self._named(shown)
        if not self._could_tell(named[1 + len(made.facts) :], self._value):
            return False
        low, high = self._ends()
        one, other = self._with(named, low), self._with(named, high)
        count = 1 + len(made.facts)
        differ = t.or_(*(t.ne(a, b) for a, b in zip(one[count:], other[count:], strict=True)))
        goal = [*one[:count], *other[:count], differ]
        for _ in range(TRIES):
            model = self._asked(goal).model
            if model is None:
                return False
            if self._tells(named, count, model):
                return True
            operands = [leaf for leaf in t.free(named) if leaf.name.startswith("op.")]
            goal += [t.ne(leaf, t.const(model.value(leaf), leaf.width)) for leaf in operands]
        return False

    def _tells(self, named: list[Term], count: int, model: Model) -> bool:
        """Whether no two values of the piece look alike in what is left of the state, all else as in the model."""
        left = self._fixed(named, model, {PIECE})
        twin = t.var(f"{PIECE}~", self._piece.width)
        again = self._with(left, twin)
        alike = [t.eq(a, b) for a, b in zip(left[count:], again[count:], strict=True)]
        goal = [self._can_be(self._value), self._can_be(twin), *left[:count], *again[:count], t.ne(self._value, twin), *alike]
        return self._asked(goal, model=False).status is Status.UNSAT

    def _could_tell(self, results: list[Term], leaf: Term) -> bool:
        """Whether the terms allow as many results, all but `leaf` fixed, as the piece has values.

        What it gives to them as bits, and as conditions, can tell no more values apart than there are ways for these to be. As
        an address it gives nothing: a cell of a fixed memory is a number.
        """
        bits, conditions = passed(leaf, results)
        values = 1 << self._piece.width if self._legal is None else sum(high - low + 1 for low, high in self._legal)
        return values <= 1 << (bits + conditions)

    def _asked(self, goal: list[Term], model: bool = True) -> Answer:
        answer = self._smt.check(goal, model)
        self.undecided |= answer.status is Status.UNKNOWN
        return answer

    def is_set(self, known: Known) -> bool:
        """With conditions as in a state where it is written, every bit of it comes from a bit of its own."""
        made = known.copy
        after = made.after.scalars[self._piece.name] if self._element is None else self._read(made.after.arrays[self._piece.name])
        roots = self._named([after, made.ok, *made.facts])
        low, high = self._ends()
        for value in (high, low):
            model = self._asked([*roots[1:], t.eq(roots[0], value), t.ne(self._value, value)]).model
            if model is not None:
                return self._reaches(roots, model)
        return False

    def _reaches(self, roots: list[Term], model: Model) -> bool:
        """Whether the new value, `roots[0]`, can be any, where what conditions depend on is as in the model."""
        deciding = set(t.free([*_conditions(roots[:1]), *roots[1:]]))
        sources = {leaf for leaf in t.free(roots[:1]) if leaf not in deciding and leaf.name != PIECE}
        value, *facts = self._fixed(roots, model, sources | {self._value})  # whatever it was before
        if all(fact is t.TRUE for fact in facts) and _own_bits(value):
            return True
        leaves = (leaf for leaf in t.free(roots[:1]) if leaf.name != PIECE and self._could_tell(roots[:1], leaf))
        return any(self._filtered(roots, model, leaf) for leaf in leaves)

    def _filtered(self, roots: list[Term], model: Model, source: Term) -> bool:
        """A value put into `source` at some place is taken over whenever it is one that the piece can have, whatever it was."""
        before = t.var(f"{PIECE}~", self._piece.width)
        for low in range(max(0, source.width - self._piece.width) + 1):
            high = low + self._piece.width
            if high > source.width:
                break
            old = t.const(model.value(source), source.width)
            upper = [t.extract(old, source.width - 1, high)] if high < source.width else []
            put = t.concat_all(*upper, self._value, *([t.extract(old, low - 1, 0)] if low else []))
            value, *facts = self._fixed(roots, model, {source}, {source: put, self._value: before})
            missed = [self._can_be(self._value), self._can_be(before), t.not_(t.and_(t.eq(value, self._value), *facts))]
            if self._asked(missed, model=False).status is Status.UNSAT:
                return True
        return False

    # -- terms -------------------------------------------------------------------------------------------------------

    def _named(self, roots: list[Term]) -> list[Term]:
        """The terms with the piece as a variable: an element wherever its index may be the one asked about."""

        def piece(term: Term, args: tuple[Term, ...]) -> Term | None:
            if term.op == "var" and term.name == self._piece.name:
                return self._value
            if self._element is not None and term.op == "apply" and term.name == self._piece.name:
                return t.ite(t.eq(args[0], self._element), self._value, t.apply(term.name, term.width, args))
            return None

        done = t.substitute(roots, piece)
        return [done[root] for root in roots]

    def _with(self, roots: list[Term], value: Term) -> list[Term]:
        done = t.substitute(roots, lambda term, _: value if term is self._value else None)
        return [done[root] for root in roots]

    def _fixed(
        self, roots: list[Term], model: Model, free: set[Term] | set[str], put: dict[Term, Term] | None = None
    ) -> list[Term]:
        """The terms with every leaf but the `free` ones a number, that of the model."""

        def number(term: Term, args: tuple[Term, ...]) -> Term | None:
            if put is not None and term in put:
                return put[term]
            if term.op not in ("var", "apply") or term in free or term.name in free:
                return None
            return t.const(model.value(t.apply(term.name, term.width, args) if args else term), term.width)

        done = t.substitute(roots, number)
        return [done[root] for root in roots]

    def _read(self, array: ArrayValue) -> Term:
        assert self._element is not None
        return array.read(self._element)

    def _ends(self) -> tuple[Term, Term]:
        """Two values that the piece can have, as unlike as there are."""
        width = self._piece.width
        low, high = (self._legal[0][0], self._legal[-1][1]) if self._legal else (0, (1 << width) - 1)
        return t.const(low, width), t.const(high, width)

    def _can_be(self, value: Term) -> Term:
        return t.TRUE if self._legal is None else member(value, self._legal)


def _rest(made: Copy, name: str, element: Term | None) -> Iterator[tuple[str, Term]]:
    """The state after, but for the piece itself and the program counter: scalars, and what is written into arrays."""
    for other, value in made.after.scalars.items():
        if other not in (name, made.machine.pc) and value is not made.before.scalars.get(other):
            yield other, value
    for other, array in made.after.arrays.items():
        for write in array.writes:
            own = t.FALSE if other != name or element is None else t.eq(write.index, element)
            seen = t.and_(write.guard, t.not_(own))
            yield other, t.ite(seen, write.value, t.const(0, write.value.width))


def _conditions(roots: list[Term]) -> list[Term]:
    """What decides in terms: conditions, and the arguments of functions (where in memory, which element)."""
    decides = [term.args[0] for term in t.postorder(roots) if term.op == "ite"]
    return decides + [arg for term in t.postorder(roots) if term.op == "apply" for arg in term.args]


def passed(piece: Term, roots: list[Term]) -> tuple[int, int]:
    """How many bits of a variable go into terms as such, and how many conditions on it do; what arguments of functions are
    made of is not counted."""
    bits: set[int] = set(range(piece.width) if piece in roots else ())
    conditions: set[Term] = set()
    reached, seen = list(roots), set(roots)
    while reached:
        term = reached.pop()
        if term.width == t.BOOL:
            conditions |= {term} if _made_of(term, piece) else set()
        elif term.op != "apply":
            if piece in term.args:
                high, low = t.bounds(term) if term.op == "extract" else (piece.width - 1, 0)
                bits.update(range(low, high + 1))
            new = [arg for arg in term.args if arg not in seen]
            seen.update(new)
            reached += new
    return len(bits), len(conditions)


def _made_of(root: Term, piece: Term) -> bool:
    """Whether `piece` is below `root` other than as an argument of a function."""
    reached, seen = [root], {root}
    while reached:
        term = reached.pop()
        if term is piece:
            return True
        new = [arg for arg in term.args if arg not in seen] if term.op != "apply" else []
        seen.update(new)
        reached += new
    return False


def _own_bits(value: Term) -> bool:
    """Whether each bit of the value is a bit of some leaf other than the piece, no two the same, elements told apart."""
    seen: set[tuple[Term, int]] = set()
    for at in range(value.width):
        bit = t.extract(value, at, at)
        leaf, place = (bit.args[0], t.bounds(bit)[1]) if bit.op == "extract" else (bit, 0)
        if leaf.op not in ("var", "apply") or leaf.name == PIECE:
            return False
        seen.add((leaf, place))
    leaves = {leaf for leaf, _ in seen if leaf.op == "apply"}
    apart = all(
        one.name != other.name or t.and_(*map(t.eq, one.args, other.args)) is t.FALSE for one, other in combinations(leaves, 2)
    )
    return apart and len(seen) == value.width
