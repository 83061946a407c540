"""Edits of a machine itself, clause by clause: whatever a text can say in another way, said in another way.

An edit changes one record of the machine: a constant, an operator, a condition, a cause, a role, a bit of an encoding, or one
line of many left out. Nothing here knows what a clause is for: it goes through all records there are, so that a clause that
the language comes to have is edited too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, TypeAlias

from popek_grammar import machine as m

Step: TypeAlias = "str | int"
"""A field of a record, the place in a tuple, or the name in a mapping."""

APART: Final = {"==": "!=", "!=": "==", "+": "-", "-": "+", "and": "or", "or": "and", "&": "|", "|": "&", "<": "<=", "<=": "<",
                ">": ">=", ">=": ">", "<<": ">>", ">>": "<<", "<s": "<", "^": "&"}  # fmt: skip
"""Operators, and what each is mistaken for."""

PASSED: Final = frozenset(
    {"span", "doc", "type", "name", "files", "title", "manual", "config", "configs", "choices", "given", "site"}
)
"""Fields that are not edited: names and types, by which records find each other, and what only people read."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: the kind of clause (`trap_stacks.saves`), the way to the record, what it was and what it is now."""

    kind: str
    path: tuple[Step, ...]
    old: object
    new: object

    @property
    def where(self) -> str:
        return ".".join(map(str, self.path))

    def made(self, machine: m.Machine) -> m.Machine:
        """The machine with the edit."""
        found: m.Machine = _put(machine, self.path, self.new)
        return found


def edits(machine: m.Machine) -> Iterator[Edit]:
    """All edits of a machine, in the order of its records."""
    for path, record in _records(machine, ()):
        for step, new in _changed(machine, record):
            whole, old = (*path, *step), _at(record, step)
            if new != old:
                yield Edit(_kind(whole), whole, old, new)


def _kind(path: tuple[Step, ...]) -> str:
    """The part of the machine, and of its clause there: `trap_stacks.saves`, `functions.body`, `causes.members`."""
    names = [step for step in path if isinstance(step, str)]
    inside = names[2:3] if isinstance(path[0], str) and path[0] in NAMED else names[1:2]
    return ".".join((names[0], *inside))


NAMED: Final = frozenset(
    {"scalars", "arrays", "registers", "faults", "layouts", "functions", "fragments", "instructions", "operand_kinds",
     "trap_stacks", "translations", "protections", "placements", "theorems", "regions"}
)  # fmt: skip
"""The parts of a machine that are mappings from names."""


