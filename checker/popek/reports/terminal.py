"""What a stream can show, and consoles that write to it."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def colours(stream: TextIO) -> bool:
    """Colours only on a terminal, and not where NO_COLOR is set."""
    return stream.isatty() and "NO_COLOR" not in os.environ


def paper(columns: int = 118) -> Console:
    """A console that keeps what standard output will be given: as wide as its terminal, else `columns` wide."""
    from rich.console import Console

    colour = colours(sys.stdout)
    width = None if sys.stdout.isatty() else columns
    return Console(file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False)


def written(console: Console) -> str:
    """All that was printed on `paper`."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
