"""CSR addresses: two registers at one, and a declared least mode that the CSR space contradicts."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.text.diagnostics import Diagnostics, Note


def check_addresses(machine: m.Machine, found: Diagnostics) -> None:
    """Every CSR against its space."""
    space = machine.csr_space
    at: dict[int, m.Register] = {}
    for register in machine.registers.values():
        if register.address is None:
            continue
        if register.address in at:
            note = Note("the first", at[register.address].span)
            message = f"`{register.name}` and `{at[register.address].name}` both stand at 0x{register.address:x}"
            found.error("E0440", message, register.span, notes=[note])
        at.setdefault(register.address, register)
        if space is None:
            continue
        if register.address >> space.width:
            found.error("E0441", f"0x{register.address:x} is not an address of {space.width} bits", register.span)
        elif register.min_mode is not None:
            _agree(machine, space, register, register.min_mode, found)


def _agree(machine: m.Machine, space: m.CsrSpace, register: m.Register, declared: int, found: Diagnostics) -> None:
    rule = dict(space.rules).get("min_mode")
    least = number(rule, {"addr": register.address or 0}) if rule is not None else None
    if least is not None and least != declared:
        names = machine.modes.name(declared), machine.modes.name(least)
        message = f"`{register.name}` is declared min {names[0]}, but its address 0x{register.address:x} says {names[1]}"
        found.error("E0442", message, register.span, help=f"min {names[1]}, or another address")


def number(expr: m.Expr, names: dict[str, int]) -> int | None:
    """The value of a simple expression over known names; None when it is more than that."""
    match expr:
        case m.Literal(value):
            return value
        case m.Local(name) | m.Builtin(name, ()):
            return names.get(name.removeprefix("csr."))
        case m.Slice(operand, hi, lo):
            whole = number(operand, names)
            return None if whole is None else whole >> lo & (1 << (hi - lo + 1)) - 1
        case m.Resize("zext" | "bits" | "mode" | "trunc", operand, type_):
            inner = number(operand, names)
            mask = (1 << type_.width) - 1 if isinstance(type_, m.Bits) else -1
            return None if inner is None else inner & mask
        case m.Binary("==", left, right):
            a, b = number(left, names), number(right, names)
            return None if a is None or b is None else int(a == b)
        case m.Cond(condition, yes, no):
            test = number(condition, names)
            return None if test is None else number(yes if test else no, names)
        case _:
            return None
