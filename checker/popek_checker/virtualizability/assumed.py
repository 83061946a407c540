"""Whether what is assumed can be: H, and the conditions of the placement, before anything is proved of what they leave.

From a contradiction everything follows. So does it from a condition that the machine never meets: of a field that no write
rule sets, in a register that programs do write, and whose value at reset is another. What can change a field is read off the
text, whatever the mode and whatever the values, so that "never" is said of nothing that the monitor could bring about. A field
whose register no instruction writes at all may be set by means that the text leaves out: the report says that it takes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.copies import holds, pieces, shared, start
from popek_checker.virtualizability.embedding import Embedding
from popek_checker.virtualizability.relocation import relocation
from popek_checker.virtualizability.verdict import Claim
from popek_grammar import machine as m
from popek_grammar.examine.effects import nodes
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import State, legal
from popek_grammar.meaning.terms import Term
from popek_grammar.text.diagnostics import Diagnostic, Note, SpecError

HELD = (m.Role.CONTROL, m.Role.MAP, m.Role.HIDDEN)
"""The state that keeps its value at reset where nothing in the text changes it; inputs change of themselves."""


def examine(machine: m.Machine, asked: Iterable[tuple[m.Theorem, Claim]], smt: Smt) -> None:
    """Raises SpecError for each theorem whose H, and for a placement whose `where`, no state of the machine satisfies."""
    found = [*_placement(machine, smt)]
    for theorem, claim in asked:
        found += _theorem(machine, theorem, claim, smt)
    if found:
        raise SpecError(found)


def _theorem(machine: m.Machine, theorem: m.Theorem, claim: Claim, smt: Smt) -> Iterator[Diagnostic]:
    if not theorem.assume:
        return
    state = start(machine, machine.modes.code(claim.host), "")
    held = [holds(machine, state, expr) for expr, _ in theorem.assume]
    place = conflict(smt, legal(machine, state), held)
    if place is not None:
        words = f"no state satisfies what theorem {theorem.name} assumes: whatever it shows of none is vacuous"
        earlier = tuple(Note(theorem.assume[number][1], theorem.assumed_at[number]) for number in range(place))
        yield Diagnostic(
            "E0424", "error", words, theorem.assumed_at[place], "contradicts what is assumed before" * bool(place), earlier
        )
        return
    fixed = unchanging(machine)
    ruled = {name: value for name, value in fixed.items() if name in ruled_fields(machine)}
    place = never(smt, machine, state, held, ruled)
    if place is not None:
        words = f"theorem {theorem.name} assumes what never is: whatever it shows is vacuous"
        note = Note(f"from reset on {_values(held[: place + 1], ruled)}, and no write rule changes that")
        yield Diagnostic("E0424", "error", words, theorem.assumed_at[place], "", (note,))


def brought_about(machine: m.Machine, asked: Iterable[tuple[m.Theorem, Claim]], smt: Smt) -> tuple[str, ...]:
    """What a report must say of an H that the machine does not meet at reset, and that nothing in the text brings about."""
    found, fixed = [], unchanging(machine)
    for theorem, claim in asked:
        state = start(machine, machine.modes.code(claim.host), "")
        held = [holds(machine, state, expr) for expr, _ in theorem.assume]
        place = never(smt, machine, state, held, fixed) if held else None
        if place is not None:
            at = theorem.assumed_at[place]
            means = f"is brought about by means that the text leaves out, where {_values(held[: place + 1], fixed)} from reset on"
            found.append(f"theorem {theorem.name}: {theorem.assume[place][1]} (line {at.line}) {means}")
    return tuple(found)


def never(smt: Smt, machine: m.Machine, state: State, held: Sequence[Term], fixed: Mapping[str, Term]) -> int | None:
    """The first condition that cannot be where some state keeps its value at reset."""
    return conflict(
        smt, t.and_(legal(machine, state), *(t.eq(state.scalars[name], value) for name, value in fixed.items())), held
    )


def _values(conditions: Sequence[Term], fixed: Mapping[str, Term]) -> str:
    spoken = sorted({leaf.name for leaf in t.free(conditions)} & set(fixed))
    return ", ".join(f"{name} is {fixed[name].value}" for name in spoken)


def _placement(machine: m.Machine, smt: Smt) -> Iterator[Diagnostic]:
    for placement in machine.placements.values():
        state = start(machine, None, "")
        conditions = Embedding(machine, placement, "~", relocates=False).where(state)
        place = conflict(smt, legal(machine, state), conditions) if conditions else None
        if place is not None:
            words = "no guest satisfies the placement: whatever is shown of one is vacuous"
            yield Diagnostic("E0425", "error", words, placement.where_at[place])


def unplaced(machine: m.Machine, claim: Claim) -> tuple[str, ...]:
    """What a report must say of a placement that some of its questions do not go by."""
    placement = machine.placements.get(claim.placement)
    if placement is None or placement.memory is None or claim.memory != "translated" or not machine.translations:
        return ()
    if relocation(machine, start(machine, machine.modes.code(claim.guest), "")) is not None:
        return ()
    unseen = "what the translations make of an address is not the address plus something"
    return (f"placement: whether the place shows is asked of the map's state alone, memory as it lies, since {unseen}",)


def alike(machine: m.Machine) -> tuple[str, ...]:
    """What a report must say of hidden state that guest and host are taken to hold alike."""
    names = [name for name, piece in pieces(machine) if piece.role is m.Role.HIDDEN and shared(piece)]
    told = "reset alike on both machines, and what a trap does to it is for noninterference to see"
    return (f"hidden state {', '.join(names)}: {told}",) if names else ()


def conflict(smt: Smt, facts: Term, conditions: Sequence[Term]) -> int | None:
    """The first of the conditions that cannot hold together with those before it and with the facts; None where all can."""
    together = [facts]
    if smt.check([facts, *conditions], model=False).status is not Status.UNSAT:
        return None
    for number, condition in enumerate(conditions):
        together.append(condition)
        if smt.check(together, model=False).status is Status.UNSAT:
            return number
    return None


def unchanging(machine: m.Machine) -> dict[str, Term]:
    """The held state that nothing in the text changes, with its value from reset on."""
    changed = changeable(machine) | {wire.target for region in machine.regions.values() for wire in region.wires}
    changed |= {clock.name for clock in machine.clocks}
    return {
        name: t.const(scalar.reset, scalar.width)
        for name, scalar in machine.scalars.items()
        if scalar.role in HELD and scalar.reset is not None and name not in changed
    }


def ruled_fields(machine: m.Machine) -> set[str]:
    """The state of registers that some instruction writes as a whole, by their rules."""
    return {part.state for name in _changes(machine)[1] for part in machine.registers[name].fields if part.state is not None}


def changeable(machine: m.Machine) -> set[str]:
    """The scalars and arrays that some instruction, trap entry or return, or write rule may write, in any mode."""
    return _changes(machine)[0]


def _changes(machine: m.Machine) -> tuple[set[str], set[str]]:
    """The state that may be written, and the registers that are written as a whole."""
    waiting: list[object] = [
        *((i.lets, i.guards, i.body) for i in machine.instructions.values()),
        *(function.body for function in machine.functions.values()),
        *machine.trap_stacks.values(),
        *(translation.body for translation in machine.translations.values()),
        *(protection.body for protection in machine.protections.values()),
        machine.delegate,
    ]
    found: set[str] = set()
    written: set[str] = set()
    while waiting:
        for node in nodes(waiting.pop()):
            match node:
                case m.ScalarPlace(name) | m.ElementPlace(name):
                    found.add(name)
                case m.RegisterPlace(name):
                    waiting += _write_rule(machine, name, written, found)
                case m.Builtin("csr_write"):
                    for name in machine.csrs.values():
                        waiting += _write_rule(machine, name, written, found)
                case _:
                    pass
    return found, written


def _write_rule(machine: m.Machine, name: str, written: set[str], found: set[str]) -> list[object]:
    """Notes what a write of a whole register does to its fields; gives the body of its `write` clause, once."""
    if name in written:
        return []
    written.add(name)
    register = machine.registers[name]
    if register.write is not None:
        return [register.write[1]]
    software = (m.FieldKind.RW, m.FieldKind.WARL, m.FieldKind.WLRL)
    found.update(field.state for field in register.fields if field.state is not None and field.kind in software)
    return []
