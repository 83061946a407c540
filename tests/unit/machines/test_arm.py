"""ARMv7-A: programs assembled by the machine's own assembler run on the oracle as the manual (DDI 0406C) says they do."""

from __future__ import annotations

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble
from popek_vmm.oracle import Oracle, Stepped

USR, FIQ, IRQ, SVC, ABT, UND, SYS = 16, 17, 18, 19, 23, 27, 31
CODE = 0x8000


class Board:
    """The machine with a program at CODE, in a mode; single registers are set and read by name."""

    def __init__(self, text: str, mode: int = SVC, config: str = "base", seed: int | None = None) -> None:
        self.oracle = Oracle(machine("arm/armv7a.isa", config), seed)
        self.put(text, CODE)
        self.oracle.scalars |= {"pc": CODE, "mode": mode}

    def put(self, text: str, at: int) -> None:
        origin, cells = assemble(self.oracle.machine, text, at).image()
        self.oracle.load(cells, origin)

    def word(self, at: int) -> int:
        return int.from_bytes(bytes(self.oracle.arrays["ram"].get(at + n, 0) for n in range(4)), "little")

    def run(self, steps: int) -> list[str | None]:
        """The traps taken, None for a step that completed."""
        return [self.step().trap for _ in range(steps)]

    def step(self) -> Stepped:
        return self.oracle.step()

    def __setitem__(self, register: int, value: int) -> None:
        self.oracle.arrays["R"][register] = value

    def __getitem__(self, register: int) -> int:
        return self.oracle.arrays["R"].get(register, 0)

    @property
    def pc(self) -> int:
        return self.oracle.scalars["pc"]

    @property
    def flags(self) -> str:
        """The flags that are set, of NZCVQ."""
        return "".join(flag for flag in "NZCVQ" if self.oracle.scalars[f"cpsr.{flag}"])

    @flags.setter
    def flags(self, named: str) -> None:
        self.oracle.scalars |= {f"cpsr.{flag}": int(flag in named) for flag in "NZCVQ"}

    @property
    def masks(self) -> str:
        return "".join(mask for mask in "AIF" if self.oracle.scalars[f"cpsr.{mask}"])

    @property
    def mode(self) -> int:
        return self.oracle.scalars["mode"]

    def status(self) -> int:
        """CPSR: B1.3.3."""
        at = {"N": 31, "Z": 30, "C": 29, "V": 28, "Q": 27, "A": 8, "I": 7, "F": 6}
        return sum(self.oracle.scalars[f"cpsr.{name}"] << bit for name, bit in at.items()) | self.mode


# -- ordinary instructions -------------------------------------------------------------------------------------------

CONDITIONS = {
    "eq": "Z", "ne": "not Z", "cs": "C", "cc": "not C", "mi": "N", "pl": "not N", "vs": "V", "vc": "not V",
    "hi": "C and not Z", "ls": "not C or Z", "ge": "N == V", "lt": "N != V", "gt": "not Z and N == V",
    "le": "Z or N != V", "": "True",
}  # fmt: skip
"""A8.3, table A8-1."""


def test_conditions() -> None:
    """A8.3: each condition in each state of the flags."""
    for condition, formula in CONDITIONS.items():
        board = Board(f"mov{condition} r0, #1")
        for flags in range(16):
            board.flags = "".join(name for bit, name in enumerate("NZCV") if flags >> bit & 1)
            board[0] = 0
            board.oracle.scalars["pc"] = CODE
            assert board.run(1) == [None]
            assert board[0] == eval(formula, {name: name in board.flags for name in "NZCV"}), (condition, board.flags)


