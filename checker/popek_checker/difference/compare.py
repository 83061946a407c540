"""Two machines side by side: what there is to compare, and the question whether the ends of one thing differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from popek_checker.difference.common import SIDES, Common, beginning, common
from popek_checker.difference.declared import encodings
from popek_checker.difference.sides import FETCHED, RESULT, Choices, Side, Unit, item, perform, roots, written
from popek_checker.virtualizability.copies import fresh_index
from popek_checker.virtualizability.decide import OTHER_CSR, item_operands
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term

CARRIED = "traps carry other values in A than in B"
"""Why entry of traps cannot be compared."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a unit, as they are and as they are compared (a trap of them entered), and the question whether
    what they come to differs."""

    sides: tuple[Side, Side]
    final: tuple[Side, Side]
    question: Term

    @property
    def facts(self) -> Term:
        """All that is assumed."""
        return t.and_(*(fact for some in (self.sides, self.final) for side in some for fact in side.facts))

    @property
    def goal(self) -> Term:
        """The question, with all that is assumed."""
        return t.and_(self.facts, self.question)


@dataclass(frozen=True)
class Pair:
    """Two machines over what they have in common."""

    a: m.Machine
    b: m.Machine

    @cached_property
    def common(self) -> Common:
        return common(self.a, self.b)

    def sides(self, unit: Unit, marks: tuple[str, str] = ("", "")) -> tuple[Side, Side]:
        """The unit in both machines. An instruction whose encodings differ has A's word in both, where a trap shows it."""
        word = None
        if unit.kind == "instruction" and encodings(self.a, unit.name) != encodings(self.b, unit.name):
            word = item_operands(self.a, item(unit)).word
        one = perform(self.a, unit, beginning(self.a, self.common, SIDES[0]), Choices(marks[0]))
        other = perform(self.b, unit, beginning(self.b, self.common, SIDES[1]), Choices(marks[1]), word)
        return one, other

    @property
    def carries_alike(self) -> bool:
        """Traps carry the same values, so that one's can be entered in the other."""
        return self.a.causes.payload == self.b.causes.payload

    def obstacle(self, unit: Unit) -> str:
        """Why the unit cannot be compared at all, seen from the declarations; empty when it can."""
        if self.a.pc in self.common.reshaped:
            return f"{self.a.pc}: {self.common.reshaped[self.a.pc]}"
        match unit.kind:
            case "instruction":
                return self._operands(self.a.instructions[unit.name], self.b.instructions[unit.name])
            case "entry" if not self.carries_alike:
                return CARRIED
            case "fetch" if self.a.parcel != self.b.parcel:
                return f"parcel: {self.a.parcel} bits in A, {self.b.parcel} bits in B"
        return ""

    def _operands(self, one: m.Instruction, other: m.Instruction) -> str:
        known = {operand.name: operand for operand in other.operands}
        for operand in one.operands:
            twin = known.get(operand.name, operand)
            if (operand.width, operand.present) != (twin.width, twin.present):
                return f"operand {operand.name}: {operand.width} bits in A, {twin.width} bits in B"
        for name in {name for encoding in (*one.encodings, *other.encodings) for name, _ in encoding.choices}:
            if self.a.fragments.get(name) != self.b.fragments.get(name):
                return f"operand {name}: other alternatives"
        return ""

    def ends(self, sides: tuple[Side, Side], trap: int | None = None) -> Ends:
        """The question about both sides: up to a trap, or about the entry of trap number `trap` of A, which B raises too."""
        if trap is None:
            return Ends(sides, sides, self.differ(sides[0].outcome, sides[1].outcome))
        raised = sides[0].outcome.traps[trap]
        final = (sides[0].entered(raised), sides[1].entered(raised))
        return Ends(sides, final, t.and_(raised.condition, self.differ(final[0].outcome, final[1].outcome)))

    def touched(self, sides: tuple[Side, Side]) -> list[str]:
        """State of another shape in the other machine that the unit reads or writes."""
        if not self.common.reshaped:
            return []
        leaves = {leaf.name for side in sides for leaf in t.free(roots(side))}
        found = [name for name in self.common.reshaped if leaves & {name + suffix for suffix in SIDES}]
        return found + [name for name in self.common.reshaped if name not in found and any(name in written(s) for s in sides)]

    def own(self, sides: tuple[Side, Side], question: Term) -> list[str]:
        """State of one machine alone that the unit writes, or that the question depends on."""
        found = {f"{leaf.name[:-2]} (only in {leaf.name[-1]})": None for leaf in t.free([question]) if leaf.name.endswith(SIDES)}
        for side, suffix in zip(sides, SIDES, strict=True):
            alone = (name for name in written(side) if name not in self.common.shared)
            found |= {f"{name} (only in {suffix[-1]})": None for name in alone}
        return list(found)

    def differ(self, one: Outcome, other: Outcome) -> Term:
        """The ends differ: one completes and the other does not, other states, other traps, or traps that carry other values."""
        names = [*self.common.shared, FETCHED, RESULT]
        state = (self._piece(one.state, other.state, name) for name in sorted(names))
        causes = dict.fromkeys(trap.cause for trap in (*one.traps, *other.traps))
        return t.or_(
            t.ne(one.ok, other.ok),
            t.and_(one.ok, other.ok, t.or_(*state)),
            *(self._trap(cause, one, other) for cause in causes),
        )

    def _piece(self, one: State, other: State, name: str) -> Term:
        """A piece of shared state ends up different; arrays are compared at one fresh index."""
        if name in one.arrays:
            left, right = one.arrays[name], other.arrays[name]
            if left.writes == right.writes and (not left.writes or left.array.zero_at == right.array.zero_at):
                return t.FALSE
            at = fresh_index(left.array)
            return t.ne(left.read(at), right.read(at))
        return t.ne(one.scalars[name], other.scalars[name]) if name in one.scalars else t.FALSE

    def _trap(self, cause: str, one: Outcome, other: Outcome) -> Term:
        """Only one raises the cause, or both do, with different payloads."""
        mine, theirs = ([trap for trap in outcome.traps if trap.cause == cause] for outcome in (one, other))
        when, then = (t.or_(*(trap.condition for trap in some)) for some in (mine, theirs))
        if not mine or not theirs:
            return t.ne(when, then)
        left, right = dict(self.a.causes.payload), dict(self.b.causes.payload)
        carried = [
            t.ne(_carried(mine, list(left).index(name)), _carried(theirs, list(right).index(name)))
            for name in left
            if left[name] == right.get(name)
        ]
        return t.or_(t.ne(when, then), t.and_(when, then, t.or_(*carried)))


