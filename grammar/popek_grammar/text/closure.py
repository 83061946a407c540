"""All texts that a specification is made of. Which ones is remembered, so that they need not be parsed to know it.

What a text includes depends on that text alone: as long as all of them are as they were, they are all there is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from popek_grammar.cache import recall, store
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.reading import read_source

if TYPE_CHECKING:
    from popek_grammar.text.source import SourceSet


ENDING: Final = ".vmm"
"""How the name of a text of monitors ends, so that commands can tell it without reading it."""


@dataclass(frozen=True)
class Closure:
    """Texts by name, the one asked for first."""

    texts: Mapping[str, str]
    known: SourceSet | None = None
    """Their trees, where somebody has them already."""

    @cached_property
    def digest(self) -> str:
        """Another text, name or order has another."""
        return _digest(*(part for pair in self.texts.items() for part in pair))

    @cached_property
    def parsed(self) -> SourceSet:
        """Their trees."""
        from popek_grammar.text.source import load_texts

        return self.known or load_texts(self.texts)


def closure(path: str, code: str) -> Closure:
    """The texts that the file reaches. `code` stands for what parses them. Raises SpecError."""
    key = f"closure-{_digest(os.getcwd(), path, code)}.pickle"
    known = _as_remembered(key)
    if known is not None:
        return known
    from popek_grammar.text.source import load_file

    parsed = load_file(path)
    found = Closure(parsed.texts, parsed)
    store(key, (list(found.texts), found.digest))
    return found


def _as_remembered(key: str) -> Closure | None:
    """The texts that were reached before, if each of them is the same now."""
    remembered = recall(tuple, key)
    if remembered is None:
        return None
    names, digest = remembered
    try:
        found = Closure({name: read_source(name).text for name in names})
    except SpecError:
        return None
    return found if found.digest == digest else None


def _digest(*parts: str) -> str:
    whole = hashlib.blake2b(digest_size=20)
    for part in parts:
        whole.update(len(part).to_bytes(8, "little") + part.encode("utf-8", "surrogatepass"))
    return whole.hexdigest()
