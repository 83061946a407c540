"""Registers with fields: reading composes the fields, writing obeys each field's rule. And every other place."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import member
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run


def read(run: Run, register: m.Register, index: Term | None) -> Term:
    """The whole register; bits of no field read as zero."""
    if register.read is not None:
        return run.value(register.read)
    parts: list[Term] = []
    top = register.width
    for field in sorted(register.fields, key=lambda f: -f.hi):
        if field.hi + 1 < top:
            parts.append(t.const(0, top - field.hi - 1))
        parts.append(read_field(run, field, index))
        top = field.lo
    if top:
        parts.append(t.const(0, top))
    return t.concat_all(*parts)


def read_field(run: Run, field: m.Field, index: Term | None) -> Term:
    width = field.hi - field.lo + 1
    if field.value is not None:
        return run.value(field.value)
    if field.state is None:
        return t.const(0, width)
    return run.read_element(field.state, index) if index is not None else run.state.scalars[field.state]


def write(run: Run, register: m.Register, index: Term | None, value: Term) -> None:
    """A software write of the whole register: its `write` clause, or field by field."""
    if register.write is not None:
        name, body = register.write
        run.body(body, {**run.env, name: value})
        return
    for field in register.fields:
        if field.state is not None:
            new = written(run, field, t.extract(value, field.hi, field.lo))
            if new is not None:
                _store(run, field.state, index, new)


def written(run: Run, field: m.Field, value: Term) -> Term | None:
    """What a write of `value` leaves in a field; None: the write is ignored."""
    match field.kind:
        case m.FieldKind.RW:
            return value
        case m.FieldKind.WARL:
            assert field.legal is not None and field.otherwise is not None
            legal = member(value, field.legal)
            return value if legal is t.TRUE else t.ite(legal, value, run.value(field.otherwise))
        case m.FieldKind.WLRL:
            assert field.legal is not None
            legal = member(value, field.legal)
            if legal is t.TRUE:
                return value
            return t.ite(legal, value, run.open_choice(f"{field.state}", value.width, field.legal))
        case m.FieldKind.RO | m.FieldKind.WPRI:
            return None
        case _:
            assert_never(field.kind)


def _store(run: Run, state: str, index: Term | None, value: Term) -> None:
    if index is not None:
        run.write_element(state, index, value)
    else:
        run.write_scalar(state, value)


# -- places ----------------------------------------------------------------------------------------------------------


def assign(run: Run, place: m.Place, value: Term) -> None:
    """Writes a place; the value has the place's width."""
    match place:
        case m.ScalarPlace(name):
            run.write_scalar(name, value)
        case m.ElementPlace(array, index):
            run.write_element(run.memory.own_cells(run.machine, array), run.value(index), value)
        case m.RegisterPlace(name, index):
            write(run, run.machine.registers[name], run.value(index) if index is not None else None, value)
        case m.SlicePlace(inner, hi, lo):
            assign(run, inner, splice(read_place(run, inner), hi, lo, value))
        case m.ConcatPlace(parts):
            low = place.width
            for part in parts:
                low -= part.width
                assign(run, part, t.extract(value, low + part.width - 1, low))
        case _:
            assert_never(place)


def read_place(run: Run, place: m.Place) -> Term:
    """The value that a place holds now."""
    match place:
        case m.ScalarPlace(name):
            return run.state.scalars[name]
        case m.ElementPlace(array, index):
            return run.read_element(run.memory.own_cells(run.machine, array), run.value(index))
        case m.RegisterPlace(name, index):
            return read(run, run.machine.registers[name], run.value(index) if index is not None else None)
        case m.SlicePlace(inner, hi, lo):
            return t.extract(read_place(run, inner), hi, lo)
        case m.ConcatPlace(parts):
            return t.concat_all(*(read_place(run, part) for part in parts))
        case _:
            assert_never(place)


def splice(old: Term, hi: int, lo: int, value: Term) -> Term:
    """`old` with bits `hi..lo` replaced."""
    parts = [t.extract(old, old.width - 1, hi + 1)] if hi + 1 < old.width else []
    parts.append(value)
    if lo:
        parts.append(t.extract(old, lo - 1, 0))
    return t.concat_all(*parts)


# -- the CSR space ---------------------------------------------------------------------------------------------------


def csr_read(run: Run, number: Term) -> Term:
    """A CSR read as software makes it: the space's guards, the register's own, then its value."""
    width = max((r.width for r in run.machine.registers.values() if r.address is not None), default=1)
    found = t.const(0, width)
    for condition, register in addressed(run, number):

        def access(register: m.Register = register) -> Term:
            guards(run, number, register, writing=False)
            return t.resize(read(run, register, None), width) if run.path is not t.FALSE else t.const(0, width)

        found = run.branch(condition, access, lambda found=found: found)  # type: ignore[misc]
    return missing(run, number, found, writing=False)


def csr_write(run: Run, number: Term, value: Term) -> None:
    """A CSR write as software makes it."""
    for condition, register in addressed(run, number):

        def access(register: m.Register = register) -> Term:
            guards(run, number, register, writing=True)
            if run.path is not t.FALSE:
                write(run, register, None, t.resize(value, register.width))
            return t.FALSE

        run.branch(condition, access, lambda: t.FALSE)
    missing(run, number, t.FALSE, writing=True)


def addressed(run: Run, number: Term) -> list[tuple[Term, m.Register]]:
    """The registers that `number` may name, each with the condition that it does."""
    if run.unknown_csr:
        return []
    known = run.machine.csrs
    if number.is_const:
        return [(t.TRUE, run.machine.registers[known[number.value]])] if number.value in known else []
    return [(t.eq(number, t.const(address, number.width)), run.machine.registers[name]) for address, name in known.items()]


def exists(run: Run, number: Term) -> Term:
    return t.or_(*(condition for condition, _ in addressed(run, number)))


def missing(run: Run, number: Term, found: Term, writing: bool) -> Term:
    """Runs the space's guards, which trap, where no register answers."""

    def refuse() -> Term:
        guards(run, number, None, writing)
        return t.FALSE if found.width == t.BOOL else t.const(0, found.width)

    return run.branch(exists(run, number), lambda: found, refuse)


def guards(run: Run, number: Term, register: m.Register | None, writing: bool) -> None:
    """The guards of the CSR space in order, then those of the register."""
    space = run.machine.csr_space
    outer = run.env
    if space is not None:
        run.env = {**outer, "addr": number, "write": t.boolean(writing)}
        for name, expr in space.rules:
            run.env[name] = run.value(expr)
        for guard in space.guards:
            run.guard(run.value(guard.condition), guard.cause)
    if register is not None:
        for guard in register.guards:
            if run.path is not t.FALSE:
                run.guard(run.value(guard.condition), guard.cause)
    elif run.path is not t.FALSE:
        run.path = t.FALSE
    run.env = outer
