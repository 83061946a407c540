"""Names on the command line that nothing has."""

from __future__ import annotations

from collections.abc import Sequence

import click

from popek_grammar.text.diagnostics import suggest

MOST_LISTED = 12
"""So many of the names that there are are listed."""


def unknown(sentence: str, name: str, known: Sequence[str]) -> click.UsageError:
    """The usage error for a name that is none of those known: a sentence about it, then the nearest, or those that there are."""
    near = suggest(name, list(known))
    there = f"; there are: {', '.join(known[:MOST_LISTED])}" if known else ", nor any other"
    return click.UsageError(sentence + (f"; did you mean {near}?" if near else there))
