"""Privilege lints: declarations that a virtual machine monitor relies on and that nothing in the machine honours."""

from __future__ import annotations

from collections.abc import Mapping

from popek_grammar import machine as m
from popek_grammar.examine.effects import Effects, effects, nodes, written
from popek_grammar.examine.unwritten import check_fallbacks, check_unwritten, plain, stored_fields
from popek_grammar.text.diagnostics import Diagnostics

RESOURCES = (m.Role.CONTROL, m.Role.MODE, m.Role.MAP)


def lint(machine: m.Machine, found: Diagnostics) -> None:
    """All the warnings about a machine that is otherwise right."""
    functions = {f.name: effects(machine, f.body) for f in machine.functions.values()}
    everything = _everything(machine, functions)
    _unread(machine, everything, found)
    check_unwritten(machine, everything, found)
    check_fallbacks(machine, found)
    _unmapped(machine, everything, found)
    _truncated(machine, found)
    _unused_operands(machine, found)
    _unraised(machine, everything, found)
    _unset(machine, found)
    _closed_modes(machine, everything, found)


def _everything(machine: m.Machine, functions: Mapping[str, Effects]) -> Effects:
    """What the whole machine does, software's own accesses to CSRs apart."""
    result = effects(
        machine,
        [(i.lets, i.guards, i.body) for i in machine.instructions.values()],
        [(r.guards, r.read, [f.value for f in r.fields]) for r in machine.registers.values()],
        [r.write[1] for r in machine.registers.values() if r.write is not None],
        list(machine.trap_stacks.values()),
        list(machine.translations.values()),
        list(machine.protections.values()),
        [fault.causes for fault in machine.faults.values()],
        [machine.csr_space, machine.acting, machine.otherwise, machine.delegate, machine.interrupts],
    )
    for function in functions.values():
        result.add(function)
    for stack in machine.trap_stacks.values():
        if stack.name in result.returns:
            result.reads |= written(machine, [save.target for save in stack.saves])
    return result


# -- state that nothing honours --------------------------------------------------------------------------------------


def _unread(machine: m.Machine, everything: Effects, found: Diagnostics) -> None:
    """W0401. A CSR of one field is storage that software reads, and a read-only field a report to software (the bits
    of a cause register); a field among others that software may write is there to control something."""
    for register, part, state in stored_fields(machine):
        among_others = state != register.name and len(register.fields) > 1
        report = register.address is not None and part.kind is m.FieldKind.RO
        if part.role is m.Role.CONTROL and among_others and not report and state not in everything.reads:
            message = f"{state} has role control, and nothing reads it"
            found.warning("W0401", message, part.span, help="check it where it matters, or give it another role")
    for name, scalar in machine.scalars.items():
        if scalar.role is m.Role.CONTROL and plain(machine, name) and name not in everything.reads:
            found.warning("W0401", f"{name} has role control, and nothing reads it", scalar.span)


def _unmapped(machine: m.Machine, everything: Effects, found: Diagnostics) -> None:
    """W0403: relocation and protection state that no access depends on. Instructions may map memory themselves."""
    for _, part, state in stored_fields(machine):
        if part.role is m.Role.MAP and state not in everything.reads:
            message = f"{state} has role map, and no access to memory reads it"
            found.warning("W0403", message, part.span, help="role control, if it does not map memory")
    for name, scalar in machine.scalars.items():
        if scalar.role is m.Role.MAP and plain(machine, name) and name not in everything.reads:
            found.warning("W0403", f"{name} has role map, and no access to memory reads it", scalar.span)


def _truncated(machine: m.Machine, found: Diagnostics) -> None:
    """W0511: a first stage that looks at fewer bits than addresses have, so that many addresses are one."""
    width = machine.scalars[machine.pc].width
    for translation in machine.translations.values():
        if translation.over is None and translation.canonical is None and translation.va_width < width:
            message = f"translation {translation.name} ignores bits {width - 1}:{translation.va_width} of an address"
            remedy = f"va {translation.va_width} canonical else fault ..."
            found.warning("W0511", message, translation.span, help=remedy)


