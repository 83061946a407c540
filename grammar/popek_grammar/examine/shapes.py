"""Declarations that must agree with one another: register names with counts, causes with codes, text with operands."""

from __future__ import annotations

import re

from popek_grammar import machine as m
from popek_grammar.assembly.asmtemplate import mnemonics, parse_template
from popek_grammar.text.diagnostics import Diagnostics, Note, suggest

SLOT = re.compile(r"\{(\w+)(?::\w+)?\}")


def check_shapes(machine: m.Machine, found: Diagnostics) -> None:
    """Everything that is declared in two places and must be the same in both."""
    _arrays(machine, found)
    _one_mode(machine, found)
    _causes(machine, found)
    _templates(machine, found)
    _aliases(machine, found)
    _delegation(machine, found)


def _arrays(machine: m.Machine, found: Diagnostics) -> None:
    for array in machine.arrays.values():
        if array.zero_at is not None and array.zero_at >= array.count:
            message = f"`{array.name}` has {array.count} elements; there is none at {array.zero_at} to be zero"
            found.error("E0443", message, array.span)
        if array.names and len(array.names) != array.count:
            message = f"`{array.name}` has {array.count} elements and {len(array.names)} names"
            found.error("E0444", message, array.span, help="one name for each element, between blanks")


def _one_mode(machine: m.Machine, found: Diagnostics) -> None:
    modes = [scalar for scalar in machine.scalars.values() if scalar.role is m.Role.MODE and "." not in scalar.name]
    for scalar in modes[1:]:
        note = Note("the first", modes[0].span)
        found.error("E0445", f"`{modes[0].name}` and `{scalar.name}` both have role mode", scalar.span, notes=[note])
    if modes and not isinstance(modes[0].type, m.Mode):
        found.error("E0446", f"`{modes[0].name}` has role mode and is not of type mode", modes[0].span)


def _causes(machine: m.Machine, found: Diagnostics) -> None:
    first: dict[tuple[int, bool], m.CauseDef] = {}
    for cause in machine.causes.members:
        key = (cause.code, cause.interrupt)
        if key in first:
            note = Note("the first", first[key].span)
            message = f"causes `{first[key].name}` and `{cause.name}` have the same code, {cause.code}"
            found.error("E0447", message, cause.span, notes=[note])
        first.setdefault(key, cause)


def _templates(machine: m.Machine, found: Diagnostics) -> None:
    """E0448: a slot of an assembly text must name an operand. Fragments' texts have been put in already."""
    seen: set[tuple[str, str]] = set()
    for instruction in machine.instructions.values():
        known = {operand.name for operand in instruction.operands} | {name for name, _, _ in instruction.constants}
        for encoding in instruction.encodings:
            for name in SLOT.findall(encoding.asm):
                if name not in known and (instruction.clause, name) not in seen:
                    seen.add((instruction.clause, name))
                    near = suggest(name, known)
                    message = f"the assembly text of `{instruction.clause}` names `{name}`, which is no operand"
                    found.error("E0448", message, instruction.span, help=f"did you mean `{near}`?" if near else "")


def _aliases(machine: m.Machine, found: Diagnostics) -> None:
    """E0454: an alias stands for an instruction, with the operands that its pattern has."""
    known = mnemonics(machine) if machine.aliases else set()
    for alias in machine.aliases:
        slots = set(SLOT.findall(alias.pattern))
        for name in SLOT.findall(alias.expansion):
            if name not in slots:
                near = suggest(name, slots)
                message = f"the expansion names `{name}`, which the alias `{alias.pattern}` has not"
                found.error("E0454", message, alias.span, help=f"did you mean `{near}`?" if near else "")
        head = parse_template(alias.expansion).head
        if head is not None and head not in known and None not in known:
            near = suggest(head, [word for word in known if word])
            message = f"the alias stands for `{head}`, which no instruction is named"
            found.error("E0454", message, alias.span, help=f"did you mean `{near}`?" if near else "")


def _delegation(machine: m.Machine, found: Diagnostics) -> None:
    """E0449: every trap goes somewhere."""
    stacks = list(machine.trap_stacks.values())
    if machine.delegate is None:
        if len(stacks) > 1:
            message = f"there are {len(stacks)} trap stacks, and no `delegate` to choose between them"
            found.error("E0449", message, stacks[1].span, help="delegate { yield ... }")
    elif stacks and not always_yields(machine.delegate):
        found.error("E0449", "`delegate` does not yield a trap stack on every path", stacks[0].span, help="yield ...")


def always_yields(statements: tuple[m.Stmt, ...]) -> bool:
    """Whether every path through the statements ends in a value."""
    for statement in statements:
        match statement:
            case m.Return():
                return True
            case m.If(m.Literal(1), yes, _) if always_yields(yes):
                return True
            case m.If(_, yes, no) if always_yields(yes) and always_yields(no):
                return True
            case m.MatchStmt(_, arms) if all(always_yields(body) for _, body in arms):
                return True
            case _:
                pass
    return False
