"""The report as SARIF 2.1.0, for code scanning: one result a hole, one a theorem that did not come out as expected.

What is not decided is of kind `open`, which SARIF has for tools that prove (3.27.9), and so without a level (3.27.10).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from popek import __version__
from popek.reports.asked import not_asked, scope
from popek.reports.summary import summaries
from popek_checker.virtualizability.verdict import Report, Truth

RULES = {
    "theorem-1": "A sensitive instruction is not privileged (Popek and Goldberg 1974, Theorem 1)",
    "unexpected": "A theorem or an invariant of the machine does not come out as its author expects",
    "undecided": "A question could not be decided",
}

OPEN = "none"
"""The level of a result that is no failure."""


def write(reports: Sequence[Report]) -> str:
    rules = [{"id": key, "shortDescription": {"text": text}} for key, text in RULES.items()]
    driver = {"name": "popek", "version": __version__, "rules": rules}
    results = [result for report in reports for result in _results(report)]
    return json.dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {"tool": {"driver": driver}, "results": results, "properties": {"configurationsNotAsked": not_asked(reports)}}
            ],
        },
        indent=2,
    )


def _results(report: Report) -> list[dict[str, Any]]:
    expected = {name.partition("(")[0] for t in report.theorems if t.as_expected is Truth.YES for name in t.names}
    found = []
    for s in summaries(report):
        where = report.location(s.name)
        if s.violation is Truth.YES:
            level = "note" if s.name in expected else "error"
            found.append(_result("theorem-1", level, f"{s.name}: {s.reason}", where, f"{report.config}/{s.name}"))
        elif s.violation is Truth.UNKNOWN:
            found.append(_result("undecided", OPEN, f"{s.name}: {s.reason}", where, f"{report.config}/{s.name}"))
    for t in report.theorems:
        if t.as_expected is not Truth.YES:
            rule, level = ("unexpected", "error") if t.as_expected is Truth.NO else ("undecided", OPEN)
            text = f"theorem {t.name}{scope(report)}: {t.found}; {t.difference}"
            found.append(_result(rule, level, text, report.location(t.name), f"{report.config}/{t.name}"))
    for kept in report.invariants:
        if kept.as_expected is not Truth.YES:
            rule, level = ("unexpected", "error") if kept.as_expected is Truth.NO else ("undecided", OPEN)
            text = f"invariant {kept.name}: {kept.text}: {kept.found}; {kept.difference or kept.reason}"
            found.append(_result(rule, level, text, report.location(kept.name), f"{report.config}/{kept.name}"))
    return found


def _result(rule: str, level: str, text: str, where: tuple[str, int, int] | None, key: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": rule,
        "kind": "open" if level == OPEN else "fail",
        "level": level,
        "message": {"text": text},
        "partialFingerprints": {"popek/v1": f"{rule}/{key}"},
    }
    if where is not None:
        file, line, column = where
        region = {"startLine": line, "startColumn": column}
        result["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}]
    return result
