"""`python -m bench engine [GUESTS]`: million instructions a second of `popek run`'s interpreter, and of Unicorn and QEMU in turn.

The guests are a folder with sieve.elf, sha256.elf, matmul.elf and trap.elf as `$POPEK_GUESTS` or the argument names it:
bare-metal RV64 programs with a repetition count at the symbol `bench_reps` and their result at `bench_result`.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from popek_vmm.consoles import Stream
from popek_vmm.images.images import Image, elf
from popek_vmm.interpreter import Machine

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Guest:
    """A program: repetitions for some seconds, instructions before and in each repetition, up to `bench_done`."""

    name: str
    reps: int
    head: int
    each: int


GUESTS = (
    Guest("sieve", 1500, 20, 808_688), Guest("sha256", 200_000, 111, 5_290), Guest("matmul", 1500, 32_872, 790_718),
    Guest("trap", 20_000_000, 43, 18),
)  # fmt: skip


def main(folder: str | None = None) -> None:
    """Prints one row a guest: all engines, one after the other, CPU seconds of the run itself (QEMU: less its start)."""
    guests = Path(folder or os.environ.get("POPEK_GUESTS", "guests"))
    versions = f"llvmlite {metadata.version('llvmlite')}, unicorn {metadata.version('unicorn')}, {_qemu_version()}"
    print(f"\nMillion instructions a CPU second; {versions}\n")
    heads = "guest | instructions | interpreter | Unicorn | ratio | QEMU TCG | ratio | QEMU -icount | ratio | results"
    print(f"| {heads} |\n|{' --- |' * 10}")
    machine = Machine.load(str(ROOT / "spec/riscv/riscv.isa"), "rv64", Stream(io.BytesIO()))
    starts = {options: _qemu((guests / "sieve.elf").read_bytes(), 1, options) for options in QEMU_OPTIONS}
    for guest in GUESTS:
        data = (guests / f"{guest.name}.elf").read_bytes()
        count = guest.head + guest.reps * guest.each
        image = elf(data, machine.machine)
        ours, result = _interpreter(machine, image, guest, count)
        theirs = _unicorn(image, guest)
        peer = f"{count / theirs[0] / 1e6:.0f} | {theirs[0] / ours:.2f}" if theirs else "does not run traps | "
        for options in QEMU_OPTIONS:
            whole, start = _qemu(data, guest.reps, options), starts[options]
            peer += f" | {count / (whole - start) / 1e6:.0f} | {(whole - start) / ours:.2f}" if whole and start else " | | "
        same = "equal" if theirs and theirs[1] == result else f"{result:#x}"
        print(f"| {guest.name} | {count} | {count / ours / 1e6:.0f} | {peer} | {same} |", flush=True)
    ours, theirs = _whole(guests)
    ratio = f"QEMU {theirs:.2f} s, ratio {ours / theirs:.1f}" if theirs else "no QEMU"
    print(f"\n`popek run` of {GUESTS[0].name}.elf, 0.8 million instructions, warm, whole process: {ours:.2f} s; {ratio}")


def _interpreter(machine: Machine, image: Image, guest: Guest, count: int) -> tuple[float, int]:
    machine.reset()
    machine.boot(image)
    machine.core.put(image.symbols["bench_reps"], guest.reps.to_bytes(8, "little"))
    start = time.process_time()
    machine.run(count)
    seconds = time.process_time() - start
    assert machine.get("pc") == image.symbols["bench_done"], "the documented number of instructions does not end the kernel"
    return seconds, machine.get("X", 10)


def _unicorn(image: Image, guest: Guest) -> tuple[float, int] | None:
    import unicorn
    from unicorn.riscv_const import UC_RISCV_REG_A0

    machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
    machine.mem_map(0x80000000, 1 << 24)
    for place, piece in image.pieces:
        machine.mem_write(place, piece)
    machine.mem_write(image.symbols["bench_reps"], guest.reps.to_bytes(8, "little"))
    start = time.process_time()
    try:
        machine.emu_start(image.entry, image.symbols["bench_done"])
    except unicorn.UcError:
        return None
    return time.process_time() - start, int(machine.reg_read(UC_RISCV_REG_A0))


QEMU_OPTIONS = ((), ("-icount", "shift=0"))
QEMU_MACHINE = ("-machine", "virt", "-bios", "none", "-display", "none", "-serial", "null", "-kernel")


def _qemu_version() -> str:
    qemu = shutil.which("qemu-system-riscv64")
    if qemu is None:
        return "no qemu-system-riscv64"
    return subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _qemu(data: bytes, reps: int, options: tuple[str, ...]) -> float | None:
    """CPU seconds of the whole process, which the test finisher ends."""
    from elftools.elf.elffile import ELFFile

    qemu = shutil.which("qemu-system-riscv64")
    if qemu is None:
        return None
    file = ELFFile(io.BytesIO(data))
    symbol = file.get_section_by_name(".symtab").get_symbol_by_name("bench_reps")[0]
    section = file.get_section(symbol["st_shndx"])
    at = section["sh_offset"] + symbol["st_value"] - section["sh_addr"]
    with tempfile.NamedTemporaryFile(suffix=".elf") as patched:
        patched.write(data[:at] + reps.to_bytes(8, "little") + data[at + 8 :])
        patched.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([qemu, *QEMU_MACHINE, patched.name, *options], check=True, timeout=300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _whole(guests: Path) -> tuple[float, float | None]:
    """Wall seconds of the whole process, the best of three: `popek run`, and QEMU."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("grammar", "checker", "reference_vmm"))
    image = str(guests / "sieve.elf")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": paths}
    ours = [sys.executable, "-m", "popek", "run", str(ROOT / "spec/riscv/riscv.isa"), image]
    qemu = shutil.which("qemu-system-riscv64")
    return _wall(ours, env), _wall([qemu, *QEMU_MACHINE, image], env) if qemu is not None else None


def _wall(command: list[str], env: dict[str, str]) -> float:
    found = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, env=env, check=True, timeout=300)
        found.append(time.perf_counter() - start)
    return min(found)
