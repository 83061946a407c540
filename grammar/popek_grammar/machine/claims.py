"""Theorems: what an author says of a machine."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.types import Span
from popek_grammar.records import record


@record
class Expectation:
    """`kind` is `holds`, `fails` or `exactly`; names are `instr` or `instr(csr)`, empty: any."""

    kind: str
    names: tuple[str, ...]


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
