"""Records are frozen dataclasses: given once, compared by what they hold, shown as they are written."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, field, fields, replace

import pytest

from popek_grammar.records import record


@record
class Point:
    """Two numbers and what is near."""

    x: int
    y: int = 0
    near: tuple[int, ...] = field(default_factory=tuple)


@record
class Other:
    """The same fields."""

    x: int
    y: int = 0
    near: tuple[int, ...] = ()


def test_records_are_given_once() -> None:
    point = Point(1)
    for change in (lambda: setattr(point, "x", 2), lambda: setattr(point, "z", 2), lambda: delattr(point, "x")):
        with pytest.raises(FrozenInstanceError):
            change()
    assert (point.x, point.y, point.near) == (1, 0, ())


def test_records_are_what_they_hold() -> None:
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert Point(1) != Other(1)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert replace(Point(1, 2), y=3) == Point(1, 3)
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)
    assert repr(Point(1, near=(4,))) == "Point(x=1, y=0, near=(4,))"
    assert [part.name for part in fields(Point)] == ["x", "y", "near"]
    match Point(5, 6):
        case Point(x, y):
            assert (x, y) == (5, 6)
