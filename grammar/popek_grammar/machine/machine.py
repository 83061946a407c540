"""The resolved, typed machine: all declarations of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from popek_grammar.machine.claims import Invariant, Theorem
from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.instructions import Alias, FragmentInfo, Function, Instruction, Layout, Length, OperandKind
from popek_grammar.machine.memory import Mapped, Placement, Protection, Translation
from popek_grammar.machine.monitors import Monitor
from popek_grammar.machine.platform import Clock, Devicetree, Region
from popek_grammar.machine.state import Array, CsrSpace, Modes, Register, Scalar
from popek_grammar.machine.statements import Cause, Stmt
from popek_grammar.machine.traps import Causes, FaultKind, Interrupts, TrapStack
from popek_grammar.records import record


@record
class Machine:
    """One machine in one configuration. Mappings keep declaration order.

    `order`: `little` (the instruction is one integer, stored little-endian), `big` (the bit string as stored), or
    `stream` (bytes in storage order, operands wider than a byte little-endian). `parcel`: bits fetched at a time.
    `main_memory` is the array that loads, stores and fetches reach; `pc` and `mode` the scalars that play those parts.
    `choices` are the ranges that each parameter may be in, `given` the settings that are not the configuration's. `elf` is
    what executables for the machine are marked with (System V ABI 4.1, `e_machine`).
    """

    name: str
    config: str
    title: str
    manual: str
    files: tuple[str, ...]
    parameters: Mapping[str, int]
    extensions: Mapping[str, bool]
    configs: tuple[str, ...]
    order: str
    parcel: int
    modes: Modes
    pc: str
    mode: str | None
    main_memory: str | None
    scalars: Mapping[str, Scalar]
    arrays: Mapping[str, Array]
    registers: Mapping[str, Register]
    csrs: Mapping[int, str]
    csr_space: CsrSpace | None
    causes: Causes
    faults: Mapping[str, FaultKind]
    acting: Expr | None
    layouts: Mapping[str, Layout]
    functions: Mapping[str, Function]
    fragments: Mapping[str, FragmentInfo]
    instructions: Mapping[str, Instruction]
    operand_kinds: Mapping[str, OperandKind]
    aliases: tuple[Alias, ...]
    otherwise: Cause | None
    trap_stacks: Mapping[str, TrapStack]
    delegate: tuple[Stmt, ...] | None
    interrupts: Interrupts | None
    translations: Mapping[str, Translation]
    protections: Mapping[str, Protection]
    placements: Mapping[str, Placement]
    program: tuple[tuple[str, str | None, str], ...]
    theorems: Mapping[str, Theorem]
    lengths: tuple[Length, ...] = ()
    choices: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    regions: Mapping[str, Region] = field(default_factory=dict)
    clocks: tuple[Clock, ...] = ()
    devicetree: Devicetree | None = None
    elf: int | None = None
    mapped: tuple[Mapped, ...] = ()
    invariants: Mapping[str, Invariant] = field(default_factory=dict)
    monitors: Mapping[str, Monitor] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """The configuration and what was set beside it, for headings: `base, UMIP = 1`."""
        return ", ".join([self.config, *(f"{name} = {value}" for name, value in self.given.items())])
