"""Text that can never count, found as it is written: arms behind `_`, conditions asked twice, guards after the body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lark import Token, Tree

from popek_grammar.text.diagnostics import Diagnostics, Note
from popek_grammar.text.parser import Node
from popek_grammar.text.source import Declaration


def branches(declarations: Sequence[Declaration], found: Diagnostics) -> None:
    """W0502, W0503, W0506 and W0508, over every declaration."""
    fragments = {str(d.tree.children[0]): d for d in declarations if d.tree.data == "fragment"}
    for declaration in declarations:
        inner: set[int] = set()
        for node in _downwards(declaration.tree):
            match str(node.data):
                case "match_expr" | "match_stmt":
                    _behind_wildcard(declaration, node, found)
                case "if_stmt" | "cond" if id(node) not in inner:
                    chain = list(_chain(node))
                    inner |= {id(link) for link, _ in chain}
                    _asked_twice(declaration, [test for _, test in chain], found)
                case "instr":
                    _after_the_body(declaration, node, found)
                    _hidden_fragment(declaration, node, fragments, found)


def _downwards(tree: Node) -> Iterator[Node]:
    """Every tree in a tree, a chain of `else if` from its head."""
    yield tree
    for child in tree.children:
        if isinstance(child, Tree):
            yield from _downwards(child)


def _behind_wildcard(text: Declaration, node: Node, found: Diagnostics) -> None:
    """W0502: the first arm that fits is taken, and `_` fits everything."""
    wildcard: Node | None = None
    for arm in (child for child in node.children if isinstance(child, Tree) and child.data in ("arm", "stmt_arm")):
        patterns = arm.children[0]
        assert isinstance(patterns, Tree)
        if wildcard is not None:
            notes = [Note("the arm that takes everything", text.span(wildcard))]
            message = "this arm is never taken: it stands behind `_`"
            found.warning("W0502", message, text.span(patterns), notes=notes, help="put `_ => ..` last")
        elif any(isinstance(one, Tree) and one.data == "wildcard" for one in patterns.children):
            wildcard = patterns


# -- chains of conditions --------------------------------------------------------------------------------------------


def _chain(node: Node) -> Iterator[tuple[Node, Node]]:
    """An `if` with its `else if`s, as statements or as expressions: each link and its condition."""
    link: object = node
    while isinstance(link, Tree) and link.data == node.data:
        test, _, link_after = link.children
        assert isinstance(test, Tree)
        yield link, test
        link = link_after


def _asked_twice(text: Declaration, tests: Sequence[Node], found: Diagnostics) -> None:
    """W0503: a condition that implies one which has failed before it. Implied: the same, or the same and more."""
    failed: list[Node] = []
    for test in tests:
        wanted = _parts(test, "and_")
        earlier = next((one for one in failed if any(one == part for part in wanted)), None)
        if earlier is not None and not _open(test):
            notes = [Note("asked here before", text.span(earlier))]
            message = "this branch is never taken: its condition has failed before"
            found.warning("W0503", message, text.span(test), notes=notes, help="another condition was meant, or leave it out")
        failed += _parts(test, "or_")


def _parts(test: Node, joined: str) -> list[Node]:
    """What `and` or `or` joins, and the whole."""
    if test.data != joined:
        return [test]
    return [test, *(part for child in test.children if isinstance(child, Tree) for part in _parts(child, joined))]


def _open(test: Node) -> bool:
    """Whether a condition may come out otherwise the second time: open values do, and so may a call that acts."""
    return any(node.data in ("unspecified", "choose", "call") for node in test.iter_subtrees())


# -- clauses of an instruction ---------------------------------------------------------------------------------------


def _after_the_body(text: Declaration, node: Node, found: Diagnostics) -> None:
    """W0508: guards hold before the body wherever they stand; written after it, one reads as if it came later."""
    body: Node | None = None
    for clause in (child for child in node.children if isinstance(child, Tree)):
        if clause.data == "do":
            body = clause
        elif clause.data == "guard" and body is not None:
            message = f"a guard of `{node.children[0]}` stands after its body, and is asked before it"
            found.warning("W0508", message, text.span(clause), help="put it before `do`, or into the body")


def _hidden_fragment(text: Declaration, node: Node, fragments: dict[str, Declaration], found: Diagnostics) -> None:
    """W0506: in a template `{op}` is the mnemonic, so that a fragment of that name cannot be written there."""
    clauses = {str(child.data): child for child in node.children if isinstance(child, Tree)}
    if "op" not in fragments or "asm" not in clauses or "enc" not in clauses:
        return
    held = [item for item in clauses["enc"].children if isinstance(item, Tree) and item.data == "enc_fragment"]
    template, named = clauses["asm"].children[0], fragments["op"].tree.children[0]
    assert isinstance(template, Token) and isinstance(named, Token)
    if "{op}" in template and any(str(item.children[0]) == "op" for item in held):
        notes = [Note("the fragment", fragments["op"].span(named))]
        message = "the fragment `op` is hidden by the mnemonic: `{op}` is the instruction's name"
        found.warning("W0506", message, text.span(template), notes=notes, help="give the fragment another name")
