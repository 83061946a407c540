"""Faults of one place in a text, by kind: what a transcriber of a manual gets wrong. Each is text that still parses.

Deletions take away a whole guard, a whole save, or the WARL rule of a field; the others put something near in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from lark import Token, Tree

from popek_grammar.text.parser import Node
from popek_grammar.text.source import Declaration, SourceSet

DELETED = re.compile(
    r"(guard\b[^\n;]*?\belse\s+trap\s+\w+(?:\([^)\n]*\))?"
    r"|\bsave\b[^\n;]*->[^\n;]*"
    r"|\bwarl\s*\{[^}\n]*\}\s*else\s+[\w.]+)"
)
"""What is deleted: a whole guard, a whole save, or the WARL rule of a field (which then takes anything)."""

LITERALS = {"int": 10, "hex": 16, "bin": 2}
ASIDE = frozenset(
    {"theorem", "program", "region", "clock", "devicetree", "config", "param", "modes", "alias", "header", "causes", "invariant"}
)
"""Declarations that say what is expected, or what surrounds the machine, and not what an instruction means."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: where it is, in what kind of declaration, the text that is gone and what stands there now."""

    file: str
    line: int
    text: str
    start: int
    end: int
    new: str = ""
    kind: str = "deleted"
    place: str = ""

    def applied(self, text: str) -> str:
        """The text with the fault."""
        return text[: self.start] + self.new + text[self.end :]

    @property
    def shown(self) -> str:
        """What was there and what is there now, on one line."""
        return " ".join(self.text.split()) + (f" -> {' '.join(self.new.split())}" if self.kind != "deleted" else "")


Edit: TypeAlias = "tuple[int, int, str]"
"""Where a piece of text begins and ends, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that stand for one another: modes in order, causes that instructions raise."""

    modes: tuple[str, ...]
    causes: tuple[str, ...]


# -- deletions -------------------------------------------------------------------------------------------------------


def deletions(sources: SourceSet) -> Iterator[Mutant]:
    """Every deletion, in the order of the text; comments are not touched. Lines keep their numbers."""
    for file in sources.files:
        name, text = file.source.name, file.source.text
        declared = [(*_extent(d.tree), _place(d)) for d in sources.declarations if d.file is file]
        for found in DELETED.finditer(text):
            at = found.start()
            if "//" in text[text.rfind("\n", 0, at) + 1 : at]:
                continue
            gone = found.group(0)
            new = "rw" + " " * (len(gone) - 2) if gone.startswith("warl") else re.sub(r"[^\n]", " ", gone)
            place = next((kind for start, end, kind in declared if start <= at < end), "")
            yield Mutant(name, _line(text, at), gone.strip(), at, found.end(), new, place=place)


# -- replacements ----------------------------------------------------------------------------------------------------


def replacements(sources: SourceSet) -> Iterator[Mutant]:
    """Every fault of the other kinds, in the order of the declarations."""
    names = _names(sources)
    seen: set[tuple[str, int, int, str]] = set()
    for declaration in sources.declarations:
        if declaration.tree.data in ASIDE:
            continue
        text, file = declaration.file.source.text, declaration.file.source.name
        for node in _downwards(declaration.tree):
            for kind, edits in KINDS.items():
                for start, end, new in edits(node, text, names):
                    if text[start:end] != new and (file, start, end, new) not in seen:
                        seen.add((file, start, end, new))
                        yield Mutant(file, _line(text, start), text[start:end], start, end, new, kind, _place(declaration))


def _wrong_bit(node: Node, text: str, names: Names) -> Iterator[Edit]:
    """`x[7]` for `x[8]`, of a value or of a field's place."""
    numbers: list[object] = []
    if node.data == "index":
        numbers = [node.children[1]]
    elif node.data == "range" and node.children[1] is None:
        numbers = [node.children[0]]
    for number in numbers:
        if isinstance(number, Tree) and number.data == "int":
            value = int(str(number.children[0]))
            yield (*_extent(number), str(value - 1 if value else 1))


def _swapped_arms(node: Node, text: str, names: Names) -> Iterator[Edit]:
    """The sides of an `if` exchanged, or what the first two arms of a `match` give."""
    match node.data, node.children:
        case (("cond" | "if_stmt"), [_, Tree() as yes, Tree() as no]) if no.data != "if_stmt":
            yield _exchanged(text, yes, no)
        case (("match_expr" | "match_stmt"), [_, Tree() as one, Tree() as other, *_]):
            yes, no = one.children[1], other.children[1]
            if isinstance(yes, Tree) and isinstance(no, Tree):
                yield _exchanged(text, yes, no)


def _wrong_mode(node: Node, text: str, names: Names) -> Iterator[Edit]:
    if node.data == "name" and str(node.children[0]) in names.modes and len(names.modes) > 1:
        at = names.modes.index(str(node.children[0]))
        yield (*_extent(node), names.modes[at - 1 if at else 1])