@pytest.mark.parametrize(
    ("line", "r1", "r2", "carry", "value", "flags"),
    [
        ("movs r0, #255", 0, 0, "C", 0xFF, "C"),
        ("movs r0, #255, 8", 0, 0, "", 0xFF000000, "NC"),
        ("movs r0, #1, 2", 0, 0, "C", 0x40000000, ""),
        ("movs r0, r1", 0x80000000, 0, "C", 0x80000000, "NC"),
        ("movs r0, r1, lsl #1", 0x80000001, 0, "", 2, "C"),
        ("movs r0, r1, lsl #31", 3, 0, "", 0x80000000, "NC"),
        ("movs r0, r1, lsr #1", 3, 0, "", 1, "C"),
        ("movs r0, r1, lsr #0", 0x80000000, 0, "", 0, "ZC"),
        ("movs r0, r1, asr #4", 0x80000008, 0, "", 0xF8000000, "NC"),
        ("movs r0, r1, asr #0", 0x80000000, 0, "", 0xFFFFFFFF, "NC"),
        ("movs r0, r1, ror #8", 0x000000F0, 0, "C", 0xF0000000, "NC"),
        ("movs r0, r1, rrx", 1, 0, "C", 0x80000000, "NC"),
        ("movs r0, r1, rrx", 2, 0, "", 1, ""),
        ("movs r0, r1, lsl r2", 1, 0, "C", 1, "C"),
        ("movs r0, r1, lsl r2", 1, 32, "", 0, "ZC"),
        ("movs r0, r1, lsl r2", 1, 33, "C", 0, "Z"),
        ("movs r0, r1, lsl r2", 1, 0x101, "C", 2, ""),
        ("movs r0, r1, lsr r2", 0x80000000, 32, "", 0, "ZC"),
        ("movs r0, r1, lsr r2", 0x80000000, 33, "C", 0, "Z"),
        ("movs r0, r1, asr r2", 0x80000000, 255, "", 0xFFFFFFFF, "NC"),
        ("movs r0, r1, ror r2", 0x80000000, 32, "", 0x80000000, "NC"),
        ("movs r0, r1, ror r2", 0x00000010, 36, "C", 1, ""),
        ("mvns r0, r1", 0xFFFFFFFF, 0, "C", 0, "ZC"),
        ("ands r0, r1, r2, lsr #1", 7, 3, "", 1, "C"),
    ],
)  # fmt: skip
def test_shifter_carry(line: str, r1: int, r2: int, carry: str, value: int, flags: str) -> None:
    """A2.2.1, A8.4.3, A5.2.4: the value of a shifter operand, and the carry that a logical instruction takes from it."""
    board = Board(line)
    board[1], board[2], board.flags = r1, r2, carry
    assert board.run(1) == [None]
    assert (board[0], board.flags) == (value, flags)


@pytest.mark.parametrize(
    ("line", "r1", "r2", "carry", "value", "flags"),
    [
        ("adds r0, r1, r2", 0x7FFFFFFF, 1, "", 0x80000000, "NV"),
        ("adds r0, r1, r2", 0xFFFFFFFF, 1, "", 0, "ZC"),
        ("adcs r0, r1, r2", 0xFFFFFFFF, 0, "C", 0, "ZC"),
        ("subs r0, r1, r2", 0, 1, "", 0xFFFFFFFF, "N"),
        ("subs r0, r1, r2", 0x80000000, 1, "", 0x7FFFFFFF, "CV"),
        ("sbcs r0, r1, r2", 5, 5, "", 0xFFFFFFFF, "N"),
        ("sbcs r0, r1, r2", 5, 5, "C", 0, "ZC"),
        ("rsbs r0, r1, #0", 1, 0, "", 0xFFFFFFFF, "N"),
        ("rscs r0, r1, r2", 1, 1, "", 0xFFFFFFFF, "N"),
        ("muls r0, r1, r2", 0x10000, 0x8000, "C", 0x80000000, "NC"),
        ("add r0, r1, r2", 0xFFFFFFFF, 1, "V", 0, "V"),
        ("clz r0, r1", 0x00010000, 0, "", 15, ""),
        ("rev r0, r1", 0x12345678, 0, "", 0x78563412, ""),
        ("rev16 r0, r1", 0x12345678, 0, "", 0x34127856, ""),
        ("revsh r0, r1", 0x00000080, 0, "", 0xFFFF8000, ""),
        ("sxtb r0, r1, ror #8", 0x00008000, 0, "", 0xFFFFFF80, ""),
        ("uxth r0, r1, ror #24", 0x12345678, 0, "", 0x7812, ""),
        ("movw r0, #0xabcd", 0, 0, "", 0xABCD, ""),
    ],
)  # fmt: skip
def test_results_and_flags(line: str, r1: int, r2: int, carry: str, value: int, flags: str) -> None:
    """A2.2.1 (AddWithCarry) and the instructions' own pages in A8.8."""
    board = Board(line)
    board[0], board[1], board[2], board.flags = value, r1, r2, carry
    assert board.run(1) == [None]
    assert (board[0], board.flags) == (value, flags)


