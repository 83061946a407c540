"""The plan of the house holds: no module is imported, however indirectly, by what it imports; arrows between rooms run one way.

Every import counts, those inside functions too, since they hide a circle and do not open it. Those under `TYPE_CHECKING` do
not: they name a type, and nothing runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from machines import SPEC

ROOT = SPEC.parent
PACKAGES = {"popek_grammar": "grammar", "popek_vmm": "reference_vmm", "popek_checker": "checker", "popek": "checker"}

FLOORS = (
    ("popek_grammar.records", "popek_grammar.text.files"),
    ("popek_grammar.machine", "popek_grammar.cache"),
    ("popek_grammar.text",),
    ("popek_grammar.assembly",),
    ("popek_grammar.examine", "popek_grammar.meaning"),
    ("popek_grammar.elaborate",),
    ("popek_grammar.load",),
    ("popek_vmm", "popek_checker.solver"),
    ("popek_checker.virtualizability",),
    ("popek_checker.monitor",),
    ("popek_checker.explanation",),
    ("popek_checker.difference",),
    ("popek_checker.mutation",),
    ("popek",),
)
"""Rooms from the ground up. One imports what lies below it; those on one floor do not import each other."""

HOUSES = (("popek_checker", "popek_vmm"),)
"""Packages that do not import each other, whatever the floor."""

KNOWN: dict[tuple[str, str], str] = {}
"""Arrows that run another way all the same, from module to module, and why. One that is gone is to be taken out."""


@lru_cache(maxsize=1)
def modules() -> dict[str, Path]:
    """Every module of the four packages by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports in a node, but not those under `if TYPE_CHECKING`."""
    match node:
        case ast.Import() | ast.ImportFrom():
            yield node
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            for other in node.orelse:
                yield from statements(other)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from statements(child)


def imported(text: str, known: frozenset[str]) -> set[str]:
    """The modules among `known` that a text imports. Those above one that it names are not counted."""
    found: set[str] = set()
    for statement in statements(ast.parse(text)):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        else:
            assert statement.level == 0, "imports say the whole name"
            for alias in statement.names:
                inner = f"{statement.module}.{alias.name}"
                found.add(inner if inner in known else str(statement.module))
    return found & known


@lru_cache(maxsize=1)
def arrows() -> dict[str, set[str]]:
    """Module to the modules that it imports."""
    known = frozenset(modules())
    return {name: imported(path.read_text(), known) - {name} for name, path in modules().items()}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle of imports; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room(module: str) -> tuple[int, str] | None:
    """The floor and name of the room that a module is in, the lowest; None for a package's own `__init__`."""
    for level, names in enumerate(FLOORS):
        for name in names:
            if module == name or module.startswith(f"{name}."):
                return level, name
    return None


def upward(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that do not run down, and those from house to house."""
    found = []
    for module, targets in graph.items():
        here = room(module)
        for target in targets:
            there, houses = room(target), {module.split(".")[0], target.split(".")[0]}
            runs_up = here is not None and there is not None and here[1] != there[1] and there[0] >= here[0]
            if runs_up or any(houses == set(pair) for pair in HOUSES):
                found.append((module, target))
    return sorted(found)


def test_every_module_has_a_room() -> None:
    """But for a package itself, which says what it is and imports nothing."""
    roomless = {name for name in modules() if room(name) is None}
    assert roomless == {"popek_checker"}
    assert not any(arrows()[name] for name in roomless)


def test_no_circle() -> None:
    assert circle(arrows()) == []


def test_arrows_run_down() -> None:
    assert upward(arrows()) == sorted(KNOWN)


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("import a.b", {"a.b"}),
        ("from a import b, c", {"a.b", "a"}),
        ("def f():\n    if x:\n        from a.b import c", {"a.b"}),
        ("if TYPE_CHECKING:\n    import a.b\nelse:\n    import a", {"a"}),
        ("import os", set()),
    ],
)
def test_what_counts_as_an_import(text: str, finds: set[str]) -> None:
    assert imported(text, frozenset({"a", "a.b"})) == finds


def test_faults_would_be_seen() -> None:
    """The walk is not blind: a circle, and an arrow up, where there are some."""
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    up = ("popek_grammar.text.parser", "popek_grammar.meaning.state")
    across = ("popek_checker.difference.diff", "popek_vmm.oracle")
    down = ("popek.cli", "popek_grammar.load")
    assert upward({module: {target} for module, target in (up, across, down)}) == [across, up]
