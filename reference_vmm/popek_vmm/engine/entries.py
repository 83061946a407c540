"""What a pre-decoded entry holds: the parts of an instruction's meaning that its word alone decides, worked out once.

An offset that is sign-extended, a branch's distance, the element that a destination register is: each such part, as large
as it comes, is a variable of the generated function, and its value a field of the entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import general
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.effects import Effects
from popek_vmm.engine.layout import container_bytes
from popek_vmm.engine.shape import Field

START = 8
"""The handler's address comes first."""


def entry_bytes(machine: m.Machine) -> int:
    """The size of an entry: the operands of any instruction have room in it."""
    wanted = (_placed([(each, False) for each in _variables(machine, i)]) for i in machine.instructions.values())
    return -(-max((_end(fields) for fields in wanted), default=START) // 8) * 8


def decided(machine: m.Machine, instruction: m.Instruction, done: Effects, room: int) -> tuple[Effects, tuple[Field, ...]]:
    """What an instruction does, as a function of its entry, and the fields of that. They end within `room` bytes.

    If not all parts have room, those that only traps need are computed from the operands when a trap is raised; and if that
    is not enough, all of them are.
    """
    variables = frozenset(_variables(machine, instruction))
    leaves = [(each, False) for each in variables if each in set(t.postorder(done.roots()))]
    late = [leaf for leaf in leaves if leaf[0] in set(t.postorder(done.trap_roots()))]
    for parts in (_largest(done.roots(), variables), [*_largest(done.lasting_roots(), variables), *late], leaves):
        fields = _placed(parts)
        if _end(fields) <= room:
            break
    return done.mapped(_instead(done.roots(), fields)), tuple(fields)


def _variables(machine: m.Machine, instruction: m.Instruction) -> list[Term]:
    """The free variables of an instruction's operands."""
    return t.free(general(machine, instruction).locals.values())


def _largest(roots: Sequence[Term], variables: Collection[Term]) -> list[tuple[Term, bool]]:
    """The largest parts that depend on variables alone, and whether they are sign-extended where they are used."""
    alone: set[Term] = set()
    found: dict[tuple[Term, bool], None] = {}

    def take(terms: Iterable[Term]) -> None:
        found.update((_narrow(term), None) for term in terms if term in alone)

    for term in t.postorder(roots):
        others = [arg for arg in term.args if arg.op != "const"]
        if term in variables or (term.op != "apply" and others and alone.issuperset(others)):
            alone.add(term)
        else:
            take(term.args)
    take(roots)
    return list(found)


def _narrow(term: Term) -> tuple[Term, bool]:
    """Without the extension, which a load makes."""
    if term.op == "sext":
        return term.args[0], True
    if term.op == "concat" and len(term.args) == 2 and term.args[0].op == "const" and term.args[0].value == 0:
        return term.args[1], False
    return term, False


def _placed(parts: Iterable[tuple[Term, bool]]) -> list[Field]:
    """One after the other, the largest first."""
    fields: list[Field] = []
    at = START
    for number, (term, signed) in enumerate(
        sorted(parts, key=lambda part: (-container_bytes(part[0].width), part[0].key, part[1]))
    ):
        size = container_bytes(term.width)
        fields.append(Field(f"%field.{number}", term, signed, at, size))
        at += size
    return fields


def _end(fields: Sequence[Field]) -> int:
    return fields[-1].offset + fields[-1].size if fields else START


def _instead(roots: Sequence[Term], fields: Sequence[Field]) -> Mapping[Term, Term]:
    """Rewrites parts to the variables of their fields."""
    held = {(field.term, field.signed): t.var(field.name, field.term.width) for field in fields}

    def replaced(term: Term, args: tuple[Term, ...]) -> Term | None:
        part, signed = _narrow(term)
        variable = held.get((part, signed))
        if variable is None or part is term:
            return variable
        return t.sext(variable, term.width) if signed else t.zext(variable, term.width)

    return t.substitute(roots, replaced)
