"""Theorems: what an author says of a machine."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.types import Span
from popek_grammar.records import record


@record
class Expectation:
    """`kind` is `holds`, `fails` or `exactly`; names are `instr` or `instr(csr)`, empty: any.

    `kinds` says of some of the names in which ways they break it (`popf: control + mode`): these, and no other.
    """

    kind: str
    names: tuple[str, ...]
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()


@record
class Theorem:
    """A claim about the machine: see docs/language.md, "Theorems".

    `guest` is the most privileged mode of the guest, `host` the mode it really runs in (None: per command line).
    `alone`: the guest's machine has the mode `guest` and no other. `assumed_at` is where each condition of `assume` stands;
    `placement` names the f that it is asked under.
    """

    name: str
    guest: int | None
    host: int | None
    configs: tuple[str, ...]
    memory: str
    reading: str
    assume: tuple[tuple[Expr, str], ...]
    show: str
    expect: Expectation
    span: Span
    alone: bool = False
    assumed_at: tuple[Span, ...] = ()
    placement: str = ""


@record
class Invariant:
    """What every state of the machine satisfies, from reset on, as its author says: conjuncts with their words.

    `once`: from the first state on that satisfies it, which is software's to bring about; reset is not asked.

    `expect` is `holds`, or `fails` with the steps that break it: instructions, `reset`, `inputs`, `entry(CAUSE)`,
    `interrupt(CAUSE)`.
    """

    name: str
    conjuncts: tuple[tuple[Expr, str], ...]
    expect: Expectation
    span: Span
    once: bool = False

    @property
    def words(self) -> str:
        """The author's words, on one line."""
        return " and ".join(text if len(self.conjuncts) == 1 else f"({text})" for _, text in self.conjuncts)
