"""The records that `explain.py` derives and `explain_text.py` prints. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from popek_checker.explanation.paging import Shape

Roles: TypeAlias = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BitField:
    """Word bits `hi..lo`: fixed bits, or bits of an operand (`imm[4:1]`)."""

    hi: int
    lo: int
    text: str
    fixed: bool


@dataclass(frozen=True, slots=True)
class EncodingView:
    """One bit pattern, its fragment alternatives in words, and its assembly template."""

    width: int
    fields: tuple[BitField, ...]
    alternatives: tuple[str, ...]
    asm: str


@dataclass(frozen=True, slots=True)
class GuardView:
    """A guard as written, and the cause it raises."""

    text: str
    cause: str


@dataclass(frozen=True, slots=True)
class InstructionView:
    name: str
    clause: str
    doc: str
    needs: tuple[str, ...]
    over: tuple[str, ...]
    encodings: tuple[EncodingView, ...]
    guards: tuple[GuardView, ...]
    access: Mapping[str, str]
    reads: Roles
    writes: Roles
    memory: tuple[str, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """A trap of this cause, or completion (None); `by` names what decides whether it is this end, where a setting does not.

    Not `sure`: that some state leads to it could not be decided in time.
    """

    cause: str | None
    by: tuple[str, ...]
    sure: bool


@dataclass(frozen=True, slots=True)
class SettingRow:
    """In these modes, with this setting (conditions that hold together; none: any), the ends by priority."""

    modes: tuple[str, ...]
    setting: tuple[str, ...]
    endings: tuple[Ending, ...]


@dataclass(frozen=True, slots=True)
class CausesView:
    """How an instruction ends, by mode and setting; with `parts`, of one that picks a CSR, the CSRs with which it is so."""

    instruction: str
    parts: tuple[str, ...]
    rows: tuple[SettingRow, ...]


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field of a register. `legal` and `reset` are words, empty when everything goes or nothing is said."""

    name: str
    hi: int
    lo: int
    access: str
    role: str
    legal: str
    reset: str
    stored: str
    doc: str


@dataclass(frozen=True, slots=True)
class RegisterView:
    """A register, a CSR (with `address`), an array of state, or a variable. `role` is empty where its fields have their own."""

    name: str
    kind: str
    width: int
    count: int
    address: int | None
    min_mode: str
    doc: str
    fields: tuple[FieldView, ...]
    guards: tuple[GuardView, ...]
    notes: tuple[str, ...]
    role: str = ""


@dataclass(frozen=True, slots=True)
class TranslationView:
    name: str
    modes: tuple[str, ...]
    over: str
    shape: Shape
    reads: Roles
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProtectionView:
    """A check of every physical access."""

    name: str
    reads: Roles
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingView:
    """A parameter or an extension in one configuration; `legal` are the values it may have."""

    name: str
    kind: str
    value: str
    legal: str


@dataclass(frozen=True, slots=True)
class MachineView:
    name: str
    config: str
    configs: tuple[str, ...]
    title: str
    manual: str
    parameters: Mapping[str, int]
    extensions: Mapping[str, bool]
    modes: tuple[str, ...]
    order: str
    parcel: int
    memory: str
    instructions: int
    encodings: Mapping[int, int]
    csrs: int
    state: Roles
    trap_stacks: Mapping[str, tuple[str, ...]]
    causes: Mapping[str, int]
    translations: tuple[str, ...]
    theorems: tuple[str, ...]


View: TypeAlias = InstructionView | RegisterView | TranslationView | MachineView | CausesView
