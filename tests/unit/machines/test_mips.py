"""MIPS-I and the MIPS32 variant against the manuals: programs of the machine's own assembler, run on the oracle.

"Kane" is Kane and Heinrich, MIPS RISC Architecture (1992), by chapter; "MIPS32 III" the privileged architecture, by section.
"""

from __future__ import annotations

import pytest
from mips_boot import GENERAL, LINE, REFILL, TEXT, USER, boot, cause, entry, mips, number, register, user, word

from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.text.diagnostics import SpecError

# -- delay slots: Kane 1, "Delayed branches"; Kane A ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branch", "a0", "taken"),
    [
        ("beq $a0, $zero, there", 0, True), ("beq $a0, $zero, there", 1, False), ("bne $a0, $zero, there", 1, True),
        ("blez $a0, there", 0, True), ("bgtz $a0, there", 0, False), ("bltz $a0, there", 1 << 31, True),
        ("bgez $a0, there", 1 << 31, False), ("bltzal $a0, there", 0, False), ("bgezal $a0, there", 0, True),
        ("j there", 0, True), ("jal there", 0, True),
    ],
)  # fmt: skip
def test_the_instruction_after_a_branch_runs(branch: str, a0: int, taken: bool) -> None:
    oracle = boot(f"{branch}\n addiu $t0, $zero, 1\n addiu $t1, $zero, 2\nthere: addiu $t2, $zero, 3", a0=a0)
    oracle.run(3)
    assert [register(oracle, name) for name in ("t0", "t1", "t2")] == ([1, 0, 3] if taken else [1, 2, 0])
    linked = TEXT + 8 if "al" in branch else 0
    assert oracle.arrays["X"].get(31, 0) == linked


def test_jalr_reads_its_target_first() -> None:
    oracle = boot("jalr $t0, $a0\n addiu $t1, $t0, 0", a0=TEXT + 0x40)
    oracle.run(2)
    assert oracle.scalars["pc"] == TEXT + 0x40
    assert register(oracle, "t1") == TEXT + 8


def test_a_jump_reaches_its_region_only() -> None:
    """Kane A, J: the upper four bits are those of the delay slot's address."""
    assert assemble_line(mips(), "j 0x8fffff00", TEXT) == (0x0BFFFFC0, 32)
    assert disassemble_word(mips(), 0x0BFFFFC0, 32, TEXT) == "j 0x8fffff00"
    with pytest.raises(SpecError, match="is too far"):
        assemble_line(mips(), "j 0x90000000", TEXT)


@pytest.mark.parametrize("config", ["r3000", "mips32"])
@pytest.mark.parametrize(("slot", "code"), [("syscall 0", 8), ("break 0", 9), ("add $t0, $a0, $a0", 12), ("lw $t0, 1($zero)", 4)])
def test_a_trap_in_a_delay_slot_returns_to_the_branch(slot: str, code: int, config: str) -> None:
    """Kane 6, "Cause Register" and "EPC"; MIPS32 III 6.2.4. A branch that is not taken has a slot all the same."""
    for branch in ("beq $zero, $zero, 0x80001100", "bne $zero, $zero, 0x80001100", "j 0x80001100"):
        oracle = boot(f"{branch}\n {slot}", config, a0=0x7FFFFFFF)
        oracle.run(2)
        assert cause(oracle) == (code, 1, TEXT)
        assert oracle.scalars["pc"] == (GENERAL if config == "r3000" else LINE)
        assert register(oracle, "t0") == 0
    oracle = boot(f"nop\n {slot}", config, a0=0x7FFFFFFF)
    oracle.run(2)
    assert cause(oracle) == (code, 0, TEXT + 4)


