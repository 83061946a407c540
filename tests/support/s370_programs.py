"""Small programs for the System/370, each with what the Principles of Operation (GA22-7000) says of it. They lie in the first
4K bytes, so that a displacement reaches everything, begin at 0x200 in the supervisor state and end in the wait state.

`words` are expected contents of storage, by address; `registers` of general registers.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Example:
    """A program, the manual's section, and what it leaves behind."""

    section: str
    text: str
    registers: Mapping[int, int] = field(default_factory=dict)
    words: Mapping[int, int] = field(default_factory=dict)
    config: str = "base"
    on_svc: str = "LPSW 0x20(r0)"
    on_program: str = "LPSW stop(r0)"


START = 0x200
WAIT = "LPSW stop(r0)\n"
FRAME = """
.org 0x60
svc_new:     .dword 0x0008000000000900
program_new: .dword 0x0008000000000a00
.org 0xb00
stop:        .dword 0x000a000000000bad
user:        .dword 0x0009000000000400
"""


def register_operations(seed: int, count: int) -> str:
    """A straight line of register and shift operations on boundary values; code and result of each are stored."""
    rng = random.Random(seed)
    twos = ["LR", "LTR", "LCR", "LPR", "LNR", "AR", "SR", "ALR", "SLR", "NR", "OR", "XR", "CR", "CLR"]
    shifts = ["SRL", "SLL", "SRA", "SLA"]
    lines = ["LM r8, r15, values(r0)"]
    for n in range(count):
        left, right = rng.randint(8, 15), rng.randint(8, 15)
        operation = rng.choice(twos + shifts)
        amount = rng.choice([0, 1, 2, 7, 30, 31, 32, 33, 40, 63])
        lines.append(f"{operation} r{left}, " + (f"{amount}(r0)" if operation in shifts else f"r{right}"))
        lines.append("BALR r1, r0")
        lines.append(f"ST r1, {0xC00 + 8 * n}(r0, r0)")
        lines.append(f"ST r{left}, {0xC04 + 8 * n}(r0, r0)")
    values = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x12345678, 0xFEDCBA98, 0x40000000]
    return "\n".join([*lines, WAIT, ".align 2", "values: .word " + ", ".join(map(str, values))])


TABLES = """
.org 0xc00
segments: .word 0xf0000c40, 1, 0x30000c40   // 64K each: whole; invalid; four pages
.org 0xc40
pages: .half 0x0000, 0x0010, 0x0028, 0x0018 // page 2 is invalid
       .space 24
.org 0xc80
control: .word 0x00800000, 0x00000c00       // 4K pages, 64K segments; sixteen segments at 0xc00
.org 0x200
LCTL c0, c1, control(r0)
"""

