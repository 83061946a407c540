"""Instruction clauses, families and fragments; operand kinds and aliases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.assembly.asmtemplate import spelling
from popek_grammar.elaborate.constants import exists, own_width
from popek_grammar.elaborate.context import Context, Node, names, text_of
from popek_grammar.elaborate.directions import NeedsContext, check, infer
from popek_grammar.elaborate.encodings import Alternative, Pattern, Piece, apart, choose, encoding, operands, pieces
from popek_grammar.elaborate.statements import guard, statements


def fragment(ctx: Context, node: Tree[Token]) -> list[Alternative]:
    """The alternatives of an encoding fragment."""
    made: list[Alternative] = []
    for alternative in (child for child in node.children if isinstance(child, Tree) and child.data == "alternative"):
        name, asm, *rest = alternative.children
        encs = [child for child in rest if isinstance(child, Tree) and str(child.data).startswith("enc_")]
        after = [child for child in rest if child is not None and child not in encs]
        lets = [(str(key), expr) for key, expr in zip(after[::2], after[1::2], strict=True)]
        parts = [piece for piece in pieces(ctx, encs, None) if isinstance(piece, Piece)]
        twice = next((key for key, _ in lets if [other for other, _ in lets].count(key) > 1), None)
        if twice is not None:
            ctx.fail("E0203", f"an alternative binds `{twice}` twice", alternative)
        label = str(name) if name is not None else str(len(made))
        text = text_of(asm) if isinstance(asm, Token) else ""
        made.append(Alternative(label, text, tuple(parts), tuple(lets), alternative))
    apart(ctx, str(node.children[0]), made)
    return made


Added: TypeAlias = "Sequence[tuple[str, Tree[Token]]]"
"""Guards that `extend` adds to a clause, each with the file that it stands in."""


def instruction(
    ctx: Context, node: Tree[Token], fragments: dict[str, list[Alternative]], parcel: int, splitting: set[str], added: Added = ()
) -> list[m.Instruction]:
    """One clause: one instruction, or one for each member of its family; none when it does not exist here."""
    clause = str(node.children[0])
    parts = [child for child in node.children if isinstance(child, Tree)]
    by_kind: dict[str, list[Tree[Token]]] = {}
    for part in parts:
        by_kind.setdefault(str(part.data), []).append(part)
    if not _exists(ctx, by_kind, clause):
        _, missing = _family(ctx, by_kind.get("ops", []), clause)
        ctx.absent |= {name: ctx.absent[clause] for name, _ in missing}
        return []
    for kind in ("enc", "asm", "do", "ops"):
        for extra in by_kind.get(kind, [])[1:]:
            ctx.report("E0205", f"`{clause}` has two `{kind}` clauses", extra)
    if "enc" not in by_kind:
        ctx.fail("E0286", f"`{clause}` has no `enc` clause", node)
    items = [child for child in by_kind["enc"][0].children if isinstance(child, Tree)]
    line = pieces(ctx, items, fragments)
    patterns = choose(line, fragments)
    fields, members = _family(ctx, by_kind.get("ops", []), clause)
    found = operands(ctx, by_kind["enc"][0], patterns, set(fields))
    widths = _fitting(ctx, by_kind.get("ops", []), patterns, fields)
    template = text_of(by_kind["asm"][0].children[0]) if "asm" in by_kind else spelling(clause)  # type: ignore[arg-type]
    family = m.EnumType(fields[0] if fields else "", tuple(name for name, _ in members))
    used = [item for item in line if isinstance(item, str)]
    inside = {operand.name: m.Bits(operand.width) for operand in found} | {field: m.Bits(widths[field]) for field in fields[1:]}
    lets, guards, body = _meaning(ctx, by_kind, inside, family, {name: fragments[name] for name in used}, added)
    split = tuple(operand.name for operand in found if operand.name in splitting)
    over = tuple(name for part in by_kind.get("over", []) for name in names(part.children[0]))
    needs = tuple(name for part in by_kind.get("needs", []) for name in names(part.children[0]))
    made = []
    for ordinal, (name, values) in enumerate(members or [(clause, {})]):
        encodings = tuple(
            encoding(ctx, by_kind["enc"][0], p, values, _asm(template, name, p, fragments), parcel) for p in patterns
        )
        others = tuple((field, values[field], m.Bits(widths[field])) for field in fields[1:])
        constants: tuple[tuple[str, int, m.Type], ...] = ((family.name, ordinal, family), *others) if members else ()
        made.append(
            m.Instruction(
                name,
                clause,
                encodings,
                found,
                constants,
                lets,
                guards,
                body,
                over,
                needs,
                split,
                ctx.doc,
                ctx.span(node.children[0]),
            )
        )
    return made


def _exists(ctx: Context, by_kind: dict[str, list[Tree[Token]]], clause: str) -> bool:
    for part in by_kind.get("needs", []):
        for name in names(part.children[0]):
            if name not in ctx.extensions:
                ctx.unknown("extension", name, part, list(ctx.extensions))
            if not ctx.extensions[name]:
                ctx.absent[clause] = f"it needs extension {name}, which is off in this configuration"
                return False
    for part in by_kind.get("instr_when", []):
        if not exists(ctx, part.children[0]):
            ctx.absent[clause] = "its `when` does not hold in this configuration"
            return False
    return True


def _family(ctx: Context, parts: Sequence[Tree[Token]], clause: str) -> tuple[list[str], list[tuple[str, dict[str, int]]]]:
    """The family's fields and its members: name and the value of each field."""
    if not parts:
        return [], []
    fields = [str(child) for child in parts[0].children if isinstance(child, Token)]
    members: list[tuple[str, dict[str, int]]] = []
    for op in (child for child in parts[0].children if isinstance(child, Tree)):
        name, *bits = (str(child) for child in op.children)
        if len(bits) != len(fields):
            ctx.fail("E0287", f"`{name}` gives {len(bits)} fields of `{clause}`'s {len(fields)}", op)
        members.append((name, {field: int(value, 2) for field, value in zip(fields, bits, strict=True)}))
    return fields, members


