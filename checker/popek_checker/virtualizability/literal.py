"""The questions as the 1974 text has them: only memory traps are excluded; any other trap is followed through its entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from popek_checker.virtualizability.copies import Copy, entry_reads, finished, holds, resources_differ, resources_kept
from popek_checker.virtualizability.questions import Ask, Subject
from popek_grammar.meaning import terms as t


class Literal(Subject):
    """The 1974 text: only memory traps are excluded; any other trap is followed through its entry."""

    @property
    def asks_together(self) -> bool:
        return False

    def leaves(self, mode: int) -> frozenset[str]:
        """What a completed run at `mode` depends on, or which trap it is that is followed, its payload, and its entry."""
        item = self.copy(mode)
        followed = [trap for trap in item.outcome.traps if not trap.memory]
        told = [term for trap in item.outcome.traps for term in (trap.condition, *(() if trap.memory else trap.payload))]
        entered = entry_reads(self.machine) if followed else frozenset[str]()
        return super().leaves(mode) | {leaf.name for leaf in t.free(told)} | entered

    def runs(self) -> Iterator[Ask]:
        """Not privileged: same state but for the mode, no memory trap, and not (user traps and supervisor does not)."""
        for mode in self.bare:
            bare, user = self.deprivileged(mode)
            bad = t.not_(t.and_(user.trap, bare.ok))
            quiet = (t.not_(bare.memory_trap), t.not_(user.memory_trap))
            yield Ask("runs", (self.label(mode), self.label(self.host)), (bare, user), (*quiet, bad))

    def executable(self) -> Iterator[Ask]:
        """Not vacuous: somewhere the bare run completes (the other one traps there, by memory or not)."""
        for mode in self.bare:
            bare, user = self.deprivileged(mode)
            yield Ask("executable", (self.label(mode), self.label(self.host)), (bare, user), (bare.ok,))

    def deprivileged(self, mode: int) -> tuple[Copy, Copy]:
        """One state in two modes; H holds of it."""
        bare, user = self.copy(mode), self.copy(self.host)
        facts = tuple(holds(self.machine, user.before, h) for h in self.invariant)
        return bare, replace(user, facts=(*user.facts, *facts))

    def control(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        for mode in modes:
            one = self.copy(mode)
            after = finished(one, self.following(one))
            differ = resources_differ(one.before, after, self.machine)
            yield Ask("control_sensitive", (self.label(mode),), (one,), (t.not_(one.memory_trap), differ))

    def _behaviour(self, question: str, one: Copy, other: Copy, labels: tuple[str, ...], embedded: bool = False) -> Ask:
        if one.outcome is other.outcome:
            return Ask(question, labels, (one, other), (t.FALSE,))
        pair = [(item, finished(item, self.following(item))) for item in (one, other)]
        quiet = [t.not_(item.memory_trap) for item in (one, other)]
        kept = [resources_kept(item.before, after, self.machine) for item, after in pair]
        first, second = (replace(item, outcome=replace(item.outcome, state=after)) for item, after in pair)
        return Ask(question, labels, (one, other), (*quiet, *kept, self.seen(first, second, embedded)))

    def user(self) -> Iterator[Ask]:
        here = (self.host,)
        yield from self.control(here)
        yield from self.behaviour_location(here)
        for name in self.configuration:
            yield from self.behaviour_config(name, here)

    def trap_sensitive(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The 1974 text has no such class."""
        return iter(())
