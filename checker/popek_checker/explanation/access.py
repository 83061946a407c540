"""What an instruction may read, write and raise: a static walk over its clauses and all that they call.

This over-approximates (both sides of every `if` count, but for choices between members of the instruction's own
family); the solver says what really happens. It is for explaining, not for deciding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from popek_checker.explanation.known import known, live_arms
from popek_grammar import machine as m

ANY_CSR = "any CSR"
"""Stands for the CSR that an operand picks."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Names of state in order of declaration; kinds of memory access; causes in order of appearance."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    accesses: tuple[str, ...]
    causes: tuple[str, ...]


def instruction_effects(machine: m.Machine, instruction: m.Instruction) -> Effects:
    """The effects of an instruction, memory translation and protection included; fetching it and trap entry are not."""
    constants = {name: value for name, value, _ in instruction.constants}
    walk = _Collector(machine, constants)
    walk.statements((*instruction.lets, *instruction.guards, *instruction.body))
    return walk.effects()


def statement_effects(machine: m.Machine, statements: Iterable[m.Stmt]) -> Effects:
    """The effects of any statements."""
    walk = _Collector(machine, {})
    walk.statements(statements)
    return walk.effects()


def by_role(machine: m.Machine, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """State names grouped by role, in the order of `Role`; the CSR that an operand picks under `csr`."""
    groups: dict[str, list[str]] = {role: [] for role in (*(role.value for role in m.Role), "csr")}
    for name in names:
        found = machine.scalars.get(name) or machine.arrays.get(name)
        groups[found.role.value if found is not None else "csr"].append(name)
    return {role: tuple(group) for role, group in groups.items() if group}


class _Collector:
    """Gathers reads, writes, accesses and causes; enters each function, register and stack once."""

    def __init__(self, machine: m.Machine, constants: Mapping[str, int]) -> None:
        self.machine = machine
        self.constants = constants
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.accesses: dict[str, None] = {}
        self.causes: dict[str, None] = {}
        self.entered: set[tuple[str, str]] = set()
        self.access = ""

    def effects(self) -> Effects:
        order = [*self.machine.scalars, *self.machine.arrays, ANY_CSR]
        reads, writes = (tuple(name for name in order if name in names) for names in (self.reads, self.writes))
        kinds = tuple(kind for kind in m.ACCESS.members if kind in self.accesses)
        return Effects(reads, writes, kinds, tuple(self.causes))

    def first(self, kind: str, name: str) -> bool:
        """Whether this part of the machine is entered for the first time."""
        key = (kind, name)
        fresh = key not in self.entered
        self.entered.add(key)
        return fresh

    # -- statements --------------------------------------------------------------------------------------------------

    def statements(self, statements: Iterable[m.Stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, statement: m.Stmt) -> None:
        match statement:
            case m.Let(_, value) | m.Next(value):
                self.expr(value)
            case m.Assign(place, value, _):
                self.expr(value)
                self.place(place)
            case m.If(condition, yes, no):
                self.expr(condition)
                known = self.known(condition)
                self.statements(yes if known != 0 else ())
                self.statements(no if not known else ())
            case m.MatchStmt(subject, arms):
                self.expr(subject)
                for body in live_arms(self.known(subject), arms):
                    self.statements(body)
            case m.For(body=body):
                self.statements(body)
            case m.Guard(condition, cause, _):
                self.expr(condition)
                self.cause(cause)
            case m.Trap(cause):
                self.cause(cause)
            case m.Return(result):
                self.exprs(() if result is None else (result,))
            case m.Fault(kind, _):
                self.fault(kind)
            case m.ReturnFrom(stack):
                self.return_from(self.machine.trap_stacks[stack])
            case m.Do(call):
                self.expr(call)
            case m.Walk(start=start, levels=levels, fault=fault):
                self.expr(start)
                for _, body in levels:
                    self.statements(body)
                self.fault(fault)
            case _:
                assert_never(statement)

    def cause(self, cause: m.Cause) -> None:
        self.causes[cause.name] = None
        self.exprs(cause.payload)

    def fault(self, kind: str) -> None:
        """The causes of a fault kind for the kind of access under way; for any kind outside an access."""
        declared = self.machine.faults.get(kind)
        for access, cause in declared.causes if declared is not None else ():
            if self.access in ("", access):
                self.cause(cause)

    def return_from(self, stack: m.TrapStack) -> None:
        for save in stack.saves:
            if save.restore is not None:
                self.place(save.restore)
                self.reads |= self.stored(save.target)
        self.statements(stack.leaves)

    def stored(self, place: m.Place) -> set[str]:
        """The state that a place is made of."""
        match place:
            case m.ScalarPlace(name, _):
                return {name}
            case m.ElementPlace(array, _, _):
                return {array}
            case m.RegisterPlace(register, _, _):
                return {field.state for field in self.machine.registers[register].fields if field.state is not None}
            case m.SlicePlace(inner, _, _, _):
                return self.stored(inner)
            case m.ConcatPlace(parts, _):
                return {name for part in parts for name in self.stored(part)}
            case _:
                assert_never(place)

    # -- places ------------------------------------------------------------------------------------------------------

    def place(self, place: m.Place) -> None:
        match place:
            case m.ScalarPlace(name, _):
                self.writes.add(name)
            case m.ElementPlace(array, index, _):
                self.writes.add(array)
                self.expr(index)
            case m.RegisterPlace(register, index, _):
                self.exprs(() if index is None else (index,))
                self.write_register(self.machine.registers[register])
            case m.SlicePlace(inner, _, _, _):
                self.place(inner)
            case m.ConcatPlace(parts, _):
                for part in parts:
                    self.place(part)
            case _:
                assert_never(place)

    def read_register(self, register: m.Register) -> None:
        if not self.first("read", register.name):
            return
        if register.read is not None:
            self.expr(register.read)
            return
        for field in register.fields:
            if field.value is not None:
                self.expr(field.value)
            elif field.state is not None:
                self.reads.add(field.state)

    def write_register(self, register: m.Register) -> None:
        if not self.first("write", register.name):
            return
        if register.write is not None:
            self.statements(register.write[1])
            return
        for field in register.fields:
            if field.state is not None and field.kind not in (m.FieldKind.RO, m.FieldKind.WPRI):
                self.writes.add(field.state)
                self.exprs(() if field.otherwise is None else (field.otherwise,))

    # -- expressions -------------------------------------------------------------------------------------------------

    def exprs(self, exprs: Iterable[m.Expr]) -> None:
        for expr in exprs:
            self.expr(expr)

    def expr(self, expr: m.Expr) -> None:
        match expr:
            case m.Literal() | m.Local() | m.Unspecified():
                pass
            case m.ReadScalar(name, _):
                self.reads.add(name)
            case m.ReadElement(array, index, _):
                self.reads.add(array)
                self.expr(index)
            case m.ReadRegister(register, index_or_none, _):
                self.exprs(() if index_or_none is None else (index_or_none,))
                self.read_register(self.machine.registers[register])
            case m.Unary(_, operand, _) | m.Slice(operand, _, _, _) | m.Resize(_, operand, _) | m.Member(operand, _, _):
                self.expr(operand)
            case m.Binary(_, left, right, _) | m.SliceFrom(left, right, _):
                self.exprs((left, right))
            case m.Cond(condition, yes, no, _):
                self.expr(condition)
                known = self.known(condition)
                self.exprs((yes,) if known else (no,) if known == 0 else (yes, no))
            case m.Match(subject, arms, _):
                self.expr(subject)
                self.exprs(live_arms(self.known(subject), arms))
            case m.Call(function, arguments, _):
                self.exprs(arguments)
                if self.first(f"call {self.access}", function):
                    self.statements(self.machine.functions[function].body)
            case m.Builtin(name, arguments, _):
                self.exprs(arguments)
                self.builtin(name, arguments)
            case _:
                assert_never(expr)

    def builtin(self, name: str, arguments: tuple[m.Expr, ...]) -> None:
        match name:
            case "load" | "load_as" | "store" | "store_as":
                self.memory(_access_kind(name, arguments), own_mode=name.endswith("_as"))
            case "phys_load" | "phys_store":
                memory = self.reads if name == "phys_load" else self.writes
                memory |= {self.machine.main_memory} if self.machine.main_memory else set()
            case "csr_read" | "csr_write" | "exists":
                self.csr(name, arguments[0])
            case _:
                pass

    def csr(self, name: str, number: m.Expr) -> None:
        """A CSR access: the rule of the space, then the register's own guards and rules."""
        space = self.machine.csr_space
        if name == "exists":
            return
        if space is not None:
            self.exprs(rule for _, rule in space.rules)
            self.statements(space.guards)
        known = self.known(number)
        if known is None or known not in self.machine.csrs:
            (self.reads if name == "csr_read" else self.writes).add(ANY_CSR)
            return
        register = self.machine.registers[self.machine.csrs[known]]
        self.statements(register.guards)
        (self.read_register if name == "csr_read" else self.write_register)(register)

    def memory(self, kind: str, own_mode: bool) -> None:
        """A translated access: the acting mode, translations, protections, then the cells."""
        ram = self.machine.main_memory
        (self.writes if kind == "store" else self.reads).update([ram] if ram else [])
        self.writes |= {ram} if ram and kind == "rmw" else set()
        self.accesses[kind] = None
        if not self.first("access", f"{kind} {own_mode}"):
            return
        outer, self.access = self.access, kind
        if not own_mode:
            acting = self.machine.acting
            mode = {self.machine.mode} if self.machine.mode and self.machine.translations else set()
            self.reads |= mode if acting is None else set()
            self.exprs(() if acting is None else (acting,))
        for translation in self.machine.translations.values():
            self.exprs(() if translation.when is None else (translation.when,))
            self.fault(translation.canonical or "")
            self.statements(translation.body)
        for protection in self.machine.protections.values():
            self.exprs(() if protection.when is None else (protection.when,))
            self.statements(protection.body)
        self.access = outer

    def known(self, expr: m.Expr) -> int | None:
        """The value that the family's constants give an expression; None when they do not."""
        return known(expr, self.constants)


def _access_kind(name: str, arguments: tuple[m.Expr, ...]) -> str:
    """The kind said by the last argument, else `load` or `store` by the built-in's name."""
    last = arguments[-1]
    if isinstance(last, m.Literal) and last.type == m.ACCESS:
        return m.ACCESS.members[last.value]
    return name.removesuffix("_as")
