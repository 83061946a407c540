"""What generated code is built around: the layout, the sizes, and which state decides what. All derived from the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from popek_grammar import machine as m
from popek_grammar.assembly.decode import decoder_of
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import cell_bits
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import symbolic
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import deliverable
from popek_vmm.engine.accesses import KINDS, Reach, address_width, default_acting, dependencies, first_choice, page_bits, reach
from popek_vmm.engine.entries import entry_bytes
from popek_vmm.engine.layout import Layout, Unsupported, container_bytes, layout
from popek_vmm.engine.whole import Whole, whole

TOUCHED_WATCH, TOUCHED_TABLE = 1, 2
"""What a store is said to have touched: watched cells, which the host is told of, and tables, so that the TLB is empty."""


@dataclass(frozen=True)
class Plan:
    """The shape of the generated program for one machine.

    `acting` and `mapping` name the state that picks a TLB bank and that translations depend on otherwise; `interrupting`
    what decides whether an interrupt is taken. An instruction that writes any of it settles these before it goes on.
    """

    machine: m.Machine
    reaches: Mapping[str, Reach]
    usual: Mapping[str, Term]
    acting: frozenset[str]
    mapping: frozenset[str]
    interrupts: tuple[tuple[Term, str], ...]
    interrupting: frozenset[str]
    page: int
    entry_bytes: int
    parcel_cells: int
    longest: int

    @cached_property
    def wholes(self) -> Mapping[str, Whole]:
        """By the kind of access, what makes a TLB entry stand for a page."""
        width = address_width(self.machine)
        least = {kind: self.parcel_cells if kind == "fetch" else 1 for kind in KINDS}
        return {kind: whole(each, self.page, width, least[kind]) for kind, each in self.reaches.items()}

    def holds(self, kind: str, cells: int) -> bool:
        """Whether accesses of so many cells are among those that TLB entries can stand for."""
        return not self.wholes[kind].aligned or (cells & cells - 1 == 0 and cells <= 1 << self.page)

    @property
    def memory(self) -> m.Array:
        assert self.machine.main_memory is not None
        return self.machine.arrays[self.machine.main_memory]

    @property
    def cell_bytes(self) -> int:
        return container_bytes(self.memory.width)

    @property
    def granule(self) -> int:
        """Address bits within a granule, the unit of flags."""
        return min(6, self.page)

    @property
    def sets(self) -> int:
        """TLB entries of a bank."""
        return 256 if self.machine.modes.width <= 3 else 64

    @property
    def banks(self) -> int:
        return len(KINDS) << max(1, self.machine.modes.width)

    @property
    def page_slots(self) -> int:
        """Entries of a page: one a parcel, then some that are never filled, where running off the page leads."""
        return (1 << self.page) // self.parcel_cells + self.longest // self.parcel_cells

    @property
    def pc(self) -> m.Scalar:
        return self.machine.scalars[self.machine.pc]

    @cached_property
    def clocks(self) -> Mapping[str, m.Clock]:
        """What advances with every step, by name. Its slot holds the value plus the steps that are left."""
        return {clock.name: clock for clock in self.machine.clocks}

    @cached_property
    def layout(self) -> Layout:
        words = "exit left ram_low ram_cells bias entries flags va acting next_pc place"
        words += " tlb_entry retry oneshot oneshot_left watch_low watch_high"
        control = dict.fromkeys(words.split(), (64, 1))
        control |= {"single": (8, 1), "store": (8, 1), "dirty": (8, 1), "size": (32, 1), "retries": (32, 1)}
        control |= {"payload": (128, max(1, len(self.machine.causes.payload))), "zeros": (128, 4), "sink": (128, 4)}
        control |= {"banks": (64, len(KINDS)), "tlb": (128, self.sets * self.banks)}
        return layout(self.machine, control)


def plan(machine: m.Machine) -> Plan:
    """Evaluates what the whole program is shaped by. Raises Unsupported for a machine that cannot be run."""
    if machine.main_memory is None:
        raise Unsupported(f"{machine.name} has no memory to run programs from")
    if machine.parcel % cell_bits(machine):
        raise Unsupported(f"{machine.name} fetches {machine.parcel} bits, which is no number of memory cells")
    reaches = {kind: reach(machine, kind) for kind in KINDS}
    usual = {kind: default_acting(machine, kind) for kind in KINDS}
    roots = [root for each in reaches.values() for root in reach_roots(each)]
    run = Run(machine, symbolic(machine), Translated(), first_choice)
    interrupts = tuple((condition, cause.name) for condition, cause in deliverable(run))
    bits = machine.arrays[machine.main_memory].width
    for clock in machine.clocks:
        if clock.name in dependencies([*roots, *usual.values(), *(condition for condition, _ in interrupts)], machine):
            raise Unsupported(
                f"translations or interrupts of {machine.name} depend on the clock {clock.name}: wire a timer instead"
            )
    return Plan(
        machine, reaches, usual, dependencies(list(usual.values()), machine),
        dependencies(roots, machine) - {machine.main_memory},
        interrupts, dependencies([condition for condition, _ in interrupts], machine),
        page_bits(machine), entry_bytes(machine), machine.parcel // bits, max(decoder_of(machine).longest // bits, 1),
    )  # fmt: skip


def reach_roots(each: Reach) -> list[Term]:
    """All that a translation's result depends on."""
    traps = [part for trap in each.outcome.traps for part in (trap.condition, *trap.payload)]
    return [each.outcome.ok, each.place, each.unchanged, *traps]