# -- TLB: Kane 4, Kane 6 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "code", "vector"),
    [
        ("lw $t0, 0($a0)", 0x20000004, 2, REFILL), ("sw $t0, 0($a0)", 0x20000004, 3, REFILL),
        ("lw $t0, 0($a0)", 0xC0000004, 2, GENERAL), ("sw $t0, 0($a0)", 0xC0000004, 3, GENERAL),
        ("lw $t0, 0($a0)", 0x10000004, 2, GENERAL), ("sw $t0, 0($a0)", 0x10001004, 1, GENERAL),
        ("jr $a0", 0x20000004, 2, REFILL),
    ],
)  # fmt: skip
def test_tlb_exceptions(text: str, address: int, code: int, vector: int) -> None:
    """No entry in kuseg: the refill vector; in kseg2, and entries invalid or read-only: the general one. Kane 6."""
    oracle = boot(f"{text}\n nop", a0=address)
    entry(oracle, 1, 0x10000, 4, flags="")
    entry(oracle, 2, 0x10001, 4, flags="V")
    oracle.scalars["page_table"] = 0x7FF
    oracle.run(3 if text.startswith("jr") else 1)
    assert cause(oracle)[0] == code
    assert oracle.scalars["pc"] == vector
    assert oracle.scalars["c0_badvaddr"] == address
    assert oracle.scalars["c0_entryhi.VPN"] == address >> 12
    assert oracle.scalars["c0_context.BAD"] == address >> 12 & 0x7FFFF


def test_entries_match_by_space_or_globally() -> None:
    oracle = boot("lw $t0, 0($a0)\n lw $t1, 0($a1)\n lw $t2, 0($a2)", a0=0x10000000, a1=0x10001000, a2=0x10002000)
    entry(oracle, 1, 0x10000, 4, space=5)
    entry(oracle, 2, 0x10001, 4, space=6, flags="VG")
    entry(oracle, 3, 0x10002, 4, space=6)
    oracle.scalars["c0_entryhi.ASID"] = 5
    oracle.load([1, 2, 3, 4], 0x4000)
    assert [step.trap for step in oracle.run(3)] == [None, None, "TLBL"]
    assert (register(oracle, "t0"), register(oracle, "t1")) == (0x01020304, 0x01020304)


def test_a_refill_handler_fills_the_tlb() -> None:
    """Kane 6, "UTLB Miss": Context points at the page's entry, TLBWR takes it in, RFE goes back to user mode."""
    oracle = user("lw $t0, 4($a0)\n addiu $t0, $t0, 1", a0=0x10000000)
    handler = "mfc0 $k0, c0_context\n lw $k0, 0($k0)\n mtc0 $k0, c0_entrylo\n mfc0 $k1, c0_epc\n tlbwr\n jr $k1\n rfe"
    oracle.load(assemble(mips(), handler, REFILL).image()[1], 0)
    oracle.scalars["page_table"] = 0x80800000 >> 21
    oracle.load([0, 0, 0x46, 0], 0x800000 + 4 * 0x10000)
    oracle.load([0, 0, 0, 41], 0x4004)
    steps = oracle.run(10)
    assert [step.trap for step in steps] == ["TLBL"] + [None] * 9
    assert register(oracle, "t0") == 42
    assert oracle.scalars["mode"] == 1
    assert oracle.arrays["tlb.PFN"][8] == 4


def test_probe_and_read() -> None:
    """Kane 4, TLBP, TLBR: P says that no entry matches."""
    text = "tlbp\n mfc0 $t0, c0_index\n tlbr\n mfc0 $t1, c0_entrylo\n mtc0 $a0, c0_entryhi\n tlbp\n mfc0 $t2, c0_index"
    oracle = boot(text, a0=0x20000000)
    entry(oracle, 9, 0x10000, 4, space=5)
    oracle.scalars |= {"c0_entryhi.VPN": 0x10000, "c0_entryhi.ASID": 5}
    oracle.run(7)
    assert [register(oracle, name) for name in ("t0", "t1")] == [9 << 8, 0x4600]
    assert register(oracle, "t2") >> 31 == 1


# -- the status stack: Kane 6, "Status Register" ----------------------------------------------------------------------


