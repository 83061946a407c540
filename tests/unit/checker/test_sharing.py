"""What workers are handed: one value, however often it comes."""

from __future__ import annotations

import pickle

from popek_checker.solver.sharing import Shared


def test_a_value_that_comes_again_is_the_same() -> None:
    """Two batches with one machine, and a later run with an equal one, find what was built over it."""
    shared = Shared(["a machine"])
    first, second = (pickle.loads(pickle.dumps((number, shared)))[1] for number in (1, 2))
    third = pickle.loads(pickle.dumps(Shared(["a machine"])))
    assert first.value == ["a machine"]
    assert first.value is second.value is third.value


def test_another_value_is_another() -> None:
    one, other = (pickle.loads(pickle.dumps(Shared([name]))) for name in ("a", "b"))
    assert (one.value, other.value) == (["a"], ["b"])
