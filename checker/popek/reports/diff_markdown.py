"""A comparison as Markdown, for a review or a CI job's summary."""

from __future__ import annotations

from popek.reports.diff_summary import WHERE, counted, folded_changes, folded_rows, listed, proofs, through, verdict
from popek.reports.diff_text import values
from popek_checker.difference.delta import Contrast, Delta


def write(delta: Delta) -> str:
    lines = [
        f"## {delta.a.machine} ({delta.a.config}) and {delta.b.machine} ({delta.b.config}): {verdict(delta)}",
        "",
        f"A is `{delta.a.file}`, B is `{delta.b.file}`. {counted(delta)}; {proofs(delta)}.",
        "",
    ]
    changes = folded_changes(delta.changes)
    if changes:
        lines += ["| declared | where | name | how |", "| --- | --- | --- | --- |"]
        lines += [f"| {c.kind} | {WHERE[c.where]} | `{listed(c.names)}` | {escaped(c.detail)} |" for c in changes]
        lines += [""]
    clauses = through(delta)
    if clauses:
        lines += ["| through | where | by itself: A, B | rows |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{e.clause.label}` | {escaped(e.place)} | {escaped(e.alone)} | {len(e.rows)}: `{e.names}` |" for e in clauses
        ]
        lines += [""]
    groups = folded_rows(delta)
    if groups:
        lines += ["| compared | result | A and B |", "| --- | --- | --- |"]
        lines += [f"| `{group.names}` | {group.status.value} | {escaped(group.why)} |" for group in groups]
    for group in groups:
        if group.shown.witness is not None:
            lines += ["", f"`{group.shown.label}`", "", *_witness(group.shown.witness)]
    lines += ["", *(f"- assuming {assumption}" for assumption in delta.assumptions), ""]
    return "\n".join(lines)


def _witness(found: Contrast) -> list[str]:
    texts = dict.fromkeys(text for text in found.assembly if text)
    first, second = found.endings
    return [
        *(f"    {text}" for text in texts),
        *([""] if texts else []),
        "| role | state | before | A | B |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {cell.role} | {cell.name} | {cell.before:#x} | {' | '.join(values(cell))} |" for cell in found.cells),
        f"| | {'enters' if found.entered else 'ends'} | | {first} | {second} |",
    ]


def escaped(text: str) -> str:
    """A bar would end the cell."""
    return text.replace("|", "\\|")
