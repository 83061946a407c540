"""One machine in several settings: what differs, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import popek

from machines import machine
from popek.reports.matrix import matrices
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options

SPEC = str(Path(__file__).resolve().parents[3] / "spec" / "x86" / "ia32.isa")


def test_sgdt_is_silent_without_umip_and_traps_with_it() -> None:
    options = Options(instructions=("sgdt", "popf"))
    reports = [check(machine("x86/ia32.isa", config), options) for config in ("base", "umip")]
    (matrix,) = matrices(reports)
    assert matrix.settings == ("base", "umip")
    assert dict(matrix.rows)["sgdt"] == ("silent", "traps")
    assert "popf" not in dict(matrix.rows)
    assert matrix.same == 1
    assert matrices(reports[:1]) == []


def test_every_value_of_a_parameter_is_tried() -> None:
    given = ["check", SPEC, "--param", "UMIP=*", "--instr", "nop", "--jobs", "1"]
    ran = popek(*given)
    assert ran.returncode == 0
    assert "base, UMIP = 0  base, UMIP = 1" in ran.stdout


@pytest.mark.parametrize(
    ("given", "words"), [("UMPI=*", "did you mean UMIP?"), ("UMIP=x", "not a number"), ("UMIP=7", "cannot be 7")]
)
def test_bad_settings_are_usage_errors(given: str, words: str) -> None:
    ran = popek("check", SPEC, "--param", given)
    assert ran.returncode == 2
    assert words in ran.stderr
