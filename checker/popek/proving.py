"""What `popek prove` does between its arguments and its report: monitors, options, and the proof's own cache."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import click

from popek.library import monitors
from popek.unknown import unknown
from popek_checker.monitor.proof import OBLIGATIONS, Proof
from popek_checker.monitor.prove import Asked, prove
from popek_checker.virtualizability.options import Progress
from popek_grammar.load import configs_of, machine_and_key
from popek_grammar.machine import Machine


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run: which monitors, and what is asked of them."""

    names: tuple[str, ...]
    config: str | None
    asked: Asked


@dataclass(frozen=True, slots=True)
class Target:
    """One monitor, in the machine that it is for; `key` digests all that the machine depends on."""

    machine: Machine
    key: str
    name: str


def targets(specs: Sequence[str], settings: Settings) -> list[Target]:
    """Every monitor asked for. Unknown names are usage errors, with the nearest known one."""
    _known(settings.asked.obligations, list(OBLIGATIONS), "obligation", "there is")
    found = [target for spec in specs for target in _stated(spec, settings.config)]
    _known(settings.names, [target.name for target in found], "monitor", "there is")
    chosen = [target for target in found if not settings.names or target.name in settings.names]
    for target in chosen:
        _known(settings.asked.instructions, list(target.machine.instructions), "instruction", f"{target.machine.name} has")
    return chosen


def _stated(spec: str, config: str | None) -> list[Target]:
    """The monitors of a text, configuration by configuration."""
    path = monitors(spec)
    configs = configs_of(path)
    if config is not None and config not in configs:
        raise click.UsageError(f"{spec} states no monitor for configuration {config}; it does for: {', '.join(configs)}")
    found = []
    for name in configs if config is None else [config]:
        machine, key = machine_and_key(path, name)
        found += [Target(machine, key, monitor) for monitor in machine.monitors]
    if not found:
        raise click.UsageError(f'{spec} states no monitor: vmm NAME for "MACHINE.isa" {{ run S, U at U }}')
    return found


def _known(wanted: Sequence[str], known: Sequence[str], what: str, who: str) -> None:
    for name in wanted:
        if name not in known:
            raise unknown(f"{who} no {what} `{name}`", name, known)


def whole_proof(target: Target, settings: Settings, pool: Executor | None, caching: bool, tell: Progress) -> Proof:
    """The proof, at once when this very monitor was asked of with these options before."""

    def decide() -> Proof:
        from popek_checker.solver.cache import Cache, default_path

        store = Cache(default_path()) if caching else None
        return prove(target.machine, target.name, settings.asked, pool, store, tell)

    if not caching:
        return decide()
    from popek_checker.solver.cache import remembered
    from popek_checker.solver.keys import remembered_name
    from popek_checker.solver.plain import Plain

    name = remembered_name("proof", f"{target.key} {target.name} {settings.asked}")
    return remembered(Plain(Proof), name, decide, keep=lambda proof: proof.settled)
