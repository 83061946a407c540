"""How findings are collected and printed."""

from __future__ import annotations

import pytest

from popek_grammar.machine import Span
from popek_grammar.text.diagnostics import Diagnostic, Diagnostics, Note, SpecError, render, render_all, suggest

TEXT = "isa toy { }\ninst sret  privileged;\n"
COLON = Diagnostic(
    "E0001",
    "error",
    "expected `:`, found `privileged`",
    Span("toy.isa", 2, 12, 2, 22),
    "a mode follows a colon",
    help="inst sret : privileged;",
)


def test_the_house_form() -> None:
    """The form that the style guide asks for, to the letter."""
    assert render(COLON, {"toy.isa": TEXT}) == (
        "error[E0001]: expected `:`, found `privileged`\n"
        "  --> toy.isa:2:12\n"
        "   |\n"
        " 2 | inst sret  privileged;\n"
        "   |            ^^^^^^^^^^ a mode follows a colon\n"
        "   = help: inst sret : privileged;"
    )


def test_notes_and_missing_sources() -> None:
    """A note may have a place; a text that is not at hand is not shown."""
    note = Note("declared here", Span("a.isa", 10, 1, 10, 4))
    text = render(
        Diagnostic("E1", "warning", "m", Span("b.isa", 1, 1, 1, 2), "l", (note, Note("n"))), {"a.isa": "\n" * 9 + "abc"}
    )
    assert text.splitlines() == [
        "warning[E1]: m",
        "   --> b.isa:1:1",
        "    = l",
        "    = note: declared here",
        "   --> a.isa:10:1",
        "    |",
        " 10 | abc",
        "    | ^^^",
        "    = note: n",
    ]


@pytest.mark.parametrize("colour", [False, True])
def test_no_control_characters(colour: bool) -> None:
    """What a text holds cannot steer the terminal."""
    nasty = "a\x1b[31m\tb\u202ec"
    text = render(Diagnostic("E1", "error", nasty, Span("f\x1b", 1, 9, 1, 10), nasty, help=nasty), {"f\x1b": nasty})
    assert "\x1b[31m\t" not in text
    assert "\u202e" not in text
    assert colour == ("\x1b" in render(COLON, {"toy.isa": TEXT}, colour))


def test_carets_under_wide_and_long_text() -> None:
    """Carets stand under what they mean, whatever is before it, and long lines are cut."""
    wide = render(Diagnostic("E1", "error", "m", Span("f", 1, 3, 1, 4)), {"f": "\u6f22\tx"}).splitlines()
    assert wide[-1] == "   |    ^"
    long = render(Diagnostic("E1", "error", "m", Span("f", 1, 5001, 1, 5002)), {"f": "a" * 5000 + "X" + "b" * 9000})
    line, carets = long.splitlines()[-2:]
    assert line[carets.index("^")] == "X"
    assert len(line) < 140


def test_a_span_beyond_the_text() -> None:
    """Even a wrong span prints."""
    assert "^" in render(Diagnostic("E1", "error", "m", Span("f", 7, 9, 9, 1)), {"f": "x"})


def test_collecting() -> None:
    """Sorted by position, each once; warnings alone raise nothing."""
    found = Diagnostics()
    found.warning("W1", "w", Span("f", 3, 1, 3, 2))
    found.raise_if_errors()
    found.error("E2", "second", Span("f", 2, 5, 2, 6))
    found.error("E1", "first", Span("f", 2, 1, 2, 6), "label", notes=[Note("n")], help="h")
    found.error("E2", "second", Span("f", 2, 5, 2, 6))
    with pytest.raises(SpecError) as raised:
        found.raise_if_errors()
    assert [d.code for d in raised.value.diagnostics] == ["E1", "E2", "W1"]
    assert "f:2:1: error[E1]: first" in str(raised.value)
    assert render_all(raised.value.diagnostics, {}).count("\n\n") == 2


def test_suggestions() -> None:
    """The nearest name, or none when nothing is near."""
    assert suggest("mstaus", ["mstatus", "mtvec"]) == "mstatus"
    assert suggest("MSTATUS", ["mstatus"]) == "mstatus"
    assert suggest("mstatus", ["mstatus"]) is None
    assert suggest("zzz", ["mstatus"]) is None
    assert suggest("a" * 10**6, ["a" * 10**6 + "b"]) is None
