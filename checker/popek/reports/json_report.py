"""The JSON schema `popek/verdict/1`; documented in the README. Every machine reader starts here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from popek.reports.asked import not_asked
from popek.reports.counts import because, regions
from popek.reports.summary import Summary, summaries, word
from popek_checker.virtualizability.theorems import WAYS
from popek_checker.virtualizability.verdict import InvariantResult, Report, Restored, Row, Settings, TheoremResult, Truth, Witness

SCHEMA = "popek/verdict/1"


def write(reports: Sequence[Report]) -> str:
    """One object for one report, a list for several."""
    left = not_asked(reports)
    documents = [document(report, left.get(report.machine, ())) for report in reports]
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2)


def document(report: Report, unasked: Sequence[str] = ()) -> dict[str, Any]:
    """A report as plain data; `unasked` are the configurations of the machine that were left out of the same run."""
    return {
        "schema": SCHEMA,
        "machine": report.machine,
        "config": report.config,
        "mode": report.claim.host,
        "guest": report.claim.guest,
        "reading": report.claim.reading,
        "memory_model": report.claim.memory,
        "host_invariant": list(report.claim.invariant),
        "f": list(report.f),
        "assumptions": list(report.assumptions),
        "exclusions": list(report.exclusions),
        "roles": {role: list(names) for role, names in report.roles},
        "not_looked_at": [asdict(each) for each in report.unseen],
        "only": list(report.only) or None,
        "configs_not_asked": list(unasked),
        "theorems": {number: word(report.theorem(number)) for number in report.asked},
        "because": because(report),
        "counts": counts(report),
        "settings": settings(report.settings),
        "claims": [claim(theorem) for theorem in report.theorems],
        "not_restored": [restored(piece) for piece in report.lost],
        "declared_sets_left": [{"field": field, "by": list(steps)} for field, steps in report.left],
        "invariants": [invariant(kept) for kept in report.invariants],
        "instructions": [instruction(summary) for summary in summaries(report)],
        "seconds": round(report.seconds, 3),
    }


def counts(report: Report) -> dict[str, int]:
    """How many instructions are in each set; what is undecided is in none."""
    sets = regions(summaries(report))
    return {
        "instructions": sets.total,
        "sensitive": len(sets.sensitive),
        "privileged": len(sets.all_privileged),
        "violations": len(sets.holes),
        "undecided": len(sets.open),
    }


def settings(found: Settings | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "held": list(found.held),
        "closes": list(found.closes),
        "remains": list(found.remains),
        "conflicts": list(found.conflicts),
        "unfound": list(found.unfound),
        "verified": boolean(found.verified),
    }


def claim(theorem: TheoremResult) -> dict[str, Any]:
    return {
        "name": theorem.name,
        "show": theorem.show,
        "guest": theorem.claim.guest,
        "mode": theorem.claim.host,
        "memory_model": theorem.claim.memory,
        "reading": theorem.claim.reading,
        "host_invariant": list(theorem.claim.invariant),
        "placement": theorem.claim.placement,
        "found": theorem.found,
        "names": list(theorem.names),
        "expected": theorem.expected,
        "as_expected": {Truth.YES: True, Truth.NO: False, Truth.UNKNOWN: None}[theorem.as_expected],
        "difference": theorem.difference,
    }


def restored(piece: Restored) -> dict[str, Any]:
    """A piece of guest or hidden state, with what reads and what sets it; null where nothing does."""
    return {
        "name": piece.label,
        "role": piece.role,
        "width": piece.width,
        "read_by": piece.reads or None,
        "set_by": piece.sets or None,
        "touched_by": list(piece.touched),
    }


def invariant(kept: InvariantResult) -> dict[str, Any]:
    return {
        "name": kept.name,
        "text": kept.text,
        "once": kept.once,
        "about": kept.about or None,
        "verdict": {"holds": "proved", "fails": "refuted"}.get(kept.found, "unknown"),
        "broken_by": list(kept.broken),
        "premises": list(kept.premises),
        "reason": kept.reason,
        "expected": kept.expected,
        "as_expected": boolean(kept.as_expected),
        "difference": kept.difference,
        "witness": witness(kept.witness),
    }


def instruction(summary: Summary) -> dict[str, Any]:
    found = next((row.witness for row in summary.rows if row.witness is not None), None)
    return {
        "name": summary.name,
        "privileged": boolean(summary.privileged),
        "control_sensitive": boolean(summary.truth("control_sensitive")),
        "behaviour_sensitive": list(summary.behaviour),
        "trap_sensitive": boolean(summary.truth("trap_sensitive")),
        "sensitive_below": boolean(summary.truth("below")),
        "user_sensitive": boolean(summary.truth("user_sensitive")),
        "exact": exact(summary.exact),
        "escalation": escalation(summary),
        "verdict": summary.verdict,
        "reason": summary.reason,
        "witness": witness(found),
        "condition": list(summary.condition),
        "searched": list(summary.searched),
        "exact_when": list(summary.exact_when),
        "parts": [part(row) for row in summary.rows if row.part],
    }


def escalation(summary: Summary) -> dict[str, Any]:
    """What the instruction does to the machine where it completes in the guest's real mode; true, false or null a way."""
    asked = WAYS["escalation"].items()
    findings = [f for row in summary.rows for f in row.findings if f.question == "raises_mode" and f.witness is not None]
    return {
        **{word: boolean(summary.truth(question)) for question, word in asked},
        "witness": witness(findings[0].witness) if findings else None,
    }


def part(row: Row) -> dict[str, Any]:
    alone = Summary(row.name, (row,))
    return {
        "operand": row.part,
        "privileged": boolean(row.truth("privileged")),
        "control_sensitive": boolean(row.truth("control_sensitive")),
        "behaviour_sensitive": list(alone.behaviour),
        "trap_sensitive": boolean(row.truth("trap_sensitive")),
        "user_sensitive": boolean(row.truth("user_sensitive")),
        "exact": exact(row.truth("exact")),
        "verdict": alone.verdict,
        "condition": list(row.condition),
        "searched": row.searched,
    }


def boolean(truth: Truth) -> bool | None:
    """None is unknown."""
    return {Truth.YES: True, Truth.NO: False, Truth.UNKNOWN: None}[truth]


def exact(truth: Truth) -> str:
    return {Truth.YES: "proved", Truth.NO: "refuted", Truth.UNKNOWN: "unknown"}[truth]


def witness(found: Witness | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "kind": found.kind,
        "states": list(found.labels),
        "operands": dict(found.operands),
        "results": list(found.results),
        "cells": [
            {"name": c.name, "alias": c.alias, "role": c.role, "width": c.width, "before": list(c.before), "after": list(c.after)}
            for c in found.cells
        ],
        "tables": [
            {"function": name, "points": [{"at": list(at), "value": value} for at, value in points]}
            for name, points in found.tables
        ],
        "program": found.program,
    }
