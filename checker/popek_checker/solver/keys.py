"""What verdicts are filed under: the code that decides, and the terms that are decided."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from popek_grammar.text.files import sources_digest


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the packages' own source, wherever they are run from: another version decides anew."""
    from popek_grammar import records

    return sources_digest(Path(__file__).parents[1], Path(records.__file__).parent)


def remembered_name(kind: str, said: str) -> str:
    """The file that the answer to `said`, a question with all it depends on, is remembered in."""
    digest = hashlib.blake2b(f"{said} {code_digest()}".encode(), digest_size=20)
    return f"{kind}-{digest.hexdigest()}.pickle"
