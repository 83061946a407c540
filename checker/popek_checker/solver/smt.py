"""The solver, behind one door: lowering of terms to Z3, the only `Solver()`, limits, dumps, models.

Z3 has no types; this module is the typing boundary. Multiplication and division of wide operands are lowered to
uninterpreted functions first, which is sound for `unsat`; a `sat` answer is asked again with the real operators.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import z3  # type: ignore[import-untyped,unused-ignore]
from z3 import z3core  # type: ignore[import-untyped,unused-ignore]

from popek_checker.solver.answers import Answers, about
from popek_checker.solver.narrowing import narrowed
from popek_checker.solver.plain import Plain
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

OPAQUE_WIDTH: Final = 8
"""Products and quotients wider than this are opaque at first."""
BRIEFLY: Final = 2000
"""Milliseconds for one way of asking before the next is tried."""
FIRST_LIMIT: Final = 3_000_000
"""Z3's resource units for one answer before a heavier solver is tried; about a million a second."""
NARROWED_LIMIT: Final = 20_000_000
"""The same for a model of a hard goal with some of the state at zero."""
NARROWED: Final = 4.0
"""Seconds for the last such try, with the heavier solver."""
SMALL_LIMIT: Final = 300_000
"""The same for many small questions where unknown only means: not this one."""
_OPAQUE: Final = frozenset({"mul", "udiv", "urem", "sdiv", "srem"})


