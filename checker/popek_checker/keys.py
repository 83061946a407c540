"""What verdicts are filed under: the code that decides, and the terms that are decided."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from popek_grammar.files import sources_digest


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the packages' own source, wherever they are run from: another version decides anew."""
    from popek_grammar import machine

    return sources_digest(Path(__file__).parent, Path(machine.__file__).parent)
