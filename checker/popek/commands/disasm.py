"""`popek disasm`."""

from __future__ import annotations

import click

from popek.assembling import disassembled
from popek.commands import options
from popek.library import load
from popek.output import emit

EXAMPLES = """
popek disasm riscv program.bin --origin 0x80000000
popek disasm ia32 0x0f01e0
"""


@click.command("disasm", epilog=options.epilog(EXAMPLES, ""))
@click.argument("spec")
@click.argument("image", type=click.Path(dir_okay=False))
@options.configuration()
@options.origin()
def command(spec: str, image: str, config: str | None, origin: int) -> None:
    """Disassemble the bytes of IMAGE (`-` for standard input), or a hexadecimal WORD."""
    emit(disassembled(load(spec, config), image, origin), None)