class Status(Enum):
    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Model:
    """A satisfying assignment: numbers for variables, and for functions at the arguments that were used."""

    variables: Mapping[str, int] = field(default_factory=dict)
    functions: Mapping[str, Mapping[tuple[int, ...], int]] = field(default_factory=dict)
    _known: dict[Term, Term] = field(default_factory=dict, init=False, compare=False, repr=False)

    def evaluate(self, roots: Iterable[Term]) -> dict[Term, Term]:
        """Every term below `roots` as a constant; what the model leaves open is zero."""
        return t.substitute(roots, self._leaf, self._known)

    def value(self, term: Term) -> int:
        """The number that one term has in the model."""
        return self.evaluate([term])[term].value

    def _leaf(self, term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op == "var":
            return t.const(self.variables.get(term.name, 0), term.width)
        if term.op == "apply":
            table = self.functions.get(term.name, {})
            return t.const(table.get(tuple(arg.value for arg in args), 0), term.width)
        return None


STATUS: Final = Plain(Status)
MODEL: Final = Plain(Model)


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` says why an answer is unknown. `seconds` is wall time in the solver; 0 when folding decided."""

    status: Status
    model: Model | None = None
    reason: str = ""
    seconds: float = 0.0


class Smt:
    """One solver context: incremental, with a resource limit an answer (`limit`, Z3's units; about 1 M a second)."""

    def __init__(self, timeout: float = 30.0) -> None:
        self.context = z3.Context()
        self.timeout = timeout
        self.calls = 0
        self.seconds = 0.0
        self._lowerings = {opaque: Lowering(self.context, opaque) for opaque in (True, False)}
        self._solver = self._simple()
        self.dump: list[str] | None = None
        self._answered: dict[tuple[Term, bool], Answer] = {}
        self._opaque: dict[Term, bool] = {}
        self.answers: Answers | None = None

    @contextmanager
    def knowing(self, answers: Answers | None) -> Iterator[None]:
        """Answers are looked up, and filed at the end, in `answers` and nowhere else."""
        self.answers = answers
        try:
            yield
            if answers is not None:
                answers.file()
        finally:
            self.answers = None

    def check(self, constraints: Sequence[Term], model: bool = True) -> Answer:
        """Decides the conjunction. Folding first; then opaque arithmetic; then, if that finds a model, the real one.

        Without `model` none is read from the solver, which is cheaper.
        """
        goal = t.and_(*constraints)
        if goal is t.FALSE:
            return Answer(Status.UNSAT)
        if goal is t.TRUE:
            return Answer(Status.SAT, Model())
        if self.answers is None or model:
            return self._decided(goal, model)
        key = about("holds somewhere", [goal])
        known = self.answers.get(key, STATUS)
        if known is not None:
            return Answer(known)
        answer = self._decided(goal, model)
        if answer.status is not Status.UNKNOWN:
            self.answers.put(key, STATUS, answer.status)
        return answer

    def smallest(self, goal: Term, make: Callable[[], Model | None]) -> Model | None:
        """The model of `goal` that `make` finds; one that was found before is tried on the goal before it is believed."""
        if self.answers is None:
            return make()
        return self.answers.known(about("smallest model", [goal]), MODEL, make, lambda model: bool(model.value(goal)))

    def _decided(self, goal: Term, model: bool) -> Answer:
        opaque = self._has_opaque(goal)
        answer = self._ask(goal, opaque=True, model=model or opaque)
        return self._confirm(goal, answer) if opaque and answer.status is Status.SAT else answer

    def _confirm(self, goal: Term, answer: Answer) -> Answer:
        """A model under opaque arithmetic stands when it also satisfies the real operators; else ask again."""
        assert answer.model is not None
        if answer.model.value(goal):
            return answer
        return self._ask(goal, opaque=False)

    def _ask(self, goal: Term, opaque: bool, model: bool = True) -> Answer:
        """An answer without a model stands for the same question in every other claim and instruction that comes to it."""
        known = self._answered.get((goal, opaque))
        if known is not None and (known.status is Status.UNSAT or not model):
            return known
        answer = self._solved(goal, opaque, model)
        if answer.status is not Status.UNKNOWN:
            self._answered[goal, opaque] = Answer(answer.status)
        return answer

    def _solved(self, goal: Term, opaque: bool, model: bool) -> Answer:
        lowering = self._lowerings[opaque]
        formula = lowering.formula(goal)
        start = time.perf_counter()
        self.calls += 1
        self._solver.push()
        try:
            self._solver.add(formula)
            if self.dump is not None:
                self.dump.append(self._solver.to_smt2())
            self._solver.set("rlimit", FIRST_LIMIT)
            result, solver = self._solver.check(), self._solver
            if result == z3.unknown:
                result, solver, goal = self._hard(goal, lowering)
            seconds = time.perf_counter() - start
            self.seconds += seconds
            if result == z3.sat:
                found = lowering.model(solver.model(), goal) if model else None
                return Answer(Status.SAT, found, seconds=seconds)
            if result == z3.unsat:
                return Answer(Status.UNSAT, seconds=seconds)
            return Answer(Status.UNKNOWN, reason=str(solver.reason_unknown()), seconds=seconds)
        finally:
            self._solver.pop()

    def _hard(self, goal: Term, lowering: Lowering) -> tuple[Any, Any, Term]:
        """The answer about a hard goal, the solver that has it, and the goal that a model of it is of; narrowest first."""
        open_: list[Term] = []
        for smaller in reversed([*narrowed(goal)]):
            solver = self._simple()
            solver.set("rlimit", NARROWED_LIMIT)
            solver.add(lowering.formula(smaller))
            result = solver.check()
            if result == z3.sat:
                return result, solver, smaller
            open_ += [smaller] if result == z3.unknown else []
        for smaller in open_[:1]:
            solver = self._heavy(lowering.formula(smaller), min(self.timeout, NARROWED))
            result = solver.check()
            if result == z3.sat:
                return result, solver, smaller
        solver = self._heavy(lowering.formula(goal), self.timeout)
        return solver.check(), solver, goal

    def _simple(self) -> Any:
        solver = z3.SimpleSolver(ctx=self.context)
        solver.set("relevancy", 0)  # goals have few parts that do not matter; to keep track of them costs more
        return solver

    def _heavy(self, formula: Any, seconds: float) -> Any:
        """A solver of its own for one hard formula."""
        solver = z3.SolverFor("QF_UFBV", ctx=self.context)
        solver.set("timeout", int(seconds * 1000))
        solver.add(formula)
        return solver

    @contextmanager
    def within(self, facts: Sequence[Term]) -> Iterator[Scope]:
        """A scope in which `facts` stand: many small questions over the same facts, which are lowered and sent once."""
        goal = t.and_(*facts)
        solver = z3.SimpleSolver(ctx=self.context)
        solver.add(self.real(goal).formula(goal))
        yield Scope(self, solver, goal)

    def real(self, term: Term) -> Lowering:
        """The lowering under which a term means what it says: the shared one, unless it has products that are opaque there."""
        return self._lowerings[not self._has_opaque(term)]

    def values(self, facts: Sequence[Term], roots: Sequence[Term]) -> list[int] | None:
        """What Z3 itself makes of terms in a model of `facts`, real arithmetic; None when there is no model.

        Most of these questions are quick. Where one is not, it helps to put in the values that facts give to variables, and
        again what then becomes known; but that is slow for others.
        """
        lowering = self._lowerings[False]
        known = ("simplify", "propagate-values", "solve-eqs")
        plain = z3.Tactic("qfufbv", ctx=self.context)
        filled = z3.Then(*(z3.Tactic(name, ctx=self.context) for name in (*known, *known, "qfufbv")), ctx=self.context)
        tries = (z3.TryFor(plain, BRIEFLY), z3.TryFor(filled, BRIEFLY), plain)
        solver = z3.OrElse(*tries, ctx=self.context).solver()
        solver.set("timeout", int(self.timeout * 1000))
        solver.add(lowering.formula(t.and_(*facts)))
        if solver.check() != z3.sat:
            return None
        return [lowering.number(solver.model(), root) for root in roots]

    def smtlib(self, goal: Term) -> str:
        """The goal as an SMT-LIB 2 benchmark in QF_UFBV, real arithmetic."""
        solver = z3.Solver(ctx=self.context)
        solver.add(self._lowerings[False].formula(goal))
        return "(set-logic QF_UFBV)\n" + str(solver.to_smt2())

    def _has_opaque(self, goal: Term) -> bool:
        """Whether there are products or quotients below `goal` that are opaque at first."""
        known = self._opaque
        for term in t.postorder([goal], known):
            known[term] = (term.op in _OPAQUE and term.width > OPAQUE_WIDTH) or any(known[arg] for arg in term.args)
        return known[goal]


@lru_cache(maxsize=4)
def kept_solver(timeout: float) -> Smt:
    """This process's solver: a worker keeps it, and all that it has been told, from batch to batch."""
    return Smt(timeout)


class Scope:
    """Questions on top of facts that stay: an answer costs what is new in it. Real arithmetic throughout."""

    def __init__(self, smt: Smt, solver: Any, facts: Term) -> None:
        self._smt = smt
        self._solver = solver
        self._facts = facts
        self._found: Any = None

    def keep(self, constraint: Term) -> None:
        """From now on `constraint` holds too."""
        self._solver.add(self._smt.real(constraint).formula(constraint))

    def status(self, constraint: Term = t.TRUE, limit: int = FIRST_LIMIT) -> Status:
        """Whether the facts and `constraint` hold together somewhere. `model` reads the state that was found."""
        start = time.perf_counter()
        self._smt.calls += 1
        self._solver.push()
        try:
            self._solver.add(self._smt.real(constraint).formula(constraint))
            self._solver.set("rlimit", limit)
            result = self._solver.check()
            if result == z3.sat:
                self._found = self._solver.model()
        finally:
            self._solver.pop()
        self._smt.seconds += time.perf_counter() - start
        return Status(str(result))

    def found(self, term: Term) -> int:
        """What `term` is in the state last found."""
        return self._smt.real(term).number(self._found, term)

    def model(self) -> Model:
        """The state last found, as numbers."""
        return self._smt.real(self._facts).model(self._found, self._facts)


class Lowering:
    """Terms to Z3 expressions, each node once, through the C API (an order faster than overloaded operators)."""

    def __init__(self, context: Any, opaque: bool) -> None:
        self.context = context
        self.opaque = opaque
        self._ref = context.ref()
        self._done: dict[Term, Any] = {}
        self._keep = z3.AstVector(ctx=context)
        self._sorts: dict[int, Any] = {}
        self._functions: dict[tuple[str, tuple[int, ...], int], Any] = {}

    def formula(self, goal: Term) -> Any:
        """The z3 BoolRef of a bool term."""
        return z3.BoolRef(self._lower(goal), self.context)

    def _lower(self, root: Term) -> Any:
        done = self._done
        stack = [root]
        while stack:
            term = stack[-1]
            if term in done:
                stack.pop()
                continue
            missing = [arg for arg in term.args if arg not in done]
            if missing:
                stack.extend(missing)
                continue
            done[term] = self._hold(self._node(term, [done[arg] for arg in term.args]))
            stack.pop()
        return done[root]

    def _node(self, term: Term, args: list[Any]) -> Any:
        ref = self._ref
        match term.op:
            case "const":
                if term.width == t.BOOL:
                    return z3core.Z3_mk_true(ref) if term.payload else z3core.Z3_mk_false(ref)
                return z3core.Z3_mk_numeral(ref, str(term.value), self._sort(term.width))
            case "var":
                return self._apply(term.name, (), term.width, [])
            case "apply":
                return self._apply(term.name, tuple(arg.width for arg in term.args), term.width, args)
            case "and" | "or":
                make = z3core.Z3_mk_and if term.op == "and" else z3core.Z3_mk_or
                return make(ref, len(args), (z3.Ast * len(args))(*args))
            case "extract":
                hi, lo = t.bounds(term)
                return z3core.Z3_mk_extract(ref, hi, lo, args[0])
            case "sext":
                return z3core.Z3_mk_sign_ext(ref, term.width - term.args[0].width, args[0])
            case op if op in _OPAQUE and self.opaque and term.width > OPAQUE_WIDTH:
                return self._apply(f"opaque.{op}{term.width}", (term.width, term.width), term.width, args)
            case "sdiv":
                return self._signed_quotient(term, args)
            case op:
                return getattr(z3core, _Z3_NAMES[op])(ref, *args)

    def _signed_quotient(self, term: Term, args: list[Any]) -> Any:
        """Ours is all ones for a zero divisor; SMT-LIB's is 1 for a negative dividend."""
        sort, hold = self._sort(term.width), self._hold
        nought = hold(z3core.Z3_mk_numeral(self._ref, "0", sort))
        ones = hold(z3core.Z3_mk_numeral(self._ref, str((1 << term.width) - 1), sort))
        is_zero = hold(z3core.Z3_mk_eq(self._ref, args[1], nought))
        return z3core.Z3_mk_ite(self._ref, is_zero, ones, hold(z3core.Z3_mk_bvsdiv(self._ref, *args)))

    def _hold(self, ast: Any) -> Any:
        """Keeps a raw node alive: what no vector holds, the next call may free."""
        z3core.Z3_ast_vector_push(self._ref, self._keep.vector, ast)
        return ast

    def _apply(self, name: str, domain: tuple[int, ...], width: int, args: list[Any]) -> Any:
        key = (name, domain, width)
        if key not in self._functions:
            symbol = z3core.Z3_mk_string_symbol(self._ref, name)
            sorts = (z3.Sort * len(domain))(*(self._sort(w) for w in domain))
            declaration = z3core.Z3_mk_func_decl(self._ref, symbol, len(domain), sorts, self._sort(width))
            self._functions[key] = z3.FuncDeclRef(declaration, self.context)
        return z3core.Z3_mk_app(self._ref, self._functions[key].ast, len(args), (z3.Ast * len(args))(*args))

    def _sort(self, width: int) -> Any:
        if width not in self._sorts:
            sort = z3.BitVecSort(width, self.context) if width else z3.BoolSort(self.context)
            self._sorts[width] = sort
        return self._sorts[width].ast

    def model(self, model: Any, goal: Term) -> Model:
        """The numbers that a Z3 model gives to the leaves of `goal`."""
        variables: dict[str, int] = {}
        functions: dict[str, dict[tuple[int, ...], int]] = {}
        for term in t.free([goal]):
            value = self.number(model, term)
            if term.op == "var":
                variables[term.name] = value
            else:
                point = tuple(self.number(model, arg) for arg in term.args)
                functions.setdefault(term.name, {})[point] = value
        return Model(variables, functions)

    def number(self, model: Any, term: Term) -> int:
        if term.is_const:
            return term.value
        kind = z3.BoolRef if term.width == t.BOOL else z3.BitVecRef
        result = model.eval(kind(self._lower(term), self.context), model_completion=True)
        return int(z3.is_true(result)) if term.width == t.BOOL else int(result.as_long())


_Z3_NAMES: Final = {
    "not": "Z3_mk_not",
    "ite": "Z3_mk_ite",
    "eq": "Z3_mk_eq",
    "ult": "Z3_mk_bvult",
    "slt": "Z3_mk_bvslt",
    "add": "Z3_mk_bvadd",
    "neg": "Z3_mk_bvneg",
    "mul": "Z3_mk_bvmul",
    "udiv": "Z3_mk_bvudiv",
    "urem": "Z3_mk_bvurem",
    "srem": "Z3_mk_bvsrem",
    "bvnot": "Z3_mk_bvnot",
    "bvand": "Z3_mk_bvand",
    "bvor": "Z3_mk_bvor",
    "bvxor": "Z3_mk_bvxor",
    "shl": "Z3_mk_bvshl",
    "lshr": "Z3_mk_bvlshr",
    "ashr": "Z3_mk_bvashr",
    "concat": "Z3_mk_concat",
}
