"""Theorem clauses, witness programs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.context import Context, Node, names, text_of, words
from popek_grammar.elaborate.directions import condition
from popek_grammar.meaning.views import MODELS

SHOWS = (
    "theorem1", "sensitive_implies_privileged", "inclusion", "theorem3", "user_sensitive_implies_privileged", "exact",
    "exact_user", "privileged", "sensitive", "control_sensitive", "mode_sensitive", "location_sensitive",
    "config_sensitive", "trap_sensitive", "user_sensitive", "noninterference", "escalation",
)  # fmt: skip


def theorem(
    ctx: Context, node: Tree[Token], configs: tuple[str, ...], source: str, *, placements: Collection[str],
    invariants: Mapping[str, m.Invariant],
) -> m.Theorem:  # fmt: skip
    """One claim of the machine's author. `source` is the file's text, for the words of H, which may take `invariants` in.

    `placements` are the names of each f.
    """
    name, *lines = node.children
    made: dict[str, object] = {"memory": "view", "reading": "amended"}
    assume: list[tuple[m.Expr, str]] = []
    if node.children[0] is None:
        ctx.fail("E0420", "a theorem needs a name", node)
    for line in (child for child in lines if isinstance(child, Tree)):
        if line.data == "in_config":
            made["configs"] = tuple(names(line.children[0]))
    where = made.get("configs", ())
    assert isinstance(where, tuple)
    for config in where:
        if config not in configs:
            ctx.unknown("config", config, node, list(configs))
    with ctx.scope(fresh=True):
        for line in (child for child in lines if isinstance(child, Tree)):
            if line.data == "assume_invariant":
                taken = _assumed(ctx, line, invariants)
                assume += taken
                made["assumed_at"] = (*made.get("assumed_at", ()), *(ctx.span(line) for _ in taken))  # type: ignore[misc]
            else:
                _theorem_line(ctx, line, made, assume, source, placements)
    if "show" not in made:
        ctx.fail("E0421", f"theorem {name} shows nothing", node, help="show theorem1")
    expect = made.get("expect", m.Expectation("holds", ()))
    assert isinstance(expect, m.Expectation)
    _known_ways(ctx, node, str(made["show"]), expect)
    return m.Theorem(
        str(name), made.get("guest"), made.get("host"), where, str(made["memory"]), str(made["reading"]),  # type: ignore[arg-type]
        tuple(assume), str(made["show"]), expect, ctx.span(name),
        alone=bool(made.get("alone")), assumed_at=made.get("assumed_at", ()),  # type: ignore[arg-type]
        placement=str(made.get("placement", "")),
    )  # fmt: skip


WAYS = {
    **dict.fromkeys(
        ("theorem1", "sensitive_implies_privileged", "inclusion", "sensitive"),
        ("control", "mode", "location", "config", "joint", "trap"),
    ),
    "escalation": ("raise", "control", "map"),
}
"""The ways in which an instruction can break what a theorem shows, where there are several."""


def _known_ways(ctx: Context, node: Tree[Token], show: str, expect: m.Expectation) -> None:
    """E0428: ways that an expectation names and that its show does not have."""
    for name, ways in expect.kinds:
        known = WAYS.get(show, ())
        for way in ways:
            if way not in known:
                told = f"there are: {', '.join(known)}" if known else f"leave out `: {' + '.join(ways)}`; it is one question"
                ctx.fail("E0428", f"`{name}: {way}`: `show {show}` has no such way to fail", node, help=told)


def elsewhere(ctx: Context, node: Tree[Token], config: str) -> bool:
    """Whether a theorem is for other configurations, and speaks of modes or a placement that this one has not."""
    lines = [child for child in node.children if isinstance(child, Tree)]
    named = [name for line in lines if line.data == "in_config" for name in names(line.children[0])]
    modes = [str(mode) for line in lines if line.data in ("for_modes", "for_alone") for mode in line.children if mode is not None]
    placements = [str(line.children[0]) for line in lines if line.data == "under"]
    return any(name in ctx.absent for name in (*modes, *placements)) and (not named or config not in named)


def _theorem_line(
    ctx: Context,
    line: Tree[Token],
    made: dict[str, object],
    assume: list[tuple[m.Expr, str]],
    source: str,
    placements: Collection[str],
) -> None:
    match line.data, line.children:
        case "for_modes", [first, None]:
            made["guest"], made["host"] = ctx.modes.members[-1][1], _mode(ctx, line, first)
        case "for_modes", [first, second]:
            made["guest"], made["host"] = _mode(ctx, line, first), _mode(ctx, line, second)
            _ranked(ctx, line, first, second)
        case "for_alone", [first, second]:
            made["guest"], made["host"], made["alone"] = _mode(ctx, line, first), _mode(ctx, line, second), True
        case "memory_model", [name]:
            made["memory"] = _one_of(ctx, line, str(name), tuple(MODELS))
        case "reading", [name]:
            made["reading"] = _one_of(ctx, line, str(name), ("amended", "literal"))
        case "under", [name]:
            made["placement"] = _one_of(ctx, line, str(name), tuple(name for name in placements if name))
        case "assume", [expr]:
            assume.append((condition(ctx, expr), words(source, expr)))
            made["assumed_at"] = (*made.get("assumed_at", ()), ctx.span(line))  # type: ignore[misc]
        case "show", [name]:
            made["show"] = _one_of(ctx, line, str(name), SHOWS)
        case (("expect_holds" | "expect_fails" | "expect_exactly"), _):
            made["expect"] = expectation(line)


def expectation(line: Tree[Token]) -> m.Expectation:
    """An `expect` line, with the ways in which each name breaks the claim, where it says so."""
    listed: list[str] = []
    kinds: list[tuple[str, tuple[str, ...]]] = []
    for child in (child for child in line.children if isinstance(child, Tree)):
        name, part, ways = child.children
        listed.append(f"{name}({part})" if part is not None else str(name))
        if isinstance(ways, Tree):
            kinds.append((listed[-1], tuple(str(way) for way in ways.children if str(way) != "+")))
    return m.Expectation(str(line.data).removeprefix("expect_"), tuple(listed), tuple(kinds))


def _assumed(ctx: Context, line: Tree[Token], invariants: Mapping[str, m.Invariant]) -> list[tuple[m.Expr, str]]:
    """`assume invariant NAME`: the conjuncts of one that is not expected to fail, in the author's words."""
    (name,) = line.children
    if str(name) not in invariants:
        ctx.unknown("invariant", str(name), line, list(invariants))
    kept = invariants[str(name)]
    if kept.expect.kind != "holds":
        hint = "H has to be true of the machine; write the condition itself to have it as a setting of the monitor's"
        ctx.fail("E0429", f"invariant `{name}` is expected to fail", line, help=hint)
    if kept.about or kept.parameters:
        what = "about steps" if kept.about else "for any value of its parameters"
        hint = "H is a condition on the host's state; write out the part of it that is meant"
        ctx.fail("E0429", f"invariant `{name}` is {what}, and no condition on a state", line, help=hint)
    return [(expr, f"{text} (invariant {name})") for expr, text in kept.conjuncts]


