"""`popek fmt`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from popek.output import write_file
from popek_grammar.text.formatter import format_text
from popek_grammar.text.reading import read_source


def format_files(files: tuple[str, ...], only_check: bool) -> int:
    """Formats each file in place, whole or not at all; with `only_check` says which are not formatted."""
    code = 0
    for file in files:
        if file == "-":
            click.echo(format_text(sys.stdin.read()), nl=False)
            continue
        text = read_source(file).text
        made = format_text(text, file)
        if made == text:
            continue
        if only_check:
            click.echo(f"{file} is not formatted", err=True)
            code = 1
        else:
            write_file(Path(file), made.encode())
    return code
