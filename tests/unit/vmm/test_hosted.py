"""A guest under a monitor does what it does alone, but for the instructions that a theorem names as holes."""

from __future__ import annotations

import random

import pytest
from engine_states import element, legal_value, word_of
from monitors import holding, hosted
from riscv_results import PROGRAMS, found

from machines import SPEC, machine
from popek_grammar import machine as m
from popek_grammar.assembly.decode import Decoded, decoder_of
from popek_grammar.assembly.words import join_cells
from popek_grammar.load import configs_of, load_machine
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated
from popek_vmm.monitor.hosted import Hosted
from popek_vmm.monitor.places import BY_CAUSE, BY_INSTRUCTION, HOST, INTERPRETED, Places
from popek_vmm.oracle import Oracle, Stopped

TRIES = 6
"""Of each instruction, so many random states."""

CLASSIC = [
    ("pg1974.isa", "default", "U", "exact"),
    ("riscv/riscv.isa", "rv64", "U", "supervisor_in_user_exact"),
    ("s370/s370.isa", "base", "problem", "supervisor_in_problem"),
    ("x86/ia32.isa", "base", "ring3", "robin_irvine"),
    ("pdp10/ka10.isa", "ka10", "user", "theorem1"),
    ("arm/armv7a.isa", "base", "USR", "exact"),
    ("m68k/m68000.isa", "mc68010", "user", "mc68010"),
    ("m68k/m68000.isa", "mc68000", "user", "mc68000"),
]


def random_state(rng: random.Random, made: m.Machine, oracle: Oracle) -> None:
    """A state of the guest's, all of it random."""
    for scalar in made.scalars.values():
        oracle.scalars[scalar.name] = legal_value(rng, scalar, rng.random() < 0.3)
    for array in made.arrays.values():
        values = {
            i: element(rng, array, False, 0, 64)
            for i in range(min(array.count, 1 << array.index_width, 64))
            if i != array.zero_at
        }
        oracle.arrays[array.name].update(values)


def decoded(rng: random.Random, made: m.Machine, name: str) -> Decoded | None:
    """The instruction with random operands."""
    cells = word_of(rng, made, made.instructions[name])
    per = made.parcel // made.arrays[made.main_memory or ""].width

    def read(number: int) -> int:
        return join_cells(
            cells[number * per : (number + 1) * per], made.arrays[made.main_memory or ""].width, made.order != "little"
        )

    return decoder_of(made).decode_cells(read)


def outcome(oracle: Oracle, instruction: Decoded) -> str | None:
    """The trap taken, if any; the oracle has stepped."""
    try:
        return oracle.execute(instruction).trap
    except Stopped as error:
        return f"stopped: {error}"


WAITS = holding({"mstatus.TW": 1})
"""RISC-V: WFI has to trap."""


def admitted(made: m.Machine, steps: Hosted, guest: Oracle) -> bool:
    """Whether the guest's state satisfies the conditions of f; where it lies in the host's memory is no matter here."""
    f = steps.places.monitor.placement
    run = Run(made, guest.state(), Translated())
    return f.memory is not None or all(run.value(condition) is t.TRUE for condition in f.where)


OF_GUESTS = {"ka10": {"flags.UIO": 0}}
"""What monitors here ask of their guests."""


def differs(made: m.Machine, steps: Hosted, name: str, number: int) -> bool:
    """Whether the instruction leaves another guest than the bare one, from one random state of the guest."""
    rng = random.Random(f"{name} {number}")
    alone, guest = Oracle(made), Oracle(steps.machine, steps=steps)
    random_state(rng, made, alone)
    alone.scalars.update(OF_GUESTS.get(made.name, {}))
    if made.mode is not None and alone.scalars[made.mode] not in steps.places.monitor.modes:
        alone.scalars[made.mode] = rng.choice(steps.places.monitor.modes)
    guest.set_state(alone.scalars, alone.arrays)
    if not admitted(made, steps, alone):
        return False
    first = steps.places.held(guest.state())
    guest.scalars.update((each, value.value) for each, value in first.scalars.items() if each.startswith(HOST))
    instruction = decoded(rng, made, name)
    if instruction is None:
        return False
    host = {each: value for each, value in guest.scalars.items() if each.startswith(HOST)}
    traps = outcome(alone, instruction), outcome(guest, instruction)
    if traps[0] is not None and traps[0].startswith(("stopped", "excluded")):
        return False  # what the text leaves out
    if traps[1] is not None and "leads to mode" in traps[1]:
        return False  # out of the guest's machine
    same = alone.scalars == {each: guest.scalars[each] for each in alone.scalars}
    same &= all(alone.arrays[each] == guest.arrays[each] for each in alone.arrays)
    held = {HOST + line.target for line in steps.places.monitor.placement.held}
    kept = all(guest.scalars[each] == value for each, value in host.items() if each not in held)
    return not (same and kept)


