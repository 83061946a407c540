"""Small bare-metal programs for what the RISC-V privileged architecture says, and QEMU to run them on.

Each begins in machine mode, with s0 the origin, all memory open and nothing delegated. The handlers of M and S store cause,
tval and the status bits that matter of every trap, and go on behind the instruction, or at `ra` after a fetch that faulted;
an ecall to M goes on in M at s2; an interrupt clears its enables. What they and the program store is what is compared.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from riscv_guests import ORIGIN, RESULTS, A, D, R, U, V, W, X, at

ROOT, TABLES = 0x8000, 0x9000
"""The root table of translation, and the next: two megapages, or nothing, and pages."""
PAGES = 0x400000
"""Virtual: where the pages of the next table begin."""
ALIAS = 0x40000000
"""This far above a physical address is the user's virtual one."""


def note(*sources: str) -> str:
    """Stores registers (`t5`, `a0`) or CSRs as the next results. Uses t6."""
    lines = []
    for source in sources:
        register = source if source[1:].isdigit() else "t6"
        lines += [] if register == source else [f"csrr t6, {source}"]
        lines += [f"STORE {register}, 0(s1)", "addi s1, s1, SIZE"]
    return "\n".join(lines)


def set_status(bits: int, how: str = "csrs", csr: str = "mstatus") -> str:
    return f"lui t0, {bits + 0x800 >> 12}\naddi t0, t0, {(bits & 0xFFF ^ 0x800) - 0x800}\n{how} {csr}, t0"


def enter(mode: int, label: str, above: int = 0) -> str:
    """To a lower mode, at the label, which follows, or as far above it."""
    target = f"{at('t0', label)}\nlui t1, {above >> 12}\nadd t0, t0, t1"
    return f"{set_status(0x1800, 'csrc')}\n{set_status(mode << 11)}\n{target}\ncsrw mepc, t0\nmret\n{label}:"


def back(label: str) -> str:
    """To machine mode again."""
    return f"{at('s2', label)}\necall\n{label}:"


def delegate(exceptions: int, interrupts: int = 0) -> str:
    return f"{set_status(exceptions, 'csrw', 'medeleg')}\nli t0, {interrupts}\ncsrw mideleg, t0"


def _handler(mode: str) -> str:
    status, bits = ("mstatus", 0x219AA) if mode == "m" else ("sstatus", 0x122)
    ends = f"addi t4, t3, -8\nsltiu t4, t4, 4\nbnez t4, {mode}_call"
    after = "jr s2" if mode == "m" else "j s_on"
    return f"""
    .align 4
{mode}_trap:
    csrr t3, {mode}cause
    {note("t3", f"{mode}tval")}
    lui t6, {bits + 0x800 >> 12}
    addi t6, t6, {(bits & 0xFFF ^ 0x800) - 0x800}
    csrr t5, {status}
    and t5, t5, t6
    {note("t5")}
    blt t3, zero, {mode}_interrupt
    {ends}
    addi t4, t3, -1
    beqz t4, {mode}_fetch
    addi t4, t3, -12
    beqz t4, {mode}_fetch
{mode}_on:
    csrr t4, {mode}epc
    addi t4, t4, 4
    csrw {mode}epc, t4
    {mode}ret
{mode}_fetch:
    csrw {mode}epc, ra
    {mode}ret
{mode}_interrupt:
    csrw {mode}ie, zero
    {mode}ret
{mode}_call:
    {after}
"""


