"""Results kept between runs, as pickles in the user's cache directory.

A lost, spoilt or forbidden cache only costs time.
"""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lark import Token

from popek_grammar.files import write_whole

T = TypeVar("T")


def cache_dir() -> Path | None:
    """`$POPEK_CACHE_DIR`, else `$XDG_CACHE_HOME/popek`, else `~/.cache/popek`; none if the first is empty."""
    chosen = os.environ.get("POPEK_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "popek"
    except RuntimeError:  # a user without a home directory
        return None


def remembered(kind: type[T], key: str, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True) -> T:
    """The value stored under `key`, a file name, or else what `make` returns, which is then stored if it is to `keep`."""
    directory = cache_dir()
    if directory is None:
        return make()
    found = _load(directory / key)
    if isinstance(found, kind):
        return found
    made = make()
    if keep(made):
        _store(directory / key, made)
    return made


def _load(path: Path) -> object:
    try:
        return pickle.loads(path.read_bytes())
    except Exception:  # an unreadable or spoilt entry may raise anything, and is as good as none
        return None


def _store(path: Path, value: object) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, _pickled(value))


def _pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = copyreg.dispatch_table | {Token: _reduce_token}
    pickler.dump(value)
    return buffer.getvalue()


def _reduce_token(token: Token) -> tuple[Any, ...]:
    # Lark's own way forgets where a token ends.
    place = (token.start_pos, token.line, token.column, token.end_line, token.end_column, token.end_pos)
    return Token, (token.type, token.value, *place)
