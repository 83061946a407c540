"""What elaboration knows while it works: the declarations by kind, constants, types, and the problems found so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Never, Protocol, TypeAlias

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.text.diagnostics import Diagnostic, Note, Severity, suggest

Node: TypeAlias = "Tree[Token] | Token"


PAYLOAD = "payload of the causes"
"""Among what is broken: the declaration of what traps carry."""


class Abandon(Exception):
    """The statement or declaration at hand is wrong, and has been reported; go on with the next."""


class Typer(Protocol):
    """Who knows what expression a tree is; handed along, so that those whom it asks can ask it for their parts."""

    def checked(self, ctx: Context, node: Node, expected: m.Type, /) -> m.Expr: ...

    def inferred(self, ctx: Context, node: Node, /) -> m.Expr: ...


@dataclass(slots=True)
class Context:
    """The tables that names are resolved in. Filled in by passes, in the order of the fields."""

    typer: Typer
    problems: list[Diagnostic] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)
    extensions: dict[str, bool] = field(default_factory=dict)
    choices: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    modes: m.Modes = m.Modes((), 1)
    absent: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    layouts: dict[str, m.Layout] = field(default_factory=dict)
    scalars: dict[str, m.Scalar] = field(default_factory=dict)
    arrays: dict[str, m.Array] = field(default_factory=dict)
    registers: dict[str, m.Register] = field(default_factory=dict)
    causes: dict[str, m.CauseDef] = field(default_factory=dict)
    payload: tuple[tuple[str, int], ...] = ()
    fault_kinds: set[str] = field(default_factory=set)
    functions: dict[str, m.Function] = field(default_factory=dict)
    stacks: m.EnumType = m.EnumType("trap_stack", ())
    pc: str = "pc"
    csr_width: int = 12
    # what a body may see
    locals: dict[str, m.Type] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    specials: dict[str, m.Type] = field(default_factory=dict)
    returns: m.Type | None = None
    walk_entry: m.Bits | None = None
    old: list[tuple[str, m.Expr]] | None = None
    """Where a sentence about a step speaks of the state after it: what it has said of the state before, so far."""
    names_used: set[str] = field(default_factory=set)
    reported: set[tuple[str, m.Span]] = field(default_factory=set)
    file_of: dict[int, str] = field(default_factory=dict)
    file: str = ""
    doc: str = ""

    # -- reporting ---------------------------------------------------------------------------------------------------

    def span(self, node: Node | None) -> m.Span:
        """The source span of a tree or token."""
        if isinstance(node, Token):
            return m.Span(self.file, node.line or 1, node.column or 1, node.end_line or 1, node.end_column or 1)
        if node is None or node.meta.empty:
            return m.Span(self.file, 1, 1, 1, 2)
        meta = node.meta
        return m.Span(self.file, meta.line, meta.column, meta.end_line, meta.end_column)

    def report(
        self, code: str, message: str, node: Node | m.Span | None, *, label: str = "", help: str = "",
        other: tuple[str, m.Span] | None = None, severity: Severity = "error",
    ) -> None:  # fmt: skip
        """Records a problem; elaboration goes on."""
        span = node if isinstance(node, m.Span) else self.span(node)
        notes = (Note(*other),) if other else ()
        # One report a place: copies of a loop's body, or of a CSR array, say the same with other numbers.
        if (code, span) not in self.reported:
            self.reported.add((code, span))
            self.problems.append(Diagnostic(code, severity, message, span, label, notes, help))

    def fail(self, code: str, message: str, node: Node | m.Span | None, *, label: str = "", help: str = "") -> Never:
        """Records an error and leaves the statement or declaration."""
        self.report(code, message, node, label=label, help=help)
        raise Abandon

    def unknown(self, what: str, name: str, node: Node, known: Iterator[str] | list[str] | set[str]) -> Never:
        """An unknown name, with the nearest known one, or why a known one is absent here."""
        if name in self.broken:
            raise Abandon  # its declaration is wrong, and that has been reported
        if name in self.absent:
            self.fail("E0202", f"{what} `{name}` does not exist in this configuration", node, help=self.absent[name])
        near = suggest(name, sorted(known))
        self.fail("E0201", f"unknown {what} `{name}`", node, help=f"did you mean `{near}`?" if near else "")

    def leave_if_broken(self, node: Node | None) -> None:
        """Leaves without a word where a name in the expression is wrong by its declaration: that has been reported."""
        if isinstance(node, Tree) and any(str(token) in self.broken for token in node.scan_values(_is_name)):
            raise Abandon

    @contextmanager
    def scope(
        self,
        locals: Mapping[str, m.Type] | None = None,
        *,
        fresh: bool = False,
        constants: Mapping[str, int] | None = None,
        specials: Mapping[str, m.Type] | None = None,
        returns: m.Type | None = None,
    ) -> Iterator[None]:
        """A nested scope; `fresh` hides the enclosing locals (a function's own scope)."""
        outer = (self.locals, self.constants, self.specials, self.returns)
        self.locals = {**({} if fresh else self.locals), **(locals or {})}
        self.constants = {**({} if fresh else self.constants), **(constants or {})}
        self.specials = {**self.specials, **(specials or {})}
        self.returns = returns if returns is not None or fresh else self.returns
        try:
            yield
        finally:
            self.locals, self.constants, self.specials, self.returns = outer

    @contextmanager
    def recover(self, *declares: object) -> Iterator[None]:
        """Errors end what is inside, not more. The names that it `declares` are then known to be broken."""
        try:
            yield
        except Abandon:
            self.broken |= {str(name) for name in declares if name is not None}

    def pc_width(self) -> int:
        return self.scalars[self.pc].width if self.pc in self.scalars else 32

    def width(self, type_: m.Type) -> int:
        """Bits of a value of a type; 0 for bool."""
        match type_:
            case m.Bits(width):
                return width
            case m.Mode():
                return self.modes.width
            case m.EnumType(_, members):
                return max(1, (len(members) - 1).bit_length())
            case _:
                return 0


def _is_name(token: object) -> bool:
    return isinstance(token, Token) and token.type == "NAME"


def text(token: object) -> str:
    """The text of a token child."""
    return str(token)


def text_of(node: Token | None) -> str:
    """What a string token says between its quotes; nothing where there is none."""
    return str(node)[1:-1] if node is not None else ""


def trees(node: Node) -> list[Tree[Token]]:
    """The children that are trees."""
    return [child for child in node.children if isinstance(child, Tree)] if isinstance(node, Tree) else []


def tree(node: Node | None) -> Tree[Token]:
    """A child that the grammar makes a tree."""
    assert isinstance(node, Tree)
    return node


def names(node: Node | None) -> list[str]:
    """The names of a `names` rule."""
    return [str(child) for child in node.children if child is not None] if isinstance(node, Tree) else []


def show(type_: m.Type) -> str:
    """A type as an author writes it."""
    match type_:
        case m.Bits(width, layout):
            return layout or f"bits({width})"
        case m.Bool():
            return "bool"
        case m.Mode():
            return "mode"
        case m.EnumType(name):
            return name
        case _:
            return "nothing"


def words(source: str, node: Node) -> str:
    """The author's own words for an expression, on one line."""
    if not isinstance(node, Tree) or node.meta.empty:
        return str(node)
    return " ".join(source[node.meta.start_pos : node.meta.end_pos].split())
