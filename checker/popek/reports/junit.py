"""The report as JUnit XML: a test case a theorem, or a case an instruction where no theorem is stated."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from popek.reports.asked import not_asked, scope
from popek.reports.summary import Summary, summaries
from popek_checker.virtualizability.verdict import InvariantResult, Report, TheoremResult, Truth


def write(reports: Sequence[Report]) -> str:
    root = ElementTree.Element("testsuites")
    for report in reports:
        cases = [_theorem(t) for t in report.theorems] or [_instruction(s) for s in summaries(report)]
        cases += [_invariant(kept) for kept in report.invariants]
        suite = ElementTree.SubElement(root, "testsuite", name=f"{report.machine} ({report.config}){scope(report)}")
        if left := not_asked(reports).get(report.machine):
            properties = ElementTree.SubElement(suite, "properties")
            ElementTree.SubElement(properties, "property", name="configurations not asked", value=", ".join(left))
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("errors", str(sum(case.find("error") is not None for case in cases)))
        suite.extend(cases)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _theorem(theorem: TheoremResult) -> ElementTree.Element:
    text = f"{theorem.found} {', '.join(theorem.names)}; {theorem.difference}"
    return _case("theorem", theorem.name, theorem.as_expected, text)


def _invariant(kept: InvariantResult) -> ElementTree.Element:
    text = f"{kept.found} {', '.join(kept.broken)}; {kept.difference or kept.reason}"
    return _case("invariant", kept.name, kept.as_expected, text)


def _instruction(summary: Summary) -> ElementTree.Element:
    answer = {"ok": Truth.YES, "violation": Truth.NO, "unknown": Truth.UNKNOWN}[summary.verdict]
    return _case("instruction", summary.name, answer, summary.reason)


def _case(kind: str, name: str, truth: Truth, text: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=kind, name=name)
    if truth is not Truth.YES:
        tag = "failure" if truth is Truth.NO else "error"
        ElementTree.SubElement(case, tag, message=text, type=tag if truth is Truth.NO else "undecided").text = text
    return case