def test_pc_reads_eight_ahead_and_links_behind() -> None:
    """A2.3: r15 is the instruction's address plus 8; BL and BLX link to the next one; A8.8.25, A8.8.26, A8.8.27."""
    board = Board("mov r0, pc\n bl there\n nop\nthere: add r1, pc, #4\n bx lr")
    assert board.run(4) == [None] * 4
    assert (board[0], board[1], board.pc) == (CODE + 8, CODE + 12 + 12, CODE + 8)


@pytest.mark.parametrize(("order", "first"), [("ia", 0x1000), ("ib", 0x1004), ("da", 0xFF8), ("db", 0xFF4)])
def test_blocks(order: str, first: int) -> None:
    """A8.8.58 to A8.8.61 and A8.8.199 to A8.8.202: where a block lies, the lowest register lowest, and what the base becomes."""
    board = Board(f"stm{order} r0!, 0x0e\n mov r4, r0\n mov r0, r5\n ldm{order} r0, 0x1c0")
    board[0] = board[5] = 0x1000
    board[1], board[2], board[3] = 11, 22, 33
    assert board.run(4) == [None] * 4
    assert [board.word(first + 4 * n) for n in range(3)] == [11, 22, 33]
    assert board[4] == 0x1000 + (12 if order in ("ia", "ib") else -12)
    assert [board[n] for n in (6, 7, 8)] == [11, 22, 33]


def test_addressing() -> None:
    """A8.5: offset, pre-indexed, post-indexed; A8.8.63, A8.8.204."""
    board = Board("str r1, [r0, #4]\n str r1, [r0, #8]!\n strb r1, [r0], #-4\n ldr r2, [r0, r3, lsl #2]\n ldrsh r4, [r0, #4]")
    board[0], board[1], board[3] = 0x1000, 0xCAFE8001, 1
    assert board.run(5) == [None] * 5
    assert (board[0], board[2], board[4]) == (0x1004, 0xCAFE8001, 0xFFFF8001)
    assert board.word(0x1004) == board.word(0x1008) == 0xCAFE8001


def test_a_jump_to_thumb_leaves_this_description() -> None:
    board = Board("bx r0")
    board[0] = 0x1001
    assert board.run(1) == ["excluded_thumb"]


# -- modes and banks -------------------------------------------------------------------------------------------------


def test_banked_registers() -> None:
    """B1.3.2, figure B1-2: sp and lr have a bank for each mode but SYS, which has those of USR; r8 to r12 one for FIQ."""
    modes = (FIQ, IRQ, SVC, ABT, UND, SYS)
    setting = "".join(f"cps #{mode}\n movw sp, #{mode}\n movw lr, #{mode + 256}\n movw r8, #{mode}\n" for mode in modes)
    reading = "".join(f"cps #{mode}\n nop\n" for mode in modes)
    board = Board(setting + reading + "cps #16\n nop")
    assert board.run(4 * len(modes)) == [None] * (4 * len(modes))
    for mode in modes:
        board.run(2)
        assert (board.mode, board[13], board[14]) == (mode, mode, mode + 256)
        assert board[8] == (FIQ if mode == FIQ else SYS)
    board.run(2)
    assert (board.mode, board[13], board[14], board[8]) == (USR, SYS, SYS + 256, SYS)


def test_spsr_of_each_mode() -> None:
    """B1.3.3: an SPSR for each mode that an exception enters; MSR writes its bytes one by one (B9.3.12)."""
    board = Board("cps #17\n msr spsr_fsxc, r0\n cps #18\n msr spsr_fc, r0\n mrs r1, spsr\n cps #17\n mrs r2, spsr")
    board[0] = 0xF1F2F3F4
    assert board.run(7) == [None] * 7
    assert (board[1], board[2]) == (0xF10000F4, 0xF1F2F3F4)


