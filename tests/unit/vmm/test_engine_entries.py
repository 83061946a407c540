"""What a pre-decoded entry holds: the parts of an instruction that its word decides, and nothing is lost by it."""

from __future__ import annotations

import random
from functools import lru_cache

import pytest

from machines import machine
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands, general
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.effects import Effects
from popek_vmm.engine.entries import START, decided, entry_bytes
from popek_vmm.engine.plan import Plan, plan
from popek_vmm.engine.program import instruction_effects
from popek_vmm.engine.shape import Field
from popek_vmm.steps import Bare

MACHINES = (("riscv/riscv.isa", "rv64"), ("x86/ia32.isa", "base"), ("mips/mips.isa", "r3000"), ("pg1974.isa", "default"))


@lru_cache(maxsize=len(MACHINES))
def planned(file: str, config: str) -> Plan:
    return plan(machine(file, config))


def meaning(file: str, config: str, name: str) -> tuple[Plan, Operands, Effects]:
    made = planned(file, config)
    operands = general(made.machine, made.machine.instructions[name])
    return made, operands, instruction_effects(made, Bare(made.machine), operands)


def put_back(done: Effects, fields: tuple[Field, ...]) -> list[Term]:
    """The terms with what fields stand for in their places."""
    held = {field.name: field.term for field in fields}
    roots = done.roots()
    back = t.substitute(roots, lambda term, _: held.get(term.name) if term.op == "var" else None)
    return [back[root] for root in roots]


@pytest.mark.parametrize(("file", "config"), MACHINES)
@pytest.mark.parametrize("spare", ["whole", "operands", "none to spare"])
def test_fields_stand_for_what_they_replace(file: str, config: str, spare: str) -> None:
    """With much room and with little: an entry's fields put back give the meaning that there was."""
    made = planned(file, config)
    room = {"whole": 1 << 10, "operands": made.entry_bytes, "none to spare": START}[spare]
    for name, each in made.machine.instructions.items():
        if each.split:
            continue
        _, _, done = meaning(file, config, name)
        kept, fields = decided(made.machine, each, done, room)
        assert put_back(kept, fields) == done.roots(), name
        if spare != "none to spare":
            assert all(field.offset + field.size <= room for field in fields), name
        ends = [START, *(field.offset + field.size for field in fields)]
        assert [field.offset for field in fields] == ends[:-1]


def test_operands_always_fit() -> None:
    for file, config in MACHINES:
        made = planned(file, config)
        assert made.entry_bytes == entry_bytes(made.machine)
        assert made.entry_bytes % 8 == 0


@pytest.mark.parametrize(
    ("name", "held"),
    [("addi", {("op.imm", True), ("op.rs1", False)}), ("xor", {("op.rs1", False), ("op.rs2", False)})],
)
def test_the_parts_are_the_largest_there_are(name: str, held: set[tuple[str, bool]]) -> None:
    """An offset to be extended with its sign, sources as they are, and the destination's element, not its number."""
    made, operands, done = meaning("riscv/riscv.isa", "rv64", name)
    _, fields = decided(made.machine, operands.instruction, done, made.entry_bytes)
    plain = {(field.term.name, field.signed) for field in fields if field.term.op == "var"}
    assert plain == held
    (element,) = (field for field in fields if field.term.op != "var")
    assert [element.value({"op.rd": number}) for number in (0, 1, 31)] == [32, 1, 31]


def test_values_are_those_of_the_terms() -> None:
    """Held with the sign or with zeros in as many bytes as there are; what an encoding lacks is zero."""
    x = t.var("op.x", 5)
    rng = random.Random(1)
    for number in [0, 1, 15, 16, 31, *(rng.randrange(32) for _ in range(5))]:
        minus = number - 32 if number >= 16 else number
        assert Field("%field.0", x, True, 8, 2).value({"op.x": number}) == minus % (1 << 16)
        assert Field("%field.0", x, False, 8, 2).value({"op.x": number}) == number
        assert Field("%field.0", t.concat(x, t.const(0, 2)), False, 8, 1).value({"op.x": number}) == number << 2
    assert Field("%field.0", t.eq(x, t.const(0, 5)), False, 8, 1).value({}) == 1
