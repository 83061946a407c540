"""`popek lint`."""

from __future__ import annotations

import sys

import click

from popek.commands import options
from popek.library import locate
from popek.reports.terminal import colours
from popek_grammar.load import lint_machine
from popek_grammar.text.diagnostics import render_all

EXAMPLES = """
popek lint machine.isa
popek lint riscv --config rv32
"""


@click.command("lint", epilog=options.epilog(EXAMPLES, ""))
@click.argument("spec")
@options.configuration("Configuration (default: all of them).")
def command(spec: str, config: str | None) -> int:
    """Errors and warnings of a specification, without deciding anything."""
    problems, sources = lint_machine(locate(spec), config)
    if problems:
        click.echo(render_all(problems, sources.texts, colours(sys.stdout)))
    return 2 if any(problem.severity == "error" for problem in problems) else 0