def _mode(ctx: Context, line: Tree[Token], name: Node) -> int:
    codes = dict(ctx.modes.members)
    if str(name) not in codes:
        ctx.unknown("mode", str(name), line, list(codes))
    return codes[str(name)]


def _ranked(ctx: Context, line: Tree[Token], guest: Node, host: Node) -> None:
    """The real mode is no more privileged than the guest's top: else there is nothing to deprivilege."""
    order = [str(name) for name, _ in ctx.modes.members]
    if order.index(str(guest)) < order.index(str(host)):
        words = f"the real mode {host} is more privileged than the guest's own {guest}"
        ctx.fail("E0423", words, line, help=f"for {host} at {guest}")


def _one_of(ctx: Context, line: Tree[Token], name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        ctx.unknown("word", name, line, list(known))
    return name


PROGRAM = ("begin", "state", "csr", "end")
"""The kinds of a `program` line: before all else, a piece of state, any CSR, after the instruction."""


def program(ctx: Context, node: Tree[Token]) -> tuple[tuple[str, str | None, str], ...]:
    """The lines of the `program` clause: kind, name, template."""
    made = []
    known = [*ctx.scalars, *ctx.arrays, *ctx.registers]
    for line in (child for child in node.children if isinstance(child, Tree) and child.data == "program_line"):
        with ctx.recover():
            kind, name, text = line.children
            _one_of(ctx, line, str(kind), PROGRAM)
            if (str(kind) == "state") is not (name is not None):
                ctx.fail("E0422", f"`{kind}` {'names no' if name is not None else 'names a'} piece of state", line)
            if name is not None and str(name) not in known and str(name) not in ctx.absent:
                ctx.unknown("piece of state", str(name), line, known)
            template = text_of(text)  # type: ignore[arg-type]
            for slot in re.findall(r"\{(\w*)\}", template):
                _one_of(ctx, line, slot, ("name", "value"))
            made.append((str(kind), str(name) if name is not None else None, template))
    return tuple(made)
