"""What executing an instruction can come to: a record of guarded cases."""

from __future__ import annotations

from dataclasses import dataclass

from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term


@dataclass(frozen=True, slots=True)
class TrapCase:
    """Under `condition` the instruction raises `cause` with this payload (one term per declared payload).

    `memory`: raised by address translation or protection of an access (Popek and Goldberg's memory trap).
    """

    condition: Term
    cause: str
    payload: tuple[Term, ...]
    memory: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Under `ok` the instruction completes in `state`; otherwise exactly one of `traps` holds.

    `assumptions` restrict the free choices made on the way (WARL choices, what a memory model leaves out).
    """

    ok: Term
    state: State
    traps: tuple[TrapCase, ...]
    assumptions: tuple[Term, ...]