def _carried(traps: list[TrapCase], number: int) -> Term:
    """The payload of whichever of the traps is raised; exactly one is."""
    value = traps[-1].payload[number]
    for trap in reversed(traps[:-1]):
        value = t.ite(trap.condition, trap.payload[number], value)
    return value


def between(pair: Pair) -> Iterator[Unit]:
    """What the machines do between instructions: fetch, interrupts, trap entry, as far as both declare it."""
    a, b = pair.a, pair.b
    if a.main_memory and b.main_memory:
        yield Unit("fetch", "fetch")
    if a.otherwise and b.otherwise:
        yield Unit("undecodable", "undecodable")
    if a.interrupts and b.interrupts:
        yield Unit("interrupts", "interrupts")
    if a.trap_stacks and b.trap_stacks:
        known = {cause.name for cause in b.causes.members}
        yield from (Unit("entry", cause.name) for cause in a.causes.members if cause.name in known)


def instructions(pair: Pair, wanted: Iterable[str] = ()) -> Iterator[Unit]:
    """The instructions that both have; one that picks a CSR, once for each number that is a CSR in either."""
    chosen = set(wanted)
    numbers: dict[int, str] = {}
    for machine in (pair.a, pair.b):
        for address, name in machine.csrs.items():
            numbers.setdefault(address, name if name not in numbers.values() else f"{name}@{address:#x}")
    for name, found in pair.a.instructions.items():
        if name not in pair.b.instructions or (chosen and name not in chosen):
            continue
        split = found.split or pair.b.instructions[name].split
        if not split:
            yield Unit("instruction", name)
            continue
        yield from (Unit("instruction", name, part, ((split[0], address),)) for address, part in numbers.items())
        yield Unit("instruction", name, OTHER_CSR)
