"""Sentences about a step: the steps that there are to speak of, what each lets be named, and how one ends."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.causes import access_scope
from popek_grammar.elaborate.context import Context
from popek_grammar.elaborate.directions import condition
from popek_grammar.elaborate.statements import cause

RESET, INPUTS, ENTRY, INTERRUPT = "reset", "inputs", "entry", "interrupt"
"""The steps of a machine that are no instructions; entries and interrupts go by cause, `entry(svc)`."""


def called(kind: str, instructions: Container[str]) -> str:
    """What a step that is no instruction is called in a machine: `reset_step` where an instruction is called `reset`."""
    return f"{kind}_step" if kind in instructions else kind


def kind_of(name: str, instructions: Container[str]) -> str:
    """Which of the steps that are no instructions a name means; empty for another name."""
    return next((kind for kind in (RESET, INPUTS, ENTRY, INTERRUPT) if called(kind, instructions) == name), "")


LAST: Final = "entry"
"""What a sentence about a translation with tables calls the entry that the walk ends at."""

Scope = tuple[dict[str, m.Type], dict[str, m.Type]]
"""Local names and what is known of the step (`next_pc`, `cause.code`, `access`), each with its type."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What a machine has to make a step of, beside trap entries and interrupts."""

    instructions: Mapping[str, m.Instruction]
    translations: Mapping[str, m.Translation]
    protections: Mapping[str, m.Protection]


def named(ctx: Context, about: Tree[Token], steps: Steps) -> list[str]:
    """The steps that a sentence is about, as written; without those that this configuration has not."""
    kind, *labels = about.children
    found: list[str] = []
    for label in labels:
        assert isinstance(label, Tree)
        name, part, ways = label.children
        if ways is not None:
            ctx.fail("E0459", "a step has no ways", ways, help="name the step alone")
        known(ctx, label, steps)
        special = kind_of(str(name), steps.instructions)
        if special in (RESET, INPUTS):
            ctx.fail("E0459", f"nothing is said of `{name}` alone", label, help="invariant NAME { .. } holds from reset on")
        if str(kind) == "of" and special in (ENTRY, INTERRUPT):
            ctx.fail("E0459", f"`{name}` does not end in a trap: it is the entry of one", label, help=f"after {name} {{ .. }}")
        access = str(name) in (*steps.translations, *steps.protections) and str(name) not in steps.instructions
        if str(kind) == "after" and access:
            hint = f"of {name} {{ traps when .. }}"
            ctx.fail("E0459", f"`{name}` leads to an address or a fault, not to a state", label, help=hint)
        if str(name) not in ctx.absent and (part is None or str(part) not in ctx.absent):
            found.append(f"{name}({part})" if part is not None else str(name))
    return found


def known(ctx: Context, label: Tree[Token], steps: Steps) -> None:
    """E0201, E0459 for what is no step: an instruction, `entry(CAUSE)`, `interrupt(CAUSE)`, a translation, `reset`, `inputs`."""
    name, part = str(label.children[0]), label.children[1]
    instruction = steps.instructions.get(name)
    if instruction is not None:
        if part is not None and str(part) != "other" and str(part) not in ctx.absent:
            if not instruction.split:
                ctx.fail("E0459", f"`{name}` picks no CSR", label, help=f"name it alone: {name}")
            if str(part) not in ctx.registers or ctx.registers[str(part)].address is None:
                ctx.unknown("CSR", str(part), label, [r.name for r in ctx.registers.values() if r.address is not None])
    elif kind_of(name, steps.instructions) in (ENTRY, INTERRUPT):
        _known_cause(ctx, label, kind_of(name, steps.instructions), part)
    elif name in (*steps.translations, *steps.protections):
        if part is not None and str(part) not in m.ACCESS.members:
            ctx.unknown("kind of access", str(part), label, list(m.ACCESS.members))
    elif not kind_of(name, steps.instructions) and name not in ctx.absent:
        others = [called(kind, steps.instructions) for kind in (RESET, INPUTS, ENTRY, INTERRUPT)]
        ctx.unknown("step", name, label, [*steps.instructions, *steps.translations, *steps.protections, *others])


def _known_cause(ctx: Context, label: Tree[Token], name: str, part: Tree[Token] | Token | None) -> None:
    if part is None or str(part) in ctx.absent:
        return
    if str(part) not in ctx.causes:
        ctx.unknown("cause", str(part), label, list(ctx.causes))
    if ctx.causes[str(part)].interrupt is not (name == INTERRUPT):
        other = ENTRY if name == INTERRUPT else INTERRUPT
        ctx.fail("E0459", f"`{part}` is {'an' if other == INTERRUPT else 'no'} interrupt", label, help=f"{other}({part})")


def scope(ctx: Context, labels: Sequence[str], steps: Steps) -> Scope:
    """What all the steps let be named alike."""
    scopes = [_scope(ctx, label.partition("(")[0], steps) for label in labels]
    if not scopes:
        return {}, {}
    locals_, specials = (_common([each[side] for each in scopes]) for side in (0, 1))
    return locals_, specials


def _scope(ctx: Context, name: str, steps: Steps) -> Scope:
    pc = m.Bits(ctx.pc_width())
    instruction = steps.instructions.get(name)
    if instruction is not None:
        operands: dict[str, m.Type] = {operand.name: m.Bits(operand.width) for operand in instruction.operands}
        operands |= {constant: type_ for constant, _, type_ in instruction.constants if isinstance(type_, m.Bits)}
        return operands | {let.name: let.value.type for let in instruction.lets}, {"insn": pc, "next_pc": pc}
    if kind_of(name, steps.instructions):
        code = max((each.code.bit_length() for each in ctx.causes.values()), default=1) or 1
        payload: dict[str, m.Type] = {f"cause.{what}": m.Bits(width) for what, width in ctx.payload}
        return {}, {"next_pc": pc, "cause.code": m.Bits(code), "cause.interrupt": m.Bool(), **payload}
    translation = steps.translations.get(name)
    if translation is not None:
        entry: dict[str, m.Type] = {LAST: translation.entry} if translation.entry is not None else {}
        return entry, access_scope(ctx, translation.va_width)
    memory = next((array.index_width for array in ctx.arrays.values() if array.memory), ctx.pc_width())
    return {}, {**access_scope(ctx, ctx.pc_width()), "pa": m.Bits(memory)}


def _common(scopes: Sequence[Mapping[str, m.Type]]) -> dict[str, m.Type]:
    first, *others = scopes
    return {name: type_ for name, type_ in first.items() if all(other.get(name) == type_ for other in others)}


def ending(ctx: Context, line: Tree[Token], said: str) -> m.Ending:
    """`raises CAUSE when E`, `traps when E` or `completes when E`, with the author's words."""
    first, when = line.children
    assert when is not None, "the grammar wants a condition"
    made = condition(ctx, when)
    if line.data == "raises":
        assert isinstance(first, Tree)
        return m.Ending("raises", cause(ctx, first), made, said)
    return m.Ending(str(first), None, made, said)
