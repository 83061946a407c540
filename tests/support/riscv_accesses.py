"""Programs about accesses to memory: protection, translation, alignment. Sections are those of the privileged manual, 1.13."""

from __future__ import annotations

from riscv_guests import at
from riscv_programs import ALIAS, back, delegate, enter, note, page, set_status

PROGRAMS = {
    "mprv": f"""  # 3.1.6.3: loads and stores act as MPP; a return to a lower mode clears it
    {at("a1", "word")}
    srli t0, a1, 2
    csrw pmpaddr0, t0
    addi t0, t0, 1
    csrw pmpaddr1, t0
    li t0, -1
    csrw pmpaddr2, t0
    {set_status(0x1F090F, "csrw", "pmpcfg0")}
    {set_status(0x1800, "csrc")}
    {set_status(0x20000)}
    lw a0, 0(a1)
    sw a0, 4(a1)
    sw a0, 0(a1)
    {note("a0")}
    sw a0, 0(a1)
    {enter(0, "user")}
    sw a0, 0(a1)
    {back("end")}""",
    "pmp": f"""  # 3.7: the first entry that touches the access decides; locks hold in M and keep their entry, and TOR its base
    {at("a1", "word")}
    srli t0, a1, 2
    csrw pmpaddr1, t0
    addi t1, t0, 4
    csrw pmpaddr2, t1
    csrr t1, pmpaddr0
    csrw pmpaddr3, t1
    {set_status(0x1F109C1F, "csrw", "pmpcfg0")}
    {set_status(0x1F109C00, "csrw", "pmpcfg0")}
    lw a0, 0(a1)
    sw a0, 4(a1)
    lw a0, 6(a1)
    lw a0, 16(a1)
    csrw pmpaddr1, zero
    csrw pmpcfg0, zero
    {note("pmpaddr1", "pmpcfg0")}
    {set_status(0x1F100000, "csrw", "pmpcfg0")}
    {enter(0, "user")}
    lw a0, 16(a1)
    sw a0, 16(a1)
    lw a0, 14(a1)
    lw a0, 20(a1)
    jalr ra, 16(a1)
    {back("end")}
    {set_status(0x8F100000, "csrw", "pmpcfg0")}
    csrw pmpaddr2, zero
    {note("pmpaddr2")}""",
    "misaligned": f"""  # 3.6.3; Unpriv 13.2, 13.4: hardware does loads and stores, atomics must be aligned
    {at("a1", "word")}
    lw a0, 1(a1)
    {note("a0")}
    lhu a0, 3(a1)
    {note("a0")}
    sw a0, 5(a1)
    LOAD a0, 1(a1)
    {note("a0")}
    addi a2, a1, 2
    amoadd.w a0, a0, (a2)
    lr.w a0, (a2)
    lr.w a0, (a1)
    sc.w a0, a1, (a1)
    {note("a0")}
    sc.w a0, a1, (a1)
    {note("a0")}
    lr.w a0, (a1)
    addi a2, a1, 8
    sc.w a0, a1, (a2)
    {note("a0")}
    LOAD a0, 8(a1)
    {note("a0")}""",
    "supervisor": f"""  # 10.3.2, 10.4: S on its pages and on the user's; entries that are wrong
    TRANSLATE
    {delegate(0xB000)}
    {enter(1, "in_s")}
    {page("mine")}
    lw a0, 0(a1)
    sw a0, 8(a1)
    jalr ra, 0(a1)
    {page("user")}
    lw a0, 4(a1)
    sw a0, 8(a1)
    jalr ra, 0(a1)
    {page("read")}
    lw a0, 0(a1)
    sw a0, 12(a1)
    {page("absent")}
    lw a0, 0(a1)
    {page("write_only")}
    sw a0, 4(a1)
    {page("pointer")}
    lw a0, 8(a1)
    WILD
    {back("end")}""",
    "sum_mxr": f"""  # 3.1.6.3
    TRANSLATE
    {enter(1, "in_s")}
    {page("execute")}
    lw a0, 0(a1)
    jalr ra, 0(a1)
    {set_status(0xC0000, "csrs", "sstatus")}
    lw a0, 0(a1)
    sw a0, 0(a1)
    {page("user")}
    jalr ra, 0(a1)
    lw a0, 0(a1)
    sw a0, 8(a1)
    {page("user_read")}
    sw a0, 8(a1)
    {back("end")}""",
    "user": f"""  # 10.3.2, and an atomic that may not write: cause 15
    TRANSLATE
    {enter(0, "in_u", ALIAS)}
    {page("user")}
    lw a0, 0(a1)
    sw a0, 8(a1)
    jalr ra, 0(a1)
    {page("mine")}
    lw a0, 0(a1)
    jalr ra, 0(a1)
    {page("user_read")}
    lw a0, 0(a1)
    amoadd.w a0, a0, (a1)
    {back("end")}""",
}
