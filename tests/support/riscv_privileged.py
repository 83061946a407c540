"""Programs about modes, traps, interrupts and registers of RISC-V. Sections are those of the privileged manual, 1.13."""

from __future__ import annotations

from riscv_guests import at
from riscv_programs import back, delegate, enter, note, set_status

COUNTERS = "\n".join(
    f"""
    li t0, {m}
    csrw mcounteren, t0
    li t0, {s}
    csrw scounteren, t0
    {enter(mode, f"below{number}")}
    csrr t0, cycle
    csrr t0, time
    csrr t0, instret
    csrr t0, hpmcounter3
    {back(f"back{number}")}"""
    for number, (m, s, mode) in enumerate([(5, 0, 1), (10, 15, 1), (15, 6, 0), (9, 15, 0)])
)

PROGRAMS = {
    "returns": f"""  # 3.3.2, 3.1.6.5: MRET only in M; SRET not in U, nor in S under TSR; the stacks of enables
    {enter(1, "in_s")}
    mret
    li t0, 0x20
    csrs sstatus, t0
    {at("t0", "in_u")}
    csrw sepc, t0
    sret
in_u:
    sret
    mret
    {back("again")}
    {set_status(0x400000)}
    {enter(1, "with_tsr")}
    sret
    {back("end")}
    {note("sepc")}""",
    "wfi": f"""  # 3.1.6.6, 3.3.3: with an interrupt pending it ends at once; TW
    {delegate(0, 2)}
    csrwi mie, 2
    csrwi mip, 2
    wfi
    {enter(1, "free")}
    wfi
    {back("next")}
    {set_status(0x200000)}
    wfi
    {enter(1, "timed")}
    wfi
    {back("last")}
    csrwi mie, 0
    {enter(0, "user")}
    wfi""",
    "tvm": f"""  # 3.1.6.6: SFENCE.VMA and satp
    {enter(1, "free")}
    csrr t0, satp
    csrw satp, t0
    sfence.vma zero, zero
    {back("next")}
    {set_status(0x100000)}
    csrr t0, satp
    sfence.vma zero, zero
    {enter(1, "trapped")}
    csrr t0, satp
    csrw satp, t0
    sfence.vma zero, zero
    csrr t0, sscratch
    {back("last")}
    {enter(0, "user")}
    sfence.vma zero, zero
    csrr t0, satp""",
    "counters": COUNTERS,  # 3.1.11, 10.1.5
    "delegation": f"""  # 3.1.8, 3.1.15: a trap goes to S where medeleg says so, but from M; xPP, xIE
    {delegate(0x10C)}
    {note("medeleg")}
    .word 0xfe007033
    ebreak
    .half 0x9002
    .half 1
    {enter(0, "user")}
    .word 0xfe007033
    ebreak
    ecall
    csrr t0, mstatus
    csrr t0, sscratch
    li a1, 1
    amoadd.w a0, a0, (a1)
    li t0, 1
    .half 0
    .half 1
    j finish""",
    "interrupts": f"""  # 3.1.9: one delegated to S waits while M runs; one for M waits in M alone
    {delegate(0, 2)}
    csrwi mie, 2
    csrwi mip, 2
    li t0, 10
    csrs mstatus, t0
    li a0, 1
    {note("a0")}
    {enter(1, "to_s")}
    li a0, 2
    csrrci zero, sstatus, 2
    csrwi sie, 2
    {note("a0")}
    {back("next")}
    {enter(0, "to_u")}
    li a0, 3
    {back("then")}
    csrrci zero, mstatus, 8
    csrwi mideleg, 0
    csrwi mie, 2
    {note("a0")}
    csrrsi zero, mstatus, 8
    li a0, 4
    csrrci zero, mstatus, 8
    csrwi mie, 2
    {note("a0")}
    {enter(1, "last")}
    {note("a0")}""",
    "vectored": f"""  # 3.1.7: an interrupt at base + 4 * cause, an exception at base; the lowest bit of mepc is zero
    {at("t0", "table")}
    addi t0, t0, 1
    csrw mtvec, t0
    csrwi mie, 2
    csrwi mip, 2
    csrrsi zero, mstatus, 8
    ebreak
    li t0, 7
    csrw mepc, t0
    {note("mepc", "mtvec")}
    j finish
    .align 8
table:
    j m_trap
    j taken
    j stop
taken:
    {note("mcause", "mepc")}
    j m_interrupt""",
    "views": f"""  # 10.1.1, 10.1.3: sip and sie show what is delegated, sstatus a part of mstatus
    li t0, 0x222
    csrw mip, t0
    csrw mie, t0
    {note("sip", "sie")}
    {delegate(-1, 0x22)}
    {note("sip", "sie", "mideleg")}
    csrw sip, zero
    csrw sie, zero
    {note("sip", "mie")}
    li t0, -1
    csrw sip, t0
    csrw sie, t0
    {delegate(-1, 0x222)}
    {note("sip", "mie")}
    li t0, -1
    csrw sstatus, t0
    {set_status(0xC0122, "csrw")}
    csrr t5, sstatus
    lui t0, 0xc2
    and t5, t5, t0
    {note("t5")}""",
    "registers": f"""  # 2.1: a register that is not there, of a higher mode, or read-only
    csrr t0, 0x5c0
    csrrw t0, mvendorid, t0
    csrrs t0, mvendorid, zero
    li t0, 1
    csrrs t0, mvendorid, t0
    csrrci t0, mhartid, 0
    {enter(1, "in_s")}
    csrr t0, mstatus
    csrrw zero, mtvec, t0
    csrrw t0, sscratch, t0
    csrr t0, 0x140
    {back("next")}
    {enter(0, "in_u")}
    csrr t0, sstatus
    csrrw zero, sepc, zero
    csrrsi zero, cycle, 1""",
}
