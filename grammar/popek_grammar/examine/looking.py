"""Conditions on a state that only look at it: what an invariant says must not depend on how it is evaluated."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.examine.effects import effects, followed
from popek_grammar.text.diagnostics import Diagnostics

ACTING = frozenset({"load", "load_as", "store", "store_as", "csr_read", "csr_write"})
"""Built-ins that are accesses of a program: they translate, are guarded, and may trap."""


def check_looking(machine: m.Machine, found: Diagnostics) -> None:
    """E0426: an invariant that writes state, may trap, or makes accesses, itself or in a function that it calls."""
    if not machine.invariants:
        return
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    for kept in machine.invariants.values():
        payloads = [ending.cause.payload for ending in kept.endings if ending.cause is not None]
        said = [expr for expr, _ in kept.conjuncts], [expr for _, expr in kept.old], [ending.when for ending in kept.endings]
        all_of_it = followed(machine, effects(machine, *said, payloads), functions)
        acts = sorted(all_of_it.builtins & ACTING)
        if all_of_it.writes:
            what = f"writes {min(all_of_it.writes)}"
        elif all_of_it.causes or all_of_it.faults:
            what = f"may trap with {min(all_of_it.causes | all_of_it.faults)}"
        elif acts:
            what = f"uses `{acts[0]}`"
        else:
            continue
        help_ = "name fields, elements and physical cells (`ram[..]`), and functions that only compute"
        found.error("E0426", f"invariant {kept.name} {what}; it may only look at the state", kept.span, help=help_)