def _wrong_cause(node: Node, text: str, names: Names) -> Iterator[Edit]:
    if node.data == "cause" and str(node.children[0]) in names.causes and len(names.causes) > 1:
        raised = node.children[0]
        assert isinstance(raised, Token)
        at = names.causes.index(str(raised))
        yield (*_extent(raised), names.causes[(at + 1) % len(names.causes)])


def _wrong_mask(node: Node, text: str, names: Names) -> Iterator[Edit]:
    """The lowest bit of a constant that is compared with, or that masks."""
    masks = node.data == "binary" and str(node.children[1]) == "&"
    if masks or node.data == "compare":
        for side in (node.children[0], node.children[2]):
            if isinstance(side, Tree) and side.data in LITERALS:
                shown = str(side.children[0]).replace("_", "")
                value = int(shown, LITERALS[str(side.data)]) ^ 1
                letter = {"int": "d", "hex": "x", "bin": "b"}[str(side.data)]
                yield (*_extent(side), str(value) if letter == "d" else f"{value:#0{len(shown)}{letter}}")


def _swapped_priority(node: Node, text: str, names: Names) -> Iterator[Edit]:
    """Two guards that follow one another, or the first two interrupts of a level."""
    if node.data == "level":
        order = [child for child in node.children[1:] if isinstance(child, Token)]
        if len(order) > 1:
            yield _exchanged(text, order[0], order[1])
    trees = [child for child in node.children if isinstance(child, Tree)]
    for one, other in pairwise(trees):
        if one.data == other.data == "guard":
            yield _exchanged(text, one, other)


def _wrong_saved(node: Node, text: str, names: Names) -> Iterator[Edit]:
    """What two lines of a trap's entry keep, exchanged."""
    if node.data != "trap_stack":
        return
    for kind, part in (("save", 0), ("record", 1)):
        lines = [child for child in node.children if isinstance(child, Tree) and child.data == kind]
        for one, other in pairwise(lines):
            a, b = one.children[part], other.children[part]
            if isinstance(a, Tree) and isinstance(b, Tree):
                yield _exchanged(text, a, b)


KINDS: dict[str, Callable[[Node, str, Names], Iterator[Edit]]] = {
    "wrong bit": _wrong_bit, "swapped arms": _swapped_arms, "wrong mode": _wrong_mode, "wrong cause": _wrong_cause,
    "wrong mask": _wrong_mask, "priority swapped": _swapped_priority, "wrong field saved": _wrong_saved,
}  # fmt: skip
"""The kinds of fault that replace something, and what each makes of a node."""


def sample(mutants: list[Mutant], most: int) -> list[Mutant]:
    """At most so many of each kind, evenly over the text."""
    chosen: list[Mutant] = []
    for kind in dict.fromkeys(mutant.kind for mutant in mutants):
        those = [mutant for mutant in mutants if mutant.kind == kind]
        count = min(most, len(those))
        chosen += [those[len(those) * i // count] for i in range(count)]
    return chosen


# -- the text --------------------------------------------------------------------------------------------------------


def _names(sources: SourceSet) -> Names:
    modes: list[str] = []
    causes: list[str] = []
    for declaration in sources.declarations:
        inner = declaration.tree.children[0] if declaration.tree.data == "override" else declaration.tree
        for child in inner.children if isinstance(inner, Tree) else ():
            if isinstance(child, Tree) and child.data == "mode_def":
                modes.append(str(child.children[0]))
            elif isinstance(child, Tree) and child.data == "cause_def":
                name = next(part for part in child.children if isinstance(part, Token) and part.type == "NAME")
                if child.meta.start_pos == name.start_pos:  # `interrupt` is not in the tree
                    causes.append(str(name))
    return Names(tuple(dict.fromkeys(modes)), tuple(dict.fromkeys(causes)))


def _place(declaration: Declaration) -> str:
    """The kind of declaration that a fault lies in."""
    tree = declaration.tree
    inner = tree.children[0] if tree.data == "override" else tree
    return str(inner.data) if isinstance(inner, Tree) else str(tree.data)


def _downwards(tree: Node) -> Iterator[Node]:
    yield tree
    for child in tree.children:
        if isinstance(child, Tree):
            yield from _downwards(child)


def _extent(node: Node | Token) -> tuple[int, int]:
    place = node if isinstance(node, Token) else node.meta
    assert place.start_pos is not None and place.end_pos is not None
    return place.start_pos, place.end_pos


def _exchanged(text: str, one: Node | Token, other: Node | Token) -> Edit:
    """Two pieces of text in each other's place, with what lies between them."""
    (start, middle), (after, end) = _extent(one), _extent(other)
    return start, end, text[after:end] + text[middle:after] + text[start:middle]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
