"""Where results go: standard output, or a file that is written whole."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from popek_grammar.text.files import write_whole


def emit(text: str | bytes, output: str | None) -> None:
    """Prints, or writes to the file `output`."""
    if output is not None:
        write_file(Path(output), text if isinstance(text, bytes) else text.encode())
    elif isinstance(text, bytes):
        sys.stdout.buffer.write(text)
    else:
        click.echo(text, nl=not text.endswith("\n"))


def write_file(path: Path, data: bytes) -> None:
    """Writes a file whole; one that cannot be written is a usage error."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
