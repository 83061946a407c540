"""Rows kept between runs, filed under the text that they were decided on.

Above the answers of `solver/answers.py`, which are filed under terms: a row whose text has not changed needs no terms at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from popek_checker.solver.cache import Cache, read_value
from popek_checker.solver.keys import hashed, meaning
from popek_checker.solver.plain import Plain
from popek_checker.virtualizability.decide import Item
from popek_checker.virtualizability.verdict import Row
from popek_grammar import machine as m

ROW: Final = Plain(Row)


def standing(machine: m.Machine) -> str:
    """A digest of all that instructions stand on: the whole machine but for what is claimed of it, and for their bodies.

    Of every instruction it has all that decoding looks at, since a witness is shown as a program.
    """
    words = {name: replace(found, body=()) for name, found in machine.instructions.items()}
    return meaning(replace(machine, instructions=words, theorems={}, monitors={}, files=(), configs=(), title="", manual=""))


def row_key(base: str, instruction: m.Instruction, item: Item, asked: tuple[object, ...]) -> str:
    """The key of a row: `base` is what its instruction stands on, `asked` what was wanted of it. An edit of another
    instruction's body leaves it as it is."""
    return hashed(base, item, meaning(asked), meaning(instruction))


def known_rows(cache: Cache, keys: Iterable[str]) -> dict[str, Row]:
    """The rows that are stored among `keys`."""
    found = {key: read_value(ROW, said) for key, said in cache.get_many(keys).items()}
    return {key: row for key, row in found.items() if row is not None}


def file_rows(cache: Cache, rows: Mapping[str, Row]) -> None:
    """Stores rows."""
    cache.put_many({key: ROW.text(row) for key, row in rows.items()})
