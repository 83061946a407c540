"""`popek prove`."""

from __future__ import annotations

import click

from popek.codes import proof_code, worst
from popek.commands import options
from popek.output import emit
from popek.proving import Settings, targets, whole_proof
from popek.reports import proof_writer
from popek.working import executor, progress
from popek_checker.monitor.proof import OBLIGATIONS
from popek_checker.monitor.prove import Asked

EXAMPLES = """
popek prove spec/pg1974.vmm
popek prove ia32 --monitor classic --instr popf,sgdt
popek prove X.vmm --obligation entry,frame --format json
"""


@click.command("prove", epilog=options.epilog(EXAMPLES))
@click.argument("specs", nargs=-1, required=True, metavar="X.vmm...")
@click.option("--monitor", "names", multiple=True, metavar="NAME,...", callback=options.names, help="Only these monitors.")
@options.configuration("Only the monitors of this configuration (default: all).")
@options.instructions("Decide only these instructions, and compare what is expected for them alone (repeatable).")
@click.option(
    "--obligation", "obligations", multiple=True, metavar="NAME,...", callback=options.names,
    help=f"Only these obligations: {', '.join(OBLIGATIONS)}.",
)  # fmt: skip
@options.deciding
@options.formats(("text", "json", "markdown"))
@options.output()
def command(
    specs: tuple[str, ...], names: tuple[str, ...], config: str | None, instructions: tuple[str, ...],
    obligations: tuple[str, ...], jobs: int, timeout: float, format_: str, output: str | None, no_cache: bool,
) -> int:  # fmt: skip
    """Prove monitors: that a guest runs under each as on its own machine.

    Every instruction is decided in every mode that runs, over all states; what refutes a monitor is shown with a state.
    """
    settings = Settings(names, config, Asked(instructions, obligations, timeout))
    with executor(jobs) as pool, progress() as tell:
        proofs = [whole_proof(each, settings, pool, not no_cache, tell) for each in targets(specs, settings)]
    emit(proof_writer(format_)(proofs), output)
    return worst(proof_code(proof) for proof in proofs)