def _fitting(ctx: Context, parts: Sequence[Tree[Token]], patterns: list[Pattern], fields: list[str]) -> dict[str, int]:
    """Each member gives as many bits as its field has in the encoding. The widths of the fields there."""
    widths = {piece.operand: 0 for pattern in patterns for piece in pattern.pieces}
    for piece in (piece for pattern in patterns for piece in pattern.pieces):
        widths[piece.operand] = max(widths[piece.operand], piece.hi + 1)
    for op in (child for part in parts for child in part.children if isinstance(child, Tree)):
        name, *bits = (str(child) for child in op.children)
        for field, value in zip(fields, bits, strict=False):
            if field not in widths:
                ctx.fail("E0289", f"the encoding has no field `{field}`", op)
            if len(value) != widths[field]:
                ctx.report("E0289", f"`{name}` gives {len(value)} bits, and `{field}` has {widths[field]}", op)
    return widths


def _asm(template: str, name: str, pattern: Pattern, fragments: dict[str, list[Alternative]]) -> str:
    """The template with the member's mnemonic and the chosen fragments' texts put in."""
    text = template.replace("{op}", spelling(name))
    for fragment_name, ordinal in pattern.choices:
        text = text.replace(f"{{{fragment_name}}}", fragments[fragment_name][ordinal].asm)
    return text


def _meaning(
    ctx: Context, by_kind: dict[str, list[Tree[Token]]], operands: dict[str, m.Bits], family: m.EnumType,
    used: dict[str, list[Alternative]], added: Added,
) -> tuple[tuple[m.Let, ...], tuple[m.Guard, ...], tuple[m.Stmt, ...]]:  # fmt: skip
    """The lets of fragments, the guards and the body."""
    pc = m.Bits(ctx.pc_width())
    specials: dict[str, m.Type] = {"insn": pc, "next_pc": pc}
    locals_: dict[str, m.Type] = {**operands}
    if family.members:
        locals_[family.name] = family
    for name, alternatives in used.items():
        locals_[f"{name}.alt"] = m.Bits(max(1, (len(alternatives) - 1).bit_length()))
    _bound_once(ctx, by_kind["enc"][0], locals_, used)
    with ctx.scope(locals_, fresh=True, specials=specials, returns=m.Unit()):
        lets = tuple(made for name, alternatives in used.items() for made in _bindings(ctx, name, alternatives, locals_))
        guards = []
        for part in by_kind.get("guard", []):
            with ctx.recover():
                guards.append(guard(ctx, part))
        guards += _added(ctx, added)
        body: tuple[m.Stmt, ...] = ()
        for part in by_kind.get("do", []):
            inner = part.children[0]
            assert isinstance(inner, Tree)
            body = statements(ctx, [c for c in inner.children if isinstance(c, Tree) and c.data != "block_open"])
    return lets, tuple(guards), body


def _added(ctx: Context, added: Added) -> list[m.Guard]:
    """The guards that `extend` adds, read in the files that they stand in."""
    made, home = [], ctx.file
    for ctx.file, part in added:
        with ctx.recover():
            made.append(guard(ctx, part))
    ctx.file = home
    return made


def _bound_once(ctx: Context, node: Node, operands: Iterable[str], used: dict[str, list[Alternative]]) -> None:
    """E0295: a name that two fragments bind, or a fragment and the encoding, would be one of the two without a word."""
    owners = dict.fromkeys(operands, "an operand")
    for fragment, alternatives in used.items():
        for key in dict.fromkeys(key for alternative in alternatives for key, _ in alternative.lets):
            if key in owners:
                message = f"`{key}` is bound by fragment `{fragment}`, and is {owners[key]} too"
                ctx.fail("E0295", message, node, help="the two need different names")
            owners[key] = f"bound by fragment `{fragment}`"


def _bindings(ctx: Context, name: str, alternatives: list[Alternative], locals_: dict[str, m.Type]) -> list[m.Let]:
    """The names that a fragment binds: each a choice by the alternative in force."""
    made: list[m.Let] = []
    selector = m.Local(f"{name}.alt", locals_[f"{name}.alt"])
    keys = list(dict.fromkeys(key for alternative in alternatives for key, _ in alternative.lets))
    for key in keys:
        exprs = [dict(alternative.lets).get(key) for alternative in alternatives]
        for alternative, expr in zip(alternatives, exprs, strict=True):
            if expr is None:
                ctx.fail("E0288", f"alternative `{alternative.name}` does not bind `{key}`", alternative.node)
        type_ = _type(ctx, [expr for expr in exprs if expr is not None])
        values = [check(ctx, expr, type_) for expr in exprs if expr is not None]
        arms = [((ordinal,), value) for ordinal, value in enumerate(values[:-1])]
        bound: m.Expr = m.Match(selector, (*arms, ((), values[-1])), type_) if len(values) > 1 else values[0]
        made.append(m.Let(key, bound))
        ctx.locals = {**ctx.locals, key: type_}
    return made


def _type(ctx: Context, exprs: list[Node]) -> m.Type:
    """The type that some alternative's expression has by itself, else by its digits; plain numbers are as wide as pc."""
    for expr in exprs:
        try:
            return infer(ctx, expr).type
        except NeedsContext:
            continue
    return m.Bits(own_width(ctx, *exprs) or ctx.pc_width())
