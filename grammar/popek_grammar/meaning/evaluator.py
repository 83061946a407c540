"""The one evaluator of guards, bodies and functions.

It walks the typed clauses over terms. Paths are merged, not enumerated: an `if` evaluates both sides under their
conditions and joins the states; a trap records its condition and kills its path. What folds to a constant is never
explored, so on a concrete state this is an ordinary interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, assert_never

from popek_grammar import machine as m
from popek_grammar.meaning import registers
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.operators import binary, unary
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.state import PC_WRITTEN, State, member, merge
from popek_grammar.meaning.terms import Term

Ranges: TypeAlias = "tuple[tuple[int, int], ...] | None"
Chooser: TypeAlias = "Callable[[str, int, Ranges], Term]"


class MemoryModel(Protocol):
    """How translated accesses reach memory: by the machine's own translations, or as an opaque guest view."""

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term: ...

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None: ...

    def physical(self, run: Run, address: Term, width: int) -> Term:
        """A load made by a page walk."""
        ...

    def physical_store(self, run: Run, address: Term, value: Term) -> None: ...

    def own_cells(self, machine: m.Machine, array: str) -> str:
        """The array that a body means by `array`: of memory, the physical one."""
        ...


@dataclass(slots=True)
class Exit:
    """A path that left a body early, with the value it carries."""

    path: Term
    value: Term | None
    state: State


def free_choice(site: str, width: int, ranges: Ranges) -> Term:
    """A choice left open: one variable a site, the same in every copy of the machine."""
    return t.var(f"?{site}", width)


