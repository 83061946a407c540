"""`popek asm`."""

from __future__ import annotations

import click

from popek.assembling import assembled, read_text
from popek.commands import options
from popek.library import load
from popek.output import emit

EXAMPLES = """
popek asm riscv program.s
popek asm riscv program.s --config rv32 --origin 0x80000000 -o program.bin
"""


@click.command("asm", epilog=options.epilog(EXAMPLES, ""))
@click.argument("spec")
@click.argument("source", type=click.Path())
@options.configuration()
@options.origin()
@options.output("Write the cells as bytes here; default: a listing.")
def command(spec: str, source: str, config: str | None, origin: int, output: str | None) -> None:
    """Assemble SOURCE (`-` for standard input) for a machine."""
    text = read_text(source)
    emit(*assembled(load(spec, config), text, source, origin, output))
