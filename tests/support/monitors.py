"""Monitors made for a test, of machines that have none in a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from popek_grammar import machine as m
from popek_vmm.monitor.hosted import Hosted
from popek_vmm.monitor.places import Places

NOWHERE = m.Span("test", 1, 1, 1, 1)


def holding(settings: Mapping[str, int]) -> m.Placement:
    """f with the host's one-bit settings at these values."""
    held = (m.Held(name, None, m.Literal(value, m.Bits(1)), NOWHERE) for name, value in settings.items())
    return m.Placement("", (), tuple(held), (), (), (), None, (), (), NOWHERE)


def monitor(
    machine: m.Machine, runs: Iterable[str], at: str, interprets: Iterable[str] = (), f: m.Placement | None = None,
    replaced: tuple[str, ...] = (), steps: int = 1000, weight: int = 1,
) -> m.Monitor:  # fmt: skip
    """A monitor whose guests run in the mode `at`."""
    code = machine.modes.code
    f = f or m.Placement("", (), (), (), (), (), None, (), (), NOWHERE)
    return m.Monitor(
        "test", tuple(map(code, runs)), code(at), tuple(map(code, interprets)), f, "view",
        (m.Replaced("rewrite", replaced, NOWHERE),) if replaced else (), steps, weight, m.Expectation("holds", ()), "", NOWHERE,
    )  # fmt: skip


def hosted(
    machine: m.Machine, *runs: str, at: str, interprets: Iterable[str] = (), f: m.Placement | None = None,
    replaced: tuple[str, ...] = (),
) -> Hosted:  # fmt: skip
    """The steps of a guest of such a monitor."""
    return Hosted(Places(machine, monitor(machine, runs, at, interprets, f, replaced)))
