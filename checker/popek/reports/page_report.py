"""The page of a machine as HTML that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Mapping

from popek.pages import Page
from popek.reports.counts import because, counted
from popek.reports.euler import euler
from popek.reports.html import render
from popek.reports.summary import word
from popek.reports.text import TITLES
from popek_checker.explanation.virtual import Kind
from popek_checker.virtualizability.verdict import Truth

SHOWN = 2
"""Encodings of an instruction that are drawn at once."""
MOST = 12
"""Encodings that are drawn at all; the rest is counted."""
TOLD = {
    Truth.YES: ("as-expected", "as expected"),
    Truth.NO: ("unexpected", "not as expected"),
    Truth.UNKNOWN: ("unknown", "not decided"),
}
"""How a theorem came out: its class in the style sheet, and in words."""


def as_html(page: Page, home: str = "", siblings: Mapping[str, str] | None = None) -> str:
    """The page. `home` is the gallery's page, `siblings` are those of the other configurations, where there are any."""
    from markupsafe import Markup

    report, sets = page.report, page.entry.regions
    return render(
        "machine.html.jinja",
        page=page,
        home=home,
        siblings=siblings or {},
        picture=Markup(euler(sets.privileged, sets.both, sets.holes, page.entry.name)),
        theorems=[(TITLES[number], word(report.theorem(number))) for number in report.asked],
        because=because(report),
        counted=counted(report),
        told=TOLD,
        modes=list(dict.fromkeys(case.mode for case in page.cases)),
        virtual=[(kind, [case for case in page.cases if case.kind is kind]) for kind in Kind],
        shown=SHOWN,
        most=MOST,
    )