def test_svc_and_return() -> None:
    """B1.8.1, B1.9.4: SVC enters SVC mode at offset 8 with I set, LR at the next instruction and the CPSR of USR in the SPSR.
    MOVS pc, lr goes back with all of CPSR: B9.3.20."""
    board = Board("svc #1\n nop", USR)
    board.put("mov r0, #7\n movs pc, lr", 8)
    board.flags = "NC"
    board.oracle.scalars |= {"cpsr.I": 0, "cpsr.F": 0, "cpsr.A": 0}
    board[13] = 0x1111
    board.oracle.arrays["SP"][3] = 0x3333
    before = board.status()
    assert board.run(1) == ["supervisor_call"]
    assert (board.pc, board.mode, board.masks, board.flags) == (8, SVC, "I", "NC")
    assert (board[14], board[13], board.oracle.arrays["SPSR"][3]) == (CODE + 4, 0x3333, before)
    assert board.run(2) == [None, None]
    assert (board.pc, board.status(), board[13], board[0]) == (CODE + 4, before, 0x1111, 7)


def test_vectors() -> None:
    """B1.8.1: VBAR moves the table, SCTLR.V puts it high; UND is offset 4."""
    board = Board("mcr vbar, r0\n udf #0")
    board[0] = 0x2000001F
    assert board.run(2) == [None, "undefined"]
    assert (board.pc, board.mode, board[14]) == (0x20000004, UND, CODE + 8)
    board = Board("mcr sctlr, r0\n udf #0")
    board[0] = 1 << 13
    board.run(2)
    assert board.pc == 0xFFFF0004


def test_interrupts() -> None:
    """B1.9.10: IRQ is taken when CPSR.I is 0, also in USR; SUBS pc, lr, #4 goes on with the instruction it came before."""
    board = Board("nop\n nop", USR)
    board.put("subs pc, lr, #4", 0x18)
    board.oracle.scalars |= {"irq_line": 1, "cpsr.I": 0}
    assert board.step() == Stepped(None, "IRQ")
    assert (board.pc, board.mode, board[14]) == (0x18, IRQ, CODE + 4)
    board.oracle.scalars["irq_line"] = 0
    assert board.run(2) == [None, None]
    assert (board.pc, board.mode) == (CODE + 4, USR)
    board.oracle.scalars |= {"irq_line": 1, "cpsr.I": 1}
    board.put("nop", CODE + 4)
    assert board.run(1) == [None]


def test_cps() -> None:
    """B9.3.2: masks and mode in a privileged mode; in USR no effect at all."""
    for mode, masks, after in ((SVC, "F", SYS), (USR, "AIF", USR)):
        board = Board("cpsie ai, #31", mode)
        assert board.run(1) == [None]
        assert (board.masks, board.mode, board.pc) == (masks, after, CODE + 4)


def test_msr_in_user_mode_writes_the_flags_only() -> None:
    """B1.3.3 (CPSRWriteByInstr), B9.3.12: the privileged bits are left alone, and nothing traps."""
    for mode, after in ((USR, 0xF80001C0 | USR), (SVC, 0xF8000100 | SYS)):
        board = Board("msr cpsr_fsxc, r0", mode)
        board[0] = 0xF8000100 | SYS
        assert board.run(1) == [None]
        assert board.status() == after
    board = Board("msr cpsr_f, #15, 4", USR)
    assert board.run(1) == [None]
    assert board.flags == "NZCV"


def test_mrs() -> None:
    """B9.3.8: all of CPSR in a privileged mode; the flags in USR, the rest UNKNOWN; where it is made to trap, undefined."""
    board = Board("mrs r0, cpsr")
    board.flags = "ZQ"
    assert board.run(1) == [None]
    assert board[0] == 0x480001D3
    seen = set()
    for seed in range(8):
        board = Board("mrs r0, cpsr", USR, seed=seed)
        board.flags = "ZQ"
        assert board.run(1) == [None]
        seen.add(board[0])
    assert {value & ~0x1FF for value in seen} == {0x48000000}
    assert len(seen) > 1
    assert Board("mrs r0, cpsr", USR, "mrs_traps").run(1) == ["undefined"]


