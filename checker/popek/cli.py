"""The command line: the group of the commands, which lie in `commands/`, and every way to end with its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from popek import __version__
from popek.commands import Commands
from popek.commands.options import EXIT_CODES

if TYPE_CHECKING:
    from popek_grammar.text.diagnostics import SpecError


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="popek")
def popek() -> None:
    """Is this machine virtualizable, and is that hypervisor right?"""


def main() -> None:
    """The console entry point: maps every way to end to its exit code."""
    try:
        result = popek.main(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _leave_now(130)
    except BrokenPipeError:
        _leave_now(141)
    except Exception as error:
        _guilty(error)


def _leave_now(code: int) -> None:
    """Ends without waiting for workers."""
    os._exit(code)


def _guilty(error: Exception) -> None:
    """Wrong input is shown with its place; anything else is our bug."""
    from popek.reports.terminal import colours
    from popek_grammar.text.diagnostics import SpecError, render_all

    if isinstance(error, SpecError):
        click.echo(render_all(error.diagnostics, _texts(error), colours(sys.stderr)), err=True)
        sys.exit(2)
    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo("popek: this is a bug in popek, not in your text", err=True)
    sys.exit(70)


def _texts(error: SpecError) -> dict[str, str]:
    """The texts of the files that diagnostics point into, as far as they can be read."""
    texts: dict[str, str] = {}
    for diagnostic in error.diagnostics:
        for span in (diagnostic.span, *(note.span for note in diagnostic.notes)):
            if span is not None and span.file not in texts and Path(span.file).is_file():
                texts[span.file] = Path(span.file).read_text(errors="replace")
    return texts
