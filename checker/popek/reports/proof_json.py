"""The JSON schema `popek/proof/1`; documented in docs/hypervisor.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from popek.reports.json_report import boolean, witness
from popek_checker.monitor.proof import Answer, Handled, Proof

SCHEMA = "popek/proof/1"


def write(proofs: Sequence[Proof]) -> str:
    """One object for one proof, a list for several."""
    documents = [document(proof) for proof in proofs]
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2)


def document(proof: Proof) -> dict[str, Any]:
    """A proof as plain data."""
    file, line, column = proof.location
    return {
        "schema": SCHEMA,
        "monitor": proof.monitor,
        "machine": proof.machine,
        "config": proof.config,
        "at": {"file": file, "line": line, "column": column},
        "runs": list(proof.runs),
        "mode": proof.at,
        "interprets": list(proof.interprets),
        "memory_model": proof.memory,
        "host_invariant": list(proof.held),
        "f": list(proof.f),
        "assumptions": list(proof.assumptions),
        "exclusions": list(proof.exclusions),
        "only": list(proof.only) or None,
        "obligations_asked": list(proof.asked) or None,
        "verdict": proof.found,
        "expected": proof.expected,
        "as_expected": boolean(proof.as_expected),
        "difference": proof.difference,
        "obligations": [obligation(answer) for answer in proof.answers],
        "instructions": [handled(row) for row in proof.rows],
        "seconds": round(proof.seconds, 3),
    }


def obligation(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "number": answer.number,
        "says": answer.says,
        "verdict": answer.found,
        "by": list(answer.names),
        "reason": answer.reason,
        "notes": list(answer.notes),
    }


def handled(row: Handled) -> dict[str, Any]:
    return {
        "name": row.row.name,
        "operand": row.row.part or None,
        "handled": row.how,
        "emulated_in": list(row.emulated),
        "fails": [{"obligation": f.question, "witness": witness(f.witness)} for f in row.broken],
        "undecided": [{"question": f.question, "reason": f.reason} for f in row.open],
    }
