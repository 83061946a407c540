"""`popek diff`."""

from __future__ import annotations

import click

from popek.codes import delta_code
from popek.commands import options
from popek.diffing import Chosen, whole_delta
from popek.output import emit
from popek.reports import delta_writer
from popek.working import executor, progress

EXAMPLES = """
popek diff A.isa B.isa
popek diff ia32 ia32 --config-a base --config-b umip
popek diff SPEC SPEC --param-a XLEN=32 --param-b XLEN=64 --instr lw,sw
"""
CODES = options.EXIT_CODES.replace("0 as expected, 1 refuted", "0 no difference, 1 differences")


@click.command("diff", epilog=options.epilog(EXAMPLES, CODES))
@click.argument("spec_a", metavar="A.isa")
@click.argument("spec_b", metavar="B.isa")
@options.configuration("Configuration of both (default: the first of each).")
@click.option("--config-a", help="Configuration of A.")
@click.option("--config-b", help="Configuration of B.")
@options.parameters("Set a parameter of both.")
@click.option("--param-a", "parameters_a", multiple=True, metavar="NAME=VALUE", help="Set a parameter of A.")
@click.option("--param-b", "parameters_b", multiple=True, metavar="NAME=VALUE", help="Set a parameter of B.")
@options.instructions("Compare only these instructions (repeatable).")
@click.option("--each", is_flag=True, help="Ask about each thing by itself, also where many differ through one clause.")
@options.deciding
@options.formats(("text", "json", "markdown"))
@options.output()
def command(
    spec_a: str, spec_b: str, config: str | None, config_a: str | None, config_b: str | None, parameters: tuple[str, ...],
    parameters_a: tuple[str, ...], parameters_b: tuple[str, ...], instructions: tuple[str, ...], each: bool, jobs: int,
    timeout: float, format_: str, output: str | None, no_cache: bool,
) -> int:  # fmt: skip
    """Compare what two machines mean, with a state that shows each difference.

    Instruction by instruction, then traps, interrupts and words that neither decodes.
    """
    a = Chosen(spec_a, config_a or config, (*parameters, *parameters_a))
    b = Chosen(spec_b, config_b or config, (*parameters, *parameters_b))
    with executor(jobs) as pool, progress() as tell:
        delta = whole_delta(a, b, instructions, timeout, pool, not no_cache, tell, each)
    emit(delta_writer(format_)(delta), output)
    return delta_code(delta)
