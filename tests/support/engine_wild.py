"""Runs random programs on generated code, to see that none reaches what is not the guest's: `FILE CONFIG FIRST COUNT`.

A stray access ends this process by a signal; the rest is looked at after each program. Run on its own by the test beside it.
"""

from __future__ import annotations

import random
import struct
import sys

from engine_starts import ready
from engine_states import addresses, fill, near, registers, small, wipe, word_of

from popek_vmm.engine.shape import LEFT_BUDGET, LEFT_DEVICE
from popek_vmm.images.htif import HostTarget
from popek_vmm.interpreter import Machine, Reason

STEPS, SLICE = 400, 10
"""Steps of a program, and how many are run between looks at what the oracle has taken."""
STARTS, MOST_SLOW = 5, 3
"""How often a program starts with other registers: where the machine has stopped, or after so many steps of the oracle,
which say nothing of generated code and take a millisecond each."""
POOL = 4096
"""Random instructions that programs are cut from."""
EMPTY = (1 << 64) - 1
"""The tag of a TLB entry that holds nothing."""
FIXED = ("ram_low", "ram_cells", "bias", "entries", "flags")


def main() -> None:
    file, config, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    running = small(file, config)
    rng = random.Random(f"{file} {config}")
    names = [*running.machine.instructions.values()]
    pool = [cell for _ in range(POOL) for cell in word_of(rng, running.machine, rng.choice(names))]
    running.host = (
        HostTarget(running.core.low, None, running.core, running.console) if running.built.shape.cell_bytes == 1 else None
    )
    fixed = {name: running.core.field(name) for name in FIXED}
    steps = slow = 0
    for seed in range(first, first + count):
        rng = random.Random(f"{file} {config} {seed}")
        scatter(running, rng, pool)
        before = running.counts.slow
        steps += run(file, running, rng)
        slow += running.counts.slow - before
        wrong = problems(running, fixed)
        if wrong:
            sys.exit(f"program {seed}: {'; '.join(wrong)}")
    print(f"{count} programs, {steps} steps, {slow} of them by the oracle")


def scatter(running: Machine, rng: random.Random, pool: list[int]) -> None:
    """A random memory: most are full of valid instructions, the others of random cells."""
    made = running.machine
    wipe(running)
    start = rng.randrange(len(pool))
    width = made.arrays[made.main_memory or ""].width
    valid = rng.random() < 0.6
    fill(running, pool[start:] + pool[:start] if valid else [rng.getrandbits(width) for _ in range(len(pool))])
    addresses(running, rng)
    if rng.random() < 0.5:
        running.core.watch(*watched(rng, running))


def begin(file: str, running: Machine, rng: random.Random) -> None:
    registers(running, rng)
    if rng.random() < 0.8:
        hot = ready(file, running, rng)
        if rng.random() < 0.5:
            near(running, rng, hot)


def watched(rng: random.Random, running: Machine) -> tuple[int, int]:
    """Some cells whose stores leave the program, the last ones now and then."""
    cells = min(8, running.core.cells)
    return running.core.low + rng.choice([running.core.cells - cells, rng.randrange(running.core.cells - cells + 1)]), cells


def run(file: str, running: Machine, rng: random.Random) -> int:
    """Up to STEPS steps, with other registers where the machine stops or is slow; how many were made."""
    done = 0
    for _ in range(STARTS):
        begin(file, running, rng)
        before, reason = running.counts.slow, Reason.BUDGET
        while reason is Reason.BUDGET and done < STEPS and running.counts.slow - before < MOST_SLOW:
            ended = running.run(SLICE)
            reason, done = ended.reason, done + ended.steps
    return done


def problems(running: Machine, fixed: dict[str, int]) -> list[str]:
    """What a program has done to the engine's own state that none can."""
    core = running.core
    found = [name for name in ("state", "memory", "entries", "flags") if any(getattr(core, name).slack)]
    found = [f"written before the {name}" for name in found]
    moved = {name for name, value in fixed.items() if core.field(name) != value}
    found += [f"{name} has changed" for name in moved]
    found += ["zeros are not zero"] if any(core.get("%zeros", n) for n in range(4)) else []
    found += ["an entry for one instruction stays"] if core.field("oneshot") else []
    found += ["no reason to leave"] if not LEFT_BUDGET <= core.field("exit") <= LEFT_DEVICE else []
    found += ["a budget that grew"] if core.field("left") > STEPS else []
    return found + wide_cells(running) + list(strays(running))


def wide_cells(running: Machine) -> list[str]:
    """Cells that hold more bits than they have."""
    size, width = running.core.shape.cell_bytes, running.machine.arrays[running.machine.main_memory or ""].width
    if width == 8 * size:
        return []
    limit = 1 << width
    cells = struct.iter_unpack({2: "<H", 4: "<I", 8: "<Q"}[size], running.core.memory.bytes)
    return [f"cell {at} holds {value:#x}" for at, (value,) in enumerate(cells) if value >= limit]


def strays(running: Machine) -> list[str]:
    """TLB entries of pages that are not in guest memory: every one that is filled stands for a whole page."""
    core, shape = running.core, running.built.shape
    slot = shape.layout.slots["%tlb"]
    table = core.state.bytes[slot.offset : slot.offset + slot.size * slot.count]
    mask, page = (1 << running.machine.arrays[running.machine.main_memory or ""].index_width) - 1, 1 << shape.page
    found = []
    for tag, delta in struct.iter_unpack("<QQ", table):
        place = (tag << shape.page) + delta & mask
        if tag != EMPTY and not core.inside(place, page):
            found.append(f"page {tag:#x} lies at {place:#x}")
    return found


if __name__ == "__main__":
    main()
