"""One access through a translation or a protection, of any address, with any rights: where it leads, or how it faults.

What a walk reads is anything, and reading it does not fault: no tables are looked at, and none is excluded. So what is shown
of an access is so under all tables, and a fault of the walk's own reads is not looked at here.
"""

from __future__ import annotations

from typing import Final

from popek_checker.virtualizability.copies import Copy, start
from popek_checker.virtualizability.steps import Step
from popek_grammar import machine as m
from popek_grammar.elaborate.sentences import LAST
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated, access_term, applies, main_array
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.state import PC_WRITTEN, member
from popek_grammar.meaning.terms import Term

ACCESSES: Final = m.ACCESS.members
"""The kinds of access, each a step of its own."""


class Walked(Translated):
    """What a walk reads are free values, kept with the path that each is read on."""

    def __init__(self) -> None:
        self.read: list[tuple[Term, Term]] = []

    def physical(self, run: Run, address: Term, width: int) -> Term:
        value = t.var(f"entry.{len(self.read)}", width)
        self.read.append((t.and_(run.prefix, run.path), value))
        return value

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        pass

    def last(self, width: int) -> Term:
        """The value read last on whichever path is taken; anything where none is."""
        found = t.var("entry", width)
        for path, value in self.read:
            if value.width == width:
                found = t.ite(path, value, found)
        return found


def access(machine: m.Machine, name: str, kind: str) -> Step:
    """An access of a kind, which the translation or protection of that name lets through (`copy.ok`) or refuses."""
    state, memory = start(machine, None, ""), Walked()
    run = Run(machine, state.copy(), memory)
    pc, mode = machine.scalars[machine.pc].width, max(1, machine.modes.width)
    translation = machine.translations.get(name)
    width = max(pc, translation.va_width) if translation is not None else pc
    if translation is not None and translation.over is not None:
        width = main_array(run).index_width
    va, acting = t.var("va", width), t.var("acting", mode)
    run.special = {
        "va": va, "origin": t.resize(va, pc), "access": access_term(kind), "acting": acting, "size": t.var("size", 32),
        "implicit": t.FALSE if translation is not None else t.ne(t.var("implicit", 1), t.const(0, 1)),
        "pa": t.var("pa", main_array(run).index_width),
    }  # fmt: skip
    facts = [member(acting, tuple((code, code) for _, code in machine.modes.members))]
    special = dict(run.special)
    if translation is not None:
        facts.append(applies(run, translation))
        memory.apply(run, translation, va)
    else:
        protection = machine.protections[name]
        facts += [run.value(protection.when)] if protection.when is not None else []
        run.body(protection.body, {})
    after = run.state
    after.scalars[PC_WRITTEN] = t.FALSE
    outcome = Outcome(t.and_(run.prefix, run.path), after, tuple(run.traps), ())
    entry = translation.entry if translation is not None else None
    locals_ = {LAST: memory.last(entry.width)} if entry is not None else {}
    copy = Copy(machine, state, outcome, (*facts, *run.assumptions))
    return Step(name, kind, copy, None, locals_, special)
