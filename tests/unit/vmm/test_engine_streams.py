"""However a run is cut up and whatever inputs change at the cuts, generated code does what the oracle does, step by step.

Random instructions fill the memory of every shipped machine; at each cut all state is compared. POPEK_FUZZ is the number of
examples a machine.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from functools import lru_cache

import pytest
from engine_starts import assign, every, put, ready
from engine_states import addresses, beside_memory, fill, legal_value, near, not_too_long, registers, small, wipe, word_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machines import representatives
from popek_grammar import machine as m
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import symbolic
from popek_grammar.meaning.traps import deliverable

pytest.importorskip("llvmlite")

from popek_vmm.engine.accesses import dependencies, first_choice
from popek_vmm.interpreter import Exit, Machine, Reason

EXAMPLES = int(os.environ.get("POPEK_FUZZ", "8"))
LONGEST_CUT = 60
"""Steps between two looks at the state."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Inputs that change, each by number with a seed of its new value, and how many steps are made then."""

    changes: tuple[tuple[int, int], ...]
    steps: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A run: the seed of its registers and whether they are made ready; instructions by number and seed; the cuts."""

    seed: int
    ready: bool
    words: tuple[tuple[int, int], ...]
    cuts: tuple[Cut, ...]


PICKS = st.tuples(st.integers(0, 999), st.integers(0, (1 << 32) - 1))
CUTS = st.builds(Cut, st.lists(PICKS, max_size=2).map(tuple), st.integers(0, LONGEST_CUT))
STREAMS = st.builds(
    Stream, st.integers(0, (1 << 32) - 1), st.sampled_from([True, True, True, True, False]),
    st.lists(PICKS, min_size=20, max_size=60).map(tuple), st.lists(CUTS, min_size=1, max_size=6).map(tuple),
)  # fmt: skip


@lru_cache(maxsize=1)
def interpreter(file: str, config: str) -> Machine:
    return small(file, config)


@pytest.mark.parametrize(("file", "config"), representatives())
def test_cut_runs_agree_with_the_oracle(file: str, config: str) -> None:
    """At every cut the same step, the same reason to stop, and the same scalars, arrays and memory."""
    not_too_long(file)
    running = interpreter(file, config)
    names = inputs(running.machine)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(STREAMS)
    def agrees(stream: Stream) -> None:
        start = prepared(file, running, stream)
        fast, slow = (results(running, start, stream, names, oracle) for oracle in (False, True))
        for number, (one, other) in enumerate(zip(fast, slow, strict=True)):
            assert differences(one, other) == {}, f"(interpreter, oracle) after cut {number}"

    agrees()


def inputs(made: m.Machine) -> list[str]:
    """What changes from outside: the state of role `env`, and all that decides whether an interrupt is taken."""
    run = Run(made, symbolic(made), Translated(), first_choice)
    deciding = dependencies([condition for condition, _ in deliverable(run)], made)
    outside = {each.name for each in (*made.scalars.values(), *beside_memory(made)) if each.role is m.Role.ENV}
    return sorted((deciding | outside) - {made.pc})


def results(running: Machine, start: bytes, stream: Stream, names: list[str], oracle: bool) -> list[dict[str, object]]:
    """How the run went on at each cut, and all state there, up to the cut after which the machine does not go on."""
    running.restore(start)
    found = []
    for cut in stream.cuts:
        for number, seed in cut.changes if names else ():
            change(running, names[number % len(names)], random.Random(seed))
        ended = by_oracle(running, cut.steps) if oracle else running.run(cut.steps)
        found.append({"exit": ended, **state(running)})
        if ended.reason is not Reason.BUDGET:
            break
    return found


def prepared(file: str, running: Machine, stream: Stream) -> bytes:
    """A snapshot from which the stream runs: its words all over memory and, in a ready state, those that do not trap in a row."""
    rng, instructions = random.Random(stream.seed), list(running.machine.instructions.values())
    picks = [(instructions[number % len(instructions)], random.Random(seed)) for number, seed in stream.words]
    words = [word_of(own, running.machine, instruction, True) for instruction, own in picks]
    wipe(running)
    fill(running, [cell for word in words for cell in word])
    addresses(running, rng)
    registers(running, rng)
    if stream.ready:
        hot = ready(file, running, rng)
        near(running, rng, hot)
        start = running.snapshot()
        line = straight(running, hot[0] - running.get(running.machine.pc), words)
        running.restore(start)
        for place, word in line:
            put_word(running, place, word)
    return running.snapshot()


def straight(running: Machine, bias: int, words: list[list[int]]) -> list[tuple[int, list[int]]]:
    """The words that go on to the one behind them, as the oracle finds them, and where they lie: `bias` above pc."""
    core, pc = running.core, running.machine.pc
    found = []
    for word in words:
        before, memory, here = bytes(core.state.bytes), bytes(core.memory.bytes), running.get(pc)
        if not core.inside(here + bias, len(word)):
            break
        put_word(running, here + bias, word)
        ended = running.step_by_oracle()
        if ended.reason is Reason.BUDGET and running.get(pc) == here + len(word):
            found.append((here + bias, word))
        else:
            core.state.bytes[:], core.memory.bytes[:] = before, memory
    return found


def put_word(running: Machine, place: int, word: list[int]) -> None:
    for offset, cell in enumerate(word):
        running.core.put_cell(place + offset, cell)


def change(running: Machine, name: str, rng: random.Random) -> None:
    array = running.machine.arrays.get(name)
    if array is None:
        running.set(name, legal_value(rng, running.machine.scalars[name], rng.random() < 0.5))
    else:
        running.set(name, rng.getrandbits(array.width), rng.randrange(array.count))


def by_oracle(running: Machine, steps: int) -> Exit:
    """What `run` says, each step made by the oracle."""
    for done in range(steps):
        stepped = running.step_by_oracle()
        if stepped.reason is not Reason.BUDGET:
            return Exit(stepped.reason, done + stepped.steps, stepped.code, stepped.text)
    return Exit(Reason.BUDGET, steps)


def state(running: Machine) -> dict[str, object]:
    """Scalars as numbers, arrays and memory as bytes."""
    made, core = running.machine, running.core
    found: dict[str, object] = {name: running.get(name) for name in made.scalars}
    for array in beside_memory(made):
        slot = running.built.shape.layout.slots[array.name]
        found[array.name] = bytes(core.state.bytes[slot.offset : slot.offset + (slot.size << array.index_width)])
    whole = core.cells * core.shape.cell_bytes  # behind it lies the window through which devices are reached
    return found | {"memory": bytes(core.memory.bytes[:whole])}


def differences(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """What is not the same, the two values, or where bytes begin to differ."""
    found: dict[str, object] = {}
    for name, value in one.items():
        match value, other[name]:
            case bytes() as mine, bytes() as theirs if mine != theirs:
                at = next(n for n, pair in enumerate(zip(mine, theirs, strict=True)) if pair[0] != pair[1])
                found[name] = (at, mine[at : at + 8].hex(), theirs[at : at + 8].hex())
            case mine, theirs if mine != theirs:
                found[name] = (mine, theirs)
    return found


def test_streams_reach_generated_code() -> None:
    """The comparison is not of the oracle with itself: most steps are native, with pages on as well as off."""
    file, config = "riscv/riscv.isa", "rv32"
    running = interpreter(file, config)
    native = paged = 0
    for seed in range(20):
        words = tuple((seed * 50 + n, seed * 50 + n) for n in range(50))
        prepared(file, running, Stream(seed, True, words, ()))
        before = running.counts.slow
        steps = running.run(60).steps
        native += max(steps - (running.counts.slow - before), 0)
        paged += (running.get("mode") != 3 and running.get("satp.MODE") != 0) * steps
    assert native > 300 and paged > 30


# -- what was found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", [False, True])
def test_a_store_to_a_table_is_seen_by_the_same_instruction(oracle: bool) -> None:
    """SGDT across two pages: its first store changes the entry of the page that the second one is to."""
    running = interpreter("x86/ia32.isa", "base")
    wipe(running)
    directory, table, old, new = 0x4000, 0x8000, 0x2000, 0x12000
    entries = {directory: table | 7, table: 7, table + 4 * 1022: table | 7, table + 4 * 1023: old | 7}
    for place, entry in entries.items():
        put(running, place, entry, 32)
    put(running, 0x100, int.from_bytes(bytes([0x0F, 0x01, 0x05, 0xFE, 0xEF, 0x3F, 0x00]), "little"), 56)
    assign(running, {"pc": 0x100, "cr0.PG": 1, "cr3.BASE": directory >> 12, "gdtr.limit": new >> 16, "gdtr.base": 0xAABBCCDD})
    every(running, {"seg.limit": 0xFFFFFFFF, "seg.P": 1, "seg.type": 3})
    running.set("seg.type", 11, 1)
    assert (running.step_by_oracle() if oracle else running.run(1)).steps == 1
    assert (running.get("pc"), running.word(new, 4), running.word(old, 4)) == (0x107, 0xAABBCCDD, 0)


@pytest.mark.parametrize("oracle", [False, True])
def test_a_store_to_the_table_of_its_own_page_is_seen_by_the_next_fetch(oracle: bool) -> None:
    """Code that takes its own page away: the instruction behind the store is not run, though it was decoded before."""
    running = interpreter("riscv/riscv.isa", "rv32")
    wipe(running)
    low = running.core.low
    root, table, code = low + 0x4000, low + 0x8000, low + 0x10000
    own = table + 4 * 16, code >> 2 | 0xCF
    for place, value in {root + 4 * 512: table >> 2 | 1, own[0]: own[1], table + 4 * 8: table >> 2 | 0xC7}.items():
        put(running, place, value, 32)
    for number, word in enumerate([0x00552023, *[0x00130313] * 4]):  # sw t0, 0(a0); addi t1, t1, 1
        put(running, code + 4 * number, word, 32)
    running.set("pmp_cfg", 0x1F, 0)
    running.set("pmp_addr", (1 << 54) - 1, 0)
    assign(running, {"satp.MODE": 1, "satp.PPN": root >> 12, "mtvec.BASE": low >> 2})
    running.set("X", own[0], 10)
    for entry, done in ((own[1], 4), (0, 0)):
        assign(running, {"mode": 1, "pc": code})
        running.set("X", entry, 5)
        running.set("X", 0, 6)
        by_oracle(running, 5) if oracle else running.run(5)
        assert running.get("X", 6) == done
    assert (running.get("mcause"), running.get("mepc.PC") << 1) == (2, low)
