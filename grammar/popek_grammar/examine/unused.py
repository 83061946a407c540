"""Names that are given and never used, found in the text as it is written: what one configuration drops, another may use.

A name that begins with `_` is meant to be ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lark import Token, Tree

from popek_grammar.text.diagnostics import Diagnostics
from popek_grammar.text.parser import Node
from popek_grammar.text.source import Declaration

DECLARED = {
    "function": "function", "fragment": "fragment", "layout": "layout", "operands": "operand", "operand_words": "operand",
    "param": "parameter", "extension": "extension",
}  # fmt: skip
"""Declarations whose only purpose is to be named elsewhere, and what each is called."""

WHOLE_SCOPE = frozenset({"trap_stack", "translation"})
"""Declarations whose lines see one another's `let`s; `before` comes first wherever it stands."""


def unused(declarations: Sequence[Declaration], found: Diagnostics) -> None:
    """W0501: every declaration, `let` and parameter that nothing uses."""
    _declarations(declarations, found)
    _fragment_lets(declarations, found)
    for declaration in declarations:
        _Scopes(declaration, found).declaration()


# -- declarations ----------------------------------------------------------------------------------------------------


def _declarations(declarations: Sequence[Declaration], found: Diagnostics) -> None:
    """A function that only unused functions call is unused too."""
    uses = {id(d): set(_mentioned(d.tree)) for d in declarations}
    roots = [d for d in declarations if d.tree.data not in DECLARED or d.tree.data in ("param", "extension")]
    seen = {name for d in roots for name in uses[id(d)]}
    waiting = [d for d in declarations if d not in roots]
    while live := [d for d in waiting if any(str(name) in seen for name in _names(d.tree))]:
        waiting = [d for d in waiting if d not in live]
        seen.update(*(uses[id(d)] for d in live))
    for declaration in declarations:
        if declaration.tree.data not in DECLARED:
            continue
        for name in _names(declaration.tree):
            if str(name) not in seen and not name.startswith("_"):
                what = DECLARED[str(declaration.tree.data)]
                message = f"{what} `{name}` is never used"
                found.warning("W0501", message, declaration.span(name), help=_remedy(what, name))


def _remedy(what: str, name: str) -> str:
    remedies = {"operand": "no encoding has an operand of that name", "fragment": f"enc .. {name}, or leave it out"}
    return remedies.get(what, f"use it, or leave it out; _{name} if it is kept for others")


def _names(tree: Node) -> list[Token]:
    """The names that a declaration gives."""
    first = tree.children[0]
    if isinstance(first, Tree):
        return [child for child in first.children if isinstance(child, Token)]
    return [first] if first is not None else []


def _mentioned(tree: Node) -> Iterator[str]:
    """Every name in a declaration but those that it gives; settings of a configuration are no use of a parameter."""
    match str(tree.data):
        case "config":
            skipped: list[object] = list(tree.children)
        case "operands" | "operand_words" | "function" | "fragment" | "layout" | "param" | "extension":
            skipped = [tree.children[0]]
        case _:
            skipped = []
    for child in tree.children:
        if any(child is one for one in skipped):
            continue
        if isinstance(child, Token):
            yield str(child)
        elif isinstance(child, Tree):
            yield from (str(token) for token in child.scan_values(lambda value: isinstance(value, Token)))


# -- what fragments bind ---------------------------------------------------------------------------------------------


