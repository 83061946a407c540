"""What was asked, and what was not: a verdict on some instructions, or in some configurations, says so in every format."""

from __future__ import annotations

from collections.abc import Sequence

from popek_checker.virtualizability.verdict import Report

MANY = 8
"""More names than this are counted, not listed."""


def scope(report: Report) -> str:
    """`, of popf, sgdt only` where not all instructions were asked about: what is said then, is said of these."""
    return f", of {_some(report.only)} only" if report.only else ""


def rests_on(report: Report) -> str:
    """`mode cpl; map cr3.BASE; control cr0.{PE, PG}`: the roles that the answers rest on, and of what; many are counted."""
    return "; ".join(f"{role} {_some(folded(names))}" for role, names in report.roles)


def unseen_lines(report: Report) -> list[str]:
    """What no answer depends on, a line each."""
    lines = (f"{each.what}: {each.why}" + (f" (asked by {each.seen_by})" if each.seen_by else "") for each in report.unseen)
    return [f"not looked at: {line}" for line in lines]


def folded(names: Sequence[str]) -> list[str]:
    """Fields under the name of their register: `cr0.{PE, PG}`."""
    owners: dict[str, list[str]] = {}
    for name in names:
        owner, _, field = name.partition(".")
        owners.setdefault(owner, []).append(field)
    return [
        owner if fields == [""] else f"{owner}.{fields[0]}" if len(fields) == 1 else f"{owner}.{{{', '.join(fields)}}}"
        for owner, fields in owners.items()
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


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