@pytest.mark.parametrize("stack", range(0, 64, 5))
def test_rfe_pops_what_a_trap_has_pushed(stack: int) -> None:
    oracle = boot("mtc0 $a0, c0_status\n rfe\n mfc0 $t0, c0_status", a0=stack & ~2)
    oracle.run(2)
    popped = stack & ~2 & 0x30 | (stack & ~2) >> 2
    assert (oracle.scalars["mode"], oracle.scalars["c0_status.IEc"]) == (popped >> 1 & 1, popped & 1)
    oracle.scalars["mode"] = 0
    oracle.run(1)
    assert register(oracle, "t0") & 0x3D == popped & 0x3D


def test_three_levels() -> None:
    """Two traps within a user program: the stack holds all three pairs; the pair of the user program is the old one."""
    oracle = user("syscall 0")
    oracle.scalars["c0_status.IEc"] = 1
    oracle.load(assemble(mips(), "syscall 0", GENERAL).image()[1], 0x80)
    oracle.run(2)
    names = ("KUo", "IEo", "KUp", "IEp", "IEc")
    assert [oracle.scalars[f"c0_status.{name}"] for name in names] == [1, 1, 0, 0, 0]
    assert (oracle.scalars["mode"], oracle.scalars["c0_epc"]) == (0, GENERAL)


# -- coprocessors: Kane 6, "Coprocessor Unusable" ---------------------------------------------------------------------

CP0 = ("mfc0 $t0, c0_status", "mtc0 $t0, c0_index", "tlbr", "tlbwi", "tlbwr", "tlbp")


@pytest.mark.parametrize(("config", "back"), [("r3000", "rfe"), ("mips32", "eret")])
def test_user_mode_cannot_use_cp0(config: str, back: str) -> None:
    """Not unless CU0 is set; and what is reserved is unusable first, also registers that do not exist."""
    for text in (*CP0, back, "cop0 0x2000020", "mfc0 $t0, 31"):
        oracle = user(text, config)
        assert oracle.step().trap == "CpU"
        assert (cause(oracle), oracle.scalars["c0_cause.CE"], oracle.scalars["mode"]) == ((11, 0, USER), 0, 0)
        oracle = user(text, config)
        oracle.scalars["c0_status.CU0"] = 1
        assert oracle.step().trap == (None if text in (*CP0, back) else "RI")


@pytest.mark.parametrize(("text", "unit"), [("cop1 0", 1), ("lwc2 0", 2), ("swc3 0", 3)])
def test_coprocessors_that_are_not_there(text: str, unit: int) -> None:
    oracle = boot(text)
    assert oracle.step().trap == "CpU"
    assert oracle.scalars["c0_cause.CE"] == unit


def test_a_leaky_status_shows_the_mode() -> None:
    """The one line of `leaky`: a kernel deprivileged reads KUc = 1."""
    kernel, deprived = boot("mfc0 $t0, c0_status", "leaky"), user("mfc0 $t0, c0_status", "leaky")
    assert (kernel.step().trap, deprived.step().trap) == (None, None)
    assert register(kernel, "t0") ^ register(deprived, "t0") == 2


# -- segments: Kane 4 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "code"), [("lw $t0, 0($a0)", 4), ("sw $t0, 0($a0)", 5), ("ll $t0, 0($a0)", 4)])
@pytest.mark.parametrize("base", [0x80000000, 0xA0000000, 0xC0000000])
def test_user_mode_cannot_reach_the_kernels_segments(text: str, code: int, base: int) -> None:
    oracle = user(text, a0=base + 0x4000)
    entry(oracle, 1, 0xC0004, 4)
    oracle.step()
    assert (cause(oracle), oracle.scalars["c0_badvaddr"]) == ((code, 0, USER), base + 0x4000)
    kernel = boot(text, a0=base + 0x4000)
    entry(kernel, 1, 0xC0004, 4)
    assert kernel.step().trap is None


def test_a_jump_into_the_kernel_faults_at_its_target() -> None:
    oracle = user("jr $a0\n nop", a0=TEXT)
    assert [step.trap for step in oracle.run(3)] == [None, None, "AdEL"]
    assert cause(oracle) == (4, 0, TEXT)


