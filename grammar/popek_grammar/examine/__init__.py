"""Checks of a whole resolved machine: what no single declaration can know."""

from __future__ import annotations

from popek_grammar import machine as m
from popek_grammar.examine.addresses import check_addresses
from popek_grammar.examine.contexts import check_contexts
from popek_grammar.examine.lints import lint
from popek_grammar.examine.overlaps import check_lengths
from popek_grammar.examine.recursion import check_recursion
from popek_grammar.examine.shapes import check_shapes
from popek_grammar.examine.stacks import check_stacks
from popek_grammar.text.diagnostics import Diagnostic, Diagnostics


def examine(machine: m.Machine) -> tuple[Diagnostic, ...]:
    """Every problem of the machine as a whole, in order of position; warnings only when there is no error."""
    found = Diagnostics()
    check_recursion(machine, found)
    check_contexts(machine, found)
    check_stacks(machine, found)
    check_addresses(machine, found)
    check_lengths(machine, found)
    check_shapes(machine, found)
    if not found.has_errors:
        lint(machine, found)
    return found.sorted()
