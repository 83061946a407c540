"""What workers are handed again and again: pickled once, and unpickled once in each of them.

That is not for the pickling. What a worker builds over a machine, its terms and what the solver was told of them, is found
again by the machine's own parts; a fresh copy for every batch would find nothing, and cost as much as no second worker.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Batch = TypeVar("Batch")

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


def as_decided(
    decide: Callable[[Batch], T], batches: Sequence[Batch], executor: Executor | None
) -> Iterator[tuple[Batch, T]]:  # fmt: skip
    """Each batch with what was decided of it, as they come; here, where there are no workers or there is one batch only."""
    if executor is None or len(batches) < 2:
        yield from ((batch, decide(batch)) for batch in batches)
        return
    from concurrent.futures import as_completed

    futures = {executor.submit(decide, batch): batch for batch in batches}
    yield from ((futures[done], done.result()) for done in as_completed(futures))


@lru_cache(maxsize=KEPT)
def _opened(sealed: bytes) -> Shared[Any]:
    return Shared(pickle.loads(sealed))
