"""What a proof takes for granted, and what it does not look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from popek_checker.monitor.entries import premises, stores
from popek_checker.virtualizability import granted
from popek_checker.virtualizability.assumed import alike
from popek_checker.virtualizability.verdict import Claim
from popek_grammar import machine as m

STEP = (
    "on a trap the monitor does one step of the guest's own machine on the guest's state, interrupts and memory faults included, "
    "and enters the guest again at f of what comes of it"
)
REWRITE = (
    "`rewrite`: the guest sees neither the code that is put in the place of its own nor where it lies, "
    "and no instruction is executed that has not been looked at; what is replaced is one step of the guest's own machine"
)
HYPERCALL = "`hypercall`: the guest's author has put a call in the place of each, and nothing else in the guest reads its code"
TOLD = "the monitor tells a call that stands for an instruction from the guest's own by where it stands"
SETS = "fields hold a value of their declared sets (`popek check` names the steps that may leave one)"


def claim_of(machine: m.Machine, monitor: m.Monitor) -> tuple[m.Machine, Claim]:
    """The machine with the monitor's f for its own, and the claim of which `popek check` would be asked."""
    top = max(monitor.modes, key=machine.modes.rank)
    claim = Claim(machine.modes.name(top), machine.modes.name(monitor.at), monitor.memory)
    return replace(machine, placements={"": monitor.placement}), claim


def assumptions(machine: m.Machine, monitor: m.Monitor) -> tuple[str, ...]:
    return tuple(_assumptions(machine, monitor))


def _assumptions(machine: m.Machine, monitor: m.Monitor) -> Iterator[str]:
    yield STEP
    yield from granted.assumptions(*claim_of(machine, monitor))
    ways = {replaced.how for replaced in monitor.replaced}
    yield from (said for how, said in (("rewrite", REWRITE), ("hypercall", HYPERCALL)) if how in ways)
    if ways:
        yield TOLD
    if stores(machine, monitor):
        yield f"what the entry of a trap stores to {machine.main_memory} lies in the host's own memory, and does not fault"
    if any(scalar.legal is not None for scalar in machine.scalars.values()):
        yield SETS
    if kept := premises(machine):
        names = ", ".join(each.name for each in kept)
        yield f"invariants of the machine, where a trap is entered: {names} (`popek check` proves them)"
    yield from alike(machine)
    above = [name for name, code in machine.modes.members if code not in monitor.modes and _above(machine, monitor, code)]
    if above:
        yield f"the guest's machine ends below {', '.join(above)}: what takes it there is answered by the monitor"


def _above(machine: m.Machine, monitor: m.Monitor, code: int) -> bool:
    return machine.modes.rank(code) > max(machine.modes.rank(mode) for mode in monitor.modes)


def exclusions(machine: m.Machine, monitor: m.Monitor) -> tuple[str, ...]:
    """What of a monitor no obligation is about."""
    found = [*granted.exclusions(machine), "what devices and the console see (O6); when interrupts are delivered"]
    if monitor.memory != "translated" and machine.translations:
        found.append("that the tables which the host walks are the view (I1 to I6)")
    found.append("more than one guest: each has memory and a record of its own")
    return tuple(found)
