"""Theorems: what an author says of a machine."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.statements import Cause
from popek_grammar.machine.types import Span, Type
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
class Ending:
    """Where `when` holds a step `raises` this cause (with this payload, as far as it is given), `traps`, or `completes`."""

    kind: str
    cause: Cause | None
    when: Expr
    words: str


@record
class Invariant:
    """What every state of the machine satisfies, from reset on, as its author says: conjuncts with their words.

    `once`: from the first state on that satisfies it, which is software's to bring about; reset is not asked. `parameters` are
    names for any value whatever.

    With `about` it is a sentence about the steps named instead. `after`: the conjuncts hold of the state after each of them that
    completes; `old` are the parts of it that are of the state before, by the names that stand for them (`old(0)`, a
    `Local`). `of`: how each ends, by `endings`, whose conditions are of the state before.

    `expect` is `holds`, or `fails` with the steps that break it: instructions, `reset`, `inputs`, `entry(CAUSE)`,
    `interrupt(CAUSE)`, translations and protections.
    """

    name: str
    conjuncts: tuple[tuple[Expr, str], ...]
    expect: Expectation
    span: Span
    once: bool = False
    parameters: tuple[tuple[str, Type], ...] = ()
    about: str = ""
    steps: tuple[str, ...] = ()
    old: tuple[tuple[str, Expr], ...] = ()
    endings: tuple[Ending, ...] = ()

    @property
    def words(self) -> str:
        """The author's words, on one line."""
        lines = [*(text for _, text in self.conjuncts), *(ending.words for ending in self.endings)]
        said = " and ".join(text if len(lines) == 1 else f"({text})" for text in lines)
        return f"{self.about} {', '.join(self.steps)}: {said}" if self.about else said
