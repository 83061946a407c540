"""What was asked, and what was not: a verdict on some instructions, or in some configurations, says so in every format."""

from __future__ import annotations

from collections.abc import Sequence

from popek_checker.virtualizability.verdict import Report

MANY = 8
"""More names than this are counted, not listed."""


def scope(report: Report) -> str:
    """`, of popf, sgdt only` where not all instructions were asked about: what is said then, is said of these."""
    more = f" and {len(report.only) - MANY} more" if len(report.only) > MANY else ""
    return f", of {', '.join(report.only[:MANY])}{more} only" if report.only else ""


def not_asked(reports: Sequence[Report]) -> dict[str, tuple[str, ...]]:
    """By machine, the configurations of its text that none of these reports is about."""
    asked: dict[str, set[str]] = {}
    for report in reports:
        asked.setdefault(report.machine, set()).add(report.config.partition(",")[0])
    left = {each.machine: tuple(name for name in each.configs if name not in asked[each.machine]) for each in reports}
    return {machine: names for machine, names in left.items() if names}


def not_asked_lines(reports: Sequence[Report]) -> list[str]:
    """The same in sentences; none where all were asked."""
    return [
        f"not asked: {machine} in {', '.join(names)} (--config all asks every configuration)"
        for machine, names in not_asked(reports).items()
    ]
