"""What the solver found of terms, filed under the terms themselves.

A term's key digests its whole structure, and what is filed here is found of terms alone: nothing that an answer rests on can
be left out of its key. Words about it (names, places, programs) are written from the machine at hand each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from popek_checker.solver.cache import ANSWERS, Cache, read_value
from popek_checker.solver.keys import hashed, together
from popek_checker.solver.plain import Plain
from popek_grammar.meaning.terms import Term

T = TypeVar("T")


class Answers:
    """Answers of this process and, through the cache, of those before. They are stored all at once, by `file`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._fresh: dict[str, str] = {}

    def get(self, key: str, plain: Plain[T]) -> T | None:
        """The value under a key of `about`, if it is known."""
        return read_value(plain, self._fresh.get(key) or self._cache.get_many([key]).get(key))

    def put(self, key: str, plain: Plain[T], value: T) -> None:
        self._fresh[key] = plain.text(value)

    def known(self, key: str, plain: Plain[T], make: Callable[[], T | None], good: Callable[[T], bool]) -> T | None:
        """The value under a key, if it is `good`, or else what `make` finds, which is kept."""
        found = self.get(key, plain)
        if found is not None and good(found):
            return found
        made = make()
        if made is not None:
            self.put(key, plain, made)
        return made

    def file(self) -> None:
        """Stores what is new in one transaction."""
        self._cache.put_many(self._fresh)
        self._fresh = {}


def answers_in(path: str | None) -> Answers | None:
    """The answers of the cache in a file; None without one."""
    return Answers(Cache(Path(path), ANSWERS)) if path is not None else None


def about(question: str, terms: Iterable[Term]) -> str:
    """The key of a question about terms, in this order."""
    return hashed(question, together(term.key for term in terms))