@pytest.mark.parametrize(("file", "config", "at", "theorem"), CLASSIC, ids=[f"{case[0]}-{case[1]}" for case in CLASSIC])
def test_a_guest_under_a_monitor_does_what_it_does_alone(file: str, config: str, at: str, theorem: str) -> None:
    made = machine(file, config)
    claim = made.theorems[theorem]
    runs = [name for name, _ in made.modes.members]
    steps = hosted(made, *runs, at=at, f=WAITS if made.name == "riscv" else made.placements.get(claim.placement))
    differ = {name for name in made.instructions for number in range(TRIES) if differs(made, steps, name, number)}
    assert differ <= {name.partition("(")[0] for name in claim.expect.names}


def test_what_is_rewritten_is_the_monitors() -> None:
    """Robin and Irvine's holes of IA-32, each a call of the monitor: what is left differs nowhere."""
    made = machine("x86/ia32.isa", "base")
    holes = tuple(made.theorems["robin_irvine"].expect.names)
    runs = [name for name, _ in made.modes.members]
    steps = hosted(made, *runs, at="ring3", replaced=holes)
    assert not any(differs(made, steps, name.partition("(")[0], number) for name in holes for number in range(TRIES))


SHIPPED = [
    (str(path.relative_to(SPEC)), config, name)
    for path in sorted(SPEC.rglob("*.vmm"))
    for config in configs_of(str(path))
    for name, made in load_machine(str(path), config).monitors.items()
    if made.placement.memory is None
]
"""Every monitor that ships, but for those that say where in the host's memory the guest's lies."""


@pytest.mark.parametrize(("file", "config", "name"), SHIPPED, ids=[f"{case[0]}-{case[2]}" for case in SHIPPED])
def test_generated_monitors_are_as_right_as_their_proofs(file: str, config: str, name: str) -> None:
    """What is proved differs nowhere; what is refuted, at most in the instructions that its author names."""
    made = load_machine(str(SPEC / file), config)
    steps = Hosted(Places(made, made.monitors[name]))
    differ = {each for each in made.instructions for number in range(TRIES) if differs(made, steps, each, number)}
    expected = made.monitors[name].expect
    assert differ <= {each.partition("(")[0] for each in expected.names if expected.kind == "fails"}


def test_exits_are_counted() -> None:
    """By the host's cause and by the instruction where it is emulated, by the guest's own cause where it is reflected."""
    made = machine("pg1974.isa")
    steps = hosted(made, "U", "S", at="U")
    guest = Oracle(steps.machine, steps=steps)
    causes, instructions = [each.name for each in made.causes.members], [*made.instructions]

    def counts() -> tuple[dict[str, int], dict[str, int]]:
        found = (guest.arrays[BY_CAUSE], causes), (guest.arrays[BY_INSTRUCTION], instructions)
        by_cause, by_instruction = ({names[at]: n for at, n in array.items() if n} for array, names in found)
        return by_cause, by_instruction

    rng = random.Random(0)
    for name in ("ADD", "PNOP"):
        instruction = decoded(rng, made, name)
        assert instruction is not None
        guest.execute(instruction)
    assert counts() == ({"privileged": 1}, {"PNOP": 1})
    guest.scalars["m"] = 0
    guest.execute(instruction)
    assert guest.scalars[INTERPRETED] == 0
    assert counts()[0]["privileged"] == 2


def test_a_mode_that_does_not_run_is_interpreted() -> None:
    """A hybrid monitor: the supervisor's own instructions are the monitor's, its users' run (without User In-Out)."""
    made = machine("pdp10/ka10.isa", "ka10")
    steps = hosted(made, "user", at="user", interprets=["exec"])
    differ = {name for name in made.instructions for number in range(TRIES) if differs(made, steps, name, number)}
    assert differ == set()
    guest = Oracle(steps.machine, steps=steps)
    instruction = decoded(random.Random(0), made, "MOVE")
    assert instruction is not None
    guest.execute(instruction)
    assert guest.scalars[INTERPRETED] == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_all_modes_find_the_same_in_user_mode(name: str) -> None:
    """What the privileged architecture says of M, S and U holds of a guest that runs in U altogether."""
    made = machine("riscv/riscv.isa", "rv64")
    assert found(name, 64, hosted(made, "U", "S", "M", at="U", f=WAITS)) == found(name, 64)
