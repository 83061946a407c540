"""Invariants: what the author says that every state of the machine satisfies, or what is so of every step of some kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate import sentences
from popek_grammar.elaborate.constants import truth
from popek_grammar.elaborate.context import Context, Node, words
from popek_grammar.elaborate.directions import condition
from popek_grammar.elaborate.sentences import Steps
from popek_grammar.elaborate.theorems import expectation
from popek_grammar.elaborate.types import type_of


@dataclass(slots=True)
class _Said:
    """What the lines of an invariant say, so far; `about` is `after` or `of` for a sentence about steps, else empty."""

    name: str
    about: str
    source: str
    conjuncts: list[tuple[m.Expr, str]] = field(default_factory=list)
    endings: list[m.Ending] = field(default_factory=list)
    old: list[tuple[str, m.Expr]] = field(default_factory=list)
    expect: m.Expectation = m.Expectation("holds", ())


def invariant(ctx: Context, node: Tree[Token], source: str, steps: Steps) -> m.Invariant | None:
    """One invariant; None where its `when` does not hold, or there is no step that it is about. `source` is the file's text."""
    name, params, once, about, when, *rest = node.children
    assert name is not None, "the grammar wants a name"
    if when is not None and truth(ctx, when) is False:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return None
    parameters = _parameters(ctx, params)
    named = sentences.named(ctx, about, steps) if isinstance(about, Tree) else []
    said = _Said(str(name), str(about.children[0]) if isinstance(about, Tree) else "", source)
    if said.about and not named:
        ctx.absent[str(name)] = "no step that it is about is in this configuration"
        return None
    if said.about and once is not None:
        ctx.fail("E0459", f"invariant {name} is about steps, and holds of them from the first on", node, help="leave out `once`")
    locals_, specials = sentences.scope(ctx, named, steps)
    lines = [line for line in rest if isinstance(line, Tree)]
    with _remembering(ctx, said), ctx.scope({**locals_, **dict(parameters)}, fresh=True, specials=specials):
        for line in lines:
            _line(ctx, line, said)
    if not said.conjuncts and not said.endings:
        ctx.fail("E0427", f"invariant {name} says nothing", node, help="invariant NAME { mode == M or mstatus.MPRV == 0 }")
    if said.expect.kind == "exactly" or said.expect.kinds:
        ctx.fail("E0427", "an invariant holds, or fails at the steps named", node, help="expect holds, or expect fails { mret }")
    for label in (label for line in lines for label in line.find_data("verdict_name")):
        sentences.known(ctx, label, steps)
    return m.Invariant(
        str(name), tuple(said.conjuncts), said.expect, ctx.span(name), once=once is not None, parameters=parameters,
        about=said.about, steps=tuple(named), old=tuple(said.old), endings=tuple(said.endings),
    )  # fmt: skip


def _parameters(ctx: Context, node: Node | None) -> tuple[tuple[str, m.Type], ...]:
    listed = [child for child in node.children if isinstance(child, Tree)] if isinstance(node, Tree) else []
    return tuple((str(child.children[0]), type_of(ctx, child.children[1])) for child in listed)  # type: ignore[arg-type]


@contextmanager
def _remembering(ctx: Context, said: _Said) -> Iterator[None]:
    """After steps `old(e)` may be said."""
    ctx.old = said.old if said.about == "after" else None
    try:
        yield
    finally:
        ctx.old = None


def _line(ctx: Context, line: Tree[Token], said: _Said) -> None:
    text = words(said.source, line)
    match str(line.data):
        case "kept":
            if said.about == "of":
                hint = f"{text} when what? `raises CAUSE when E`, `traps when E`, `completes when E`"
                ctx.fail("E0459", f"invariant {said.name} is `of` steps: it says how they end", line, help=hint)
            said.conjuncts.append((condition(ctx, line.children[0]), text))
        case "raises" | "ends":
            if said.about != "of":
                hint = f"invariant {said.name} of INSTRUCTION {{ {text} }}"
                ctx.fail("E0459", "only what is `of` a step says how it ends", line, help=hint)
            said.endings.append(sentences.ending(ctx, line, text))
        case _:
            said.expect = expectation(line)
