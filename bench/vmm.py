"""`python -m bench vmm [GUESTS]`: guests bare and under the monitor, in turn, in one run.

The guests of `bench engine`, and loops of one privileged instruction, of a system call and of nothing, all of machine mode, on
RV64; the monitor runs every mode of theirs in U-mode.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from popek_grammar.assembly.assemble import assemble
from popek_grammar.load import load_machine
from popek_vmm.consoles import Stream
from popek_vmm.images.images import Image, elf
from popek_vmm.interpreter import Machine
from popek_vmm.monitor.vmm import Exits, Vmm

ROOT = Path(__file__).resolve().parents[1]
MONITOR, MACHINE = ROOT / "spec/riscv/riscv.vmm", ROOT / "spec/riscv/riscv.isa"
FIRMWARE = "firmware"
"""The monitor whose guests have M-mode too."""
BASE = 0x8000_0000
COUNT = 10_000_000
"""Times that a loop goes round."""
BODIES = {
    "nothing": "",
    "an addition": "addi t3, t3, 1",
    "a CSR written": "csrrw zero, mscratch, t2",
    "a system call and the return from it": "ecall",
}
LOOP = """
  auipc t0, 0
  addi  t0, t0, 40
  csrrw zero, mtvec, t0
  lui   t2, {high}
  jal   zero, loop
  nop
  nop
  nop
  nop
  nop
handler:
  csrrs t1, mepc, zero
  addi  t1, t1, 4
  csrrw zero, mepc, t1
  mret
loop:
  {body}
  addi  t2, t2, -1
  bne   t2, zero, loop
done:
  jal   zero, done
"""


def main(folder: str | None = None) -> None:
    """Prints what guests cost, then what one exit does."""
    bare = Machine.load(str(MACHINE), "rv64", Stream(io.BytesIO()))
    print("\nMillion instructions a CPU second\n")
    print("| guest | instructions | bare | under the monitor | ratio | direct | exits |\n|" + " --- |" * 7)
    for name, image, count in _guests(Path(folder or os.environ.get("POPEK_GUESTS", "guests"))):
        alone, seconds, exits = _bare(bare, image, count), *_hosted(image, count)
        speeds = f"{count / alone / 1e6:.0f} | {count / seconds / 1e6:.0f} | {alone / seconds:.2f}"
        total = sum(exits.by_cause.values())
        print(f"| {name} | {count} | {speeds} | {exits.direct_fraction:.4%} | {total} |", flush=True)
    print("\nNanoseconds of CPU time, of the instruction alone\n")
    print("| what | bare | under the monitor | ratio |\n| --- | --- | --- | --- |")
    costs = {name: _costs(bare, body) for name, body in BODIES.items()}
    for name in list(BODIES)[1:]:
        one, other = (ours - nothing for ours, nothing in zip(costs[name], costs["nothing"], strict=True))
        print(f"| {name} | {one:.1f} | {other:.1f} | {other / one:.1f} |", flush=True)


def _guests(folder: Path) -> Iterator[tuple[str, Image, int]]:
    """The programs of a folder, cut off before the end of what they compute."""
    from bench.engine import GUESTS

    machine = load_machine(str(MACHINE), "rv64")
    for guest in GUESTS:
        image = elf((folder / f"{guest.name}.elf").read_bytes(), machine)
        reps = image.symbols["bench_reps"], guest.reps.to_bytes(8, "little")
        count = guest.head + guest.reps * guest.each
        yield guest.name, Image((*image.pieces, reps), image.entry, image.symbols), count // (50 if guest.name == "trap" else 4)


def _bare(machine: Machine, image: Image, count: int) -> float:
    machine.reset()
    machine.boot(image)
    return _timed(lambda: machine.run(count))


def _hosted(image: Image, count: int) -> tuple[float, Exits]:
    host = Vmm.load(str(MONITOR), FIRMWARE)
    guest = host.add(image, console=Stream(io.BytesIO()))
    return _timed(lambda: host.run(count)), host.exits(guest)


def _costs(bare: Machine, body: str) -> tuple[float, float]:
    """Nanoseconds of a round of the loop, bare and under the monitor."""
    text = LOOP.format(body=body, high=hex(COUNT >> 12))
    image = Image(((BASE, bytes(assemble(bare.machine, text, BASE).image()[1])),), BASE, {})
    steps = (COUNT >> 12 << 12) * (7 if body == "ecall" else 3 if body else 2)
    return _bare(bare, image, steps) / (COUNT >> 12 << 12) * 1e9, _hosted(image, steps)[0] / (COUNT >> 12 << 12) * 1e9


def _timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start
