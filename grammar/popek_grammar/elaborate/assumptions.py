"""A condition on the state of a finished machine, from its text: what a theorem's `assume` says."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.elaborate import expressions
from popek_grammar.elaborate.context import Abandon, Context
from popek_grammar.elaborate.directions import condition
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.parser import parse_text


def assumption(machine: m.Machine, text: str) -> m.Expr:
    """The condition `text`, resolved in `machine`. Raises `SpecError` for what the language cannot say of it."""
    tree = parse_text(f"theorem asked {{ assume {text} }}", "<assume>").tree
    (node,) = (line.children[0] for line in tree.find_data("assume"))
    ctx = Context(
        expressions, parameters=dict(machine.parameters), extensions=dict(machine.extensions), modes=machine.modes,
        layouts=dict(machine.layouts), scalars=dict(machine.scalars), arrays=dict(machine.arrays),
        registers=dict(machine.registers), functions=dict(machine.functions), pc=machine.pc, file="<assume>",
    )  # fmt: skip
    with ctx.scope(fresh=True):
        try:
            made = condition(ctx, node)
        except Abandon:
            raise SpecError(ctx.problems) from None
    return made
