"""Invariants: what the author says that every state of the machine satisfies."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import truth
from popek_grammar.elaborate.context import Context, words
from popek_grammar.elaborate.directions import condition
from popek_grammar.elaborate.theorems import expectation

RESET, INPUTS, ENTRY, INTERRUPT = "reset", "inputs", "entry", "interrupt"
"""The steps of a machine that are no instructions; entries and interrupts go by cause, `entry(svc)`."""


def invariant(ctx: Context, node: Tree[Token], source: str) -> m.Invariant | None:
    """One invariant; None where its `when` does not hold. `source` is the file's text, for the author's words."""
    name, once, when, *lines = node.children
    assert name is not None, "the grammar wants a name"
    if when is not None and truth(ctx, when) is False:
        ctx.absent[str(name)] = "its `when` does not hold in this configuration"
        return None
    conjuncts: list[tuple[m.Expr, str]] = []
    expect = m.Expectation("holds", ())
    with ctx.scope(fresh=True):
        for line in (child for child in lines if isinstance(child, Tree)):
            if line.data == "kept":
                (expr,) = line.children
                conjuncts.append((condition(ctx, expr), words(source, expr)))
            else:
                expect = expectation(line)
    if not conjuncts:
        ctx.fail("E0427", f"invariant {name} says nothing", node, help="invariant NAME { mode == M or mstatus.MPRV == 0 }")
    if expect.kind == "exactly" or expect.kinds:
        ctx.fail("E0427", "an invariant holds, or fails at the steps named", node, help="expect holds, or expect fails { mret }")
    return m.Invariant(str(name), tuple(conjuncts), expect, ctx.span(name), once=once is not None)


def known_step(ctx: Context, named: Tree[Token], instructions: list[str]) -> None:
    """A step that an invariant is expected to fail at: an instruction, `reset`, `inputs`, `entry(CAUSE)`, `interrupt(CAUSE)`."""
    name, part, _ = named.children
    if str(name) in (ENTRY, INTERRUPT):
        if part is not None and str(part) not in ctx.causes:
            ctx.unknown("cause", str(part), named, list(ctx.causes))
    elif str(name) not in instructions and str(name) not in (RESET, INPUTS) and str(name) not in ctx.absent:
        ctx.unknown("step", str(name), named, [*instructions, RESET, INPUTS, ENTRY, INTERRUPT])
