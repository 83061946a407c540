"""Trap entry, trap return, delegation and interrupts, from their declarations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from popek_grammar import machine as m
from popek_grammar.meaning import registers
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run


def enter(run: Run, cause: str, payload: Sequence[Term], next_pc: Term) -> None:
    """Takes a trap: chooses the stack, saves, records, enters. `run.state` is the state before the instruction."""
    definition = run.machine.causes.find(cause)
    names = {f"cause.{name}": value for (name, _), value in zip(run.machine.causes.payload, payload, strict=True)}
    code = t.const(definition.code, run.machine.causes.code_width)
    special = {"cause.code": code, "cause.interrupt": t.boolean(definition.interrupt), "next_pc": next_pc, **names}
    outer, run.special = run.special, {**run.special, **special}
    stacks = list(run.machine.trap_stacks.values())
    _enter_one(run, target(run), stacks)
    run.special = outer


def target(run: Run) -> Term:
    """The ordinal of the trap stack that the declared delegation picks."""
    count = len(run.machine.trap_stacks)
    if run.machine.delegate is None:
        return t.const(0, max(1, (count - 1).bit_length()))
    chosen = run.body(run.machine.delegate, {})
    assert chosen is not None, "the resolver rejects a delegate that yields nothing"
    return chosen


def _enter_one(run: Run, chosen: Term, stacks: list[m.TrapStack], ordinal: int = 0) -> None:
    if ordinal == len(stacks) - 1:
        return enter_stack(run, stacks[ordinal])
    hit = t.eq(chosen, t.const(ordinal, chosen.width))
    if hit.is_const:
        return enter_stack(run, stacks[ordinal]) if hit.payload else _enter_one(run, chosen, stacks, ordinal + 1)
    run.fork(hit, lambda: enter_stack(run, stacks[ordinal]), lambda: _enter_one(run, chosen, stacks, ordinal + 1))


def enter_stack(run: Run, stack: m.TrapStack) -> None:
    """Entry of one trap stack: `before`, saves of the old values, records, enters, the vector."""
    outer, run.env = run.env, {}
    run.run(stack.before)
    if run.path is t.FALSE:  # a trap on entry: nothing of this one is left
        run.env = outer
        return
    saved = [run.value(save.source) for save in stack.saves]
    written = [(line.place, run.value(line.value)) for line in (*stack.records, *stack.enters)]
    vector = run.value(stack.vector) if stack.vector is not None else None
    for save, value in zip(stack.saves, saved, strict=True):
        registers.assign(run, save.target, t.resize(value, save.target.width))
    for place, value in written:
        registers.assign(run, place, value)
    if vector is not None:
        run.write_scalar(run.machine.pc, vector)
    run.env = outer


def return_from(run: Run, stack: m.TrapStack) -> None:
    """Undoes an entry: every saved place is read, then restored, then the `leave` lines run.

    Names that `before` binds and that places or `leave` lines need are worked out anew, in the state that the return meets.
    """
    outer, run.env = run.env, {}
    for let in stack.finds:
        run.env[let.name] = run.value(let.value)
    restored = [(save.restore, registers.read_place(run, save.target)) for save in stack.saves if save.restore is not None]
    for place, value in restored:
        registers.assign(run, place, t.resize(value, place.width))
    run.run(stack.leaves)
    run.env = outer


def deliverable(run: Run) -> list[tuple[Term, m.CauseDef]]:
    """The interrupts that may be taken now, with the condition of each, highest priority first.

    Levels are taken in order of privilege, highest first; within a level, in declared order. An interrupt belongs to
    the level of the stack that it is delegated to.
    """
    declared = run.machine.interrupts
    if declared is None:
        return []
    pending = run.value(declared.pending)
    stacks = list(run.machine.trap_stacks)
    result: list[tuple[Term, m.CauseDef]] = []
    for level in declared.levels:
        allowed = level_open(run, level)
        ordinal = stacks.index(level.stack)
        for name in level.order:
            cause = run.machine.causes.find(name)
            raised = t.eq(t.extract(pending, cause.code, cause.code), t.const(1, 1))
            result.append((t.and_(raised, allowed, _delegated(run, cause, ordinal)), cause))
    return result


def level_open(run: Run, level: m.Level) -> Term:
    """Below the level's mode always, in it when enabled, above it never; or the declared `when`."""
    if level.when is not None:
        return run.value(level.when)
    assert run.machine.mode is not None
    mode = run.state.scalars[run.machine.mode]
    codes = run.machine.modes.members
    own = next((code for name, code in codes if name == level.stack), codes[-1][1])
    below = [code for _, code in codes if run.machine.modes.rank(code) < run.machine.modes.rank(own)]
    is_below = t.or_(*(t.eq(mode, t.const(code, mode.width)) for code in below))
    enabled = run.value(level.enable) if level.enable is not None else t.TRUE
    return t.or_(is_below, t.and_(t.eq(mode, t.const(own, mode.width)), enabled))


def _delegated(run: Run, cause: m.CauseDef, ordinal: int) -> Term:
    if run.machine.delegate is None:
        return t.TRUE
    special = {"cause.code": t.const(cause.code, run.machine.causes.code_width), "cause.interrupt": t.TRUE}
    outer, run.special = run.special, {**run.special, **special}
    chosen = target(run)
    run.special = outer
    return t.eq(chosen, t.const(ordinal, chosen.width))
