"""The corpus: small machines that say on their second line what must be found in them.

`// expect: E0412`, a diagnosis by its code, of the text or of what its theorems assume; `theorem NAME fails { .. }`, a theorem
that does not hold; `as expected`, without a warning; `verdicts`, as the theorems of each configuration say. Each mistake is one
line away from `correct.isa`, and is one that was seen in a public specification; the verdicts are known by other means.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from popek.codes import exit_code
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import Diagnostic, SpecError
from popek_grammar.text.source import load_file

CORPUS = sorted((Path(__file__).resolve().parents[2] / "corpus").glob("*.isa"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    expected = path.read_text().splitlines()[1].removeprefix("// expect: ")
    made, problems = elaborate_with_problems(load_file(path))
    if expected[0] in "EW" and expected[1:5].isdigit():
        assert expected in {problem.code for problem in (*problems, *(vacuous(made) if made is not None else ()))}
        return
    assert made is not None
    if expected == "verdicts":
        for config in made.configs or (None,):
            report = check(elaborate(load_file(path), config), Options())
            assert [(th.name, th.difference) for th in report.theorems if th.as_expected is not Truth.YES] == []
            assert report.theorems
        return
    report = check(made, Options())
    if expected == "as expected":
        assert problems == []
        assert exit_code(report) == 0
        return
    _, name, _, listed = expected.split(maxsplit=3)
    result = next(theorem for theorem in report.theorems if theorem.name == name)
    assert result.names == tuple(sorted(listed.strip("{ }").split(", ")))
    assert exit_code(report) == 1


def vacuous(made: Machine) -> tuple[Diagnostic, ...]:
    """What is wrong with that which the theorems assume."""
    try:
        check(made, Options())
    except SpecError as error:
        return error.diagnostics
    return ()


def test_interrupts_of_a_higher_level_ignore_its_enable() -> None:
    """The tenth mistake, supervisor interrupts masked in user mode too, cannot be written: the rule is declared by level."""
    from machines import machine
    from popek_vmm.oracle import Oracle

    oracle = Oracle(machine("riscv/riscv.isa", "rv64"))
    oracle.scalars |= {"mode": 0, "mstatus.SIE": 0, "mip.SSIP": 1, "mie.SSIE": 1, "mideleg.SSI": 1}
    oracle.scalars["stvec.BASE"] = 0x100
    stepped = oracle.step()
    assert stepped.trap == "SSI"
    assert oracle.scalars["mode"] == 1
    assert oracle.scalars["pc"] == 0x400
    assert oracle.scalars["scause"] == (1 << 63) | 1


def test_a_delegated_interrupt_waits_while_the_monitor_runs() -> None:
    """Priv 3.1.9: interrupts for a lower privilege mode are disabled; MIE is of those for M alone."""
    from machines import machine
    from popek_vmm.oracle import Oracle

    oracle = Oracle(machine("riscv/riscv.isa", "rv64"))
    oracle.scalars |= {"mode": 3, "mstatus.MIE": 1, "mip.SSIP": 1, "mie.SSIE": 1, "mideleg.SSI": 1, "pc": 0x100}
    oracle.arrays["ram"] = {0x100: 0x13, 0x101: 0, 0x102: 0, 0x103: 0}
    assert oracle.step().trap is None
    oracle.scalars["mideleg.SSI"] = 0
    assert oracle.step().trap == "SSI"
