"""Verdicts kept between runs, keyed by content: a row is good as long as the terms it was decided on are the same.

One SQLite file; each batch is a transaction, so a killed run loses only the batch that it was working on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from popek_checker.solver.keys import code_digest
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.decide import Item
from popek_checker.virtualizability.questions import Subject
from popek_checker.virtualizability.verdict import Row
from popek_grammar import machine as m


class Cache:
    """A store of rows by key. A file that cannot be used is set aside or ignored, never trusted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = _open(path)

    def get_many(self, keys: Iterable[str]) -> dict[str, Row]:
        """The rows that are stored among `keys`."""
        if self._database is None:
            return {}
        found: dict[str, Row] = {}
        for key in keys:
            hit = self._database.execute("SELECT row FROM rows WHERE key = ?", (key,)).fetchone()
            if hit is not None:
                row = _unpickled(hit[0])
                found |= {key: row} if row is not None else {}
        return found

    def put_many(self, rows: Mapping[str, Row]) -> None:
        """Stores rows in one transaction; a full disk or a locked file costs only the caching."""
        if self._database is None:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO rows VALUES (?, ?)", [(key, pickle.dumps(row)) for key, row in rows.items()]
                )
        except sqlite3.Error:
            self._database = None


def _unpickled(data: bytes) -> Row | None:
    """A stored row; a spoilt one is as good as none."""
    try:
        row = pickle.loads(data)
    except Exception:  # a spoilt pickle may raise anything
        return None
    return row if isinstance(row, Row) else None


def _open(path: Path) -> sqlite3.Connection | None:
    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(path, timeout=5)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, row BLOB)")
            database.execute("SELECT count(*) FROM rows").fetchone()
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
        except OSError:
            return None
        else:
            return database
    return None


def default_path() -> Path:
    """Where rows are kept: POPEK_CACHE_DIR, else the user's cache folder."""
    named = os.environ.get("POPEK_CACHE_DIR")
    if named:
        return Path(named) / "verdicts.sqlite"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "popek" / "verdicts.sqlite"


def machine_digest(machine: m.Machine) -> str:
    """A digest of all that instructions stand on: everything in it but the instructions, theorems and places."""
    bare = replace(machine, instructions={}, theorems={}, aliases=(), files=(), configs=())
    text = re.sub(r"Span\([^)]*\)", "", repr(bare))
    return hashlib.blake2b(f"{code_digest()} {text}".encode(), digest_size=20).hexdigest()


def text_key(base: str, instruction: m.Instruction, item: Item, asked: tuple[object, ...]) -> str:
    """The cheap key: the text of the instruction and of what it stands on. An edit elsewhere leaves it as it is."""
    text = re.sub(r"Span\([^)]*\)", "", repr(instruction))
    return hashlib.blake2b(f"{base} {item} {asked} {text}".encode(), digest_size=20).hexdigest()


def meaning_key(subject: Subject, item: Item, asked: tuple[object, ...]) -> str:
    """The exact key: the terms that the answers depend on, the roles, and the words that witnesses are written in.

    An edit that means the same leaves it as it is.
    """
    machine = subject.machine
    words = [encoding.asm for encoding in subject.operands.instruction.encodings]
    words += [name for array in machine.arrays.values() for name in array.names]
    roles = [(name, piece.role.value) for name, piece in pieces(machine)]
    parts = (code_digest(), item, asked, machine.modes, machine.program, words, roles, subject.fingerprint())
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).hexdigest()
