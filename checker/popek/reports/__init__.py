"""A report in every format: text for people, JSON as the one schema, and its readers. And a comparison, and proofs, likewise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from popek_checker.difference.delta import Delta
from popek_checker.monitor.proof import Proof
from popek_checker.virtualizability.verdict import Report

Writer: TypeAlias = "Callable[[Sequence[Report]], str]"
DeltaWriter: TypeAlias = "Callable[[Delta], str]"
ProofWriter: TypeAlias = "Callable[[Sequence[Proof]], str]"

FORMATS = ("text", "json", "sarif", "markdown", "junit")


def writer(name: str) -> Writer:
    """The function that writes reports in a format, imported when asked for."""
    match name:
        case "json":
            from popek.reports.json_report import write
        case "sarif":
            from popek.reports.sarif import write
        case "markdown":
            from popek.reports.markdown import write
        case "junit":
            from popek.reports.junit import write
        case _:
            from popek.reports.text import write
    return write


def proof_writer(name: str) -> ProofWriter:
    """The function that writes proofs of monitors in a format, imported when asked for."""
    match name:
        case "json":
            from popek.reports.proof_json import write
        case "markdown":
            from popek.reports.proof_markdown import write
        case _:
            from popek.reports.proof_text import write
    return write


def delta_writer(name: str) -> DeltaWriter:
    """The function that writes a comparison in a format, imported when asked for."""
    match name:
        case "json":
            from popek.reports.diff_json import write
        case "markdown":
            from popek.reports.diff_markdown import write
        case _:
            from popek.reports.diff_text import write
    return write
