"""What is wrong with a specification: diagnostics with a place in the text, how they are collected and printed."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from popek_grammar.machine import Span

Severity: TypeAlias = Literal["error", "warning"]

SHOWN_WIDTH = 120
"""Longest stretch of a source line that is printed; longer lines are cut around the place."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name under which it is reported."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """Line `number` (from 1) without its end; empty beyond the last line."""
        start = 0
        for _ in range(number - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return ""
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Note:
    """A further remark, with its own place if it has one."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `label` stands beside the carets, `help` is one suggestion."""

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str = ""


class SpecError(Exception):
    """The specification is wrong. Carries every diagnostic, in order of position."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(f"{_place(d.span)}: {d.severity}[{d.code}]: {d.message}" for d in self.diagnostics))


@dataclass(slots=True)
class Diagnostics:
    """Collects findings so that one run reports them all."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, message: str, span: Span, label: str = "", *, notes: Iterable[Note] = (), help: str = "") -> None:
        """Note an error."""
        self.found.append(Diagnostic(code, "error", message, span, label, tuple(notes), help))

    def warning(
        self, code: str, message: str, span: Span, label: str = "", *, notes: Iterable[Note] = (), help: str = ""
    ) -> None:
        """Note a warning."""
        self.found.append(Diagnostic(code, "warning", message, span, label, tuple(notes), help))

    @property
    def has_errors(self) -> bool:
        """Whether any of the findings is an error."""
        return any(d.severity == "error" for d in self.found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """The findings by file (in order of first finding) and position, each once."""
        files = list(dict.fromkeys(d.span.file for d in self.found))
        unique = dict.fromkeys(self.found)
        return tuple(sorted(unique, key=lambda d: (files.index(d.span.file), d.span.line, d.span.column)))

    def raise_if_errors(self) -> None:
        """Raise `SpecError` with all findings if one of them is an error."""
        if self.has_errors:
            raise SpecError(self.sorted())


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `name` most likely meant, if one is close."""
    if len(name) > 80:
        return None
    known = sorted(set(candidates) - {name})
    folded = [candidate for candidate in known if candidate.lower() == name.lower()]
    close = folded or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return close[0] if close else None


# -- printing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Paint:
    on: bool

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.on and text else text


BOLD, BLUE = "1", "1;34"
SEVERITY_STYLE = {"error": "1;31", "warning": "1;33"}


def render(diagnostic: Diagnostic, sources: Mapping[str, str], colour: bool = False) -> str:
    """The diagnostic as text for a terminal. `sources` gives the text of each file by name; it may lack some."""
    paint = _Paint(colour)
    style = SEVERITY_STYLE[diagnostic.severity]
    head = paint(style, f"{diagnostic.severity}[{diagnostic.code}]") + paint(BOLD, f": {visible(diagnostic.message)}")
    spans = [diagnostic.span, *(note.span for note in diagnostic.notes if note.span)]
    margin = max(len(str(span.line)) for span in spans)
    lines = [head, *_excerpt(diagnostic.span, diagnostic.label, sources, margin, paint, style)]
    gutter = " " * (margin + 2) + paint(BLUE, "=")
    for note in diagnostic.notes:
        lines.append(f"{gutter} note: {visible(note.message)}")
        if note.span:
            lines += _excerpt(note.span, "", sources, margin, paint, BLUE)
    if diagnostic.help:
        first, *rest = visible(diagnostic.help, keep="\n").split("\n")
        lines += [f"{gutter} help: {first}", *(" " * (margin + 10) + line for line in rest)]
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], colour: bool = False) -> str:
    """Several diagnostics, a blank line between them."""
    return "\n\n".join(render(diagnostic, sources, colour) for diagnostic in diagnostics)


def _excerpt(span: Span, label: str, sources: Mapping[str, str], margin: int, paint: _Paint, style: str) -> list[str]:
    place = f"{' ' * (margin + 1)}{paint(BLUE, '-->')} {_place(span)}"
    if span.file not in sources:
        return [place] if not label else [place, f"{' ' * (margin + 2)}{paint(BLUE, '=')} {visible(label)}"]
    line = Source(span.file, sources[span.file]).line(span.line)
    end = span.end_column if span.end_line == span.line else len(line) + 1
    shown, before, marked = _cut(line, span.column - 1, max(end - 1, span.column))
    bar = paint(BLUE, "|")
    carets = paint(style, f"{'^' * marked} {visible(label)}".rstrip())
    empty = " " * (margin + 2) + bar
    number = paint(BLUE, f" {span.line:>{margin}} |")
    return [place, empty, f"{number} {shown}".rstrip(), f"{empty} {' ' * before}{carets}"]


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The part of the line to show, the columns before the carets, and how many carets."""
    first = 0 if start < SHOWN_WIDTH - 20 else start - SHOWN_WIDTH // 2
    last = first + SHOWN_WIDTH
    lead = "..." if first else ""
    tail = "..." if last < len(line) else ""
    before = len(lead) + _columns(visible(line[first:start]))
    marked = max(1, _columns(visible(line[start : min(end, last)])))
    return lead + visible(line[first:last]) + tail, before, marked


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def visible(text: str, keep: str = "") -> str:
    """The text with tabs as blanks and whatever could steer a terminal made harmless."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _place(span: Span) -> str:
    return f"{visible(span.file)}:{span.line}:{span.column}"
