"""The one evaluator of guards, bodies and functions.

It walks the typed clauses over terms. A trap records its condition and ends its path. What folds to a constant is
never explored, so on a concrete state this is an ordinary interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from popek_grammar import machine as m
from popek_grammar.meaning import registers
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.builtins import builtin
from popek_grammar.meaning.operators import binary, resize, slice_from, unary
from popek_grammar.meaning.outcome import TrapCase
from popek_grammar.meaning.paths import Exit, Paths
from popek_grammar.meaning.state import member
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import return_from
from popek_grammar.meaning.widths import width_of


@dataclass(slots=True)
class Run(Paths):
    """One evaluation under way: what an expression is worth, and what a statement does, on the current path."""

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
                modes = self.machine.modes if isinstance(left.type, m.Mode) else None
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
                called = self.machine.functions[function]
                result = self.call(called, [self.value(a) for a in arguments])
                # Where none of its ends is reached: no matter what, but of its width.
                return result if result is not None else t.const(0, width_of(called.result, self.machine))
            case m.Builtin():
                return builtin(self, expr)
            case m.Unspecified(site, ranges, type_):
                return self.open_choice(site, width_of(type_, self.machine), ranges)
            case _:
                assert_never(expr)

    def both(self, left: Term, right: m.Expr) -> Term:
        """`left and right`, the right side evaluated only where the left holds."""
        return self.branch(left, lambda: self.value(right), lambda: t.FALSE)

    def match(self, subject: Term, arms: tuple[tuple[tuple[int, ...], m.Expr], ...]) -> Term:
        (values, expr), *rest = arms
        if not values or not rest:
            return self.value(expr)
        hit = t.or_(*(t.eq(subject, t.const(value, subject.width)) for value in values))
        return self.branch(hit, lambda: self.value(expr), lambda: self.match(subject, tuple(rest)))

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
