"""`popek run X.vmm`: guests beside each other, as their users see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import popek

from machines import SPEC, machine
from popek_grammar.assembly.assemble import assemble

pytest.importorskip("llvmlite")

TEXT = str(SPEC / "riscv" / "riscv.vmm")
BASE = 0x8000_0000
SAYS = """
  lui   t0, 0x10000
  addi  t1, zero, {letter}
  csrrw zero, mscratch, t1
  csrrs t1, mscratch, zero
  sb    t1, 0(t0)
  addi  t1, zero, 10
  sb    t1, 0(t0)
  lui   t0, 0x100
  lui   t1, {ends}
  addi  t1, t1, {low}
  sw    t1, 0(t0)
wait:
  jal   zero, wait
"""
PASS, FAIL_3 = (0x5, 0x555), (0x33, 0x333)
"""What the finisher takes for success, and for exit code 3."""


@pytest.fixture
def guests(tmp_path: Path) -> list[str]:
    """Two images: one says A and succeeds, the other B and fails."""
    made = machine("riscv/riscv.isa", "rv64")
    paths = []
    for letter, (ends, low) in ((65, PASS), (66, FAIL_3)):
        image = assemble(made, SAYS.format(letter=letter, ends=ends, low=low), BASE).image()[1]
        path = tmp_path / f"{chr(letter)}.bin"
        path.write_bytes(bytes(image))
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the program is kept, so that it is compiled once."""
    return tmp_path_factory.mktemp("cache")


def run(cache: Path, *arguments: str) -> tuple[int, str, str]:
    done = popek("run", TEXT, "--monitor", "firmware", *arguments, cache=cache)
    return done.returncode, done.stdout, done.stderr


def test_a_guest_alone_has_the_console_to_itself(cache: Path, guests: list[str]) -> None:
    assert run(cache, "--guest", guests[0]) == (0, "A\n", "")


def test_guests_beside_each_other(cache: Path, guests: list[str]) -> None:
    """Lines with the guest's name; the exit code of the one that failed; exits in the statistics."""
    code, said, told = run(cache, "--guest", guests[0], "--guest", guests[1], "--stats", "--weights", "1,2")
    assert (code, sorted(said.splitlines())) == (3, ["guest0: A", "guest1: B"])
    assert "guest1: 10 steps" in told
    assert "weight 2" in told
    assert "emulated: csrrw 1, csrrs 1" in told


def test_a_run_that_is_cut_short_says_so(cache: Path, guests: list[str]) -> None:
    code, said, told = run(cache, "--guest", guests[0], "--max-instructions", "4")
    assert (code, said) == (124, "")
    assert "guest0: stopped after 4 steps" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--guest", "nowhere.elf"], "cannot read nowhere.elf"),
        (["--guest", "A", "--weights", "1,2"], "--weights names 2 of 1 guests"),
        (["--guest", "A", "--weights", "0"], "numbers from 1 on"),
        (["--guest", "A", "--console", "1"], "there are guests 0 to 0"),
        (["--guest", "A", "--disk", "disk.img"], "N=FILE"),
        (["--guest", "A", "--disk", "3=disk.img"], "there are guests 0 to 0"),
        (["--guest", "A", "--monitor", "nobody"], "has no monitor nobody"),
        (["--guest", "A", "--origin", "0"], "cells at 0x0"),
        ([], "--guest"),
    ],
)
def test_what_is_wrong_is_said(cache: Path, guests: list[str], arguments: list[str], told: str) -> None:
    code, _, errors = run(cache, *(guests[0] if argument == "A" else argument for argument in arguments))
    assert code == 2
    assert told in errors
    assert "Traceback" not in errors
