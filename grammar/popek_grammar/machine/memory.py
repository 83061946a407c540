"""Address translation, protection, and where a guest lies."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr, Literal, ReadElement, ReadScalar
from popek_grammar.machine.places import Place
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
class Held:
    """The host has `target` (of an array: element `index`) at `value`, over the guest's state and the monitor's constants."""

    target: str
    index: int | None
    value: Expr
    span: Span

    @property
    def place(self) -> str:
        """As the author names it: `usp`, `SP[0]`."""
        return self.target if self.index is None else f"{self.target}[{self.index}]"

    @property
    def is_identity(self) -> bool:
        """Whether it is held at the guest's own value."""
        match self.value:
            case ReadScalar(name):
                return name == self.target and self.index is None
            case ReadElement(array, Literal(index)):
                return (array, index) == (self.target, self.index)
        return False


@record
class Placement:
    """Popek and Goldberg's f: where a guest lies in the host.

    `parameters` are the monitor's constants (name, width); `held` says what the host has at an expression of the guest's state;
    `through` names resource state that is the guest's own in place, so that its writes reach the host's; `apart` guest
    state that lies with the monitor, while the host's own is not touched. `where` must hold of the guest; `memory` =
    (array, base, size): guest cell a is host cell base + a, for a below size. What no line names is in place when its role is
    `guest`, and virtual, that is, with the monitor, when it is not. `lines` are the author's words.
    """

    name: str
    parameters: tuple[tuple[str, int], ...]
    held: tuple[Held, ...]
    through: tuple[str, ...]
    apart: tuple[str, ...]
    where: tuple[Expr, ...]
    memory: tuple[str, Expr, Expr] | None
    where_at: tuple[Span, ...]
    lines: tuple[str, ...]
    span: Span


@record
class Mapped:
    """Loads and stores see `place`, after translation, in cells `at` and on of memory `array`, in the memory's byte order."""

    array: str
    at: int
    place: Place
    span: Span
