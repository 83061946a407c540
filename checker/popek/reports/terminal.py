"""What standard output can show."""

from __future__ import annotations

import os
import sys


def colours() -> bool:
    """Colours only on a terminal, and not where NO_COLOR is set."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def width(otherwise: int) -> int | None:
    """The terminal's own width (None), else a fixed one."""
    return None if sys.stdout.isatty() else otherwise
