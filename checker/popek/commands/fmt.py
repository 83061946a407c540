"""`popek fmt`."""

from __future__ import annotations

import click

from popek.commands import options
from popek.formatting import format_files

EXAMPLES = """
popek fmt machine.isa
popek fmt --check spec/*.isa
"""


@click.command("fmt", epilog=options.epilog(EXAMPLES, ""))
@click.argument("files", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a file is not formatted.")
def command(files: tuple[str, ...], only_check: bool) -> int:
    """Format .isa and .vmm files in place (`-`: standard input to standard output)."""
    return format_files(files, only_check)
