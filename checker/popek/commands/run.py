"""`popek run`."""

from __future__ import annotations

from typing import Any

import click

from popek.commands import options
from popek.hosting import Hosting, run_guests
from popek.library import locate
from popek.running import Wanted, run_image

EXAMPLES = """
popek run riscv program.elf --stats
popek run riscv program.bin --origin 0x80000000 --max-instructions 1000000
popek run riscv kernel.elf --disk disk.img --console
"""
GUESTS = """
popek run spec/riscv/riscv.vmm --guest kernel.elf --stats
popek run spec/riscv/riscv.vmm --guest a.elf --guest b.elf --weights 1,3
popek run spec/riscv/riscv.vmm --guest a.elf --guest b.elf --console 0 --disk 1=disk.img
"""


def _weights(ctx: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    parts = text.split(",") if text else []
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r}: numbers from 1 on, separated by commas", ctx, parameter)
    return tuple(int(part) for part in parts)


def _disks(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    pairs = [text.partition("=") for text in given]
    if not all(number.isdecimal() and file for number, _, file in pairs):
        raise click.BadParameter("a disk is N=FILE, N the number of the guest, from 0", ctx, parameter)
    return tuple((int(number), file) for number, _, file in pairs)


class _ByText(click.Command):
    """A program on a machine; where the text is one of monitors, guests."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if any(arg.endswith(".vmm") for arg in args):
            return guests.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("run", cls=_ByText, epilog=options.epilog(EXAMPLES, ""))
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

    Guests under a monitor: popek run X.vmm --help.
    """
    wanted = Wanted(config, engine == "oracle", origin, max_instructions, stats, trace, console, disk, read_only)
    return run_image(locate(spec), image, wanted)


@click.command("run", epilog=options.epilog(GUESTS, ""))
@click.argument("monitors")
@click.option(
    "--guest", "guests", multiple=True, required=True, type=click.Path(dir_okay=False), help="A guest's program; repeat."
)
@click.option("--monitor", help="Which monitor of the text (default: the first).")
@options.origin("Address of the first cell of a flat binary; default: where memory starts.", None)
@click.option("--weights", callback=_weights, help="Each guest's share: numbers from 1 on, separated by commas.")
@click.option("--max-instructions", type=click.IntRange(0), default=None, help="Stop after so many steps of all guests together.")
@click.option("--stats", is_flag=True, help="Print steps, shares and exits at the end, to standard error.")
@click.option("--console", type=click.IntRange(0), help="The guest (from 0) that has the terminal; Ctrl-A X leaves.")
@click.option("--disk", "disks", multiple=True, metavar="N=FILE", callback=_disks, help="A file that is guest N's disk; repeat.")
def guests(
    monitors: str, guests: tuple[str, ...], monitor: str | None, origin: int | None, weights: tuple[int, ...],
    max_instructions: int | None, stats: bool, console: int | None, disks: tuple[tuple[int, str], ...],
) -> int:  # fmt: skip
    """Run guests under a monitor, beside each other. The exit code is the first of theirs that is not 0.

    \b
    124: --max-instructions reached. 125: a guest's machine cannot go on. 2: bad text, image or usage.
    """
    return run_guests(monitors, guests, Hosting(monitor, origin, max_instructions, stats, weights, console, disks))
