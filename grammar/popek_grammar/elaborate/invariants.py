"""Invariants: what the author says that every state of the machine satisfies, or what is so of every step of some kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate import sentences
from popek_grammar.elaborate.constants import truth
from popek_grammar.elaborate.context import Context, words
from popek_grammar.elaborate.directions import condition
from popek_grammar.elaborate.sentences import Steps
from popek_grammar.elaborate.theorems import expectation
from popek_grammar.elaborate.types import type_of


@contextmanager
def _remembering(ctx: Context, said: list[tuple[str, m.Expr]] | None) -> Iterator[None]:
    """`old(e)` may be said, and goes into `said`."""
    ctx.old = said
    try:
        yield
    finally:
        ctx.old = None


def invariant(ctx: Context, node: Tree[Token], source: str, steps: Steps) -> m.Invariant | None:
    """One invariant; None where its `when` does not hold, or there is no step that it is about. `source` is the file's text."""
    name, params, once, about, when, *lines = node.children
    assert name is not None, "the grammar wants a name"
    if when is not None and truth(ctx, when) is False:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return None
    listed = [child for child in params.children if isinstance(child, Tree)] if isinstance(params, Tree) else []
    parameters = tuple((str(p.children[0]), type_of(ctx, p.children[1])) for p in listed)  # type: ignore[arg-type]
    kind = str(about.children[0]) if isinstance(about, Tree) else ""
    named = sentences.named(ctx, about, steps) if isinstance(about, Tree) else []
    if kind and not named:
        ctx.absent[str(name)] = "no step that it is about is in this configuration"
        return None
    if kind and once is not None:
        ctx.fail("E0459", f"invariant {name} is about steps, and holds of them from the first on", node, help="leave out `once`")
    conjuncts: list[tuple[m.Expr, str]] = []
    endings: list[m.Ending] = []
    expect = m.Expectation("holds", ())
    locals_, specials = sentences.scope(ctx, named, steps)
    said: list[tuple[str, m.Expr]] = []
    with _remembering(ctx, said if kind == "after" else None), ctx.scope({**locals_, **dict(parameters)}, fresh=True, specials=specials):
        for line in (child for child in lines if isinstance(child, Tree)):
            match str(line.data):
                case "kept":
                    if kind == "of":
                        hint = f"{words(source, line)} raises what? `raises CAUSE when E`, `traps when E`, `completes when E`"
                        ctx.fail("E0459", f"invariant {name} is `of` steps: it says how they end", line, help=hint)
                    conjuncts.append((condition(ctx, line.children[0]), words(source, line.children[0])))
                case "raises" | "ends":
                    if kind != "of":
                        hint = f"invariant {name} of INSTRUCTION {{ {words(source, line)} }}"
                        ctx.fail("E0459", "only what is `of` a step says how it ends", line, help=hint)
                    endings.append(sentences.ending(ctx, line, source))
                case _:
                    expect = expectation(line)
    if not conjuncts and not endings:
        ctx.fail("E0427", f"invariant {name} says nothing", node, help="invariant NAME { mode == M or mstatus.MPRV == 0 }")
    if expect.kind == "exactly" or expect.kinds:
        ctx.fail("E0427", "an invariant holds, or fails at the steps named", node, help="expect holds, or expect fails { mret }")
    for line in (child for child in lines if isinstance(child, Tree) and str(child.data).startswith("expect")):
        for label in line.find_data("verdict_name"):
            sentences.known(ctx, label, steps)
    return m.Invariant(
        str(name), tuple(conjuncts), expect, ctx.span(name), once is not None, parameters, kind, tuple(named), tuple(said), tuple(endings)
    )
