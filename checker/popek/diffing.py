"""What `popek diff` does between its arguments and its report: two machines, checked options, and the report's own cache."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace

from popek.checking import Target, only_target
from popek.unknown import unknown
from popek_checker.difference.delta import Delta, Status
from popek_checker.virtualizability.options import Progress
from popek_grammar.machine import Machine


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of the two machines: its file, configuration and parameters, and once loaded its key."""

    spec: str
    config: str | None
    parameters: tuple[str, ...]

    def target(self) -> Target:
        """The one machine that is meant."""
        return only_target(self.spec, self.config, self.parameters)


def validate(given: tuple[str, ...], a: Machine, b: Machine) -> None:
    """A name that neither machine has is a usage error, with the nearest known one."""
    known = [*a.instructions, *b.instructions]
    for name in given:
        if name not in known:
            raise unknown(f"neither {a.name} nor {b.name} has an instruction `{name}`", name, known)


def whole_delta(
    a: Chosen,
    b: Chosen,
    given: tuple[str, ...],
    timeout: float,
    pool: Executor | None,
    caching: bool,
    tell: Progress,
    each: bool = False,
) -> Delta:
    """The comparison, at once when these very machines were compared with these options before."""
    one, other = a.target(), b.target()
    first, second = one.machine, other.machine
    validate(given, first, second)

    def decide() -> Delta:
        from popek_checker.difference.diff import diff
        from popek_checker.solver.cache import Cache, default_path

        made = diff(first, second, given, timeout, pool, tell, each, Cache(default_path()) if caching else None)
        return replace(made, a=replace(made.a, file=a.spec), b=replace(made.b, file=b.spec))

    if not caching:
        return decide()
    from popek_checker.solver.cache import remembered
    from popek_checker.solver.keys import remembered_name
    from popek_checker.solver.plain import Plain

    name = remembered_name("diff", f"{one.key} {other.key} {a.spec} {b.spec} {given} {timeout} {each}")
    return remembered(Plain(Delta), name, decide, keep=lambda delta: not delta.of(Status.UNKNOWN))
