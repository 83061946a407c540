"""The exit codes of the command, the same for every subcommand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from popek_checker.difference.delta import Delta, Status
from popek_checker.monitor.proof import Proof
from popek_checker.virtualizability.verdict import Report, Truth

AS_EXPECTED: Final = 0
REFUTED: Final = 1
BAD_INPUT: Final = 2
UNKNOWN: Final = 3
INTERNAL: Final = 70
INTERRUPTED: Final = 130


def worst(codes: Iterable[int]) -> int:
    """The code of several machines together: bad input before unknown before refuted."""
    order = (AS_EXPECTED, REFUTED, UNKNOWN, BAD_INPUT)
    return max(codes, key=order.index, default=AS_EXPECTED)


def exit_code(report: Report) -> int:
    """0 as expected, 1 refuted, 3 unknown.

    A machine that states no theorem is held to Theorem 1; one with hidden state, to noninterference unless it says otherwise,
    or theorems were picked by name. Invariants count as theorems do.
    """
    answers = [theorem.as_expected for theorem in report.theorems] or [report.theorem("1")]
    if report.hides and not report.picked and not any(theorem.show == "noninterference" for theorem in report.theorems):
        answers.append(report.theorem("noninterference"))
    answers += [kept.as_expected for kept in report.invariants]
    if Truth.NO in answers:
        return REFUTED
    return UNKNOWN if Truth.UNKNOWN in answers else AS_EXPECTED


def proof_code(proof: Proof) -> int:
    """0 as expected, 1 not, 3 unknown."""
    return {Truth.YES: AS_EXPECTED, Truth.NO: REFUTED, Truth.UNKNOWN: UNKNOWN}[proof.as_expected]


def delta_code(delta: Delta) -> int:
    """0 no difference, 1 differences, 3 unknown."""
    if delta.differs:
        return REFUTED
    return UNKNOWN if delta.of(Status.UNKNOWN) else AS_EXPECTED