def _records(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every record below `value`, with the way to it."""
    if is_dataclass(value) and not isinstance(value, m.Span):
        yield path, value
        for part in fields(value):
            if part.name not in PASSED:
                yield from _records(getattr(value, part.name), (*path, part.name))
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield from _records(held, (*path, name))
    elif isinstance(value, tuple):
        for place, held in enumerate(value):
            yield from _records(held, (*path, place))


def _changed(machine: m.Machine, record: Any) -> Iterator[tuple[tuple[Step, ...], object]]:
    """The edits of a record itself, each as a field and what it is to be."""
    match record:
        case m.Literal(value, _):
            yield ("value",), value ^ 1
        case m.Binary(op, _, _, _) if op in APART:
            yield ("op",), APART[op]
        case m.Cond(_, yes, no, _):
            yield (), replace(record, yes=no, no=yes)
        case m.If(_, yes, no):
            yield (), replace(record, yes=no, no=yes)
        case m.Guard(condition, _, _):
            yield ("condition",), m.Unary("not", condition, m.Bool())
        case m.Slice(_, hi, lo, _) if lo:
            yield (), replace(record, hi=hi - 1, lo=lo - 1)
        case m.Cause(name, _, _):
            yield ("name",), _next(name, [cause.name for cause in machine.causes.members])
        case m.Fault(kind, _):
            yield ("kind",), _next(kind, list(machine.faults))
        case m.CauseDef(_, code, interrupt, _):
            yield ("code",), code ^ 1
            yield ("interrupt",), not interrupt
        case m.Scalar() | m.Array():
            yield ("role",), m.Role.GUEST if record.role is m.Role.CONTROL else m.Role.CONTROL
            if isinstance(record, m.Scalar):
                yield ("legal",), ((0, 0),) if record.legal is None else None
                yield ("reset",), 1 if record.reset != 1 else 0
            elif not record.memory:
                yield ("zero_at",), 0 if record.zero_at != 0 else None
                yield ("names",), tuple(f"{name}x" for name in record.names) or ("first",)
        case m.Field(_, _, _, kind, state, _, _, _, _):
            yield ("kind",), m.FieldKind.RW if kind is not m.FieldKind.RW or state is None else m.FieldKind.RO
        case m.Register(_, _, _, _, _, low, _, _, _, _):
            yield ("min_mode",), None if low is not None else machine.modes.members[-1][1]
        case m.Encoding(_, mask, value, _, _, _, _):
            yield ("value",), value ^ (mask & -mask)
            yield ("asm",), f"{record.asm} x"
        case m.Level(_, order, _, _):
            yield ("order",), tuple(reversed(order))
        case m.Modes(members, _):
            codes = [code for _, code in members]
            yield ("members",), tuple((name, code) for (name, _), code in zip(members, reversed(codes), strict=True))
        case m.Machine():
            yield ("order",), "big" if record.order != "big" else "little"
        case m.Expectation(kind, names):
            yield ("kind",), "fails" if kind != "fails" else "holds"
            yield ("names",), names[1:] if names else ("x",)
        case m.Translation(_, modes):
            yield ("modes",), modes[1:] if modes else (machine.modes.members[0][1],)
    for part in fields(record):
        held = getattr(record, part.name)
        if part.name not in PASSED and isinstance(held, tuple) and held and _left_out(record, part.name):
            yield from (((part.name,), (*held[:place], *held[place + 1 :])) for place in range(len(held)))
        elif isinstance(held, OPTIONAL) and _left_out(record, part.name):
            yield (part.name,), None


OPTIONAL: Final = (m.Binary, m.Literal, m.Local, m.ReadScalar, m.Cond, m.Slice, m.Builtin, m.Call, m.ReadElement)
"""Expressions, where a clause may go without."""

LINES: Final[dict[type, tuple[str, ...]]] = {
    m.Function: ("body",), m.Instruction: ("guards", "body", "over"),
    m.TrapStack: ("before", "saves", "records", "enters", "leaves", "vector"),
    m.If: ("yes", "no"), m.Register: ("guards", "read", "write"), m.CsrSpace: ("guards",), m.Protection: ("body", "when"),
    m.Translation: ("when",), m.Field: ("otherwise", "value"), m.Level: ("order", "enable", "when"),
    m.Placement: ("held", "through", "apart", "where"),
    m.Theorem: ("assume",), m.Machine: ("program", "aliases", "mapped", "acting", "delegate", "interrupts"), m.For: ("body",),
    m.Member: ("ranges",), m.FaultKind: ("causes",), m.OperandKind: ("words",),
}  # fmt: skip
"""Of each kind of record, the fields of which a line, or the whole, can be left out."""


def _left_out(record: object, name: str) -> bool:
    return name in LINES.get(type(record), ())


def _next(name: str, names: list[str]) -> str:
    return names[(names.index(name) + 1) % len(names)]


# -- on the way ----------------------------------------------------------------------------------------------------------


def _at(value: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        value = getattr(value, step) if isinstance(step, str) and is_dataclass(value) else value[step]
    return value


def _put(value: Any, path: tuple[Step, ...], new: object) -> Any:
    """`value` with what lies at `path` replaced."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    held = _put(_at(value, (step,)), rest, new)
    if isinstance(value, Mapping):
        return {**value, step: held}
    if isinstance(value, tuple):
        assert isinstance(step, int)
        return (*value[:step], held, *value[step + 1 :])
    assert isinstance(step, str)
    change: Callable[..., Any] = replace
    return change(value, **{step: held})
