"""State that nothing can change, by what the rules of writing do: a field that is `rw` is not written for that alone."""

from __future__ import annotations

from collections.abc import Iterator

from popek_grammar import machine as m
from popek_grammar.examine.effects import Effects, by_rules, effects, followed, nodes
from popek_grammar.text.diagnostics import Diagnostics, Note


def stored_fields(machine: m.Machine) -> Iterator[tuple[m.Register, m.Field, str]]:
    """Every stored field, once: by the register that declares it, not by views."""
    for register in machine.registers.values():
        for part in register.fields:
            if part.state is not None and part.state in (register.name, f"{register.name}.{part.name}"):
                yield register, part, part.state


def plain(machine: m.Machine, name: str) -> bool:
    return "." not in name and name not in machine.registers


def unwritten(machine: m.Machine, everything: Effects) -> dict[str, m.Span]:
    """State that no instruction, trap or software write ever changes, though it is declared as if something did."""
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    software = Effects()
    for register in machine.registers.values():
        if register.address is not None and register.write is None:
            software.writes |= by_rules(machine, register)
    for register in machine.registers.values():
        if register.address is not None and register.write is not None:
            software.add(followed(machine, effects(machine, register.write[1]), functions))
    changed = everything.writes | software.writes
    whole = _written_whole(machine)
    found: dict[str, m.Span] = {}
    for register, part, state in stored_fields(machine):
        # With a value from reset it is a constant of the machine, unless writes of its register pass it over.
        constant = _initial(machine, state) and (part.kind is m.FieldKind.RO or register.name not in whole)
        if state not in changed and part.role is not m.Role.ENV and not constant:
            found[state] = part.span
    alone: list[m.Scalar | m.Array] = [*machine.scalars.values(), *(a for a in machine.arrays.values() if not a.memory)]
    for each in alone:
        known = each.name in changed | {machine.pc} or each.role is m.Role.ENV or _initial(machine, each.name)
        if plain(machine, each.name) and not known:
            found[each.name] = each.span
    return found


def _written_whole(machine: m.Machine) -> set[str]:
    """The registers that software writes as CSRs, or that some text assigns whole."""
    by_address = {register.name for register in machine.registers.values() if register.address is not None}
    texts = [machine.instructions.values(), machine.functions.values(), machine.trap_stacks.values(), machine.registers.values()]
    return by_address | {node.register for node in nodes([list(each) for each in texts]) if isinstance(node, m.RegisterPlace)}


def check_unwritten(machine: m.Machine, everything: Effects, found: Diagnostics) -> None:
    """W0402, and W0510 of theorems that take such state for what a monitor could set."""
    never = unwritten(machine, everything)
    for state, span in never.items():
        if _initial(machine, state):
            value = machine.scalars[state].reset
            message = f"nothing ever writes {state}, which stays {value}"
            remedy = f"ro = {value}, if that is meant"
        else:
            message = f"nothing ever writes {state}"
            remedy = "reset E, or ro = E" if "." in state else "role env, if it is an input"
        found.warning("W0402", message, span, help=remedy)
    for theorem in machine.theorems.values():
        for expr, text in theorem.assume:
            for state in sorted(effects(machine, expr).reads & never.keys()):
                notes = [Note("it is declared here", never[state])]
                message = f"theorem {theorem.name} assumes `{text}`, and nothing can set {state}"
                remedy = "an assumption that no state meets proves anything"
                found.warning("W0510", message, theorem.span, notes=notes, help=remedy)


def _initial(machine: m.Machine, state: str) -> bool:
    """Whether a value is declared that state begins with."""
    return state in machine.scalars and machine.scalars[state].reset is not None


def check_fallbacks(machine: m.Machine, found: Diagnostics) -> None:
    """W0505: what a WARL field takes for an illegal value is a plain copy of another field, most likely of a neighbour."""
    for register, part, state in stored_fields(machine):
        match part.otherwise:
            case m.ReadScalar(other) if other != state and "." in other:
                message = f"an illegal value makes {state} a copy of {other}"
                remedy = f"else {register.name}.{part.name} keeps what the field holds"
                found.warning("W0505", message, part.span, help=remedy)
            case _:
                pass
