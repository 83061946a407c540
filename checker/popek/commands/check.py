"""`popek check`."""

from __future__ import annotations

import click

from popek.checking import Settings, stating, targets, whole_report
from popek.codes import exit_code, worst
from popek.commands import options
from popek.output import emit
from popek.reports import writer
from popek.working import executor, progress
from popek_checker.virtualizability.options import Options

EXAMPLES = """
popek check riscv
popek check spec/x86/ia32.isa --config umip --instr smsw
popek check SPEC --param UMIP=* --format sarif -o popek.sarif
"""


@click.command("check", epilog=options.epilog(EXAMPLES))
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--config", "configs", multiple=True, help="Configuration to check (repeat for several; default: the first; `all`)."
)
@options.parameters("Set a parameter; NAME=* tries every value.")
@click.option(
    "--for", "mode", metavar="MODE", help="Real mode that the guest runs in; `GUEST@MODE` names the guest's top mode too."
)
@options.instructions("Decide only these instructions, and compare theorems for them alone (repeatable).")
@options.theorems("Check only these theorems (repeatable).")
@click.option("--placement", metavar="NAME", help="The f of that name: where the host has the guest (docs/language.md).")
@click.option("--reading", type=click.Choice(["literal", "amended"]), help="The 1974 text, or with all traps excluded.")
@click.option("--memory", type=click.Choice(["view", "per_mode", "translated"]), help="Memory model.")
@options.deciding
@options.formats(("text", "json", "sarif", "markdown", "junit"))
@options.output()
@click.option("--cross-check", is_flag=True, help="Ask a second solver (bitwuzla) too; needs popek[cross].")
def command(
    specs: tuple[str, ...], configs: tuple[str, ...], parameters: tuple[str, ...], mode: str | None,
    instructions: tuple[str, ...], theorems: tuple[str, ...], reading: str | None, memory: str | None, placement: str | None,
    jobs: int, timeout: float, format_: str, output: str | None, no_cache: bool, cross_check: bool,
) -> int:  # fmt: skip
    """Decide whether machines are virtualizable, and whether their theorems hold.

    Every instruction is decided by itself; where one is sensitive without a trap, a state shows why.
    """
    guest, _, host = mode.rpartition("@") if mode else ("", "", "")
    asked = Options(guest or None, host or None, memory, reading, instructions, theorems, timeout, placement)
    settings = Settings(asked, cross_check)
    with executor(jobs) as pool, progress() as tell:
        wanted = stating(list(targets(specs, configs, parameters)), settings)
        reports = [whole_report(each, settings, pool, not no_cache, tell) for each in wanted]
    emit(writer(format_)(reports), output)
    return worst(exit_code(report) for report in reports)