@pytest.mark.parametrize(
    "line", ["mrs r0, spsr", "movs pc, r0", "rfeia r0", "srsia sp, #19", "ldmia r0, 2 ^", "ldmia r0, 2, pc ^"]
)
def test_unpredictable_in_user_mode(line: str) -> None:
    """B9.3.8, B9.3.20, B9.3.13, B9.3.16, B9.3.6, B9.3.5: UNPREDICTABLE in USR. It is left open what is done."""
    outcomes = set()
    for seed in range(12):
        board = Board(line, USR, seed=seed)
        outcomes.update(board.run(1))
        assert board.mode in (USR, UND)
    assert outcomes == {None, "undefined"}


# -- several registers, and exceptions -------------------------------------------------------------------------------


def test_user_registers() -> None:
    """B9.3.6, B9.3.17: LDM and STM with ^ reach the registers of USR from a mode with banks of its own."""
    board = Board("ldmia r0, 0x6100 ^\n stmia r1, 0x6100 ^", FIQ)
    board[0], board[1], board[8], board[13], board[14] = 0x1000, 0x2000, 8, 13, 14
    for n, value in enumerate((0x88, 0xDD, 0xEE)):
        board.put(f".word {value}", 0x1000 + 4 * n)
    assert board.run(2) == [None, None]
    assert (board[8], board[13], board[14]) == (8, 13, 14)
    arrays = board.oracle.arrays
    assert (arrays["HIGH"][0], arrays["SP"][0], arrays["LR"][0]) == (0x88, 0xDD, 0xEE)
    assert [board.word(0x2000 + 4 * n) for n in range(3)] == [0x88, 0xDD, 0xEE]


def test_ldm_exception_return() -> None:
    """B9.3.5: the registers are those of the mode it leaves, the base too; then CPSR from the SPSR, and pc."""
    board = Board("msr spsr_fsxc, r1\n ldmia sp!, 0x4001, pc ^")
    board[1], board[13] = 0x20000000 | USR, 0x1000
    for n, value in enumerate((5, 0x9999, 0x4002)):
        board.put(f".word {value}", 0x1000 + 4 * n)
    assert board.run(2) == [None, None]
    assert (board.pc, board.mode, board.flags, board.masks, board[0]) == (0x4000, USR, "C", "", 5)
    assert (board.oracle.arrays["SP"][3], board.oracle.arrays["LR"][3]) == (0x100C, 0x9999)


def test_srs_and_rfe() -> None:
    """B9.3.16, B9.3.13: SRS pushes LR and SPSR on the stack of the mode named; RFE takes pc and CPSR from it."""
    board = Board("srsdb sp!, #31\n cps #31\n rfeia sp!", IRQ)
    board[14] = 0x4000
    board.oracle.arrays["SPSR"][2] = 0x80000040 | USR
    board.oracle.arrays["SP"][0] = 0x1008
    assert board.run(2) == [None, None]
    assert (board[13], board.word(0x1000), board.word(0x1004)) == (0x1000, 0x4000, 0x80000040 | USR)
    assert board.run(1) == [None]
    assert (board.pc, board.mode, board.flags, board.masks, board[13]) == (0x4000, USR, "N", "F", 0x1008)


def test_alignment() -> None:
    """A3.2.1: blocks must be aligned; B3.13.3: status 1, with bit 11 for a write."""
    for line, status in (("ldmia r0, 2", 1), ("stmia r0, 2", 0x801)):
        board = Board(line)
        board[0] = 0x1002
        assert board.run(1) == ["data_abort"]
        assert (board.oracle.scalars["dfsr"], board.oracle.scalars["dfar"], board[14]) == (status, 0x1002, CODE + 8)


# -- memory, CP15 and hints ------------------------------------------------------------------------------------------


