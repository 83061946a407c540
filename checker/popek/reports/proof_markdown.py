"""The proof as Markdown, for a CI job's summary."""

from __future__ import annotations

from collections.abc import Sequence

from popek.reports.proof_summary import counted, heading, lines, sentence, verdict
from popek_checker.monitor.proof import Proof


def write(proofs: Sequence[Proof]) -> str:
    return "\n".join(line for proof in proofs for line in _proof(proof)) + "\n"


def _proof(proof: Proof) -> list[str]:
    found = [
        f"## Monitor {proof.monitor} of {proof.machine} ({proof.config})",
        "",
        f"{heading(proof)[0].upper()}{heading(proof)[1:]}. H: {'; '.join(proof.held) or 'nothing'}. f: {'; '.join(proof.f)}.",
        "",
        f"**{verdict(proof)}**." + (f" {counted(proof)}." if proof.rows else ""),
        "",
    ]
    if proof.rows:
        found += ["| instruction | handled | what of it |", "| --- | --- | --- |"]
        found += [f"| `{line.name}` | {line.how} | {line.why} |" for line in lines(proof)]
        found.append("")
    for answer in proof.answers:
        found += [f"- {sentence(answer)}", *(f"  - {note}" for note in answer.notes)]
    found += [*(f"- assuming {each}" for each in proof.assumptions), *(f"- excluded: {each}" for each in proof.exclusions), ""]
    return found