@pytest.mark.parametrize("text", ["lh $t0, 1($a0)", "lw $t0, 2($a0)", "sh $t0, 1($a0)", "sw $t0, 3($a0)", "ll $t0, 2($a0)"])
def test_addresses_are_aligned(text: str) -> None:
    oracle = boot(text, a0=0xA0004000)
    assert oracle.step().trap == ("AdES" if text[0] == "s" else "AdEL")


def test_parts_of_unaligned_words() -> None:
    """Kane A, LWL and LWR, big-endian."""
    for offset in range(4):
        oracle = boot(f"lwl $t0, {offset}($a0)\n lwr $t0, {offset + 3}($a0)\n swl $t0, 8($a1)\n swr $t0, 11($a1)",
                      a0=0xA0004000, a1=0xA0004000 + offset)  # fmt: skip
        oracle.load(list(range(1, 9)), 0x4000)
        oracle.run(4)
        wanted = int.from_bytes(bytes(range(offset + 1, offset + 5)), "big")
        assert (register(oracle, "t0"), word(oracle, 0x4008 + offset)) == (wanted, wanted)


# -- LL and SC: S/161, "User Mode"; MIPS32 II, LL and SC --------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "address", "held"), [("nop", 0, 1), ("sc $t3, 0($a0)", 0, 0), ("syscall 0", 0, 0), ("nop", 4, 0)]
)
def test_sc_stores_while_the_link_holds(between: str, address: int, held: int) -> None:
    """A trap ends the link, and so does the first SC; another address has none."""
    oracle = boot(f"ll $t0, 0($a0)\n {between}\n addiu $t1, $zero, 7\n sc $t1, {address}($a0)", a0=0xA0004000)
    oracle.run(2)
    oracle.scalars |= {"pc": TEXT + 8, "npc": TEXT + 12}
    oracle.run(2)
    assert register(oracle, "t1") == held
    assert word(oracle, 0x4000 + address) == 7 * held


# -- MIPS32: III 6 and 9.7 --------------------------------------------------------------------------------------------


def test_exl_nests() -> None:
    """Within an exception EPC and BD stay, and a refill goes to the general vector. MIPS32 III 6.2.2, 6.2.4."""
    oracle = user("syscall 0", "mips32")
    oracle.load(assemble(mips("mips32"), "lw $t0, 0($a0)", LINE).image()[1], 0x180)
    oracle.arrays["X"][number("a0")] = 0x20000000
    assert [step.trap for step in oracle.run(2)] == ["Sys", "TLBL"]
    assert (cause(oracle), oracle.scalars["pc"]) == ((2, 0, USER), LINE)
    assert (oracle.scalars["c0_status.EXL"], oracle.scalars["um"]) == (1, 1)
    refill = boot("lw $t0, 0($a0)", "mips32", a0=0x20000000)
    refill.step()
    assert refill.scalars["pc"] == REFILL


@pytest.mark.parametrize(
    ("erl", "exl", "to", "left"), [(0, 1, USER, (1, 0, 0)), (1, 1, TEXT + 0x40, (0, 0, 1)), (1, 0, TEXT + 0x40, (1, 0, 0))]
)
def test_eret_leaves_the_error_level_first(erl: int, exl: int, to: int, left: tuple[int, int, int]) -> None:
    """MIPS32 II, ERET. It has no delay slot, and ends the link of LL."""
    oracle = boot("eret", "mips32")
    oracle.scalars |= {"c0_status.ERL": erl, "c0_status.EXL": exl, "um": 1, "linked": 1}
    oracle.scalars |= {"c0_epc": USER, "c0_errorepc": TEXT + 0x40}
    assert oracle.step().trap is None
    scalars = oracle.scalars
    assert (scalars["mode"], scalars["c0_status.ERL"], scalars["c0_status.EXL"]) == left
    assert (scalars["pc"], scalars["npc"], scalars["linked"]) == (to, to + 4, 0)


