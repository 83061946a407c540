"""Escalation: what a guest's instruction that completes does to the resource state, asked of the real machine under H.

A hole may be harmless to others or let the guest take the machine; the theorems count both alike. Here: an instruction that
completes in the real mode, or in one below it, makes the mode more privileged, or writes control or map state; or one that
completes in a mode up to the guest's top goes beyond that top. Entries by trap are what the text names as such, and are no
instructions that complete; a return is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from popek_checker.virtualizability.copies import Copy, holds, roles_differ
from popek_checker.virtualizability.questions import Ask, Subject
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

ESCALATES: Final = {"raises_mode": "raise", "writes_control": "control", "writes_map": "map"}
"""The questions, by the word that expectations have for each."""

_ROLES: Final = {"writes_control": m.Role.CONTROL, "writes_map": m.Role.MAP}


def asks(subject: Subject, question: str) -> Iterator[Ask]:
    """The ways for one of `ESCALATES` to be answered yes."""
    modes = [code for _, code in subject.machine.modes.members]
    real, top = modes.index(subject.host), max(modes.index(mode) for mode in subject.modes)
    for rank, mode in enumerate(modes[: top + 1]):
        one = _under(subject, mode)
        if question == "raises_mode":
            changed = _becomes(one, modes[(rank if rank <= real else top) + 1 :])
        elif rank <= real:
            changed = roles_differ(one.before, one.after, subject.machine, (_ROLES[question],))
        else:
            continue
        yield Ask(question, (subject.label(mode),), (one,), (one.ok, changed))


def _under(subject: Subject, mode: int) -> Copy:
    """The instruction at `mode`, with the settings that H holds."""
    made = subject.copy(mode)
    return replace(made, facts=(*made.facts, *(holds(subject.machine, made.before, h) for h in subject.invariant)))


def _becomes(one: Copy, modes: list[int]) -> Term:
    """The mode afterwards is one of these."""
    if one.machine.mode is None:
        return t.FALSE
    after = one.after.scalars[one.machine.mode]
    return t.or_(*(t.eq(after, t.const(mode, after.width)) for mode in modes))
