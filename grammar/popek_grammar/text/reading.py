"""The text of one file, and everything that can be wrong with a file before it is parsed."""

from __future__ import annotations

import os

from popek_grammar.machine import Span
from popek_grammar.text.diagnostics import Diagnostic, Source, SpecError

MAX_BYTES = 4 * 1024 * 1024
"""Longest text. The largest processor description we know of is below a tenth of this."""


def read_source(path: str) -> Source:
    """The text of a file: UTF-8, of bounded length, without NUL bytes."""
    try:
        if os.path.isdir(path):
            raise unreadable(path, "is a directory")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # a device or a pipe may have no end
    except FileNotFoundError:
        raise unreadable(path, "no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(path, getattr(error, "strerror", None) or str(error)) from None
    check_size(len(data), path)
    return Source(path, _decode(data, path))


def check_size(length: int, name: str) -> None:
    """Refuse a text that is too long, before anything looks at it."""
    if length > MAX_BYTES:
        message = f"the file is too large: {length:,} bytes, and at most {MAX_BYTES:,} are read"
        raise SpecError([Diagnostic("E0010", "error", message, Span(name, 1, 1, 1, 1), help="split it with `include`")])


def unreadable(path: str, reason: str) -> SpecError:
    """What is said of a file that cannot be read."""
    return SpecError([Diagnostic("E0011", "error", f"cannot read `{path}`: {reason}", Span(path, 1, 1, 1, 1))])


def _decode(data: bytes, path: str) -> str:
    if b"\0" in data:
        raise _bad_byte(data, data.index(b"\0"), path, "contains a NUL byte")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad_byte(data, error.start, path, f"is not UTF-8 (byte 0x{data[error.start]:02x})") from None


def _bad_byte(data: bytes, offset: int, path: str, problem: str) -> SpecError:
    line = data.count(b"\n", 0, offset) + 1
    column = offset - data.rfind(b"\n", 0, offset)
    span = Span(path, line, column, line, column + 1)
    return SpecError([Diagnostic("E0012", "error", f"the file {problem}", span, help="specifications are UTF-8 text")])