def test_um_counts_when_exl_and_erl_are_clear() -> None:
    oracle = boot("mtc0 $a0, c0_status\n mfc0 $t0, c0_status\n mtc0 $a1, c0_status", "mips32", a0=0x12, a1=0x10)
    oracle.run(3)
    assert register(oracle, "t0") == 0x12
    assert oracle.scalars["mode"] == 1


# -- interrupts: Kane 6 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mask", "enabled", "taken"), [(1, 1, "SW0"), (2, 1, None), (1, 0, None)])
def test_software_interrupts(mask: int, enabled: int, taken: str | None) -> None:
    oracle = boot("mtc0 $a0, c0_cause\n mtc0 $a1, c0_status\n nop", a0=1 << 8, a1=mask << 8 | enabled)
    assert oracle.run(3)[2].trap == taken
    assert (cause(oracle) == (0, 0, TEXT + 8)) == (taken is not None)


# -- arithmetic: Kane A -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["add $t0, $a0, $a0", "addi $t0, $a0, 1", "sub $t0, $a1, $a0"])
def test_overflow_traps_and_writes_nothing(text: str) -> None:
    oracle = boot(text, a0=0x7FFFFFFF, a1=0x80000000, t0=5)
    assert oracle.step().trap == "Ov"
    assert register(oracle, "t0") == 5


@pytest.mark.parametrize(
    ("text", "a0", "a1", "hi", "lo"),
    [
        ("mult $a0, $a1", 0xFFFFFFFF, 2, 0xFFFFFFFF, 0xFFFFFFFE), ("multu $a0, $a1", 0xFFFFFFFF, 2, 1, 0xFFFFFFFE),
        ("div $a0, $a1", 0xFFFFFFF9, 2, 0xFFFFFFFF, 0xFFFFFFFD), ("divu $a0, $a1", 0xFFFFFFF9, 2, 1, 0x7FFFFFFC),
    ],
)  # fmt: skip
def test_hi_and_lo(text: str, a0: int, a1: int, hi: int, lo: int) -> None:
    oracle = boot(text, a0=a0, a1=a1)
    oracle.step()
    assert (oracle.scalars["hi"], oracle.scalars["lo"]) == (hi, lo)


# -- the fixed map ----------------------------------------------------------------------------------------------------

KERNEL = "addiu $t0, $zero, 3\nloop: addiu $t1, $t1, 5\n sw $t1, 0x400($s0)\n addiu $t0, $t0, -1\n bne $t0, $zero, loop\n nop"


def test_a_deprivileged_kernel_in_kseg0_is_equivalent_and_all_traps() -> None:
    """The published verdict: a kernel linked for kseg0 and run in user mode behaves as on the bare machine when a monitor
    emulates what traps; and every instruction traps, at its fetch, so nothing runs directly."""
    bare, deprived = boot(KERNEL, s0=0x80004000), boot(KERNEL, s0=0x80004000)
    bare.run(16)
    traps = 0
    for _ in range(16):
        kept = dict(deprived.scalars)
        deprived.scalars["mode"] = 1
        traps += deprived.step().trap == "AdEL"
        deprived.scalars = kept
        deprived.step()
    assert traps == 16
    assert (bare.scalars, bare.arrays) == (deprived.scalars, deprived.arrays)


def test_a_moved_kernel_sees_where_it_is() -> None:
    """In `moved` its links differ by as much as it has been moved, with no trap: location sensitivity."""
    links = []
    for distance in (0, 1):
        oracle = boot("jal 0x80002000\n nop", "moved", TEXT - 0x1000 * distance)
        oracle.load(assemble(mips("moved"), "jal 0x80002000\n nop", TEXT).image()[1], 0x1000)
        oracle.scalars["distance"] = distance
        assert oracle.step().trap is None
        links.append(oracle.arrays["X"][31] - oracle.scalars["pc"])
    assert links[1] - links[0] == 0x1000
