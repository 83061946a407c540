"""Functions that call themselves, directly or around a corner: a body must unroll to a bounded formula."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.examine.effects import effects
from popek_grammar.text.diagnostics import Diagnostics


def check_recursion(machine: m.Machine, found: Diagnostics) -> None:
    """E0450, once for each cycle."""
    calls = {f.name: sorted(effects(machine, f.body).calls) for f in machine.functions.values()}
    done: set[str] = set()
    for name in calls:
        cycle = _cycle(calls, name, [], done)
        if cycle:
            done |= set(cycle)
            chain = " -> ".join([*cycle, cycle[0]])
            span = machine.functions[cycle[0]].span
            found.error("E0450", f"recursion: {chain}", span, help="`for` repeats a fixed number of times")


def _cycle(calls: dict[str, list[str]], name: str, path: list[str], done: set[str]) -> list[str]:
    if name in path:
        return path[path.index(name) :]
    if name in done:
        return []
    for called in calls.get(name, []):
        cycle = _cycle(calls, called, [*path, name], done)
        if cycle:
            return cycle
    done.add(name)
    return []
