"""Checks of a whole resolved machine: what no single declaration can know."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Tree

from popek_grammar import machine as m
from popek_grammar.examine.addresses import check_addresses
from popek_grammar.examine.branches import branches
from popek_grammar.examine.contexts import check_contexts
from popek_grammar.examine.guards import check_guards
from popek_grammar.examine.lints import lint
from popek_grammar.examine.looking import check_looking
from popek_grammar.examine.overlaps import check_lengths
from popek_grammar.examine.recursion import check_recursion
from popek_grammar.examine.shapes import check_shapes
from popek_grammar.examine.stacks import check_stacks
from popek_grammar.examine.texts import check_texts
from popek_grammar.examine.unused import unused
from popek_grammar.text.diagnostics import Diagnostic, Diagnostics
from popek_grammar.text.parser import Node
from popek_grammar.text.source import Declaration


def examine(machine: m.Machine) -> tuple[Diagnostic, ...]:
    """Every problem of the machine as a whole, in order of position; warnings only when there is no error."""
    found = Diagnostics()
    check_recursion(machine, found)
    check_contexts(machine, found)
    check_stacks(machine, found)
    check_addresses(machine, found)
    check_lengths(machine, found)
    check_shapes(machine, found)
    check_looking(machine, found)
    if not found.has_errors:
        lint(machine, found)
        check_guards(machine, found)
        check_texts(machine, found)
    return found.sorted()


def examine_text(declarations: Sequence[Declaration]) -> tuple[Diagnostic, ...]:
    """Warnings about the text itself, whatever the configuration; what an `override` replaces is text too."""
    found = Diagnostics()
    plain = [Declaration(_overriding(d.tree), d.file) for d in declarations]
    unused(plain, found)
    branches(plain, found)
    return found.sorted()


def _overriding(tree: Node) -> Node:
    """What an `override` declares; any other declaration itself."""
    inner = tree.children[0] if tree.data == "override" else tree
    assert isinstance(inner, Tree)
    return inner
