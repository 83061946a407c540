"""The hypervisor extension: programs on the oracle and on QEMU, encodings and CSR names against binutils."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import riscv_guests as guests
from riscv_programs import qemu

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.decode import Decoder
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.machine import Machine
from popek_vmm.oracle import Oracle

FILE = "riscv/hypervisor.isa"
MOST_STEPS = 600


@pytest.fixture(scope="module")
def rv64() -> Machine:
    return machine(FILE, "rv64")


def programs(left_out: frozenset[str] = frozenset()) -> dict[str, guests.Guest]:
    made = machine(FILE, "rv64")
    words = {line: assemble_line(made, line)[0] for line in guests.REFUSALS}
    return {
        "refusals": guests.refusals(words, left_out), "bank": guests.BANK, "faults": guests.FAULTS, "hlv": guests.HLV,
        "interrupt": guests.INTERRUPT, "to_machine": guests.TO_MACHINE,
    }  # fmt: skip


NAMES = ("refusals", "bank", "faults", "hlv", "interrupt", "to_machine")


def run(made: Machine, guest: guests.Guest) -> Oracle:
    """The oracle after the program, its results stored."""
    program = assemble(made, guest.text, guests.ORIGIN)
    oracle = Oracle(made)
    origin, cells = program.image()
    oracle.load(cells, origin)
    for _ in range(MOST_STEPS):
        if oracle.scalars["pc"] == program.labels["done"]:
            return oracle
        oracle.step()
    raise AssertionError(f"still at {oracle.scalars['pc']:#x}")


def results(oracle: Oracle, count: int) -> tuple[int, ...]:
    ram, base = oracle.arrays["ram"], guests.ORIGIN + guests.RESULTS
    cells = bytes(ram.get(base + number, 0) for number in range(8 * count))
    return tuple(int.from_bytes(cells[at : at + 8], "little") for at in range(0, 8 * count, 8))


@pytest.mark.parametrize("name", NAMES)
def test_a_program_finds_what_the_manual_says(rv64: Machine, name: str) -> None:
    guest = programs()[name]
    assert results(run(rv64, guest), len(guest.expected)) == guest.expected


@pytest.mark.parametrize("name", NAMES)
def test_qemu_finds_the_same(rv64: Machine, name: str, tmp_path: Path) -> None:
    guest = programs(guests.UNCHECKED)[name]
    _, cells = assemble(rv64, guest.text, guests.ORIGIN).image()
    told = qemu(bytes(cells), tmp_path, cpu="rv64,h=true")
    found = [int.from_bytes(told[at : at + 8], "little") for at in range(0, len(told), 8)]
    assert len(found) == len(guest.expected)
    differ = {number for number, pair in enumerate(zip(found, guest.expected, strict=True)) if pair[0] != pair[1]}
    assert differ <= guest.unlike


# -- encodings -------------------------------------------------------------------------------------------------------

TOOLS = [shutil.which(f"riscv64-linux-gnu-{tool}") for tool in ("as", "objdump")]
ADDED = re.compile(r"hlvx?_|hsv_|hfence_")


def objdump(words: list[int], folder: Path) -> list[str]:
    """What binutils prints for each word, with H."""
    assembler, dumper = TOOLS
    if assembler is None or dumper is None:
        pytest.skip("the RISC-V binutils are not installed")
    source, made = folder / "words.s", folder / "words.o"
    source.write_text("".join(f".insn 4, {word:#x}\n" for word in words))
    subprocess.run([assembler, "-march=rv64gch_zicbom", "-o", made, source], check=True)
    shown = subprocess.run([dumper, "-d", "-M", "no-aliases", made], check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in shown.splitlines() if re.match(r" +[0-9a-f]+:\t", line)]
    return [" ".join(line[2:]).split(" #")[0].replace(" ", "") for line in lines]


def samples(made: Machine) -> list[int]:
    """Words of the instructions that H adds, and random ones of the same major opcode."""
    rng = random.Random(3)
    words = []
    for instruction in made.instructions.values():
        if ADDED.match(instruction.name):
            (encoding,) = instruction.encodings
            words += [encoding.value | rng.getrandbits(32) & ~encoding.mask for _ in range(8)]
    for _ in range(3000):
        funct = rng.choice((0b000, 0b100))
        words.append(
            (rng.getrandbits(7) | 1 << 5) << 25 | rng.getrandbits(2) << 20 | rng.getrandbits(5) << 15 | funct << 12 | 115
        )
        words.append(rng.getrandbits(17) << 15 | funct << 12 | rng.getrandbits(5) << 7 | 0x73)
    return words


def test_encodings_agree_with_binutils_both_ways(rv64: Machine, tmp_path: Path) -> None:
    words, decoder = samples(rv64), Decoder(rv64)
    seen = set()
    for word, theirs in zip(words, objdump(words, tmp_path), strict=True):
        found = decoder.decode(word, 32)
        mine = disassemble_word(rv64, word, 32) or "" if found is not None and ADDED.match(found.instruction.name) else ""
        other = theirs if re.match(r"hlv|hsv|hfence", theirs) else ""
        assert mine.replace(" ", "") == other, hex(word)
        seen.add(other.split("(")[0][:6])
    assert len(seen) > 8


@pytest.mark.parametrize("config", ["rv64", "rv32", "variants"])
def test_every_line_assembles_to_what_it_came_from(config: str) -> None:
    made = machine(FILE, config)
    rng = random.Random(5)
    for instruction in made.instructions.values():
        if not (ADDED.match(instruction.name) or instruction.name.startswith(("ssrdp", "cbo_"))):
            continue
        (encoding,) = instruction.encodings
        for _ in range(5):
            word = encoding.value | rng.getrandbits(32) & ~encoding.mask
            text = disassemble_word(made, word, 32)
            assert text is not None
            assert assemble_line(made, text) == (word, 32)


def test_csr_numbers_agree_with_binutils(rv64: Machine, tmp_path: Path) -> None:
    """Every CSR of H and of VS-mode, and the two that H gives to M-mode."""
    numbers = [number for number in rv64.csrs if number >> 8 & 3 == 2 or number in (0x34A, 0x34B)]
    assert len(numbers) > 20
    shown = objdump([number << 20 | 0x22F3 | 1 << 15 for number in numbers], tmp_path)
    assert shown == [f"csrrst0,{rv64.csrs[number]},ra" for number in numbers]


# -- what no program above shows -------------------------------------------------------------------------------------


def test_a_fault_of_the_walk_is_described_in_htinst(rv64: Machine) -> None:
    """H 8.6.3: htinst must say that VS-stage translation made the access, since htval is not zero."""
    program = assemble(rv64, guests.FAULTS.text, guests.ORIGIN)
    oracle = Oracle(rv64)
    origin, cells = program.image()
    oracle.load(cells, origin)
    told = {}
    for _ in range(MOST_STEPS):
        stepped = oracle.step()
        if stepped.trap is not None and stepped.trap.endswith("guest_page_fault"):
            told[oracle.scalars["stval.WORD"]] = oracle.scalars["htinst"]
    assert told == {0x1238: 0, 0x1240: 0, 0x4000_1008: 0x3000, 0x2000: 0}


@pytest.mark.parametrize(
    ("cbie", "mode", "expected"),
    [((0, 3, 3), "S", "illegal_instruction"), ((3, 0, 3), "VS", "virtual_instruction"), ((3, 3, 0), "VU", "virtual_instruction"),
     ((3, 3, 0), "U", "illegal_instruction"), ((3, 1, 3), "VS", 2), ((3, 1, 3), "S", 3), ((1, 3, 3), "VS", 2),
     ((0, 0, 0), "M", 3)],
)  # fmt: skip
def test_cbo_inval_by_cbie(cbie: tuple[int, int, int], mode: str, expected: str | int) -> None:
    """CMO 2.3: menvcfg, henvcfg, senvcfg; 00 traps, 01 flushes (2), 11 invalidates (3)."""
    made = machine(FILE, "variants")
    oracle = Oracle(made)
    names = ("menvcfg.CBIE", "henvcfg.CBIE", "senvcfg.CBIE")
    oracle.set_state({**dict(zip(names, cbie, strict=True)), "mode": made.modes.code(mode)}, {})
    word, width = assemble_line(made, "cbo.inval (a0)")
    found = Decoder(made).decode(word, width)
    assert found is not None
    did = oracle.execute_only(found)
    assert (did.trap or did.scalars["block"]) == expected
