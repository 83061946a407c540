"""What the author says of the machine: placement, witness programs, theorems, and that they name what there is."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar.elaborate import invariants, sentences, theorems
from popek_grammar.elaborate.placements import placement
from popek_grammar.elaborate.work import Work


def claims(work: Work) -> None:
    ctx, draft = work.ctx, work.draft
    texts = work.sources.texts
    steps = sentences.Steps(draft.instructions, draft.translations, draft.protections)
    for node in work.each("placement"):
        with ctx.recover():
            placed = placement(ctx, node, texts[ctx.file])
            if placed is None:
                continue
            if placed.name in draft.placements:
                first = ("first here", draft.placements[placed.name].span)
                what = f"placement `{placed.name}`" if placed.name else "the machine's own placement"
                ctx.report("E0203", f"{what} is declared twice", placed.span, other=first, help="give one of them a name")
            draft.placements[placed.name] = placed
    for node in work.each("program"):
        draft.program = theorems.program(ctx, node)
    for node in work.each("invariant"):
        with ctx.recover(node.children[0]):
            kept = invariants.invariant(ctx, node, texts[ctx.file], steps)
            if kept is None:
                continue
            if kept.name in draft.invariants:
                first = ("first here", draft.invariants[kept.name].span)
                ctx.report("E0203", f"invariant `{kept.name}` is declared twice", kept.span, other=first)
            draft.invariants[kept.name] = kept
    for node in work.each("theorem"):
        with ctx.recover():
            if theorems.elsewhere(ctx, node, work.config or ""):
                ctx.absent[str(node.children[0])] = "it speaks of another configuration"
                continue
            made = theorems.theorem(
                ctx, node, tuple(draft.configs), texts[ctx.file], placements=draft.placements, invariants=draft.invariants
            )
            if not made.configs or work.config in made.configs:
                for named in node.find_data("verdict_name"):
                    _known_instruction(work, named)
            if made.name in draft.theorems:
                first = ("first here", draft.theorems[made.name].span)
                ctx.report("E0203", f"theorem `{made.name}` is declared twice", made.span, other=first)
            draft.theorems[made.name] = made


def _known_instruction(work: Work, named: Tree[Token]) -> None:
    """A name that a theorem expects: `csrrw`, or `csrrw(cycle)`."""
    ctx, (name, part, _) = work.ctx, named.children
    if str(name) not in work.draft.instructions and str(name) not in ctx.absent:
        with ctx.recover():
            ctx.unknown("instruction", str(name), named, list(work.draft.instructions))
    if part is not None and str(part) not in ctx.registers and str(part) not in ctx.absent and str(part) != "other":
        with ctx.recover():
            ctx.unknown("CSR", str(part), named, list(ctx.registers))