def translated(text: str, mode: int) -> Board:
    """Sections mapped to themselves: the first 1 MB for all, the second for privileged modes alone. B3.5.1."""
    board = Board(text, mode)
    board.put(".word 0x00000c02, 0x00100402", 0x4000)
    board.oracle.scalars |= {"sctlr.M": 1, "ttbr0.BASE": 1, "dacr": 1}
    return board


def test_unprivileged_access() -> None:
    """A8.8.92: LDRT has the rights of USR in every mode; B3.7.1 and B3.13.3: a permission fault of a section is status 13."""
    outcomes = {}
    for line in ("ldr r1, [r0, #0]", "ldrt r1, [r0], #4", "strt r1, [r0], #4"):
        for mode in (USR, SVC):
            board = translated(line, mode)
            board[0] = 0x100010
            trap = board.run(1)[0]
            outcomes[line[:4].strip(), mode] = (trap, board.oracle.scalars["dfsr"])
    assert outcomes == {
        ("ldr", USR): ("data_abort", 0x00D), ("ldr", SVC): (None, 0), ("ldrt", USR): ("data_abort", 0x00D),
        ("ldrt", SVC): ("data_abort", 0x00D), ("strt", USR): ("data_abort", 0x80D), ("strt", SVC): ("data_abort", 0x80D),
    }  # fmt: skip


def test_translation_faults() -> None:
    """B3.13.3: no section is status 5; a fetch without rights is a prefetch abort, with LR 4 ahead (B1.8.3)."""
    board = translated("ldr r1, [r0, #0]", SVC)
    board[0] = 0x300000
    assert board.run(1) == ["data_abort"]
    assert (board.oracle.scalars["dfsr"], board.oracle.scalars["dfar"]) == (5, 0x300000)
    board = translated("bx r0", USR)
    board[0] = 0x100000
    assert board.run(2) == [None, "prefetch_abort"]
    assert (board.oracle.scalars["ifsr"], board.oracle.scalars["ifar"], board[14]) == (0x00D, 0x100000, 0x100004)


@pytest.mark.parametrize(
    ("line", "in_user", "in_supervisor"),
    [
        ("mrc sctlr, r0", "undefined", None), ("mcr ttbr0, r0", "undefined", None), ("mrc tpidruro, r0", None, None),
        ("mcr tpidruro, r0", "undefined", None), ("mcr tpidrurw, r0", None, None), ("mcr cp15dmb, r0", None, None),
        ("mrc pmccntr, r0", "undefined", None), ("mrc 0x3fff, r0", "undefined", "undefined"),
    ],
)  # fmt: skip
def test_cp15(line: str, in_user: str | None, in_supervisor: str | None) -> None:
    """B3.15, B4.1: which registers user mode may reach; those that do not exist are undefined."""
    assert Board(line, USR).run(1) == [in_user]
    assert Board(line, SVC).run(1) == [in_supervisor]


@pytest.mark.parametrize(("config", "trap"), [("base", "undefined"), ("skipped_first", None)])
def test_an_undefined_instruction_whose_condition_fails(config: str, trap: str | None) -> None:
    """B1.9.1: whether it is skipped or refused is IMPLEMENTATION DEFINED."""
    assert Board("mrcne sctlr, r0", USR, config).run(1) == ["undefined"]
    assert Board("mrceq sctlr, r0", USR, config).run(1) == [trap]


@pytest.mark.parametrize("line", ["nop", "wfi", "wfe", "yield", "sev", "dsb #15", "isb #15", "dmb #15"])
def test_hints(line: str) -> None:
    """A8.8: they complete in every mode and change nothing."""
    board = Board(line, USR)
    before = dict(board.oracle.scalars)
    assert board.run(1) == [None]
    assert board.oracle.scalars == before | {"pc": CODE + 4}


def test_mrc_into_r15_sets_the_flags() -> None:
    """A8.8.107."""
    board = Board("mcr dacr, r0\n mrc dacr, pc")
    board[0] = 0xA0000001
    assert board.run(2) == [None, None]
    assert (board.flags, board.pc) == ("NC", CODE + 8)
