"""Protections that look at the low bits of a physical address: told for whole pages, and still those of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from command import popek

from popek_vmm.images.images import flat
from popek_vmm.interpreter import Machine

TEXT = """
isa aligned {{ encoding big parcel 8 }}
state {{ pc : bits(16); D[2] : bits(16); base : bits(16) role map; odd : bits(16); ram : mem(16 -> 8) big }}
causes {{ illegal = 1; bad = 2 }}
otherwise trap illegal
translation t {{ va 16; page 6; yield va + base }}
fault f {{ fetch, load, store, rmw => bad }}
protection p {{ if {refused} {{ fault f }} }}
trap_stack T {{ before {{ odd = odd + 1 }}; clobber pc; vector = 5 }}
instr ld {{ enc 00000000; do {{ D[0] = load(D[1], 16) }} }}
instr odd_ {{ enc 00000001; do {{ D[1] = D[1] + 1 }} }}
instr even {{ enc 00000011; do {{ D[1] = D[1] + 2 }} }}
instr j {{ enc 00000010; do {{ pc = 0 }} }}
"""
REFUSED = [
    "size > 1 and pa[0] == 1", "(pa & trunc(size - 1)) != 0", "size == 2 and pa % 2 == 1", "size == 2 and (pa & 1) == 1",
]  # fmt: skip


def started(folder: Path, refused: str, program: list[int], base: int) -> Machine:
    path = folder / "aligned.isa"
    path.write_text(TEXT.format(refused=refused))
    running = Machine.load(str(path))
    running.boot(flat(bytes(program), 0))
    running.set("base", base)
    for at, cell in enumerate(program):
        running.set("ram", cell, at + base)
    running.set("D", 0x1000, 1)
    return running


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("base", [0, 0x40, 0x30, 0x81])
def test_the_engine_traps_where_the_oracle_does(tmp_path: Path, refused: str, base: int) -> None:
    """Aligned and not: the address goes up by one, the trap's handler is the rest of the same loop."""
    program = [0, 1, 0, 1, 2, 1, 2]
    compiled, stepped = (started(tmp_path, refused, program, base) for _ in range(2))
    compiled.run(400)
    for _ in range(400):
        stepped.step_by_oracle()
    for name in ("pc", "odd"):
        assert compiled.get(name) == stepped.get(name), name
    assert compiled.get("odd") > 0
    assert [compiled.get("D", n) for n in (0, 1)] == [stepped.get("D", n) for n in (0, 1)]


@pytest.mark.parametrize("refused", REFUSED)
def test_aligned_accesses_are_compiled(tmp_path: Path, refused: str) -> None:
    """A loop over many pages: the oracle, to which all of it was left, takes hardly a step."""
    running = started(tmp_path, refused, [0, 3, 0, 3, 2], 0)
    running.run(10_000)
    assert running.counts.slow < 500


def test_a_run_that_is_slow_all_the_same_says_why(tmp_path: Path) -> None:
    path, image = tmp_path / "slow.isa", tmp_path / "slow.bin"
    path.write_text(TEXT.format(refused="pa[2] == 1 and pa[3] == 1 and pa[4] == 1"))
    image.write_bytes(bytes([0, 2]))
    ended = popek("run", str(path), str(image), "--max-instructions", "1200")
    assert "1200 of 1200 steps were taken by the oracle" in ended.stderr
    assert "protection p" in ended.stderr
