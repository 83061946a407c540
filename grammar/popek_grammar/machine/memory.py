"""Address translation, protection, and where a guest lies."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.statements import Stmt
from popek_grammar.machine.types import Bits, Span
from popek_grammar.records import record


@record
class Translation:
    """A declared address translation, applied when `acting` is one of `modes` (all, when empty) and `when` holds.

    `body` sees `va` (Bits(va_width)), `access`, `acting`, `size` and ends in Return(physical address), `fault` or a
    Walk. `canonical` names the fault for a `va` whose higher bits are not copies of its top bit; None truncates only
    when va is as wide as the address. `over` names the first stage of a second-stage translation.
    """

    name: str
    modes: tuple[int, ...]
    over: str | None
    when: Expr | None
    va_width: int
    canonical: str | None
    page_bits: int
    entry: Bits | None
    body: tuple[Stmt, ...]
    span: Span


@record
class Protection:
    """Checks every physical access: `pa`, `access`, `acting`, `size` (bytes) are in scope."""

    name: str
    when: Expr | None
    body: tuple[Stmt, ...]
    span: Span


@record
class Placement:
    """Popek and Goldberg's f: where a guest lies in the host.

    `parameters` are the monitor's constants; `host` pairs (scalar, expression over the guest's state and the
    parameters); `where` must hold of the guest; `memory` = (array, base, size): guest cell a is host cell base + a.
    """

    parameters: tuple[tuple[str, int], ...]
    host: tuple[tuple[str, Expr], ...]
    where: tuple[Expr, ...]
    memory: tuple[str, Expr, Expr] | None
    where_at: tuple[Span, ...] = ()
