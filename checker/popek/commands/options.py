"""What several commands share of their command lines: options, each declared once, and how a help ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

EXIT_CODES: Final = """\b
Exit codes: 0 as expected, 1 refuted, 2 bad specification or usage, 3 unknown,
70 a bug in popek, 130 interrupted."""


def epilog(examples: str, codes: str = EXIT_CODES) -> str:
    """The end of a help: examples, a line each, then exit codes if they are the command's to give."""
    listed = "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())
    return f"\b\nExamples:\n{listed}" + (f"\n\n{codes}" if codes else "")


def configuration(help: str = "Configuration (default: the first).") -> Callable[[Function], Function]:
    """`--config NAME`: one configuration, or None."""
    return click.option("--config", help=help)


def parameters(help: str = "Set a parameter.") -> Callable[[Function], Function]:
    """`--param NAME=VALUE`, repeatable: `parameters`, a tuple of texts."""
    return click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help=help)


def instructions(help: str) -> Callable[[Function], Function]:
    """`--instr NAME,...`, repeatable: `instructions`, a tuple of names."""
    return click.option("--instr", "instructions", multiple=True, metavar="NAME,...", callback=names, help=help)


def theorems(help: str) -> Callable[[Function], Function]:
    """`--theorem NAME,...`, repeatable: `theorems`, a tuple of names."""
    return click.option("--theorem", "theorems", multiple=True, metavar="NAME,...", callback=names, help=help)


def names(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The names between commas, each once; a text without any is a usage error, since no name at all means every one."""
    found: dict[str, None] = {}
    for text in given:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise click.BadParameter(f"{text!r} names nothing; names are separated by commas", ctx, parameter)
        found |= dict.fromkeys(names)
    return tuple(found)


def formats(names: Sequence[str], help: str = "Output format.") -> Callable[[Function], Function]:
    """`--format NAME`: `format_`, the first of `names` by default."""
    return click.option("--format", "format_", type=click.Choice(names), default=names[0], show_default=True, help=help)


def output(help: str = "Write the report here instead of standard output.") -> Callable[[Function], Function]:
    """`--output FILE`: a path, or None for standard output."""
    return click.option("--output", "-o", type=click.Path(dir_okay=False), help=help)


def deciding(function: Function) -> Function:
    """`--jobs`, `--timeout` and `--no-cache`: with what questions are decided."""
    cores = os.cpu_count() or 1
    seconds = click.FloatRange(0.01)
    for option in (
        click.option("--no-cache", is_flag=True, help="Decide everything anew."),
        click.option("--timeout", type=seconds, default=30.0, show_default=True, help="Seconds for one question."),
        click.option("--jobs", "-j", type=click.IntRange(1), default=cores, show_default="all cores", help="Processes."),
    ):
        function = option(function)
    return function


def origin(help: str = "Address of the first cell.", default: str | None = "0") -> Callable[[Function], Function]:
    """`--origin NUMBER`: where a program's first cell lies."""
    return click.option("--origin", callback=_number, default=default, show_default=True, help=help)


def _number(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A number as a specification writes it: `16`, `0x10`, `0b1_0000`; anything else is a usage error."""
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number", ctx, parameter) from None