@dataclass(slots=True)
class Run:
    """One evaluation under way. `path` is the condition of the current path, within `prefix`, that of its caller."""

    machine: m.Machine
    state: State
    memory: MemoryModel
    choose: Chooser = free_choice
    env: dict[str, Term] = field(default_factory=dict)
    special: dict[str, Term] = field(default_factory=dict)
    unknown_csr: bool = False
    path: Term = t.TRUE
    prefix: Term = t.TRUE
    traps: list[TrapCase] = field(default_factory=list)
    returns: list[Exit] = field(default_factory=list)
    nexts: list[Exit] = field(default_factory=list)
    assumptions: list[Term] = field(default_factory=list)
    sites: dict[str, int] = field(default_factory=dict)
    walk_translation: m.Translation | None = None

    # -- expressions -------------------------------------------------------------------------------------------------

    def value(self, expr: m.Expr) -> Term:
        """The term that `expr` denotes now. May write state and record traps, through calls."""
        match expr:
            case m.Literal(value, type_):
                return t.const(value, width_of(type_, self.machine))
            case m.Local(name):
                return self.env[name]
            case m.ReadScalar(name):
                return self.state.scalars[name]
            case m.ReadElement(array, index):
                return self.read_element(self.memory.own_cells(self.machine, array), self.value(index))
            case m.ReadRegister(name, index):
                at = self.value(index) if index is not None else None
                return registers.read(self, self.machine.registers[name], at)
            case m.Unary(op, operand):
                return unary(op, self.value(operand))
            case m.Binary("and", left, right):
                return self.both(self.value(left), right)
            case m.Binary("or", left, right):
                return t.not_(self.both(t.not_(self.value(left)), m.Unary("not", right, m.Bool())))
            case m.Binary(op, left, right):
                modes = self.machine.modes if isinstance(left_type(left), m.Mode) else None
                return binary(op, self.value(left), self.value(right), modes)
            case m.Cond(condition, yes, no):
                return self.branch(self.value(condition), lambda: self.value(yes), lambda: self.value(no))
            case m.Match(subject, arms):
                return self.match(self.value(subject), arms)
            case m.Slice(operand, hi, lo):
                return t.extract(self.value(operand), hi, lo)
            case m.SliceFrom(operand, start, type_):
                return slice_from(self.value(operand), self.value(start), width_of(type_, self.machine))
            case m.Resize(kind, operand, type_):
                return resize(kind, self.value(operand), width_of(type_, self.machine))
            case m.Member(operand, ranges):
                return member(self.value(operand), ranges)
            case m.Call(function, arguments):
                result = self.call(self.machine.functions[function], [self.value(a) for a in arguments])
                return result if result is not None else t.FALSE
            case m.Builtin():
                from popek_grammar.meaning.builtins import builtin

                return builtin(self, expr)
            case m.Unspecified(site, ranges, type_):
                return self.open_choice(site, width_of(type_, self.machine), ranges)
            case _:
                assert_never(expr)

    def both(self, left: Term, right: m.Expr) -> Term:
        """`left and right`, the right side evaluated only where the left holds."""
        return self.branch(left, lambda: self.value(right), lambda: t.FALSE)

    def branch(self, condition: Term, yes: Callable[[], Term], no: Callable[[], Term]) -> Term:
        """The value of one of two computations; traps and writes of each happen under its condition."""
        if condition.is_const:
            return yes() if condition.payload else no()
        values: list[Term] = []
        self.fork(condition, lambda: values.append(yes()), lambda: values.append(no()))
        return t.ite(condition, values[0], values[1])

    def fork(self, condition: Term, yes: Callable[[], None], no: Callable[[], None]) -> None:
        """Runs both sides, each under its condition, and joins paths and states."""
        path, before = self.path, self.state
        into_yes, into_no = t.and_(path, condition), t.and_(path, t.not_(condition))
        self.path, self.state = into_yes, before.copy()
        yes()
        path_yes, state_yes = self.path, self.state
        self.path, self.state = into_no, before.copy()
        no()
        path_no, state_no = self.path, self.state
        if path_yes is into_yes and path_no is into_no:
            self.path = path
        else:
            self.path = t.or_(path_yes, path_no)
        if path_yes is t.FALSE:
            self.state = state_no
        elif path_no is t.FALSE:
            self.state = state_yes
        else:
            self.state = merge(condition, state_yes, state_no)

    def match(self, subject: Term, arms: tuple[tuple[tuple[int, ...], m.Expr], ...]) -> Term:
        (values, expr), *rest = arms
        if not values or not rest:
            return self.value(expr)
        hit = t.or_(*(t.eq(subject, t.const(value, subject.width)) for value in values))
        return self.branch(hit, lambda: self.value(expr), lambda: self.match(subject, tuple(rest)))

    def open_choice(self, site: str, width: int, ranges: Ranges) -> Term:
        self.sites[site] = count = self.sites.get(site, 0) + 1
        chosen = self.choose(site if count == 1 else f"{site}@{count}", width, ranges)
        if ranges is not None:
            self.assumptions.append(member(chosen, ranges))
        return chosen

    def call(self, function: m.Function, arguments: list[Term]) -> Term | None:
        """Runs a function's body in a scope of its own."""
        names = (name for name, _ in function.parameters)
        return self.body(function.body, dict(zip(names, arguments, strict=True)))

    def body(self, statements: tuple[m.Stmt, ...], env: dict[str, Term]) -> Term | None:
        """Runs statements up to their `return`s; the value returned, if any. Joins all the ways out."""
        caller = (self.env, self.path, self.prefix, self.returns)
        self.env, self.prefix, self.path, self.returns = env, t.and_(self.prefix, self.path), t.TRUE, []
        self.run(statements)
        if self.path is not t.FALSE:
            self.returns.append(Exit(self.path, None, self.state))
        value = self.join(self.returns)
        inside = self.path
        self.env, path, self.prefix, self.returns = caller
        self.path = t.and_(path, inside)
        return value

    def outermost(self, statements: tuple[m.Stmt, ...]) -> None:
        """Runs the body of an instruction: its end and every `return` go on together."""
        self.run(statements)
        if self.returns:
            if self.path is not t.FALSE:
                self.returns.append(Exit(self.path, None, self.state))
            self.join(self.returns)

    def join(self, exits: list[Exit]) -> Term | None:
        """Continues on all exits at once: sets path and state, gives the selected value."""
        if not exits:
            self.path = t.FALSE
            return None
        last = exits[-1]
        value, self.state = last.value, last.state
        for leave in reversed(exits[:-1]):
            if leave.value is not None:
                value = leave.value if value is None else t.ite(leave.path, leave.value, value)
            self.state = merge(leave.path, leave.state, self.state)
        self.path = t.or_(*(leave.path for leave in exits))
        return value

    # -- statements --------------------------------------------------------------------------------------------------

    def run(self, statements: tuple[m.Stmt, ...]) -> None:
        """Runs statements in order while the path is alive."""
        for statement in statements:
            if self.path is t.FALSE or self.prefix is t.FALSE:
                self.path = t.FALSE
                return
            self.step(statement)

    def block(self, statements: tuple[m.Stmt, ...]) -> None:
        """Runs statements in a scope of their own."""
        outer = self.env
        self.env = dict(outer)
        self.run(statements)
        self.env = outer

    def step(self, statement: m.Stmt) -> None:
        match statement:
            case m.Let(name, expr):
                self.env[name] = self.value(expr)
            case m.Assign(place, expr):
                registers.assign(self, place, self.value(expr))
            case m.If(condition, yes, no):
                self.either(self.value(condition), yes, no)
            case m.MatchStmt(subject, arms):
                self.match_statement(self.value(subject), arms)
            case m.For():
                self.loop(statement)
            case m.Guard(condition, cause):
                self.guard(self.value(condition), cause)
            case m.Trap(cause):
                self.trap(cause)
            case m.Return(expr):
                value = self.value(expr) if expr is not None else None
                self.leave(self.returns, value)
            case m.Next(base):
                self.leave(self.nexts, self.value(base))
            case m.Fault(kind):
                self.fault(kind)
            case m.ReturnFrom(stack):
                from popek_grammar.meaning.traps import return_from

                return_from(self, self.machine.trap_stacks[stack])
            case m.Do(call):
                self.value(call)
            case m.Walk():
                self.walk(statement)
            case _:
                assert_never(statement)

    def either(self, condition: Term, yes: tuple[m.Stmt, ...], no: tuple[m.Stmt, ...]) -> None:
        if condition.is_const:
            self.block(yes if condition.payload else no)
        else:
            self.fork(condition, lambda: self.block(yes), lambda: self.block(no))

    def match_statement(self, subject: Term, arms: tuple[tuple[tuple[int, ...], tuple[m.Stmt, ...]], ...]) -> None:
        if not arms:
            return
        (values, body), *rest = arms
        if not values:
            return self.block(body)
        hit = t.or_(*(t.eq(subject, t.const(value, subject.width)) for value in values))
        if hit.is_const:
            return self.block(body) if hit.payload else self.match_statement(subject, tuple(rest))
        self.fork(hit, lambda: self.block(body), lambda: self.match_statement(subject, tuple(rest)))

    def loop(self, loop: m.For) -> None:
        down = loop.first > loop.last
        for number in range(loop.first, loop.last - 1, -1) if down else range(loop.first, loop.last + 1):
            self.env[loop.name] = t.const(number, loop.type.width)
            self.block(loop.body)

    def guard(self, condition: Term, cause: m.Cause) -> None:
        """Traps where `condition` does not hold; the path goes on where it does."""
        if condition is t.TRUE:
            return
        path = self.path
        self.path = t.and_(path, t.not_(condition))
        self.trap(cause)
        self.path = t.and_(path, condition)

    def trap(self, cause: m.Cause, memory: bool = False) -> None:
        """Records the trap under the current path and ends the path. The payload comes first: its evaluation may trap too."""
        if t.and_(self.prefix, self.path) is not t.FALSE:
            payload = [self.value(expr) for expr in cause.payload]
            missing = self.machine.causes.payload[len(payload) :]
            payload += [t.const(0, width) for _, width in missing]
            condition = t.and_(self.prefix, self.path)
            if condition is not t.FALSE:
                self.traps.append(TrapCase(condition, cause.name, tuple(payload), memory))
        self.path = t.FALSE

    def fault(self, kind: str) -> None:
        """Raises a declared fault kind for the access under way: a memory trap."""
        access = m.ACCESS.members[self.special["access"].value]
        causes = dict(self.machine.faults[kind].causes)
        self.trap(causes[access], memory=True)

    def leave(self, exits: list[Exit], value: Term | None) -> None:
        exits.append(Exit(self.path, value, self.state))
        self.path, self.state = t.FALSE, self.state.copy()

    def walk(self, walk: m.Walk) -> None:
        """A page walk: level after level on the paths that said `next`; what falls past the last level faults."""
        base = self.value(walk.start)
        outer = self.nexts
        for number, body in walk.levels:
            self.nexts = []
            self.env[walk.base] = base
            self.env[walk.name] = t.const(number, 32)
            self.block(body)
            if self.path is not t.FALSE:
                self.fault(walk.fault)
            found = self.join(self.nexts)
            if found is None:
                break
            base = found
        self.nexts = outer
        if self.path is not t.FALSE:
            self.fault(walk.fault)

    # -- state -------------------------------------------------------------------------------------------------------

    def read_element(self, array: str, index: Term) -> Term:
        value = self.state.arrays[array]
        return value.read(t.resize(index, value.array.index_width))

    def write_element(self, array: str, index: Term, value: Term) -> None:
        old = self.state.arrays[array]
        self.state.arrays[array] = old.write(t.resize(index, old.array.index_width), value)

    def write_scalar(self, name: str, value: Term) -> None:
        self.state.scalars[name] = value
        if name == self.machine.pc:
            self.state.scalars[PC_WRITTEN] = t.TRUE

    @contextmanager
    def bound(self, **special: Term) -> Iterator[None]:
        """Binds built-in names (`va`, `access`, ...) for the duration."""
        outer = self.special
        self.special = {**outer, **special}
        try:
            yield
        finally:
            self.special = outer

    def outcome(self) -> Outcome:
        """What has happened so far, as a record."""
        return Outcome(t.and_(self.prefix, self.path), self.state, tuple(self.traps), tuple(self.assumptions))


def width_of(type_: m.Type, machine: m.Machine) -> int:
    """Bits that represent a value of a type; 0 for a bool."""
    match type_:
        case m.Bits(width):
            return width
        case m.Mode():
            return machine.modes.width
        case m.EnumType(_, members):
            return max(1, (len(members) - 1).bit_length())
        case m.Bool() | m.Unit():
            return t.BOOL
        case _:
            assert_never(type_)


def left_type(expr: m.Expr) -> m.Type:
    return expr.type


def slice_from(operand: Term, start: Term, width: int) -> Term:
    """`operand[start +: width]`, zero beyond the top."""
    if start.is_const:
        low = start.value
        if low >= operand.width:
            return t.const(0, width)
        return t.resize(t.extract(operand, min(low + width, operand.width) - 1, low), width)
    wide = max(operand.width, width, start.width)
    return t.extract(t.lshr(t.zext(operand, wide), t.zext(start, wide)), width - 1, 0)


def resize(kind: str, operand: Term, width: int) -> Term:
    if operand.width == t.BOOL:
        operand = t.from_bool(operand)
    if width == t.BOOL:
        return t.ne(operand, t.const(0, operand.width))
    return t.sext(operand, width) if kind == "sext" and width > operand.width else t.resize(operand, width)
