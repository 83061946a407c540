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

from popek_grammar.text.files import write_whole

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
    found = recall(kind, key)
    if found is not None:
        return found
    made = make()
    if keep(made):
        store(key, made)
    return made


def recall(kind: type[T], key: str) -> T | None:
    """The value stored under `key`, if there is one of this kind."""
    directory = cache_dir()
    if directory is None:
        return None
    try:
        found = pickle.loads((directory / key).read_bytes())
    except Exception:  # an unreadable or spoilt entry may raise anything, and is as good as none
        return None
    return found if isinstance(found, kind) else None


def store(key: str, value: object) -> None:
    """Stores a value under `key`, where that is possible."""
    directory = cache_dir()
    if directory is None:
        return
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(directory / key, _pickled(value))


def _pickled(value: object) -> bytes:
    from lark import Token  # what is only recalled needs no parser

    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = copyreg.dispatch_table | {Token: _reduce_token}
    pickler.dump(value)
    return buffer.getvalue()


def _reduce_token(token: Any) -> tuple[Any, ...]:
    # Lark's own way forgets where a token ends.
    place = (token.start_pos, token.line, token.column, token.end_line, token.end_column, token.end_pos)
    return type(token), (token.type, token.value, *place)
