"""The MC68000 and MC68010: programs assembled by the machine's own assembler run on the oracle as the manuals say they do
(M68000PRM, M68000UM)."""

from __future__ import annotations

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_vmm.oracle import Oracle, Stepped

CODE, STACK, USTACK, DATA, HANDLERS = 0x1000, 0x8000, 0x7000, 0x4000, 0x3000
USER, SUPER = 0, 1


class Board:
    """The machine with a program at CODE; the vector of exception n leads to HANDLERS + 4 * n."""

    def __init__(self, text: str, mode: int = SUPER, config: str = "mc68000", base: int = 0) -> None:
        self.oracle = Oracle(machine("m68k/m68000.isa", config))
        origin, cells = assemble(self.oracle.machine, text, CODE).image()
        self.oracle.load(cells, origin)
        for number in range(64):
            self.oracle.load(list((HANDLERS + 4 * number).to_bytes(4, "big")), base + 4 * number)
        self.oracle.scalars |= {"pc": CODE, "sr.S": mode, "sr.I": 3, "usp": USTACK, "ssp": STACK}

    def get(self, at: int, size: int) -> int:
        return int.from_bytes(bytes(self.oracle.arrays["ram"].get(at + n, 0) for n in range(size)), "big")

    def set(self, at: int, value: int, size: int) -> None:
        self.oracle.load(list(value.to_bytes(size, "big")), at)

    def run(self, steps: int) -> list[str | None]:
        """The traps taken, None for a step that completed."""
        return [self.step().trap for _ in range(steps)]

    def step(self) -> Stepped:
        return self.oracle.step()

    def __getitem__(self, name: str) -> int:
        if name in self.oracle.scalars:
            return self.oracle.scalars[name]
        return self.oracle.arrays[name[0].upper()].get(int(name[1]), 0)

    def __setitem__(self, name: str, value: int) -> None:
        if name in self.oracle.scalars:
            self.oracle.scalars[name] = value
        else:
            self.oracle.arrays[name[0].upper()][int(name[1])] = value

    @property
    def flags(self) -> str:
        return "".join(flag for flag in "XNZVC" if self[f"sr.{flag}"])


# -- the two stack pointers, PRM 1.3.2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "used", "other"), [(USER, "usp", "ssp"), (SUPER, "ssp", "usp")])
def test_a7_is_the_stack_pointer_of_the_state(mode: int, used: str, other: str) -> None:
    board = Board("move.l #0x12345678, -(a7)\n movea.l a7, a0\n pea 4(a0)\n lea 16(a7), a7\n", mode)
    before = {name: board[name] for name in ("usp", "ssp")}
    assert board.run(4) == [None] * 4
    assert board[used] == before[used] + 8
    assert board[other] == before[other]
    assert board["a0"] == before[used] - 4
    assert board.get(before[used] - 8, 4) == before[used]
    assert board.get(before[used] - 4, 4) == 0x12345678
    assert 7 not in board.oracle.arrays["A"]


def test_a_byte_on_the_stack_keeps_it_even() -> None:
    """PRM 2.2.5: the stack pointer is stepped by two."""
    board = Board("move.b #0x5a, -(a7)\n move.b (a7)+, d0\n move.b #1, -(a0)\n")
    board["a0"] = DATA + 8
    board.run(1)
    assert board["ssp"] == STACK - 2
    assert board.get(STACK - 2, 2) == 0x5A00
    board.run(2)
    assert (board["ssp"], board["d0"], board["a0"]) == (STACK, 0x5A, DATA + 7)


def test_the_source_is_stepped_before_the_destination_is_found() -> None:
    board = Board("move.w (a0)+, (a0)+\n move.w -(a0), -2(a0)\n")
    board["a0"] = DATA
    board.set(DATA, 0x1111, 2)
    board.run(1)
    assert (board["a0"], board.get(DATA + 2, 2)) == (DATA + 4, 0x1111)
    board.set(DATA + 2, 0x2222, 2)
    board.run(1)
    assert (board["a0"], board.get(DATA, 2)) == (DATA + 2, 0x2222)


def test_addresses_have_24_lines() -> None:
    board = Board("move.b (0xff004000).l, d0\n")
    board.set(DATA, 0x77, 1)
    board.run(1)
    assert board["d0"] == 0x77


# -- exceptions: UM 6 ------------------------------------------------------------------------------------------------------

EXCEPTIONS = [
    ("illegal", "illegal_instruction", 4, 0),
    ("linea 0x123", "line_1010", 10, 0),
    ("linef 0x123", "line_1111", 11, 0),
    ("trap #5", "trap_instruction", 37, 2),
    ("divu.w d1, d0", "zero_divide", 5, 2),
    ("move.w #0x2700, sr", "privilege_violation", 8, 0),
    ("reset", "privilege_violation", 8, 0),
    ("rte", "privilege_violation", 8, 0),
    ("stop #0x2000", "privilege_violation", 8, 0),
    ("move.l usp, a0", "privilege_violation", 8, 0),
    ("eori.w #0x2000, sr", "privilege_violation", 8, 0),
]