def _fragment_lets(declarations: Sequence[Declaration], found: Diagnostics) -> None:
    """A name that every alternative binds must be used by some instruction whose encoding holds the fragment."""
    clauses = [(d.tree, set(_mentioned(d.tree))) for d in declarations if d.tree.data in ("instr", "extend")]
    extended = {name for tree, names in clauses if tree.data == "extend" for name in names}
    for declaration in declarations:
        if declaration.tree.data != "fragment":
            continue
        fragment = str(declaration.tree.children[0])
        users = [names for tree, names in clauses if tree.data == "instr" and fragment in names]
        used = extended.union(*users)
        for alternative in (child for child in declaration.tree.children if isinstance(child, Tree)):
            bound = _bound_in(alternative)
            here = used | {str(t) for _, e in bound for t in e.scan_values(lambda value: isinstance(value, Token))}
            for name, _ in bound:
                if users and str(name) not in here and not name.startswith("_"):
                    message = f"no instruction with the fragment `{fragment}` uses its `{name}`"
                    found.warning("W0501", message, declaration.span(name), help="leave it out of every alternative")
            if any(str(name) not in here for name, _ in bound):
                break  # every alternative binds the same names


def _bound_in(alternative: Node) -> list[tuple[Token, Node]]:
    """The `let`s of an alternative: names and values, which stand behind its name, text and encoding."""
    rest = [c for c in alternative.children[2:] if c is not None and not (isinstance(c, Tree) and c.data.startswith("enc_"))]
    pairs = zip(rest[::2], rest[1::2], strict=False)
    return [(name, value) for name, value in pairs if isinstance(name, Token) and isinstance(value, Tree)]


# -- lets and parameters ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Binding:
    name: Token
    what: str
    used: bool = False


class _Scopes:
    """Follows the names of one declaration through its blocks, as elaboration binds them."""

    def __init__(self, declaration: Declaration, found: Diagnostics) -> None:
        self.text, self.found = declaration, found
        self.scopes: list[dict[str, _Binding]] = []

    def declaration(self) -> None:
        tree = self.text.tree
        children = [child for child in tree.children if isinstance(child, Tree)]
        if tree.data == "function":
            parameters = [child for child in children if child.data == "params"]
            self._block([p for p in children if p.data != "params"], [t for p in parameters for t in _names_of_params(p)])
        elif tree.data in WHOLE_SCOPE:
            before = [inner for child in children if child.data == "before" for inner in child.children]
            self._block([*_inside(before), *(child for child in children if child.data != "before")])
        elif tree.data not in ("fragment", "placement"):
            for child in children:
                self._visit(child)

    def _block(self, nodes: Sequence[Node], parameters: Sequence[Token] = ()) -> None:
        self.scopes.append({str(name): _Binding(name, "parameter") for name in parameters})
        for node in nodes:
            self._visit(node)
        for binding in self.scopes.pop().values():
            self._settle(binding)

    def _visit(self, node: Node) -> None:
        match str(node.data):
            case "let":
                name, *rest = node.children
                for part in rest:
                    if isinstance(part, Tree):
                        self._visit(part)
                if self.scopes and isinstance(name, Token):
                    earlier = self.scopes[-1].get(str(name))
                    if earlier is not None:
                        self._settle(earlier)
                    self.scopes[-1][str(name)] = _Binding(name, "let")
            case "block":
                self._block([child for child in node.children if isinstance(child, Tree)])
            case "name":
                self._use(str(node.children[0]))
            case "patterns":
                pass
            case _:
                for child in node.children:
                    if isinstance(child, Tree):
                        self._visit(child)

    def _use(self, name: str) -> None:
        for scope in reversed(self.scopes):
            if name in scope:
                scope[name].used = True
                return

    def _settle(self, binding: _Binding) -> None:
        name = binding.name
        if binding.used or name.startswith("_"):
            return
        message = f"parameter `{name}` is never used" if binding.what == "parameter" else f"`let {name}` is never used"
        self.found.warning("W0501", message, self.text.span(name), help=f"leave it out, or call it _{name}")


def _names_of_params(params: Node) -> list[Token]:
    return [p.children[0] for p in params.children if isinstance(p, Tree) and isinstance(p.children[0], Token)]


def _inside(nodes: Sequence[object]) -> list[Node]:
    """The statements of a `before` block, which bind for the lines below it."""
    return [child for node in nodes if isinstance(node, Tree) for child in node.children if isinstance(child, Tree)]
