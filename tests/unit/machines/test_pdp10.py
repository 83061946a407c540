"""The PDP-10 text against the System Reference Manual ("SRM"), and against SIMH's processor where that is installed.

SIMH's `pdp10` is a KS10. Without paging it is a KA10 in both modes to ordinary instructions, to JRSTF and to what traps in
user mode. What is another machine, and not compared or compared with that in mind:

- monitor UUOs store the instruction at 424 and the PC word at 425, instead of 40 and a JSR in 41; local UUOs the same;
- JRST 1 is PORTAL, as in the configuration `ki10`; HALT asks for exec mode whatever UIO says; other combinations are UUOs;
- input and output have other codes and need no user in-out flag beyond what the KA10 asks: in user mode they trap alike;
- a PC word holds four more flags, `MORE_FLAGS`: public, address failure inhibit, and traps 2 and 1 in place of the
  processor's conditions for overflow and pushdown overflow;
- relocation: pages instead of two bounds;
- AOBJP and AOBJN keep the carry out of the right half from the left; IMUL knows that -2^35 is negative; IDIV of -2^35 by 1
  or -1 divides; ASH does not count the zeros that it brought in among the bits that a negative number lost; POP and JSA
  whose address is their accumulator write memory first.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble
from popek_grammar.assembly.decode import Decoder, encode
from popek_grammar.assembly.disassemble import disassemble_word
from popek_vmm.oracle import Oracle

FILE = "pdp10/ka10.isa"
START, WORDS, WHERE = 0o100, 0o10, 0o1000
USER, IN_OUT, MORE_FLAGS = 0o010000, 0o004000, 0o003600
WORD = (1 << 36) - 1


@dataclass
class State:
    """The processor as programs know it; `flags` is the left half of the PC word, USER in it."""

    pc: int = START
    flags: int = 0
    ac: list[int] = field(default_factory=lambda: [0] * 16)
    memory: dict[int, int] = field(default_factory=dict)


@lru_cache
def oracle_of(config: str) -> Oracle:
    return Oracle(machine(FILE, config))


def oracle_in(state: State, config: str = "ka10") -> Oracle:
    """The oracle, in a state; there is one a configuration."""
    oracle = oracle_of(config)
    oracle.reset()
    for part in oracle.machine.registers["flags"].fields:
        if part.state is not None:
            oracle.scalars[part.state] = state.flags >> part.lo & 1
    oracle.scalars |= {"pc": state.pc, "mode": state.flags >> 12 & 1, "area.PROTECTION": 0o377, "area.RELOCATION": 0}
    oracle.arrays["AC"] = dict(enumerate(state.ac))
    oracle.arrays["M"] = dict(state.memory)
    return oracle


def state_of(oracle: Oracle) -> State:
    fields = [part for part in oracle.machine.registers["flags"].fields if part.state]
    flags = sum(oracle.scalars[part.state] << part.lo for part in fields if part.state) | oracle.scalars["mode"] << 12
    return State(oracle.scalars["pc"], flags, [oracle.arrays["AC"].get(n, 0) for n in range(16)], dict(oracle.arrays["M"]))


def program(text: str, config: str = "ka10", origin: int = START) -> dict[int, int]:
    return dict(assemble(machine(FILE, config), text, origin).cells)


def ran(text: str, steps: int, flags: int = 0, **ac: int) -> State:
    """What a program comes to from START; `ac1=5` loads an accumulator."""
    state = State(flags=flags, memory=program(text))
    for name, value in ac.items():
        state.ac[int(name[2:], 8)] = value & WORD
    oracle = oracle_in(state)
    oracle.run(steps)
    return state_of(oracle)


# -- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("MOVE ac1, 0o123", 0o200040000123),
        ("MOVEI ac17, 0o777777(ac2)", 0o201742777777),
        ("MOVNM ac0, @0o20", 0o212020000020),
        ("MOVSS ac3, @0o20(ac10)", 0o207170000020),
        ("HRLZI ac1, 0o17", 0o515040000017),
        ("HLRES ac4, 0o100", 0o577200000100),
        ("SETZM ac0, 0o40", 0o402000000040),
        ("IORI ac6, 1", 0o435300000001),
        ("SUBB ac2, 0o30", 0o277100000030),
        ("SKIPLE ac0, 0o30", 0o333000000030),
        ("SOJG ac5, 0o101", 0o367240000101),
        ("CAIE ac5, 0o101", 0o302240000101),
        ("TRNE ac1, 4", 0o602040000004),
        ("TLOA ac1, 4", 0o665040000004),
        ("TSCN ac1, 4", 0o657040000004),
        ("PUSHJ ac17, 0o200", 0o260740000200),
        ("JRST 0o200", 0o254000000200),
        ("JRST1 0o200", 0o254040000200),
        ("JRSTF @0o200", 0o254120000200),
        ("HALT 0o200", 0o254200000200),
        ("JEN @0o41", 0o254520000041),
        ("JRST 0o17, 0o200", 0o254740000200),
        ("JFCL 0o17, 0o200", 0o255740000200),
        ("XCT 0o200(ac1)", 0o256001000200),
        ("DATAO APR, 0o200", 0o700140000200),
        ("CONO PI, 0o2377", 0o700600002377),
        ("CONI 0o120, 0o200", 0o712240000200),
        ("MUUO 7, ac1, 3", 0o047040000003),
    ],
)
def test_words_of_the_manual(text: str, word: int) -> None:
    """SRM, appendix of instruction codes."""
    assert program(text) == {START: word}


def test_every_encoding_comes_back() -> None:
    """A word of every encoding is decoded as what it is, printed, and assembled to itself."""
    made = machine(FILE)
    decoder, rng = Decoder(made), random.Random(0)
    words: list[int] = []
    for instruction in made.instructions.values():
        for encoding in instruction.encodings:
            operands = {o.name: rng.getrandbits(o.width) & o.present or 0o14 & o.present for o in instruction.operands}
            operands |= {"ac": 0o14, "dev": 0o120}  # the clauses inside `JRST_n` and those of a device have other numbers
            held = {piece.operand for piece in encoding.pieces}
            words.append(encode(made, encoding, {name: value for name, value in operands.items() if name in held})[0])
            decoded = decoder.decode(words[-1], 36)
            assert decoded is not None and decoded.encoding is encoding, instruction.name
    lines = [disassemble_word(made, word, 36) or "" for word in words]
    assert list(program("\n".join(lines), origin=0).values()) == words


# -- the manual ------------------------------------------------------------------------------------------------------


def test_accumulators_are_memory() -> None:
    """SRM 1.3."""
    assert ran("MOVE ac1, 2\n MOVEM ac1, 3\n AOS ac4, 3", 3, ac2=5).ac[1:5] == [5, 5, 6, 6]


def test_sum_of_a_list() -> None:
    """SRM 2.7: AOBJN counts the left half up to zero and indexes by the right half."""
    text = """
            MOVEI ac1, 0
            MOVSI ac2, 0o777775      // -3,,0
        on: ADD   ac1, list(ac2)
            AOBJN ac2, on
            HALT  .
      list: UUO   ac0, 1
            UUO   ac0, 2
            UUO   ac0, 3
    """
    oracle = oracle_in(State(memory=program(text)))
    oracle.run(9)
    done = state_of(oracle)
    assert (done.ac[1], done.ac[2], done.flags, oracle.scalars["halted"]) == (6, 3, 0, 1)


def test_the_machine_s_own_arithmetic() -> None:
    """SRM 2.5 and 2.7: -2^35 in AC has the wrong sign for IMUL, and is not divided by 1 or -1; AOBJN carries to the left."""
    assert ran("IMULI ac1, 1", 1, ac1=1 << 35).flags == 0o400000
    assert ran("IMUL ac1, 2", 1, ac1=1 << 35, ac2=-1).flags == 0
    for divisor in (0, 1, -1):
        done = ran("IDIV ac1, 3", 1, ac1=1 << 35, ac2=5, ac3=divisor)
        assert (done.ac[1:3], done.flags) == ([1 << 35, 5], 0o400040)
    assert ran("AOBJN ac1, 0o200", 1, ac1=0o777775777777).ac[1] == 0o777777000000


def test_indirect_chains_end() -> None:
    """Two levels are followed, SRM 1.4; a third is outside this description."""
    memory = program("MOVE ac1, @0o200") | {0o200: 0o000020000201, 0o201: 0o202, 0o202: 7}
    oracle = oracle_in(State(memory=memory))
    assert oracle.step().trap is None and oracle.arrays["AC"][1] == 7
    oracle = oracle_in(State(memory=memory | {0o201: 0o000020000202}))
    assert oracle.step().trap == "excluded_indirect"


def test_user_memory_is_relocated_and_protected() -> None:
    """SRM 2.15: blocks of 1024 words from R; a reference beyond P interrupts on the processor's channel."""
    memory = program("MOVE ac1, 0o1777\n MOVE ac1, 0o2000", origin=0o4100) | {0o5777: 9, 0o46: 0o264000000500}
    oracle = oracle_in(State(flags=USER, memory=memory))
    oracle.scalars |= {"area.RELOCATION": 2, "area.PROTECTION": 0, "apr.CHANNEL": 3}
    assert oracle.step().trap is None and oracle.arrays["AC"][1] == 9
    assert oracle.step().trap == "memory_protection"
    assert oracle.arrays["M"][0o500] == USER << 18 | 0o101
    assert (oracle.scalars["pc"], oracle.scalars["mode"], oracle.scalars["pi.HELD"]) == (0o501, 0, 0b0010000)