@pytest.mark.parametrize(("line", "cause", "vector", "past"), EXCEPTIONS)
@pytest.mark.parametrize("config", ["mc68000", "mc68010"])
def test_frames(line: str, cause: str, vector: int, past: int, config: str) -> None:
    """UM figures 6-5 and 6-8: SR and PC; on the MC68010 above them format 0 and the vector's offset."""
    board = Board(line, USER, config)
    board["sr.X"] = board["sr.T"] = 1
    assert board.run(1) == [cause]
    size = 8 if config == "mc68010" else 6
    assert board["ssp"] == STACK - size
    assert board["usp"] == USTACK
    assert board.get(board["ssp"], 2) == 0x8310
    assert board.get(board["ssp"] + 2, 4) == CODE + past
    assert size == 6 or board.get(board["ssp"] + 6, 2) == 4 * vector
    assert (board["pc"], board["sr.S"], board["sr.T"], board["sr.I"], board.flags) == (HANDLERS + 4 * vector, SUPER, 0, 3, "X")


def test_trapv_asks_for_v() -> None:
    board = Board("trapv\n ori.b #2, ccr\n trapv\n", USER)
    assert board.run(3) == [None, None, "trapv_instruction"]
    assert (board["pc"], board.get(board["ssp"] + 2, 4)) == (HANDLERS + 28, CODE + 8)


@pytest.mark.parametrize(
    ("line", "at", "status"),
    [
        ("move.w (a0), d0", DATA + 1, 0b11001),
        ("move.w d0, (a0)", DATA + 1, 0b01001),
        ("tst.l 2(a0)", DATA + 3, 0b11001),
        ("jmp (a0)", DATA + 1, 0b10010),
    ],
)
def test_address_errors(line: str, at: int, status: int) -> None:
    """UM figure 6-7: R/W, I/N and the function code of the access, its address, the instruction; then SR and PC."""
    board = Board(line, USER)
    board["a0"] = DATA + 1
    assert board.run(1) == ["address_error"]
    assert board["ssp"] == STACK - 14
    frame = board["ssp"]
    assert (board.get(frame, 2), board.get(frame + 2, 4)) == (status, at)
    assert board.get(frame + 6, 2) == board.get(CODE, 2)
    assert (board.get(frame + 8, 2), board.get(frame + 10, 4), board["pc"]) == (0x300, CODE, HANDLERS + 12)


def test_an_address_error_of_the_mc68010() -> None:
    """UM figure 6-9: format 8, 29 words; the special status word has RW in bit 8, DF in bit 12."""
    board = Board("move.w (a0), d0", USER, "mc68010")
    board["a0"] = DATA + 1
    assert board.run(1) == ["address_error"]
    assert board["ssp"] == STACK - 58
    frame = board["ssp"]
    assert [board.get(frame + at, 2) for at in (0, 6, 8)] == [0x300, 0x800C, 0x1101]
    assert (board.get(frame + 2, 4), board.get(frame + 10, 4)) == (CODE, DATA + 1)


def test_bytes_have_no_address_errors() -> None:
    board = Board("move.b (a0), d0\n")
    board["a0"] = DATA + 1
    assert board.run(1) == [None]


@pytest.mark.parametrize("config", ["mc68000", "mc68010"])
def test_rte_takes_the_frame_back(config: str) -> None:
    board = Board("trap #0\n addq.l #1, d7\n", USER, config)
    board.oracle.load([0x4E, 0x73], HANDLERS + 4 * 32)  # rte
    board["sr.C"] = 1
    assert board.run(3) == ["trap_instruction", None, None]
    assert (board["sr.S"], board["ssp"], board["d7"], board["pc"]) == (USER, STACK, 1, CODE + 4)


def test_rte_of_the_mc68010_looks_at_the_format() -> None:
    board = Board("rte\n", SUPER, "mc68010")
    board.set(STACK + 6, 0x5000, 2)
    assert board.run(1) == ["format_error"]
    assert (board["pc"], board.get(board["ssp"] + 2, 4)) == (HANDLERS + 4 * 14, CODE)


def test_with_an_odd_stack_pointer_nothing_goes_on() -> None:
    """A double fault halts the processor: here it is the edge of the description."""
    board = Board("trap #0\n", USER)
    board["ssp"] = STACK + 1
    with pytest.raises(Exception, match="excluded_frame"):
        board.run(1)


# -- the hole ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "trap"), [("mc68000", None), ("mc68010", "privilege_violation")])
def test_move_from_sr(config: str, trap: str | None) -> None:
    board = Board("move.w sr, d0\n", USER, config)
    board["d0"], board["sr.N"] = 0xAAAA_AAAA, 1
    assert board.run(1) == [trap]
    assert board["d0"] == (0xAAAA_AAAA if trap else 0xAAAA_0308)


