"""What verdicts are filed under: the code that decides, the values and the terms that are decided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from popek_grammar.machine import Span
from popek_grammar.text.files import sources_digest

UNSAID: Final = frozenset({"doc"})
"""Fields of a machine's records that only people read. Places in a text (`Span`) are left out as well, wherever they are."""
ASIDE: Final = UNSAID | {"site", "role", "reset", "names", "clobbers"}
"""And those that no step depends on: the places of open choices, what state is to a monitor, and what is written in assembly."""


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of the packages' own source, wherever they are run from, and of Z3's version: another one decides anew."""
    from popek_grammar import records

    return f"{sources_digest(Path(__file__).parents[1], Path(records.__file__).parent)} {_solver()}"


def _solver() -> str:
    try:
        return version("z3-solver")
    except PackageNotFoundError:  # one that was built by hand
        return ""


def hashed(*parts: object) -> str:
    """The name of all of `parts`, values whose `repr` says all that they are, under this code."""
    return hashlib.blake2b(repr((code_digest(), *parts)).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def remembered_name(kind: str, said: str) -> str:
    """The file that the answer to `said`, a question with all it depends on, is remembered in."""
    return f"{kind}-{hashed(kind, said)}.json"


def meaning(value: object, unsaid: frozenset[str] = UNSAID) -> str:
    """A digest of a machine, or of anything in one, that says everything but where it is written and its comments.

    It goes through the values themselves, whatever their records come to have: nothing can be forgotten here.
    """
    said: list[str] = []
    _say(value, said.append, unsaid)
    return hashlib.blake2b(" ".join(said).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def _say(value: Any, out: Callable[[str], None], unsaid: frozenset[str]) -> None:
    match value:
        case str() | int() | None | Enum():
            out(repr(value))
        case Span():
            return
        case Mapping():
            out("{")
            for name, held in value.items():
                _say(name, out, unsaid)
                _say(held, out, unsaid)
            out("}")
        case tuple() | list():
            out("(")
            for held in value:
                _say(held, out, unsaid)
            out(")")
        case _:
            kind: Any = type(value)
            out(f"{kind.__name__}<")
            for name in said_fields(kind, unsaid):
                _say(getattr(value, name), out, unsaid)
            out(">")


@lru_cache(maxsize=256)
def said_fields(kind: Any, unsaid: frozenset[str]) -> tuple[str, ...]:
    """The fields of a record that are said. TypeError for what is no record."""
    return tuple(part.name for part in fields(kind) if part.name not in unsaid)


def together(keys: Iterable[int]) -> str:
    """One digest of many, in order."""
    return hashlib.blake2b(b"".join(key.to_bytes(16, "big") for key in keys), digest_size=20).hexdigest()
