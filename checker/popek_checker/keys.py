"""What verdicts are filed under: the code that decides, and the terms that are decided."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from popek_grammar.files import sources_digest


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the packages' own source: another version decides anew."""
    import popek_grammar

    return sources_digest(Path(__file__).parent, Path(popek_grammar.__file__ or "").parent)
