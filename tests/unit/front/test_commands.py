"""The commands as files: found by name, imported only when asked for, each with a help whose examples it takes."""

from __future__ import annotations

import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from command import environment

from popek.cli import popek
from popek.commands import SUMMARIES

CONTEXT = click.Context(popek)


def command(name: str) -> click.Command:
    found = popek.get_command(CONTEXT, name)
    assert found is not None
    return found


def examples(name: str) -> list[str]:
    epilog = command(name).epilog or ""
    return [line.strip() for line in epilog.splitlines() if line.strip().startswith("popek ")]


def test_the_list_is_what_the_files_say() -> None:
    """A line in `popek --help` is the first sentence of the command's own help."""
    helps = {name: " ".join((command(name).help or "").split()) for name in popek.list_commands(CONTEXT)}
    assert list(helps) == sorted(SUMMARIES)
    for name, summary in SUMMARIES.items():
        assert command(name).name == name
        assert helps[name].startswith(summary), name


def test_the_list_imports_no_command() -> None:
    """Nor the grammar, nor the checker."""
    code = "import sys, popek.cli\nfrom click.testing import CliRunner\n"
    code += "print(CliRunner().invoke(popek.cli.popek, ['--help']).output)\n"
    code += "print(sorted(name for name in sys.modules if name.startswith('popek')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert "virtualizable" in done.stdout
    assert done.stdout.splitlines()[-1] == "['popek', 'popek.cli', 'popek.commands', 'popek.commands.options']"


def test_an_unknown_command_has_a_suggestion() -> None:
    result = CliRunner().invoke(popek, ["chek"])
    assert result.exit_code == 2
    assert "check" in result.output


@pytest.mark.parametrize("name", sorted(SUMMARIES))
def test_examples_are_taken(name: str) -> None:
    """Every example in a help is one of this command, and its options and arguments are known."""
    assert examples(name)
    for line in examples(name):
        first, second, *arguments = shlex.split(line)
        assert (first, second) == ("popek", name)
        command(name).make_context(name, arguments)
