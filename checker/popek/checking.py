"""What `popek check` does between its arguments and its report: machines, options, and the report's own cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import click

from popek.library import of_machine
from popek.unknown import unknown
from popek_checker.virtualizability.options import Options, Progress
from popek_checker.virtualizability.verdict import Report
from popek_grammar.load import configs_of, load_machine, machine_key
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import suggest

MOST_VALUES = 64
"""The most values of a parameter that `--param NAME=*` goes through."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run: what is asked, checked against each machine before anything is decided; and of whom."""

    asked: Options
    cross_check: bool = False
    """Whether a second solver is asked too."""

    @property
    def names_things(self) -> bool:
        """Whether a machine must be looked at to know that these options make sense."""
        asked = self.asked
        return bool(asked.guest or asked.host or asked.instructions or asked.theorems or asked.placement)

    def validate(self, machine: Machine) -> None:
        """Unknown names are usage errors, with the nearest known one."""
        modes = [name for name, _ in machine.modes.members]
        for wanted, known, what in (
            (self.asked.guest, modes, "mode"),
            (self.asked.host, modes, "mode"),
            (self.asked.placement, [name for name in machine.placements if name], "placement"),
            *((name, list(machine.instructions), "instruction") for name in self.asked.instructions),
            *((name, list(machine.theorems), "theorem") for name in self.asked.theorems),
        ):
            if wanted is not None and wanted not in known:
                raise unknown(f"{machine.name} has no {what} `{wanted}`", wanted, known)


@dataclass(frozen=True)
class Target:
    """One machine to check: a file, a configuration and settings beside it. Loaded once, when somebody asks."""

    path: str
    config: str | None
    given: Mapping[str, int]

    @cached_property
    def key(self) -> str:
        """A digest of all that the machine depends on."""
        return machine_key(self.path, self.config, self.given)

    @cached_property
    def machine(self) -> Machine:
        """Raises SpecError."""
        return load_machine(self.path, self.config, self.given)


def targets(specs: tuple[str, ...], configs: tuple[str, ...], parameters: tuple[str, ...] = ()) -> Iterator[Target]:
    """Every machine asked for: each file in each configuration with each setting of its parameters."""
    for spec in specs:
        path = of_machine(spec)
        names: list[str | None] = list(configs) or [None]
        if "all" in configs:
            names = list(configs_of(path))
        for name in names:
            for chosen in _parameter_settings(path, name, parameters):
                yield Target(path, name, chosen)


def stating(wanted: list[Target], settings: Settings) -> list[Target]:
    """The machines that state one of the theorems asked for: a theorem may be of some configurations only.

    It is a usage error that none does: nothing would be asked, and nothing be found wrong.
    """
    names = settings.asked.theorems
    if not names:
        return wanted
    for target in wanted:
        settings.validate(target.machine)
    found = [target for target in wanted if any(_stated(target.machine, name) for name in names)]
    if found:
        return found
    machine = wanted[0].machine
    where = dict.fromkeys(config for name in names for config in machine.theorems[name].configs)
    here = ", ".join(target.machine.config for target in wanted)
    raise click.UsageError(f"{machine.name} does not state {', '.join(names)} in {here}; it does in: {', '.join(where)}")


def _stated(machine: Machine, name: str) -> bool:
    configs = machine.theorems[name].configs
    return not configs or machine.config in configs


def only_target(spec: str, config: str | None, parameters: tuple[str, ...] = ()) -> Target:
    """The one machine that is meant, where a command is about one."""
    found = list(targets((spec,), (config,) if config else (), parameters))
    if len(found) != 1:
        raise click.UsageError(f"{spec} stands for {len(found)} machines with these options; name one configuration and values")
    return found[0]


def _parameter_settings(path: str, config: str | None, given: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """NAME=VALUE, each; NAME=* stands for every value that the parameter may have, in turn."""
    axes: list[list[tuple[str, int]]] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--param takes NAME=VALUE, not {text!r}")
        if value == "*":
            axes.append([(name, number) for number in _choices(load_machine(path, config), name)])
            continue
        try:
            axes.append([(name, int(value, 0))])
        except ValueError:
            raise click.UsageError(f"--param {text}: {value!r} is not a number") from None
    for choice in product(*axes):
        yield dict(choice)


def _choices(machine: Machine, name: str) -> list[int]:
    """Every value that a parameter or extension may have."""
    ranges = machine.choices.get(name)
    if ranges is None:
        near = suggest(name, list(machine.choices))
        hint = f"; did you mean {near}?" if near else f"; there are: {', '.join(machine.choices)}" if machine.choices else ""
        raise click.UsageError(f"{machine.name} has no parameter `{name}`{hint}")
    count = sum(high - low + 1 for low, high in ranges)
    if count > MOST_VALUES:
        raise click.UsageError(f"--param {name}=*: it has {count} values; name the ones to check, with --param {name}=VALUE")
    return [number for low, high in ranges for number in range(low, high + 1)]


def cross_check(machine: Machine, asked: Options, report: Report) -> None:
    """Asks the second solver every goal of the report's table; two solvers that contradict each other are our bug."""
    from popek_checker.solver.second import Unavailable
    from popek_checker.virtualizability.check import main_claim
    from popek_checker.virtualizability.crosscheck import disagreements, opinions
    from popek_checker.virtualizability.decide import items

    _, invariant = main_claim(machine, asked, list(machine.theorems.values()))
    work = [item for item in items(machine) if not asked.instructions or item.instruction in asked.instructions]
    try:
        found = list(opinions(machine, work, report.claim, invariant))
    except Unavailable as error:
        raise click.UsageError(str(error)) from None
    against = disagreements(found)
    click.echo(f"cross-check: {len(found)} goals, {len(against)} disagreements", err=True)
    if against:
        raise RuntimeError(f"solvers disagree: {against[:3]}")


def whole_report(target: Target, settings: Settings, pool: Executor | None, caching: bool, tell: Progress) -> Report:
    """The report, at once when this very machine was reported on with these options before."""
    if settings.names_things:
        settings.validate(target.machine)

    def decide() -> Report:
        from popek_checker.solver.cache import Cache, default_path
        from popek_checker.virtualizability.check import check

        machine = target.machine
        if not machine.modes.members:
            hint = "modes { user = 0 < supervisor = 1 }"
            raise click.UsageError(f"{machine.name} declares no modes, so there is no guest and no host to ask about: {hint}")
        store = Cache(default_path()) if caching else None
        report = check(machine, settings.asked, pool, store, tell)
        if settings.cross_check:
            cross_check(machine, settings.asked, report)
        return report

    if not caching or settings.cross_check:
        return decide()
    from popek_checker.solver.cache import remembered
    from popek_checker.solver.keys import remembered_name
    from popek_checker.solver.plain import Plain

    name = remembered_name("report", f"{target.key} {settings.asked}")
    return remembered(Plain(Report), name, decide, keep=lambda report: report.settled)
