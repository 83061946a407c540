"""What a check is asked, and whom it tells how far it is: light to import, for those who find their answer kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Progress: TypeAlias = "Callable[[int, int, str], None]"
"""Called as (rows done, rows in all, what was just decided)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to check. None means: as the machine's theorems say, else the top mode run in the lowest."""

    guest: str | None = None
    host: str | None = None
    memory: str | None = None
    reading: str | None = None
    instructions: tuple[str, ...] = ()
    theorems: tuple[str, ...] = ()
    timeout: float = 30.0
    """Seconds for one question."""
    placement: str | None = None
    """The name of the f that the table is asked under."""
