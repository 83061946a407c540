"""Names that exist only while memory is accessed, reached from where it is not, through functions."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.examine.effects import Effects, effects
from popek_grammar.text.diagnostics import Diagnostics, Note

OF_AN_ACCESS = frozenset({"va", "origin", "pa", "size", "access", "implicit", "acting", "splice", "phys_load", "phys_store"})
OF_AN_INSTRUCTION = frozenset({"insn", "next_pc"})


def check_contexts(machine: m.Machine, found: Diagnostics) -> None:
    """E0451: a function that speaks of an access, called by an instruction; and the other way round."""
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    for instruction in machine.instructions.values():
        calls = effects(machine, instruction.guards, instruction.body).calls
        _check(machine, instruction.span, f"`{instruction.name}`", calls, functions, OF_AN_ACCESS, found)
    parts: list[m.Translation | m.Protection] = [*machine.translations.values(), *machine.protections.values()]
    for part in parts:
        calls = effects(machine, part).calls
        _check(machine, part.span, f"`{part.name}`", calls, functions, OF_AN_INSTRUCTION, found)


def _check(
    machine: m.Machine,
    span: m.Span,
    caller: str,
    calls: set[str],
    functions: dict[str, Effects],
    foreign: frozenset[str],
    found: Diagnostics,
) -> None:
    waiting, seen = list(calls), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        waiting += functions[name].calls
        wrong = sorted(functions[name].builtins & foreign)
        if functions[name].faults and "va" in foreign:
            wrong.append("fault")
        if wrong:
            note = Note(f"function `{name}`", machine.functions[name].span)
            message = f"{caller} calls `{name}`, whose `{wrong[0]}` has no meaning there"
            found.error("E0451", message, span, notes=[note], help="pass it as a parameter")
