"""An elaboration under way: the declarations that stand, what has been resolved of them, and what is being made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate import expressions
from popek_grammar.elaborate.context import Context
from popek_grammar.elaborate.encodings import Alternative
from popek_grammar.elaborate.registers import Pending
from popek_grammar.text.source import Declaration, SourceSet


@dataclass(slots=True)
class Draft:
    """What the passes make, to be frozen into a Machine."""

    name: str = ""
    title: str = ""
    manual: str = ""
    order: str = "little"
    parcel: int = 8
    elf: int | None = None
    configs: list[str] = field(default_factory=list)
    causes: m.Causes = m.Causes((), (), 1)
    faults: dict[str, m.FaultKind] = field(default_factory=dict)
    acting: m.Expr | None = None
    csr_space: m.CsrSpace | None = None
    fragments: dict[str, list[Alternative]] = field(default_factory=dict)
    instructions: dict[str, m.Instruction] = field(default_factory=dict)
    operand_kinds: dict[str, m.OperandKind] = field(default_factory=dict)
    aliases: list[m.Alias] = field(default_factory=list)
    otherwise: m.Cause | None = None
    lengths: list[m.Length] = field(default_factory=list)
    stacks: dict[str, m.TrapStack] = field(default_factory=dict)
    delegate: tuple[m.Stmt, ...] | None = None
    interrupts: m.Interrupts | None = None
    translations: dict[str, m.Translation] = field(default_factory=dict)
    protections: dict[str, m.Protection] = field(default_factory=dict)
    placements: dict[str, m.Placement] = field(default_factory=dict)
    mapped: list[m.Mapped] = field(default_factory=list)
    regions: dict[str, m.Region] = field(default_factory=dict)
    clocks: list[m.Clock] = field(default_factory=list)
    devicetree: m.Devicetree | None = None
    program: tuple[tuple[str, str | None, str], ...] = ()
    theorems: dict[str, m.Theorem] = field(default_factory=dict)
    invariants: dict[str, m.Invariant] = field(default_factory=dict)
    monitors: dict[str, m.Monitor] = field(default_factory=dict)


class Work:
    """One elaboration: `config` and `given` choose, `ctx` resolves, `draft` gathers."""

    def __init__(self, sources: SourceSet, config: str | None, given: dict[str, int]) -> None:
        self.sources = sources
        self.config = config
        self.given = given
        self.ctx = Context(expressions)
        self.draft = Draft()
        self.by_kind: dict[str, list[Declaration]] = {}
        self.calls: dict[str, set[str]] = {}
        self.pending: list[Pending] = []
        for declaration in standing(sources.declarations, self.ctx):
            self.by_kind.setdefault(str(declaration.tree.data), []).append(declaration)

    def each(self, *kinds: str) -> Iterator[Tree[Token]]:
        """The declarations of these kinds, in order, with the context set to their file."""
        for kind in kinds:
            for declaration in self.by_kind.get(kind, []):
                self.ctx.file = declaration.file.source.name
                self.ctx.doc = declaration.docs
                yield declaration.tree

    @property
    def start(self) -> m.Span:
        """The beginning of the text, for what is said of all of it."""
        return m.Span(self.sources.files[0].source.name if self.sources.files else "", 1, 1, 1, 2)


_NAMED = (
    "csr", "csr_view", "csr_space", "register", "fault_kind", "function", "translation", "protection", "instr", "trap_stack",
    "theorem", "invariant", "fragment",
)  # fmt: skip


def standing(declarations: tuple[Declaration, ...], ctx: Context) -> list[Declaration]:
    """The declarations that stand: an `override` replaces what it names, in its place."""
    kept: list[Declaration] = []
    for declaration in declarations:
        tree = declaration.tree
        if tree.data == "header":
            kept = [d for d in kept if d.tree.data != "header"]
        if tree.data != "override":
            kept.append(declaration)
            continue
        inner = tree.children[0]
        assert isinstance(inner, Tree)
        ctx.file = declaration.file.source.name
        place = next((i for i, d in enumerate(kept) if _same(d.tree, inner)), None)
        if place is None:
            ctx.report("E0208", "this overrides nothing", inner, help="there is no earlier declaration of that name")
        else:
            kept[place] = Declaration(inner, declaration.file)
    return kept


def _same(one: Tree[Token], other: Tree[Token]) -> bool:
    """Whether they declare the same thing. A view of a CSR may become a CSR of its own, and the other way round."""
    kinds = {str(one.data), str(other.data)}
    if len(kinds) > 1 and kinds != {"csr", "csr_view"}:
        return False
    return one.data not in _NAMED or str(one.children[0]) == str(other.children[0])