EXAMPLES = {
    "loop": Example(
        "7, BRANCH ON COUNT",
        """
        LA r1, 10(r0, r0)
        SR r2, r2
        again: AR r2, r1
        BCT r1, again(r0, r0)
        """,
        {1: 0, 2: 55},
    ),
    "index_loop": Example(
        "7, BRANCH ON INDEX LOW OR EQUAL; BRANCH AND LINK",
        """
        LM r2, r5, values(r0)
        again: A r5, table(r2, r0)
        BXLE r2, r3, again(r0)      // r3 is odd: increment and comparand
        BAL r6, sub(r0, r0)
        here: B past(r0, r0)
        .align 2
        values: .word 0, 4, 0, 100
        table: .word 1, 2
        sub: BCR 15, r6
        past: LA r7, here(r0, r0)
        """,
        {2: 8, 3: 4, 5: 103, 6: 0xA0000210, 7: 0x210},
    ),
    "characters": Example(
        "7, MOVE; COMPARE LOGICAL; EXCLUSIVE OR; TEST UNDER MASK; INSERT CHARACTER",
        """
        MVC 0xc00(3, r0), text(r0)
        MVC 0xc05(3, r0), 0xc04(r0)             // byte by byte: the first byte spreads
        CLC text(3, r0), other(r0)
        BALR r2, r0
        XC 0xc10(3, r0), 0xc10(r0)
        BALR r3, r0
        OC 0xc10(1, r0), text(r0)
        BALR r4, r0
        TM text(r0), 0xc1
        BALR r5, r0
        L r6, ones(r0, r0)
        IC r6, text(r0, r0)
        LH r7, ones(r0, r0)
        TS 0xc20(r0)
        STC r6, 0xc21(r0, r0)
        STH r7, 0xc22(r0, r0)
        B past(r0, r0)
        .align 2
        text: .byte 0xc1, 0xc2, 0xc3, 0xc4
        other: .byte 0xc1, 0xc2, 0xc4, 0
        ones: .word -1
        .org 0xc04
        .byte 0x77, 1, 2, 3, 4
        .org 0xc10
        .word 0x01020304
        .org 0x300
        past:
        """,
        {6: 0xFFFFFFC1, 7: 0xFFFFFFFF},
        {0xC00: 0xC1C2C3C4, 0xC04: 0x77777777, 0xC08: 0x77000000, 0xC10: 0xC1C20000, 0xC20: 0xFFC1FFFF},
    ),
    "multiply_divide": Example(
        "7, MULTIPLY; DIVIDE; MULTIPLY HALFWORD",
        """
        LA r3, 7(r0, r0)
        LCR r5, r3
        MR r2, r5                   // -49 in r2 and r3
        LA r6, 5(r0, r0)
        DR r2, r6                   // remainder -4, quotient -9
        LR r9, r5
        M r8, large(r0, r0)
        LR r10, r5
        MH r10, large(r0, r0)
        D r8, large(r0, r0)
        B past(r0, r0)
        .align 2
        large: .word 0x7fffffff
        past:
        """,
        {2: 0xFFFFFFFC, 3: 0xFFFFFFF7, 8: 0, 9: 0xFFFFFFF9, 10: 0xFFFC8007},
    ),
    "condition_codes": Example(
        "7, ADD; ADD LOGICAL; SUBTRACT LOGICAL; SHIFT LEFT SINGLE; 5, Branching",
        """
        LM r2, r4, values(r0)
        LR r5, r2
        AR r5, r3                   // overflow: code 3
        BC 1, first(r0, r0)
        B bad(r0, r0)
        first: SLR r4, r4           // zero, no borrow: code 2
        BC 2, second(r0, r0)
        B bad(r0, r0)
        second: SLA r3, 33(r0)      // no bit unlike zero may leave
        BC 1, third(r0, r0)
        B bad(r0, r0)
        third: L r6, values(r0, r0)
        ALR r6, r2                  // no carry, not zero: code 1
        BC 4, fourth(r0, r0)
        B bad(r0, r0)
        fourth: LA r15, 1(r0, r0)
        B past(r0, r0)
        .align 2
        values: .word 0x7fffffff, 1, 5
        bad: LA r15, 99(r0, r0)
        past:
        """,
        {3: 0, 4: 0, 5: 0x80000000, 6: 0xFFFFFFFE, 15: 1},
    ),
    "long_shift": Example(
        "7, SHIFT LEFT SINGLE: 32 zeros leave a register of ones after its 31 numeric bits, and a zero is unlike the sign",
        """
        L r2, ones(r0, r0)
        SLA r2, 31(r0)
        BALR r3, r0
        L r4, ones(r0, r0)
        SLA r4, 32(r0)
        BALR r5, r0
        B past(r0, r0)
        .align 2
        ones: .word -1
        past:
        """,
        {2: 0x80000000, 3: 0x5000020A, 4: 0x80000000, 5: 0x70000214},
    ),
    "overflow_interruption": Example(
        "6, Fixed-Point-Overflow Exception: complete, code 8, the old PSW has condition code 3",
        """
        L r2, mask(r0, r0)
        SPM r2
        L r3, most(r0, r0)
        AR r3, r3
        LA r4, 99(r0, r0)
        .align 2
        mask: .word 0x08000000
        most: .word 0x7fffffff
        """,
        {3: 0xFFFFFFFE, 4: 0},
        {0x28: 0x00083800, 0x2C: 0x0000020C, 0x8C: 0x00020008},
    ),
    "supervisor_call": Example(
        "6, Supervisor-Call Interruption",
        """
        LPSW user(r0)
        .org 0x400
        CR r0, r0
        SVC 7
        LA r2, 5(r0, r0)
        LPSW stop(r0)               // in the problem state
        """,
        {2: 5},
        {0x20: 0x00090000, 0x24: 0x00000404, 0x88: 0x00020007, 0x28: 0x00090000, 0x2C: 0x0000040C, 0x8C: 0x00040002},
    ),
    "problem_lpsw": Example(
        "10, LOAD PSW; 6, Privileged-Operation Exception: suppressed, code 2, length 4",
        "LPSW user(r0)\n.org 0x400\nLA r2, 1(r0, r0)\nLPSW stop(r0)\n",
        {2: 1},
        {0x28: 0x00090000, 0x2C: 0x00000408, 0x8C: 0x00040002},
    ),
    "problem_ssm": Example(
        "10, SET SYSTEM MASK",
        "SSM masks(r0)\nLPSW user(r0)\nmasks: .byte 2, 0\n.org 0x400\nSSM masks(r0)\n",
        {},
        {0x28: 0x00090000, 0x2C: 0x00000404, 0x8C: 0x00040002},
    ),
    "suppressed_ssm": Example(
        "10, SET SYSTEM MASK; 6, Special-Operation Exception: bit 1 of control register 0",
        "LCTL c0, c0, cr(r0)\nSSM cr(r0)\n.align 2\ncr: .word 0x40000000\n",
        {},
        {0x28: 0x00080000, 0x2C: 0x00000208, 0x8C: 0x00040013},
    ),
    "masks": Example(
        "10, STORE THEN OR SYSTEM MASK, STORE THEN AND SYSTEM MASK",
        "LCTL c0, c0, none(r0)\nSTOSM 0xc00(r0), 2\nSTOSM 0xc01(r0), 1\nSTNSM 0xc02(r0), 0xfd\n"
        "SSM 0xc01(r0)\nSTNSM 0xc03(r0), 0\nB past(r0, r0)\n.align 2\nnone: .word 0\npast:",
        {},
        {0xC00: 0x00020302},
    ),
    "problem_ssk": Example(
        "10, SET STORAGE KEY",
        "LPSW user(r0)\n.org 0x400\nSSK r2, r3\n",
        {},
        {0x28: 0x00090000, 0x2C: 0x00000402, 0x8C: 0x00020002},
    ),
    "problem_list": Example(
        "10: every one of these is privileged; the handler counts in r9 and goes on",
        """
        LPSW user(r0)
        .org 0x400
        STNSM 0xc00(r0), 0
        STOSM 0xc00(r0), 0
        SPKA 0x10(r0)
        IPK
        LCTL c0, c0, 0xc00(r0)
        STCTL c0, c15, 0xc00(r0)
        STIDP 0xc00(r0)
        ISK r2, r3
        RRB 0(r0)
        LRA r2, 0(r0, r0)
        PTLB
        SIO 0(r0)
        TIO 0(r0)
        SVC 1
        """,
        {9: 13},
        {0x24: 0x00000434, 0x8C: 0x00040002, 0xC00: 0},
        on_svc="LPSW stop(r0)",
        on_program="LA r9, 1(r9, r0)\nLPSW 0x28(r0)",
    ),
    "storage_keys": Example(
        "10, SET STORAGE KEY, INSERT STORAGE KEY, RESET REFERENCE BIT; 3, Key-Controlled Protection",
        """
        LA r2, 0x38(r0, r0)         // key 3, fetch protection
        L r3, block(r0, r0)
        SSK r2, r3
        ISK r4, r3
        ST r4, 0(r3, r0)            // key 0 in the PSW: allowed
        ISK r5, r3
        RRB 0(r3)
        BALR r6, r0
        ISK r7, r3
        SPKA 0x30(r0)
        L r8, 0(r3, r0)             // key 3: allowed
        IPK
        SPKA 0x20(r0)
        L r8, 4(r3, r0)             // key 2: protected
        .align 2
        block: .word 0x11000
        """,
        {4: 0x38, 5: 0x3E, 7: 0x3A, 8: 0x38, 2: 0x30},
        {0x28: 0x00283000, 0x2C: 0x0000022E, 0x8C: 0x00040004},
    ),
    "load_real_address": Example(
        "10, LOAD REAL ADDRESS: the four condition codes",
        TABLES
        + """
        L r2, ask(r0, r0)
        LRA r3, 0x234(r0, r2)       // page 1
        BALR r4, r0
        L r2, ask + 4(r0, r0)
        LRA r5, 0(r0, r2)           // segment 1 is invalid
        BALR r6, r0
        L r2, ask + 8(r0, r0)
        LRA r7, 0(r0, r2)           // page 2 is invalid
        BALR r8, r0
        L r2, ask + 12(r0, r0)
        LRA r9, 0(r0, r2)           // segment 2 has four pages
        BALR r10, r0
        B past(r0, r0)
        .align 2
        ask: .word 0x1000, 0x10000, 0x2000, 0x24000
        past:
        """,
        {3: 0x1234, 5: 0xC04, 7: 0xC44, 9: 0xC48},
    ),
    "page_fault": Example(
        "6, Page-Translation Exception: nullified, code 17, address at 144; the handler mends it",
        TABLES
        + """
        L r2, at(r0, r0)
        STOSM 0xd00(r0), 4          // translation on
        L r3, 0x345(r0, r2)         // page 2: frame 2 when valid
        LA r4, 9(r0, r0)
        STNSM 0xd01(r0), 0
        LPSW stop(r0)
        at: .word 0x2000
        """,
        {3: 0, 4: 9, 5: 0x04080000, 6: 0x002000},
        {0x28: 0x04080000, 0x2C: 0x0000020C, 0x8C: 0x00040011, 0x90: 0x00002000, 0xD00: 0x00040000},
        on_program="L r5, 0x28(r0, r0)\nL r6, 0x90(r0, r0)\nNI 0xc45(r0), 0xf7\nPTLB\nLPSW 0x28(r0)",
    ),
    "segment_fault": Example(
        "6, Segment-Translation Exception: nullified, code 16",
        TABLES + "L r2, at(r0, r0)\nSTOSM 0xd00(r0), 4\nST r3, 1(r0, r2)\nat: .word 0x10000\n",
        {},
        {0x28: 0x04080000, 0x2C: 0x0000020C, 0x8C: 0x00040010, 0x90: 0x00010000},
    ),
    "monitor_call": Example(
        "7, MONITOR CALL: class 5 is masked, class 6 is not",
        "LCTL c8, c8, cr(r0)\nMC 0x111(r0), 5\nLA r2, 0x100(r0, r0)\nMC 0x23(r2), 6\n.align 2\ncr: .word 0x00000200\n",
        {2: 0x100},
        {0x2C: 0x00000210, 0x8C: 0x00040040, 0x94: 0x00060000, 0x9C: 0x00000123},
    ),
    "divide_by_zero": Example(
        "6, Fixed-Point-Divide Exception: suppressed, code 9",
        "LA r2, 1(r0, r0)\nLA r3, 2(r0, r0)\nDR r2, r4\n",
        {2: 1, 3: 2},
        {0x2C: 0x0000020A, 0x8C: 0x00020009},
    ),
    "operation": Example(
        "6, Operation Exception: code 1; the first two bits give the length",
        ".byte 0x52, 0, 0, 0\n",
        {},
        {0x2C: 0x00000204, 0x8C: 0x00040001},
    ),
    "addressing": Example(
        "6, Addressing Exception: code 5",
        "L r2, at(r0, r0)\nL r3, 0(r0, r2)\n.align 2\nat: .word 0x400000\n",
        {3: 0},
        {0x2C: 0x00000208, 0x8C: 0x00040005},
    ),
    "odd_pair": Example(
        "6, Specification Exception: code 6",
        "MR r3, r4\n",
        {},
        {0x2C: 0x00000202, 0x8C: 0x00020006},
    ),
    "control_registers": Example(
        "10, LOAD CONTROL, STORE CONTROL: from 14 on to 1",
        "LCTL c14, c1, cr(r0)\nSTCTL c15, c0, 0xc00(r0)\nB past(r0, r0)\n"
        ".align 2\ncr: .word 0xc2000001, 0x200, 0xe0, 0x1000\npast:",
        {},
        {0xC00: 0x200, 0xC04: 0xE0},
    ),
    "compare_and_swap": Example(
        "7, COMPARE AND SWAP",
        "LA r3, 5(r0, r0)\nCS r2, r3, 0xc00(r0)\nCS r2, r2, 0xc00(r0)\nBALR r4, r0\nLA r5, 9(r0, r0)\nCS r5, r5, 0xc00(r0)\n",
        {2: 5, 3: 5, 5: 5},
        {0xC00: 5},
    ),
    "granted_key": Example(
        "5, PSW-Key Mask: bit 1 of control register 3 grants key 1, and none grants key 2",
        "LCTL c3, c3, cr(r0)\nLPSW user(r0)\n.align 2\ncr: .word 0x40000000\n.org 0x400\nSPKA 0x10(r0)\nSPKA 0x20(r0)\n",
        {},
        {0x28: 0x00190000, 0x2C: 0x00000408, 0x8C: 0x00040002},
        "semi",
    ),
    "arithmetic": Example("7: codes and results, held against an emulator only", register_operations(370, 64)),
    "more_arithmetic": Example("7: likewise", register_operations(1974, 64)),
}


def source(example: Example) -> str:
    """The whole text: the new PSWs, the handlers, the program, the end."""
    handlers = f".org 0x900\n{example.on_svc}\n.org 0xa00\n{example.on_program}\n"
    return f"{FRAME}{handlers}.org {START}\n{example.text}\n{WAIT}"
