"""The JSON schema `popek/diff/1`; documented in the README."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from popek_checker.difference.delta import Clause, Contrast, Delta, DeltaRow, Status

SCHEMA = "popek/diff/1"


def write(delta: Delta) -> str:
    return json.dumps(document(delta), indent=2)


def document(delta: Delta) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "a": asdict(delta.a),
        "b": asdict(delta.b),
        "differs": delta.differs,
        "counts": {status.value: len(delta.of(status)) for status in Status},
        "changes": [{"kind": c.kind, "name": c.name, "in": c.where, "detail": c.detail} for c in delta.changes],
        "clauses": [clause(delta, each) for each in delta.clauses],
        "rows": [row(each) for each in delta.rows],
        "assumptions": list(delta.assumptions),
        "seconds": round(delta.seconds, 3),
    }


def row(found: DeltaRow) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "part": found.part,
        "status": found.status.value,
        "how": found.how,
        "reason": found.reason,
        "own": list(found.own),
        "through": list(found.through),
        "witness": witness(found.witness) if found.witness is not None else None,
    }


def clause(delta: Delta, found: Clause) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "a": found.a,
        "b": found.b,
        "status": found.status.value if found.status is not None else None,
        "rows": len(delta.standing(found)),
        "witness": witness(found.witness) if found.witness is not None else None,
    }


def witness(found: Contrast) -> dict[str, Any]:
    return {
        "operands": dict(found.operands),
        "assembly": list(found.assembly),
        "endings": [{"trap": ending.trap, "payload": dict(ending.payload)} for ending in found.endings],
        "cells": [asdict(cell) for cell in found.cells],
        "choices": dict(found.choices),
        "entered": found.entered,
    }
