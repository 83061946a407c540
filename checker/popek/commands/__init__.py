"""The commands, a file each. None is imported before it is asked for: `popek --help` is made of the lines below."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

SUMMARIES: Final = {
    "asm": "Assemble SOURCE (`-` for standard input) for a machine.",
    "check": "Decide whether machines are virtualizable, and whether their theorems hold.",
    "diff": "Compare what two machines mean, with a state that shows each difference.",
    "disasm": "Disassemble the bytes of IMAGE (`-` for standard input), or a hexadecimal WORD.",
    "explain": "Explain a machine, or an ITEM of it.",
    "fmt": "Format .isa and .vmm files in place (`-`: standard input to standard output).",
    "lint": "Errors and warnings of a specification, without deciding anything.",
    "prove": "Prove monitors: that a guest runs under each as on its own machine.",
    "run": "Run a program, an ELF executable or a flat binary, on a machine.",
}
"""Name of command to what it does, which is the first sentence of its own help too. `commands/NAME.py` holds it as `command`."""


class Commands(click.Group):
    """The group of all commands. What it is given stands for them in lists and suggestions; each comes from its own file."""

    def __init__(self, **attributes: object) -> None:
        listed = {name: click.Command(name, short_help=summary) for name, summary in SUMMARIES.items()}
        super().__init__(**attributes, commands=listed)  # type: ignore[arg-type]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported."""
        if cmd_name not in SUMMARIES:
            return None
        command: click.Command = import_module(f"popek.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `popek --help`, without any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))
