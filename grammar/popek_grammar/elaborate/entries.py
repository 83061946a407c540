"""What a trap entry keeps of what it overwrites, and whether `return_from` finds again what the entry saved.

Both are read off the entry as terms, by what ends up in the state: whichever way it was written there, through `let`, a
function, a whole register, several cells or a push.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from popek_grammar import machine as m
from popek_grammar.elaborate.shown import Bit, shown
from popek_grammar.examine.effects import Effects, effects, followed, written
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.state import State, symbolic
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import enter_stack, return_from
from popek_grammar.text.diagnostics import Diagnostics


def check_entries(machine: m.Machine, found: Diagnostics) -> None:
    """Every trap stack. Right in itself, the machine may be evaluated: nothing else is wrong with it."""
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    returned = effects(machine, [i.body for i in machine.instructions.values()], list(machine.functions.values())).returns
    for stack in machine.trap_stacks.values():
        _sets_the_counter(machine, stack, found)
        before = len(found.found)
        _keeps(machine, stack, functions, found)
        if stack.name in returned and len(found.found) == before:
            _finds_again(machine, stack, functions, found)


@dataclass(slots=True)
class Pushes:
    """Memory as an entry meets it: what is stored is noted, what is loaded may be anything."""

    stored: list[Term] = field(default_factory=list)

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term:
        return t.apply(f"%load {width}", width, (address,))

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None:
        self.stored.append(value)

    def physical(self, run: Run, address: Term, width: int) -> Term:
        return t.apply(f"%load {width}", width, (address,))

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        self.stored.append(value)

    def own_cells(self, machine: m.Machine, array: str) -> str:
        return array


def _started(machine: m.Machine) -> tuple[Run, Pushes]:
    """A run at the point where a trap is taken: any state, any cause."""
    pushes = Pushes()
    run = Run(machine, symbolic(machine), pushes)
    pc = machine.scalars[machine.pc].width
    run.special = {f"cause.{name}": t.var(f"cause.{name}", width) for name, width in machine.causes.payload}
    run.special |= {"cause.code": t.var("cause.code", machine.causes.code_width), "next_pc": t.var("next_pc", pc)}
    run.special["cause.interrupt"] = t.ne(t.var("cause.interrupt", 1), t.const(0, 1))
    return run, pushes


# -- what is kept ----------------------------------------------------------------------------------------------------


def _sets_the_counter(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """E0414."""
    if stack.vector is None and machine.pc not in written(machine, [line.place for line in stack.enters]):
        message = f"trap_stack {stack.name} has no `vector`, and no `enter` line sets {machine.pc}"
        found.error("E0414", message, stack.span)


def _keeps(machine: m.Machine, stack: m.TrapStack, functions: dict[str, Effects], found: Diagnostics) -> None:
    """E0412: what `enter` overwrites, and what `before` does and `save` should restore, is there afterwards, or clobbered."""
    before = followed(machine, effects(machine, stack.before), functions)
    mentioned = followed(machine, effects(machine, [s.source for s in stack.saves], stack.before, stack.records), functions)
    clobbered = set(stack.clobbers) | written(machine, [m.RegisterPlace(name, None, 0) for name in stack.clobbers])
    run, pushes = _started(machine)
    enter_stack(run, stack)
    kept = set(_kept(machine, run.state, pushes))
    for name, span in _overwritten(machine, stack, before.writes).items():
        lost = [bit for bit in _significant(machine, stack, name) if (name, bit) not in kept]
        unread = name in machine.arrays and name not in mentioned.reads
        if name not in clobbered and (lost or unread):
            _lost(machine, stack, name, lost, name in before.writes, span, found)


def _kept(machine: m.Machine, state: State, pushes: Pushes) -> Iterator[Bit]:
    """The bits of the state before the entry that lie somewhere in the state after it."""
    values = [state.scalars[name] for name in machine.scalars]
    values += [write.value for array in state.arrays.values() for write in array.writes]
    for name, number in shown([*values, *pushes.stored]):
        yield (machine.pc if name == "next_pc" else name), number


def _overwritten(machine: m.Machine, stack: m.TrapStack, before: set[str]) -> dict[str, m.Span]:
    """State that must not be lost, and the line that speaks of it."""
    lines = [(line.place, line.span) for line in stack.enters]
    entered = {name: span for place, span in reversed(lines) for name in sorted(written(machine, [place]))}
    saved = [(save.restore, save.span) for save in stack.saves if save.restore is not None]
    changed = {name: span for place, span in saved for name in sorted(written(machine, [place]) & before)}
    return {**changed, **entered}


def _significant(machine: m.Machine, stack: m.TrapStack, name: str) -> list[int]:
    """The bits of a scalar in which its possible values differ."""
    if name not in machine.scalars:
        return []
    scalar = machine.scalars[name]
    values = _possible(machine, stack, scalar)
    if not values:
        return list(range(scalar.width))
    return [bit for bit in range(scalar.width) if len({value >> bit & 1 for value in values}) > 1]


def _possible(machine: m.Machine, stack: m.TrapStack, scalar: m.Scalar) -> list[int]:
    """The values of a piece of state when the trap is taken, if few: a trap comes from no mode above the one it enters."""
    if scalar.name == machine.mode:
        members = machine.modes.members
        entered = next((line.value for line in stack.enters if line.place == m.ScalarPlace(scalar.name, scalar.width)), None)
        rank = machine.modes.rank(entered.value) if isinstance(entered, m.Literal) else len(members)
        return [code for _, code in members[: rank + 1]]
    if scalar.legal is None or sum(high - low + 1 for low, high in scalar.legal) > 1 << 8:
        return []
    return [value for low, high in scalar.legal for value in range(low, high + 1)]


def _lost(
    machine: m.Machine, stack: m.TrapStack, name: str, bits: list[int], changed: bool, span: m.Span, found: Diagnostics
) -> None:
    saved = any(save.restore is not None and name in written(machine, [save.restore]) for save in stack.saves)
    label, hint = "every field that `enter` writes must appear in `save` or `clobber`", f"save {name} -> ..."
    if saved and changed:
        label, hint = f"`before` has changed {name} by then", f"let old = {name}, first in `before`; save old -> ..."
    elif name in machine.scalars and len(bits) < machine.scalars[name].width:
        label = f"bit{'s' * (len(bits) > 1)} {', '.join(map(str, bits))} of {name} cannot be found in what is saved"
    message = f"trap_stack {stack.name} changes {name} on entry and does not save it"
    found.error("E0412", message, span, label, help=hint)


# -- what is found again ---------------------------------------------------------------------------------------------


def _finds_again(machine: m.Machine, stack: m.TrapStack, functions: dict[str, Effects], found: Diagnostics) -> None:
    """`return_from` looks for what was saved in the state that it meets: by what only the entry knows it finds nothing."""
    known = True
    for let in stack.finds:
        known &= _known(machine, stack, f"`{let.name}`", [let.value], functions, stack.span, found)
    for save in stack.saves:
        if save.restore is not None:
            indices = list(_indices(save.target))
            known &= _known(machine, stack, "this place", indices, functions, save.span, found)
    for save in stack.saves:
        if known and save.restore is not None:
            _same_place(machine, stack, save, found)
    if known:
        _restores(machine, stack, found)


def _known(
    machine: m.Machine, stack: m.TrapStack, what: str, by: list[m.Expr], functions: dict[str, Effects], span: m.Span,
    found: Diagnostics,
) -> bool:  # fmt: skip
    """E0456: what places are found by can be worked out again on return, and that changes nothing."""
    used = followed(machine, effects(machine, by), functions)
    strange = sorted(name for name in used.builtins if name.startswith("cause.") or name == "next_pc")
    if strange:
        message = f"return_from {stack.name} needs {what}, which is made of `{strange[0]}`: that is known on entry only"
        found.error("E0456", message, span, help="find it by state that stands when the handler returns")
    elif used.writes or used.causes:
        message = f"return_from {stack.name} needs {what}, and to work it out again changes state or traps"
        found.error("E0456", message, span, help="find it by what needs only be read")
    return not (strange or used.writes or used.causes)


def _same_place(machine: m.Machine, stack: m.TrapStack, save: m.Save, found: Diagnostics) -> None:
    """E0457: the element that an entry wrote is the one that the return reads, when nothing has happened in between."""
    entry, _ = _started(machine)
    entry.run(stack.before)
    meant = [entry.value(index) for index in _indices(save.target)]
    after, _ = _started(machine)
    enter_stack(after, stack)
    for let in stack.finds:
        after.env[let.name] = after.value(let.value)
    looked = [after.value(index) for index in _indices(save.target)]
    moved = next(((a, b) for a, b in zip(meant, looked, strict=True) if a is not b and not _reads(a, b)), None)
    if moved is not None:
        message = f"return_from {stack.name} looks for this elsewhere: the entry changes what the place is found by"
        shown_as = f"saved at {t.render(moved[0])}, looked for at {t.render(moved[1])}, by the state before the trap"
        hint = "let `before` make the change, and bind the name after it"
        found.error("E0457", message, save.span, shown_as, help=hint)


def _restores(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """W0410: of what the entry changes, a return leaves nothing as the entry left it: saved it may be, but not as a place."""
    run, _ = _started(machine)
    enter_stack(run, stack)
    return_from(run, stack)
    left = effects(machine, stack.leaves).writes | set(stack.clobbers)
    for line in stack.enters:
        for name in sorted(written(machine, [line.place]) & machine.scalars.keys() - left):
            if all(term.name != name for term in t.free([run.state.scalars[name]])):
                message = f"return_from {stack.name} leaves {name} as the entry set it: no `save` line restores it"
                found.warning("W0410", message, line.span, help=f"save {name} -> ..., or set it in a `leave` line")


def _indices(place: m.Place) -> Iterator[m.Expr]:
    match place:
        case m.ElementPlace(_, index):
            yield index
        case m.RegisterPlace(_, index) if index is not None:
            yield index
        case m.SlicePlace(inner):
            yield from _indices(inner)
        case m.ConcatPlace(parts):
            for part in parts:
                yield from _indices(part)
        case _:
            pass


def _reads(*terms: Term) -> bool:
    """Whether a place is found by something in an array: whether that is the same again is not said by its shape."""
    return any(term.op == "apply" for term in t.free(terms))
