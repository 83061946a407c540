"""Each check has teeth: a deleted guard, save or warl line is noticed, or listed with the reason why it makes no difference."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from machines import SPEC
from popek_checker.mutation.mutants import Fate, Trial, fates, mutants
from popek_checker.virtualizability.check import main_claim
from popek_checker.virtualizability.options import Options
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import load_file


def tried(file: str, config: str) -> list[Fate]:
    sources = load_file(str(SPEC / file))
    machine = elaborate(sources, config)
    claim, _ = main_claim(machine, Options(), list(machine.theorems.values()))
    texts = dict(sources.texts)
    with ProcessPoolExecutor(2) as pool:
        return fates(Trial(texts, config, claim, tuple(mutants(texts))), pool, 16)


@pytest.mark.timeout(900)  # a verdict a mutant: three minutes for IA-32 where others use the processors too
@pytest.mark.parametrize(
    ("file", "config", "noticed"),
    [
        ("pg1974.isa", "default", 8),
        ("riscv/riscv.isa", "rv64", 18),
        ("x86/ia32.isa", "base", 40),
        ("s370/s370.isa", "base", 19),
        ("stack/stack.isa", "default", 6),
    ],
)
def test_every_mutant_has_a_fate(file: str, config: str, noticed: int) -> None:
    found = tried(file, config)
    assert all(fate.how for fate in found)
    assert sum(fate.noticed for fate in found) >= noticed


def test_the_lines_that_decide_are_noticed() -> None:
    """The privilege checks of sret and mret, and every save, are among the noticed."""
    found = tried("riscv/riscv.isa", "rv64")
    assert all(fate.noticed for fate in found if fate.mutant.text.startswith("save"))
    text = {fate.mutant.text.split(" else")[0].strip(): fate.noticed for fate in found}
    assert text["guard mode >= S"]
    assert text["guard mode == M or mstatus.TW == 0"]
    assert text["guard bits(mode) >= min_mode"]
