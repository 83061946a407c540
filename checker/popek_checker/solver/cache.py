"""Texts kept between runs, by key, each with a digest of both: what was spoilt, or put under another key, is as good as none.

Rows and answers lie in one SQLite file, where each batch is a transaction, so that a killed run loses only the batch that it
was working on; whole reports lie in files of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from popek_checker.solver.plain import Plain
from popek_grammar.cache import cache_dir
from popek_grammar.text.files import write_whole

T = TypeVar("T")

ROWS: Final = "rows"
ANSWERS: Final = "answers"
TABLES: Final = (ROWS, ANSWERS)


class Cache:
    """A store of texts by key, one table of a file. A file that cannot be used is set aside or ignored, never trusted."""

    def __init__(self, path: Path, table: str = ROWS) -> None:
        self.path = path
        self._table = table
        self._database = _open(path)

    def get_many(self, keys: Iterable[str]) -> dict[str, str]:
        """The texts that are stored among `keys`."""
        if self._database is None:
            return {}
        found: dict[str, str] = {}
        with contextlib.suppress(sqlite3.Error):  # a page that was spoilt; what was read before it stands
            for key in keys:
                hit = self._database.execute(f"SELECT seal, said FROM {self._table} WHERE key = ?", (key,)).fetchone()
                if hit is not None and isinstance(hit[1], str) and hit[0] == seal(key, hit[1]):
                    found[key] = hit[1]
        return found

    def put_many(self, texts: Mapping[str, str]) -> None:
        """Stores texts in one transaction; a full disk or a locked file costs only the caching."""
        if self._database is None:
            return
        try:
            with self._database:
                rows = [(key, seal(key, said), said) for key, said in texts.items()]
                self._database.executemany(f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            self._database = None


def seal(key: str, said: str) -> str:
    """What shows that `said` is what was stored under `key`."""
    return hashlib.blake2b(f"{key} {said}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def read_value(plain: Plain[T], said: str | None) -> T | None:
    """The value that a stored text says, if it says one."""
    try:
        return None if said is None else plain.value(said)
    except ValueError:
        return None


def _open(path: Path) -> sqlite3.Connection | None:
    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(path, timeout=5)
            database.execute("PRAGMA journal_mode = WAL")
            for table in TABLES:
                database.execute(f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, seal TEXT, said TEXT)")
                database.execute(f"SELECT seal, said FROM {table} LIMIT 1").fetchone()
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
        except OSError:
            return None
        else:
            return database
    return None


def default_path() -> Path:
    """Where rows and answers are kept: POPEK_CACHE_DIR, else the user's cache folder."""
    named = os.environ.get("POPEK_CACHE_DIR")
    if named:
        return Path(named) / "answers.sqlite"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "popek" / "answers.sqlite"


# -- one value a file --------------------------------------------------------------------------------------------------


def remembered(plain: Plain[T], name: str, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True) -> T:
    """The value stored in the file `name`, or else what `make` returns, which is then stored if it is to `keep`."""
    directory = cache_dir()
    path = directory / name if directory is not None else None
    found = _recalled(plain, path) if path is not None else None
    if found is not None:
        return found
    made = make()
    if path is not None and keep(made):
        said = plain.text(made)
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, f"{seal(name, said)}\n{said}".encode())
    return made


def _recalled(plain: Plain[T], path: Path) -> T | None:
    try:
        found, _, said = path.read_text().partition("\n")
    except (OSError, ValueError):
        return None
    return read_value(plain, said) if found == seal(path.name, said) else None