def test_move_from_ccr_shows_the_condition_codes_alone() -> None:
    board = Board("move.w ccr, d0\n", USER, "mc68010")
    board["d0"], board["sr.N"] = 0xAAAA_AAAA, 1
    assert board.run(1) == [None]
    assert board["d0"] == 0xAAAA_0008


def test_the_user_is_left_by_sr_and_entered_by_traps() -> None:
    board = Board("move.w #0, sr\n move.l d0, -(a7)\n trap #1\n")
    assert board.run(3) == [None, None, "trap_instruction"]
    assert (board["usp"], board["ssp"]) == (USTACK - 4, STACK - 6)


# -- the MC68010 ------------------------------------------------------------------------------------------------------------


def test_vectors_move() -> None:
    board = Board("movec d0, 0x801\n movec 0x801, a3\n trap #2\n", SUPER, "mc68010", base=0x2000)
    board["d0"] = 0x2000
    assert board.run(3) == [None, None, "trap_instruction"]
    assert (board["a3"], board["pc"]) == (0x2000, HANDLERS + 4 * 34)


def test_control_registers() -> None:
    board = Board("movec d0, 0x000\n movec 0x000, d1\n movec d2, 0x800\n movec 0x123, d0\n", SUPER, "mc68010")
    board["d0"], board["d2"] = 0xFFFF_FFFD, 0x6000
    assert board.run(4) == [None, None, None, "illegal_instruction"]
    assert (board["d1"], board["usp"]) == (5, 0x6000)


@pytest.mark.parametrize(("code", "trap"), [(1, None), (5, None), (3, "excluded_space")])
def test_moves(code: int, trap: str | None) -> None:
    board = Board("moves.w (a0)+, a1\n moves.b d3, 4(a0)\n", SUPER, "mc68010")
    board["sfc.CODE"] = board["dfc.CODE"] = code
    board["a0"], board["d3"] = DATA, 0x99
    board.set(DATA, 0x8001, 2)
    assert board.run(1) == [trap]
    if trap is not None:
        return
    assert board.run(1) == [None]
    assert (board["a1"], board["a0"], board.get(DATA + 6, 1)) == (0xFFFF_8001, DATA + 2, 0x99)


def test_rtd_gives_parameters_up() -> None:
    board = Board("rtd #8\n", USER, "mc68010")
    board.set(USTACK, 0x1234, 4)
    assert board.run(1) == [None]
    assert (board["pc"], board["usp"]) == (0x1234, USTACK + 12)


# -- interrupts: UM 6.3.2 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "mask", "taken"), [(4, 3, True), (3, 3, False), (7, 7, True), (6, 7, False)])
def test_interrupts(level: int, mask: int, taken: bool) -> None:
    board = Board("stop #0x2300\n nop\n")
    board.run(1)
    assert board["stopped"] == 1
    board["sr.I"], board["ipl"] = mask, level
    board.step()
    if taken:
        assert (board["pc"], board["sr.I"], board["stopped"], board["ipl"]) == (HANDLERS + 4 * (24 + level), level, 0, 0)
        assert board.get(board["ssp"] + 2, 4) == CODE + 4
    else:
        assert board["pc"] == CODE + 6


# -- a program ----------------------------------------------------------------------------------------------------------------


def test_a_subroutine_sorts() -> None:
    """Bubble sort of five words: LINK and UNLK, DBcc, CMPM's work by hand, BSR and RTS."""
    board = Board(
        """
        lea 0x4000(pc), a0
        movea.l #0x4000, a0
        bsr.s sort
        trap #0
sort:   link a6, #-4
        moveq #4, d7
outer:  movea.l a0, a1
        move.w d7, d6
        subq.w #1, d6
inner:  move.w (a1)+, d0
        cmp.w (a1), d0
        ble.s next
        move.w (a1), -2(a1)
        move.w d0, (a1)
next:   dbf d6, inner
        subq.w #1, d7
        bne.s outer
        unlk a6
        rts
        """,
        USER,
    )
    for n, value in enumerate((5, 0xFFFF, 3, 9, 0)):
        board.set(DATA + 2 * n, value, 2)
    for _ in range(200):
        if board.step().trap:
            break
    assert [board.get(DATA + 2 * n, 2) for n in range(5)] == [0xFFFF, 0, 3, 5, 9]
    assert board["usp"] == USTACK


# -- encodings that the manual prints --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("move.w sr, d0", "40c0"),
        ("rte", "4e73"),
        ("trap #15", "4e4f"),
        ("stop #0x2700", "4e722700"),
        ("move.l a3, usp", "4e63"),
        ("lea 8(a0,d1.w), a2", "45f01008"),
        ("movec 0x801, d0", "4e7a0801"),
        ("moves.w d1, (a0)", "0e501800"),
        ("link a6, #-4", "4e56fffc"),
        ("asl.l #8, d0", "e180"),
        ("move.l #0x12345678, (0x1234).l", "23fc1234567800001234"),
    ],
)
def test_encodings(line: str, words: str) -> None:
    made = machine("m68k/m68000.isa", "mc68010")
    word, width = assemble_line(made, line)
    assert f"{word:0{width // 4}x}" == words
