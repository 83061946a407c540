"""Functions: their signatures, their bodies, and that none calls itself."""

from __future__ import annotations

from dataclasses import replace

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate import causes
from popek_grammar.elaborate.directions import check, condition
from popek_grammar.elaborate.statements import block
from popek_grammar.elaborate.types import type_of
from popek_grammar.elaborate.work import Work


def signature(work: Work, node: Tree[Token]) -> None:
    ctx = work.ctx
    name, parameters, result, _ = node.children
    if str(name) == "write":
        hint = "`write_` could"
        message = "`write` begins a clause of registers and says in a csr_space what an access is; it cannot name a function"
        ctx.fail("E0209", message, name, help=hint)
    if str(name) in ctx.functions:
        ctx.report("E0203", f"function `{name}` is declared twice", node, other=("first here", ctx.functions[str(name)].span))
    listed = [child for child in parameters.children if isinstance(child, Tree)] if isinstance(parameters, Tree) else []
    made = tuple((str(p.children[0]), type_of(ctx, p.children[1])) for p in listed)  # type: ignore[arg-type]
    type_ = type_of(ctx, result) if isinstance(result, Tree) else m.Unit()
    ctx.functions[str(name)] = m.Function(str(name), made, type_, (), ctx.span(node))


def function(work: Work, node: Tree[Token]) -> None:
    ctx = work.ctx
    name, _, _, body = node.children
    known = ctx.functions.get(str(name))
    if known is None:
        return  # its signature is wrong, and that has been reported
    assert isinstance(body, Tree)
    before, problems = set(ctx.names_used), len(ctx.problems)
    specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width()), "next_pc": m.Bits(ctx.pc_width())}
    specials |= causes.access_scope(ctx, ctx.pc_width())
    with ctx.scope(dict(known.parameters), fresh=True, specials=specials, returns=known.result):
        ctx.names_used = set()
        if body.data == "block":
            made = block(ctx, body)
        elif isinstance(known.result, m.Bool):
            made = (m.Return(condition(ctx, body)),)
        else:
            made = (m.Return(check(ctx, body, known.result)),)
    work.calls[str(name)] = {n[3:] for n in ctx.names_used if n.startswith("fn ")}
    ctx.names_used |= before
    if not isinstance(known.result, m.Unit) and not _returns(made) and len(ctx.problems) == problems:
        ctx.report("E0278", f"function `{name}` does not return on every path", node)
    ctx.functions[str(name)] = replace(known, body=made)


def no_recursion(work: Work) -> None:
    calls = work.calls
    for name in calls:
        seen: set[str] = set()
        todo = list(calls[name])
        while todo:
            callee = todo.pop()
            if callee == name:
                work.ctx.report(
                    "E0279", f"function `{name}` calls itself", work.ctx.functions[name].span, help="nothing may recurse"
                )
                break
            if callee not in seen:
                seen.add(callee)
                todo.extend(calls.get(callee, ()))


def _returns(statements: tuple[m.Stmt, ...]) -> bool:
    """Whether every path through the statements ends in a return or a trap."""
    for statement in statements:
        match statement:
            case m.Return() | m.Trap() | m.Fault() | m.Next() | m.Walk():
                return True
            case m.If(_, yes, no) if _returns(yes) and (_returns(no) or statement.condition == m.Literal(1, m.Bool())):
                return True
            case m.MatchStmt(_, arms) if all(_returns(body) for _, body in arms):
                return True
    return False
