"""What workers are handed again and again: pickled once, and unpickled once in each of them.

That is not for the pickling. What a worker builds over a machine, its terms and what the solver was told of them, is found
again by the machine's own parts; a fresh copy for every batch would find nothing, and cost as much as no second worker.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import Any, Generic, TypeVar

T = TypeVar("T")

KEPT = 8
"""Values that a worker keeps; those of the machines before are let go."""


class Shared(Generic[T]):
    """A value on its way to workers. Where it is equal to one that came before, they have the one that came before."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._sealed: bytes | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._sealed is None:
            self._sealed = pickle.dumps(self.value)
        return _opened, (self._sealed,)


@lru_cache(maxsize=KEPT)
def _opened(sealed: bytes) -> Shared[Any]:
    return Shared(pickle.loads(sealed))