def test_datao_apr_relocates() -> None:
    """SRM 2.15: P in the first byte of the left half, R in that of the right."""
    oracle = oracle_in(State(memory=program("DATAO APR, 0o200") | {0o200: 0o006000014000}))
    oracle.step()
    assert (oracle.scalars["area.PROTECTION"], oracle.scalars["area.RELOCATION"]) == (3, 6)


@pytest.mark.parametrize(
    ("start", "word", "after"),
    [
        (0, USER | IN_OUT, USER | IN_OUT),
        (0, IN_OUT, IN_OUT),
        (IN_OUT, 0, 0),
        (USER, 0, USER),
        (USER, IN_OUT, USER),
        (USER | IN_OUT, IN_OUT, USER | IN_OUT),
        (USER | IN_OUT, 0, USER),
    ],
)
def test_restoring_flags(start: int, word: int, after: int) -> None:
    """SRM 2.9 and 2.15: USER is set from exec mode only and never cleared; a user can clear UIO and not set it."""
    done = ran("JRSTF @0o200\n.org 0o200\n JRST 0o300", 0, flags=start)
    oracle = oracle_in(State(flags=start, memory=done.memory | {0o200: word << 18 | 0o300}))
    assert oracle.step().trap is None
    assert (state_of(oracle).flags, oracle.scalars["pc"]) == (after, 0o300)


