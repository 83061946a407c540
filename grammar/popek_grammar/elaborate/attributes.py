"""Attributes: the words after a declaration of state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import exists, literal
from popek_grammar.elaborate.context import Context, Node

ROLES = {role.value: role for role in m.Role}


@dataclass(slots=True)
class Attributes:
    """The words after a declaration."""

    role: m.Role = m.Role.GUEST
    reset: Node | None = None
    zero_at: int | None = None
    names: tuple[str, ...] = ()
    exists: bool = True
    flags: set[str] = field(default_factory=set)
    min_mode: Node | None = None
    access: Tree[Token] | None = None
    said: list[tuple[str, Tree[Token]]] = field(default_factory=list)
    """Each attribute by its word, in order."""


WORDS = {"zero_at": "zero", "element_names": "names", "min_mode": "min"}
"""What an attribute's rule is written as, where that is another word."""


def attributes(ctx: Context, nodes: Sequence[Node | None], role: m.Role = m.Role.GUEST) -> Attributes:
    """Reads attribute rules; `role` is what holds when none is said."""
    made = Attributes(role)
    first: dict[str, Tree[Token]] = {}
    for node in nodes:
        if not isinstance(node, Tree):
            continue
        inner = node.children[0] if node.data == "csr_attribute" else node
        if not isinstance(inner, Tree):
            continue
        kind = str(inner.data)
        if kind in first and kind != "flag":
            said = _words(inner), _words(first[kind])
            ctx.report("E0218", f"{said[0]} contradicts {said[1]}", inner, other=("said first here", ctx.span(first[kind])))
        first.setdefault(kind, inner)
        if kind != "reg_body":
            made.said.append((str(inner.children[0]) if kind == "flag" else WORDS.get(kind, kind), inner))
        match inner.data, inner.children:
            case "role", [name]:
                if str(name) not in ROLES:
                    ctx.unknown("role", str(name), inner, list(ROLES))
                made.role = ROLES[str(name)]
            case "reset", [expr]:
                made.reset = expr
            case "zero_at", [at]:
                made.zero_at = literal(at)
            case "element_names", [names]:
                made.names = tuple(str(names)[1:-1].split())
            case "when", [test]:
                made.exists = exists(ctx, test)
            case "flag", [name]:
                made.flags.add(str(name))
            case "min_mode", [mode]:
                made.min_mode = mode
            case (("rw" | "ro" | "warl" | "wlrl" | "wpri"), _):
                made.access = inner
    return made


def refuse_others(ctx: Context, made: Attributes, what: str, allowed: tuple[str, ...]) -> None:
    """E0219: an attribute that says nothing about such a declaration, or that is no attribute."""
    known = {"role", "reset", "names", "zero", "when", "big", "little", "min"}
    for word, node in made.said:
        if word in allowed:
            continue
        told = f"`{word}` says nothing about {what}" if word in known else f"`{word}` is no attribute"
        ctx.report("E0219", told, node, help=f"{what} may have {', '.join(allowed)}")


def _words(attribute: Tree[Token]) -> str:
    """An attribute as it was written, or its kind."""
    return f"`role {attribute.children[0]}`" if attribute.data == "role" else f"`{str(attribute.data).replace('_', ' ')}`"
