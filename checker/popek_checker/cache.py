"""Verdicts kept between runs, keyed by content: a row is good as long as the terms it was decided on are the same.

One SQLite file; each batch is a transaction, so a killed run loses only the batch that it was working on.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from popek_checker.decide import Item, make_subject
from popek_checker.keys import code_digest
from popek_checker.verdict import Claim, Row
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


def row_key(
    machine: m.Machine, item: Item, claim: Claim, invariant: tuple[m.Expr, ...], wanted: frozenset[str]
) -> str:
    """A digest of everything that a row depends on: the copies' terms, the claim, and the code that decides."""
    subject = make_subject(machine, item, claim, invariant)
    digest = hashlib.blake2b(code_digest().encode(), digest_size=20)
    for part in (item, claim, sorted(wanted), machine.modes, subject.fingerprint()):
        digest.update(repr(part).encode())
    return digest.hexdigest()
