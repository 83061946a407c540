"""Trap stacks as wholes: what a trap overwrites, whether its saves can be undone, and whether it gains privilege.

That every field written by `enter` is saved, and that widths agree, is checked line by line where the lines are read.
"""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.examine.effects import Effects, effects, followed, stored
from popek_grammar.text.diagnostics import Diagnostics, Note


def check_stacks(machine: m.Machine, found: Diagnostics) -> None:
    """Every trap stack, each on its own."""
    for stack in machine.trap_stacks.values():
        _keeps_the_counter(machine, stack, found)
        _keeps_the_mode(machine, stack, found)
        _writes_once(machine, stack, found)
        _sets_the_mode(machine, stack, found)


def _keeps_the_counter(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """E0430: the vector replaces the program counter: it must be saved, pushed by `before`, or said to be lost."""
    kept = _done(machine, [save.source for save in stack.saves], stack.before, stack.records)
    if machine.pc in kept.reads | _clobbered(machine, stack) or "next_pc" in kept.builtins:
        return
    message = f"trap_stack {stack.name} replaces {machine.pc} and does not save it"
    found.error("E0430", message, stack.span, help=f"save {machine.pc} -> ..., or clobber {machine.pc}")


def _done(machine: m.Machine, *pieces: object) -> Effects:
    """What some clauses do, through functions too."""
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    return followed(machine, effects(machine, *pieces), functions)


def _clobbered(machine: m.Machine, stack: m.TrapStack) -> set[str]:
    names = set(stack.clobbers)
    return names.union(*(stored(machine.registers.get(name)) for name in names))


def _keeps_the_mode(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """E0431: a mode may go into fewer bits than its own when every mode that can trap here fits."""
    for save in stack.saves:
        if not isinstance(save.source.type, m.Mode):
            continue
        lost = [name for name, code in _from_below(machine, stack) if code >> save.target.width]
        if lost:
            width = machine.modes.width
            message = f"mode {lost[0]} does not fit where trap_stack {stack.name} saves the mode"
            label = f"{width} bits into {save.target.width}"
            found.error("E0431", message, save.span, label, help="what is saved must be recoverable by return_from")


def _from_below(machine: m.Machine, stack: m.TrapStack) -> tuple[tuple[str, int], ...]:
    """The modes that a trap to this stack comes from: those up to the mode that it enters."""
    entered = _entered(machine, stack)
    members = machine.modes.members
    return members if entered is None else members[: machine.modes.rank(entered) + 1]


def _entered(machine: m.Machine, stack: m.TrapStack) -> int | None:
    """The mode that an entry sets, when it is a constant."""
    for line in stack.enters:
        match line.place, line.value:
            case m.ScalarPlace(name), m.Literal(code) if name == machine.mode:
                return code
    return None


def _writes_once(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """E0432: two lines of one entry that write the same place, so that one of them is lost."""
    first: dict[m.Place, m.Span] = {}
    lines = [(save.target, save.span) for save in stack.saves]
    lines += [(line.place, line.span) for line in (*stack.records, *stack.enters)]
    for place, span in lines:
        if place in first:
            notes = [Note("first written here", first[place])]
            found.error("E0432", f"trap_stack {stack.name} writes the same place twice", span, notes=notes)
        first.setdefault(place, span)


def _sets_the_mode(machine: m.Machine, stack: m.TrapStack, found: Diagnostics) -> None:
    """W0409: in a machine with modes, an entry that leaves the mode alone, or enters the least, gains no privilege."""
    if machine.mode is None or len(machine.modes.members) < 2:
        return
    if machine.mode not in _done(machine, stack.enters, stack.before, stack.records).writes:
        found.warning("W0409", f"trap_stack {stack.name} does not set {machine.mode} on entry", stack.span)
    least, code = machine.modes.members[0]
    if _entered(machine, stack) == code:
        found.warning("W0409", f"trap_stack {stack.name} enters {least}, the least privileged mode", stack.span)