def _unset(machine: m.Machine, found: Diagnostics) -> None:
    """W0407, one a register: resource state that starts with no known value."""
    for register in machine.registers.values():
        names = [
            part.name
            for owner, part, state in stored_fields(machine)
            if owner is register and part.role in RESOURCES and state in machine.scalars
            if machine.scalars[state].reset is None and len(register.fields) > 1
        ]
        if names and register.address is not None:
            found.warning("W0407", f"{register.name} has no reset for {', '.join(names)}", register.span, help="reset E")


# -- instructions and traps ------------------------------------------------------------------------------------------


def _clauses(machine: m.Machine) -> list[object]:
    return [
        [(i.guards, i.body) for i in machine.instructions.values()],
        [r.guards for r in machine.registers.values()],
        [f.body for f in machine.functions.values()],
        machine.csr_space,
    ]


def _unused_operands(machine: m.Machine, found: Diagnostics) -> None:
    """W0405, one a clause: an operand that no member of the family looks at."""
    used: dict[str, set[str]] = {}
    operands: dict[tuple[str, str], m.Operand] = {}
    for instruction in machine.instructions.values():
        seen = effects(machine, instruction.lets, instruction.guards, instruction.body)
        whole = {o.name for o in instruction.operands} if not instruction.body and not instruction.guards else set()
        used.setdefault(instruction.clause, set()).update(seen.locals | whole)
        operands |= {(instruction.clause, operand.name): operand for operand in instruction.operands}
    for (clause, name), operand in operands.items():
        if name not in used[clause] and not name.startswith("_"):
            message = f"operand `{name}` of `{clause}` is never used"
            found.warning("W0405", message, operand.span, help=f"call it _{name} if it is meant to be ignored")


def _unraised(machine: m.Machine, everything: Effects, found: Diagnostics) -> None:
    ordered = {name for level in machine.interrupts.levels for name in level.order} if machine.interrupts else set()
    for cause in machine.causes.members:
        if cause.name not in everything.causes | ordered:
            what = "appears in no interrupt level" if cause.interrupt else "is never raised"
            found.warning("W0406", f"cause `{cause.name}` {what}", cause.span)


def _closed_modes(machine: m.Machine, everything: Effects, found: Diagnostics) -> None:
    """W0408: a mode that nothing enters, or nothing leaves."""
    if machine.mode is None or machine.mode not in machine.scalars or len(machine.modes.members) < 2:
        return
    scalar = machine.scalars[machine.mode]
    entered, restored = _set_modes(machine), _restored_modes(machine, everything)
    into = entered | restored | ({scalar.reset} if scalar.reset is not None else set())
    for name, code in machine.modes.members:
        if code not in into:
            found.warning("W0408", f"mode {name} has no way in: no reset, trap, or return enters it", scalar.span)
        elif not (entered | restored) - {code}:
            found.warning("W0408", f"mode {name} has no way out", scalar.span)


def _set_modes(machine: m.Machine) -> set[int]:
    """The modes that some assignment sets; all of them when one sets a computed mode."""
    found: set[int] = set()
    places = [_clauses(machine), [(s.before, s.records, s.enters, s.leaves) for s in machine.trap_stacks.values()]]
    for node in nodes([*places, [r.write[1] for r in machine.registers.values() if r.write is not None]]):
        if isinstance(node, m.Assign) and machine.mode in written(machine, [node.place]):
            match node.place, node.value:
                case m.ScalarPlace(), m.Literal(code):
                    found.add(code)
                case _:
                    return {code for _, code in machine.modes.members}
    return found


def _restored_modes(machine: m.Machine, everything: Effects) -> set[int]:
    """The modes that some `return_from` can restore: those that the saved place can hold."""
    found: set[int] = set()
    for stack in machine.trap_stacks.values():
        for save in stack.saves:
            if stack.name not in everything.returns or save.restore is None:
                continue
            if machine.mode in written(machine, [save.restore]):
                found |= {code for _, code in machine.modes.members if _holds(machine, save.target, code)}
    return found


def _holds(machine: m.Machine, place: m.Place, code: int) -> bool:
    match place:
        case m.ScalarPlace(name, width) if name in machine.scalars:
            legal = machine.scalars[name].legal
            return code < 1 << width and (legal is None or any(lo <= code <= hi for lo, hi in legal))
        case _:
            return True
