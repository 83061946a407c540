"""What instructions do to the machine, and what a monitor cannot give back, in a line each: shared by every format."""

from __future__ import annotations

from popek.reports.summary import summaries
from popek_checker.virtualizability.theorems import WAYS
from popek_checker.virtualizability.verdict import Report, Restored, Truth


def escalation_line(report: Report) -> str:
    """`Escalation at U: popf: control, ldf: raise + control`; what raises the mode comes first."""
    rows = summaries(report)
    if not any(finding.question in WAYS["escalation"] for row in report.rows for finding in row.findings):
        return ""
    found = sorted((row for row in rows if row.escalates), key=lambda row: "raise" not in row.escalates)
    open_ = [row.name for row in rows if any(row.truth(question) is Truth.UNKNOWN for question in WAYS["escalation"])]
    told = ", ".join(f"{row.name}: {' + '.join(row.escalates)}" for row in found) or ("" if open_ else "none")
    left = f"not decided: {', '.join(open_)}" if open_ else ""
    return f"Escalation at {report.claim.host}: {'; '.join(part for part in (told, left) if part)}"


def lost_line(report: Report) -> str:
    """`A monitor cannot give back: cached (nothing reads it), link (set by ll, sc, not to any value)`; empty where it can."""
    told = ", ".join(f"{piece.label} ({why_lost(piece)})" for piece in report.lost)
    return f"A monitor cannot give back: {told}" if told else ""


def why_lost(piece: Restored) -> str:
    """What is missing of a piece of state: an instruction that reads it, or one that sets it to any value."""
    reasons = [] if piece.reads else ["not decided what reads it" if "reads" in piece.undecided else "nothing reads it"]
    if "sets" in piece.undecided:
        reasons.append("not decided what sets it")
    elif not piece.sets and piece.touched:
        listed = ", ".join(piece.touched[:3]) + (" .." if len(piece.touched) > 3 else "")
        reasons.append(f"{listed} set{'s' if len(piece.touched) == 1 else ''} it, not to any value")
    elif not piece.sets:
        reasons.append("nothing sets it")
    return ", ".join(reasons)
