"""The two readings agree: for every instruction of every shipped machine, what the oracle does from a state is what Z3
makes of the symbolic outcome at that state."""

from __future__ import annotations

import os
import random

import pytest

from machines import machine, representatives
from popek_checker.solver.smt import Smt
from popek_grammar import machine as m
from popek_grammar.assembly.decode import Decoded, encode
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import execute, general
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.paths import Ranges
from popek_grammar.meaning.state import ArrayValue, State, symbolic
from popek_grammar.meaning.terms import Term
from popek_vmm.oracle import Oracle

STATES = int(os.environ.get("POPEK_STATES", "1"))
"""Random states an instruction; as many boundary ones again."""


LARGEST = 1900
"""Nodes of an outcome that Z3 is asked about. Above that stand transfers through three stages of translation (SVM's nested
paging), over which it takes minutes; the same text through two stages is compared in IA-32."""


class Formula(dict[int, int]):
    """An array whose every element is a formula of its index, so that Z3 can be told all of it."""

    def __init__(self, array: m.Array, seed: int) -> None:
        super().__init__()
        self.array, self.seed = array, seed

    def get(self, index: int, default: int = 0) -> int:  # type: ignore[override]
        return self[index] if index in self else self.term(t.const(index, self.array.index_width)).value

    def term(self, index: Term) -> Term:
        spread = t.mul(t.resize(index, 64), t.const(0x9E3779B97F4A7C15, 64))
        mixed = t.bvxor(spread, t.const(self.seed, 64))
        return t.resize(t.extract(mixed, 63, 32) if self.array.width <= 32 else mixed, self.array.width)


def values(rng: random.Random, width: int, boundary: bool) -> int:
    if boundary:
        return rng.choice([0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1])
    return rng.getrandbits(width)


def legal_value(rng: random.Random, scalar: m.Scalar, boundary: bool) -> int:
    if scalar.legal is None:
        return values(rng, scalar.width, boundary)
    low, high = rng.choice(scalar.legal)
    return rng.randint(low, high)


SAMPLED = {"riscv/hypervisor.isa": 12}
"""Machines of which one instruction in so many is compared: two stages of translation make large formulas."""


@pytest.mark.parametrize(("file", "config"), representatives())
def test_oracle_agrees_with_z3(file: str, config: str) -> None:
    """Every instruction, on random and on boundary states: completion, trap and payload, and every piece of state."""
    made = machine(file, config)
    smt, compared = Smt(60), 0
    names = list(made.instructions)[:: SAMPLED.get(file, 1)]
    for name in names:
        for n in range(2 * STATES):
            compared += agree(made, made.instructions[name], smt, random.Random(f"{name}{n}"), n % 2 == 1)
    assert compared > STATES * len(names) // 2


def agree(made: m.Machine, instruction: m.Instruction, smt: Smt, rng: random.Random, boundary: bool) -> bool:
    """Compares one state; False when the state lies outside what the symbolic outcome assumes."""
    oracle = Oracle(made)
    oracle.scalars = {n: legal_value(rng, s, boundary) for n, s in made.scalars.items()}
    contents = {n: Formula(array, rng.getrandbits(64)) for n, array in made.arrays.items()}
    oracle.arrays = dict(contents)
    encoding = rng.choice(instruction.encodings)
    present = {piece.operand for piece in encoding.pieces}
    operands = {o.name: rng.getrandbits(o.width) & o.present for o in instruction.operands if o.name in present}
    if instruction.split and rng.random() < 0.9:
        operands[instruction.split[0]] = rng.choice(list(made.csrs))
    word, _ = encode(made, encoding, operands)
    choices: dict[str, int] = {}

    def choose(site: str, width: int, ranges: Ranges) -> Term:
        choices[f"?{site}"] = ranges[0][0] if ranges else 0
        return t.var(f"?{site}", width)

    fixed = {name: operands[name] for name in instruction.split}
    general_operands = general(made, instruction, fixed)
    before = symbolic(made)
    outcome = execute(made, general_operands, before, Translated(), choose)
    if len(t.postorder([outcome.ok, *(trap.condition for trap in outcome.traps), *outcome.state.scalars.values()])) > LARGEST:
        return False
    numbers = {name: operands.get(name, 0) for name in (o.name for o in instruction.operands)}
    facts = [t.eq(before.scalars[n], t.const(v, made.scalars[n].width)) for n, v in oracle.scalars.items()]
    facts += [t.eq(term, t.const(numbers[n], term.width)) for n, term in general_operands.locals.items() if n in numbers]
    facts += [
        t.eq(general_operands.locals[f"{n}.alt"], t.const(v, general_operands.locals[f"{n}.alt"].width))
        for n, v in encoding.choices
    ]
    roots = [outcome.ok, t.and_(*outcome.assumptions), *(trap.condition for trap in outcome.traps)]
    facts += contents_of(before, outcome, contents, roots)
    widths = {name: width_of(outcome, name) for name in choices}
    facts += [t.eq(t.var(n, widths[n]), t.const(v, widths[n])) for n, v in choices.items() if widths[n]]
    start = dict(oracle.scalars)
    stepped = oracle.execute_only(Decoded(instruction, encoding, word, numbers, {}))
    names = list(made.scalars)
    points = [(n, index) for n, array in stepped.arrays.items() for index in array]
    after = [outcome.state.arrays[n].read(t.const(i, made.arrays[n].index_width)) for n, i in points]
    payloads = [value for trap in outcome.traps for value in trap.payload]
    wanted = [*roots, *payloads, *(outcome.state.scalars[n] for n in names), *after]
    facts += contents_of(before, outcome, contents, after)
    found = smt.values(facts, wanted)
    assert found is not None, f"{instruction.name}: no model of the state"
    if not found[1]:
        return False
    assert bool(found[0]) == (stepped.trap is None), f"{instruction.name} {start}: completes in one reading only"
    if stepped.trap is not None:
        held = [i for i in range(len(outcome.traps)) if found[2 + i]]
        assert [outcome.traps[i].cause for i in held] == [stepped.trap], instruction.name
        at = len(roots) + sum(len(trap.payload) for trap in outcome.traps[: held[0]])
        assert found[at : at + len(stepped.payload)] == list(stepped.payload), instruction.name
        return True
    scalars = found[len(roots) + len(payloads) :]
    assert dict(zip(names, scalars, strict=False)) == stepped.scalars, instruction.name
    assert scalars[len(names) :] == [stepped.arrays[n][i] for n, i in points], instruction.name
    return True


def width_of(outcome: Outcome, name: str) -> int:
    roots = [outcome.ok, *outcome.state.scalars.values(), *(v for trap in outcome.traps for v in trap.payload)]
    roots += [x for a in outcome.state.arrays.values() for w in a.writes for x in (w.guard, w.index, w.value)]
    return next((leaf.width for leaf in t.free(roots) if leaf.name == name), 0)


def contents_of(before: State, outcome: Outcome, contents: dict[str, Formula], more: list[Term]) -> list[Term]:
    """What the arrays hold, at every index that any term reads."""
    roots = [*more, *outcome.state.scalars.values(), *(v for trap in outcome.traps for v in trap.payload)]
    for value in outcome.state.arrays.values():
        assert isinstance(value, ArrayValue)
        roots += [part for write in value.writes for part in (write.guard, write.index, write.value)]
    reads = [leaf for leaf in t.free(roots) if leaf.op == "apply" and leaf.name in before.arrays]
    return [t.eq(leaf, contents[leaf.name].term(leaf.args[0])) for leaf in reads]
