"""`popek run`."""

from __future__ import annotations

import click

from popek.commands import options
from popek.library import locate
from popek.running import Wanted, run_image

EXAMPLES = """
popek run riscv program.elf --stats
popek run riscv program.bin --origin 0x80000000 --max-instructions 1000000
popek run riscv kernel.elf --console --disk disk.img
"""


@click.command("run", epilog=options.epilog(EXAMPLES, ""))
@click.argument("spec")
@click.argument("image", type=click.Path(dir_okay=False))
@options.configuration()
@click.option("--engine", type=click.Choice(["oracle", "interpreter"]), default="interpreter", show_default=True)
@options.origin("Address of the first cell of a flat binary; default: where memory starts.", None)
@click.option("--max-instructions", type=click.IntRange(0), default=None, help="Stop after so many steps.")
@click.option("--stats", is_flag=True, help="Print steps and speed at the end, to standard error.")
@click.option("--trace", is_flag=True, help="Print every step, to standard error; slow.")
@click.option("--console", is_flag=True, help="Give the guest's console standard input too; Ctrl-A X leaves.")
@click.option("--disk", type=click.Path(dir_okay=False), help="A file that is the guest's disk, for machines with one.")
@click.option("--read-only", is_flag=True, help="The disk takes no writes.")
def command(
    spec: str, image: str, config: str | None, engine: str, origin: int | None, max_instructions: int | None, stats: bool,
    trace: bool, console: bool, disk: str | None, read_only: bool,
) -> int:  # fmt: skip
    """Run a program, an ELF executable or a flat binary, on a machine. The exit code is the program's own.

    \b
    124: --max-instructions reached. 125: the machine cannot go on. 2: bad specification, image or usage.
    """
    wanted = Wanted(config, engine == "oracle", origin, max_instructions, stats, trace, console, disk, read_only)
    return run_image(locate(spec), image, wanted)
