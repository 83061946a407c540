"""The built-in names of the language: memory, CSRs, bit counts, and what an access or a trap is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from popek_grammar import machine as m
from popek_grammar.meaning import operators, registers
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import member
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.widths import width_of

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run


def builtin(run: Run, expr: m.Builtin) -> Term:
    """The value of a built-in (`false` for one that only acts)."""
    width = width_of(expr.type, run.machine)
    match expr.name, expr.arguments:
        case "load", (address, *kind):
            return run.memory.load(run, run.value(address), width, _kind(kind, "load"), None)
        case "load_as", (mode, address, *kind):
            acting = run.value(mode)
            return run.memory.load(run, run.value(address), width, _kind(kind, "load"), acting)
        case "store", (address, value, *kind):
            at = run.value(address)
            run.memory.store(run, at, run.value(value), _kind(kind, "store"), None)
        case "store_as", (mode, address, value, *kind):
            acting, at = run.value(mode), run.value(address)
            run.memory.store(run, at, run.value(value), _kind(kind, "store"), acting)
        case "phys_load", (address, *_):
            return run.memory.physical(run, run.value(address), width)
        case "phys_store", (address, value):
            at = run.value(address)
            run.memory.physical_store(run, at, run.value(value))
        case "csr_read", (number,):
            return t.resize(registers.csr_read(run, run.value(number)), width)
        case "csr_write", (number, value):
            at = run.value(number)
            registers.csr_write(run, at, run.value(value))
        case "exists", (number,):
            return registers.exists(run, run.value(number))
        case "splice", (frame, va, count):
            return splice(run, run.value(frame), run.value(va), count, width)
        case "low", (operand, m.Literal(count)):
            return t.resize(operators.low(run.value(operand), count), width)
        case "popcount", (operand,):
            return t.resize(operators.popcount(run.value(operand)), width)
        case ("clz" | "ctz") as name, (operand,):
            return t.resize(operators.count_zeros(run.value(operand), name == "clz"), width)
        case "parity", (operand,):
            return operators.parity(run.value(operand))
        case ("min" | "max") as name, (left, right):
            a, b = run.value(left), run.value(right)
            return t.ite(t.ult(a, b), a, b) if name == "min" else t.ite(t.ult(a, b), b, a)
        case "repeat", (operand, m.Literal(count)):
            return t.concat_all(*[run.value(operand)] * count)
        case "is_mode", (operand,):
            encoding = run.value(operand)
            return member(encoding, tuple((code, code) for _, code in run.machine.modes.members))
        case name, _:
            return t.resize(run.special[name], width) if width else run.special[name]
    return t.FALSE


def _kind(arguments: list[m.Expr], default: str) -> str:
    match arguments:
        case [m.Literal(ordinal)]:
            return m.ACCESS.members[ordinal]
        case _:
            return default


def splice(run: Run, frame: Term, va: Term, count: m.Expr, width: int) -> Term:
    """Frame number above, page offset below; the low `count` frame bits come from the virtual address."""
    assert isinstance(count, m.Literal) and run.walk_translation is not None
    offset = count.value + run.walk_translation.page_bits
    kept = t.extract(frame, frame.width - 1, count.value) if count.value < frame.width else None
    below = t.extract(va, offset - 1, 0)
    return t.resize(below if kept is None else t.concat(kept, below), width)