@pytest.mark.parametrize(("flags", "config", "after"), [(0, "ka10", USER), (USER, "ka10", USER), (0, "ki10", 0)])
def test_jrst_1_asks_for_no_mode(flags: int, config: str, after: int) -> None:
    """SRM 2.15: the KA10 enters user mode; PORTAL is a jump. The KS10 of SIMH is not asked: see below."""
    oracle = oracle_in(State(flags=flags, memory=program("JRST1 0o300")), config)
    assert oracle.step().trap is None
    assert (state_of(oracle).flags, oracle.scalars["pc"]) == (after, 0o300)


FORBIDDEN = ["HALT 0o300", "DISMISS 0o300", "JEN 0o300", "DATAO APR, 0o300", "CONI PI, 0o300", "CONO 0o120, 0o300"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_forbidden_in_user_mode(text: str) -> None:
    """SRM 2.10 and 2.15: a monitor UUO, its word without I and X at 40; the JSR in 41 stores the PC and clears USER."""
    memory = program(text) | {0o41: 0o264000000500}
    oracle = oracle_in(State(flags=USER, memory=memory))
    assert oracle.step().trap == "monitor_uuo"
    assert oracle.arrays["M"][0o40] == memory[START] & 0o777740777777
    assert oracle.arrays["M"][0o500] == USER << 18 | START + 1
    assert (oracle.scalars["pc"], oracle.scalars["mode"]) == (0o501, 0)
    oracle = oracle_in(State(flags=USER | IN_OUT, memory=memory))
    assert oracle.step().trap is None


def test_local_uuos_stay_local() -> None:
    """SRM 2.10: 40 and 41 of the user's own space."""
    memory = program("LUUO 5, ac3, 0o77", origin=0o4100) | {0o4041: 0o264000000200}
    oracle = oracle_in(State(flags=USER, memory=memory))
    oracle.scalars |= {"area.RELOCATION": 2, "area.PROTECTION": 0}
    assert oracle.step().trap is None
    assert oracle.arrays["M"][0o4040] == 0o005140000077
    assert oracle.arrays["M"][0o4200] == USER << 18 | 0o101
    assert (oracle.scalars["pc"], oracle.scalars["mode"]) == (0o201, 1)


def test_interrupts() -> None:
    """SRM 2.13: the lowest channel first; a held channel keeps out itself and those after it; JEN lets it go."""
    memory = {0o44: 0o264000000500, 0o46: 0o264000000600}
    memory |= program("JEN @0o500", origin=0o501) | program("MOVEI ac1, 1")
    oracle = oracle_in(State(flags=USER, memory=memory))
    oracle.scalars |= {"pi.ACTIVE": 1, "pi.ENABLED": 0o177, "requests": 0b1100}
    assert oracle.step().trap == "PI2" and oracle.scalars["pc"] == 0o501
    assert oracle.step().instruction == "JEN"
    assert (oracle.scalars["pc"], oracle.scalars["mode"], oracle.scalars["pi.HELD"]) == (START, 1, 0)
    oracle.scalars |= {"requests": 0b1000, "halted": 1}
    assert oracle.step().trap is None
    oracle.scalars["halted"] = 0
    assert oracle.step().trap == "PI3" and oracle.scalars["pc"] == 0o601


# -- SIMH ------------------------------------------------------------------------------------------------------------

PDP10 = shutil.which("pdp10") or shutil.which("simh-pdp10")
with_simh = pytest.mark.skipif(PDP10 is None, reason="SIMH's pdp10 is not installed")


class Touched(dict[int, int]):
    """Memory that comes to hold each word that was read."""

    def get(self, address: int, default: int = 0) -> int:  # type: ignore[override]
        return self.setdefault(address, default)


def stepped(state: State, config: str = "ka10") -> State | None:
    """The state after an instruction, None after a trap; `state` comes to name all of the memory that mattered."""
    oracle = oracle_in(state, config)
    touched = oracle.arrays["M"] = Touched(state.memory)
    if oracle.step().trap is not None:
        return None
    state.memory = dict.fromkeys(touched, 0) | state.memory
    return state_of(oracle)


def simh(cases: Iterable[State], folder: Path) -> list[State]:
    """The states after one instruction, each with the memory that the case names."""
    lines, cases = [], list(cases)
    for state in cases:
        lines += [f"d {address:o} {value:o}" for address, value in state.memory.items()]
        lines += [f"d ac{number:o} {value:o}" for number, value in enumerate(state.ac)]
        lines += [f"d flags {state.flags:o}", f"d pc {state.pc:o}", "step 1", "echo CASE", "ex pc", "ex flags", "ex ac0-ac17"]
        lines += [f"ex {address:o}" for address in state.memory]
    script = folder / "run.sim"
    script.write_text("\n".join([*lines, "q", ""]))
    assert PDP10 is not None
    done = subprocess.run([PDP10, str(script)], capture_output=True, text=True, timeout=60, check=True)
    found = [_shown(text) for text in done.stdout.split("CASE")[1:]]
    assert len(found) == len(cases)
    return found


def _shown(text: str) -> State:
    values = {name: int(value, 8) for name, value in re.findall(r"^(\w+):\t(\d+)$", text, re.MULTILINE)}
    memory = {int(name, 8): value for name, value in values.items() if name.isdigit()}
    return State(values["PC"], values["FLAGS"], [values[f"AC{n:o}"] for n in range(16)], memory)


FLAGS = (0, 0o140, 0o720040, USER, USER | IN_OUT | 0o100000)
EDGES = (0, 1, 2, WORD, WORD - 1, 1 << 35, (1 << 35) + 1, (1 << 35) - 1, 0o777777, 0o777777000000, 0o1000001)


def a_word(rng: random.Random) -> int:
    return rng.choice(EDGES) if rng.random() < 0.4 else rng.getrandbits(36)


def a_state(rng: random.Random, name: str, encoding_number: int) -> State:
    """A random state in which the instruction of an encoding stands at START, its addresses inside a small area."""
    made = machine(FILE)
    instruction = made.instructions[name]
    encoding = instruction.encodings[encoding_number]
    shifts = name in ("LSH", "ASH", "ROT")
    area = [*range(16), *range(WHERE, WHERE + WORDS)]
    operands = {"y": rng.choice(area), "ac": rng.randrange(16), "x": rng.randrange(1, 4)}
    state = State(ac=[a_word(rng) for _ in range(16)], flags=rng.choice(FLAGS))
    for number in (1, 2, 3):
        state.ac[number] = rng.getrandbits(18) << 18 | rng.randrange(WORDS)
    if shifts:
        operands["y"] = rng.choice([0, 1, 17, 34, 35, 36, 37, 72, 200, 0o777777, 0o777776, 0o777735, 0o777734, 0o777700])
    state.memory = {address: rng.getrandbits(18) << 18 & ~(0o37 << 18) | rng.choice(area) for address in range(WHERE, WHERE + 3)}
    state.memory |= {address: a_word(rng) & ~(0o20 << 18) for address in range(WHERE + 3, WHERE + WORDS)}
    if name.startswith(("PUSH", "POP")):
        operands["ac"] = 0o17
        state.ac[0o17] = rng.choice([0o777777, 0o777770, 0, 0o100]) << 18 | WHERE + 4
    if name == "JRA":
        state.ac[operands["ac"]] = rng.choice(area) << 18
    held = {piece.operand for piece in encoding.pieces}
    word, _ = encode(made, encoding, {key: value for key, value in operands.items() if key in held})
    state.memory[START] = word
    return state


ORDINARY = (
    "MOVE MOVS MOVN MOVM EXCH HLL HRL HRR HLR SETZ AND ANDCA SETM ANDCM SETA XOR IOR ANDCB EQV SETCA ORCA SETCM ORCM ORCB "
    "SETO ADD SUB IMUL IDIV LSH ASH ROT CAI CAM JUMP SKIP AOJ SOJ AOS SOS AOBJP AOBJN TR TL TD TS PUSH POP PUSHJ POPJ JSR "
    "JSP JSA JRA JFCL JRST JRSTF"
)


def effective_address(state: State) -> int:
    """That of the instruction at START, as MOVEI finds it."""
    moved = stepped(replace(state, memory=state.memory | {START: 0o201 << 27 | state.memory[START] & (1 << 23) - 1}))
    return moved.ac[0] if moved is not None else 0


def is_another_machine(name: str, state: State) -> bool:
    """Where the KS10 differs, see above."""
    ac = state.memory[START] >> 23 & 0o17
    match name:
        case "AOBJP" | "AOBJN":
            return state.ac[ac] & 0o777777 == 0o777777
        case "IMUL":
            return state.ac[ac] == 1 << 35
        case "ASH":
            return 35 < effective_address(state) < 1 << 17
        case "POP" | "JSA":
            return effective_address(state) == ac
        case _:
            return False


EXECUTED = (
    "MOVE ac1, 0o1001", "MOVEI ac1, @0o1001", "MOVEM ac1, 0(ac2)", "PUSH ac3, 0o1001", "POP ac3, 0o1001", "POPJ ac3, 0",
    "PUSHJ ac3, 0o1002", "JSR 0o1001", "JSP ac1, 0o1002", "JRST 0o1002", "JRSTF 0(ac1)",
)  # fmt: skip


def some_cases(rng: random.Random) -> Iterator[tuple[str, State]]:
    for name in ORDINARY.split():
        count = len(machine(FILE).instructions[name].encodings)
        for number in range(max(count, 12)):
            yield name, a_state(rng, name, number % count)
    yield "IDIV", State(ac=[1 << 35] * 16, memory=program("IDIV ac0, 0o1000") | {0o1000: 0})
    for text in EXECUTED:
        memory = program("XCT 0o1000") | program(text, origin=0o1000) | {0o1001: 7}
        yield "XCT", State(ac=[0o777770001001] * 16, flags=rng.choice(FLAGS), memory=memory)


@with_simh
def test_ordinary_instructions_as_simh_has_them(tmp_path: Path) -> None:
    """Every instruction in every form, from random states in both modes: accumulators, PC, flags and memory."""
    cases = [case for case in some_cases(random.Random(10)) if not is_another_machine(*case)]
    done = [(name, state, after) for name, state in cases if (after := stepped(state)) is not None]
    assert {name for name, _, _ in done} == {*ORDINARY.split(), "XCT"}
    for (name, state, ours), theirs in zip(done, simh([state for _, state, _ in done], tmp_path), strict=True):
        assert difference(ours, theirs) == "", f"{name}: {state.memory[START]:012o} from {state}"


def difference(ours: State, theirs: State) -> str:
    """The first of PC, flags, accumulators and memory in which two states differ."""
    pairs = {"pc": (ours.pc, theirs.pc), "flags": (ours.flags, theirs.flags & ~MORE_FLAGS)}
    pairs |= {f"ac{number:o}": both for number, both in enumerate(zip(ours.ac, theirs.ac, strict=True))}
    pairs |= {f"{address:o}": (ours.memory.get(address, 0), word) for address, word in theirs.memory.items()}
    return next((f"{name}: {one:o} here, {two:o} there" for name, (one, two) in pairs.items() if one != two), "")


@with_simh
def test_the_mode_as_simh_has_it(tmp_path: Path) -> None:
    """JRSTF from every mode to every flag word, and PORTAL."""
    cases = [
        (State(flags=start, memory=program(text) | {0o200: word << 18 | 0o300}), config)
        for text, config in (("JRSTF @0o200", "ka10"), ("JRST1 @0o200", "ki10"))
        for start in (0, USER, USER | IN_OUT)
        for word in (0, USER, USER | IN_OUT, 0o740440)
    ]
    for (state, config), theirs in zip(cases, simh([state for state, _ in cases], tmp_path), strict=True):
        ours = stepped(state, config)
        assert ours is not None and difference(ours, theirs) == "", f"{config}, {state}"


@with_simh
def test_simh_traps_the_same_in_user_mode(tmp_path: Path) -> None:
    """A monitor UUO stores the same two words, the instruction and the PC word, in other places; USER is cleared."""
    texts = [*FORBIDDEN, "UUO ac3, 5", "MUUO 0, ac1, 3", "MUUO 0o37, ac0, 0"]
    cases = [State(flags=USER, memory=program(text) | {0o41: 0o264000000500, 0o424: 0, 0o425: 0}) for text in texts]
    for text, state, theirs in zip(texts, cases, simh(cases, tmp_path), strict=True):
        oracle = oracle_in(state)
        assert oracle.step().trap == "monitor_uuo", text
        memory = oracle.arrays["M"]
        assert (memory[0o40], memory[0o500]) == (theirs.memory[0o424], theirs.memory[0o425]), text
        assert (oracle.scalars["mode"], theirs.flags & USER) == (0, 0), text