def text(xlen: int, body: str) -> str:
    """The whole program."""
    made = f"""
start:
    auipc s0, 0
    lui s1, {RESULTS >> 12}
    add s1, s1, s0
    li t0, -1
    srli t0, t0, {xlen // 32 * 10 - 10}
    csrw pmpaddr0, t0
    li t0, 31
    csrw pmpcfg0, t0
    {at("t0", "m_trap")}
    csrw mtvec, t0
    {at("t0", "s_trap")}
    csrw stvec, t0
    {body}
    j finish
    {_handler("m")}
    {_handler("s")}
finish:
    lui s2, {RESULTS >> 12}
    add s2, s2, s0
    lui t1, 0x10000
done:
    lbu t2, 0(s2)
    sb t2, 0(t1)
    addi s2, s2, 1
    bltu s2, s1, done
    lui t1, 0x100
    lui t0, 0x5
    addi t0, t0, 0x555
    sw t0, 0(t1)
stop:
    j stop
    .org {ORIGIN + 0x4000}
word:
    .dword 0x8182838485868788, 0x1122334455667788
    .org {ORIGIN + 0x5000}
lone:
    ret
"""
    tables = _sv39() if xlen == 64 else _sv32()
    names = {"STORE": "sd", "LOAD": "ld", "SIZE": "8"} if xlen == 64 else {"STORE": "sw", "LOAD": "lw", "SIZE": "4"}
    for name, spelling in names.items():
        made = made.replace(name, spelling)
    return made + tables


LEAF = V | A | D
KINDS = {
    "mine": LEAF | R | W | X, "user": LEAF | R | W | X | U, "execute": LEAF | X, "read": LEAF | R, "absent": R | W | A | D,
    "write_only": LEAF | W, "pointer": V, "user_read": LEAF | R | U,
}  # fmt: skip
"""The pages from PAGES on, 4 KiB each; all map that of `lone`."""


def page(kind: str) -> str:
    """The upper part of the virtual address of a page of that kind."""
    return f"lui a1, {(PAGES >> 12) + list(KINDS).index(kind)}"


def _entries(size: str) -> str:
    return f"    {size} {', '.join(f'{ORIGIN + 0x5000 >> 2 | flags:#x}' for flags in KINDS.values())}"


def _sv39() -> str:
    """ORIGIN maps to itself, and is ALIAS for the user; from 0x600000 a megapage that is not aligned."""
    return f"""
    .org {ORIGIN + ROOT}
    .dword {ORIGIN + TABLES >> 2 | V}, 0, {ORIGIN >> 2 | LEAF | R | W | X}, {ORIGIN >> 2 | LEAF | R | W | X | U}
    .org {ORIGIN + TABLES}
    .dword 0, 0, {ORIGIN + 0xA000 >> 2 | V}, {ORIGIN + 0x1000 >> 2 | LEAF | R | W | X}
    .org {ORIGIN + 0xA000}
{_entries(".dword")}
"""


def _sv32() -> str:
    return f"""
    .org {ORIGIN + ROOT}
    .word 0, {ORIGIN + TABLES >> 2 | V}, {ORIGIN + 0x1000 >> 2 | LEAF | R | W | X}
    .org {ORIGIN + ROOT + (ORIGIN >> 20)}
    .word {ORIGIN >> 2 | LEAF | R | W | X}
    .org {ORIGIN + ROOT + (ORIGIN + ALIAS >> 20)}
    .word {ORIGIN >> 2 | LEAF | R | W | X | U}
    .org {ORIGIN + TABLES}
{_entries(".word")}
"""


def translate(xlen: int) -> str:
    """Turns on Sv39 or Sv32."""
    mode, shift = (8, 60) if xlen == 64 else (1, 31)
    return f"""
    li t0, {mode}
    slli t0, t0, {shift}
    lui t1, {ROOT >> 12}
    add t1, t1, s0
    srli t1, t1, 12
    or t0, t0, t1
    csrw satp, t0
    sfence.vma zero, zero"""


def qemu(image: bytes, folder: Path, xlen: int = 64, cpu: str = "rv64") -> bytes:
    """What the program at ORIGIN writes to the serial port."""
    emulator = shutil.which(f"qemu-system-riscv{xlen}")
    if emulator is None:
        pytest.skip(f"qemu-system-riscv{xlen} is not installed")
    file, serial = folder / "image", folder / "serial"
    file.write_bytes(image)
    subprocess.run(
        [emulator, "-M", "virt", "-cpu", cpu, "-bios", "none", "-display", "none", "-monitor", "none",
         "-serial", f"file:{serial}", "-device", f"loader,file={file},addr={ORIGIN:#x}"],
        check=True, timeout=20,
    )  # fmt: skip
    return serial.read_bytes()
