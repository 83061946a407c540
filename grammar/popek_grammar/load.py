"""From a file to a machine, remembering what was resolved: the same text is not resolved twice.

The passes are imported by those who need them: a remembered machine is loaded without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from popek_grammar.cache import remembered
from popek_grammar.machine import Machine
from popek_grammar.text.closure import ENDING, Closure, closure
from popek_grammar.text.files import sources_digest

__all__ = ["ENDING", "code_digest", "configs_of", "lint_machine", "load_machine", "machine_and_key", "machine_key"]

if TYPE_CHECKING:
    from popek_grammar.text.diagnostics import Diagnostic
    from popek_grammar.text.source import SourceSet


def machine_key(path: str, config: str | None = None, parameters: Mapping[str, int] | None = None) -> str:
    """A digest of all that the machine in a file depends on: its text, what it includes, the choices, this code."""
    return _key(_closure(path), config, parameters or {})


def load_machine(path: str, config: str | None = None, parameters: Mapping[str, int] | None = None) -> Machine:
    """The machine in the file `path`. Raises SpecError with every error that its text has."""
    return machine_and_key(path, config, parameters)[0]


def machine_and_key(path: str, config: str | None = None, parameters: Mapping[str, int] | None = None) -> tuple[Machine, str]:
    """The machine in a file, and a key that is the same however its configuration was chosen."""
    texts = _closure(path)
    key = _key(texts, config, parameters or {})

    def resolved() -> Machine:
        from popek_grammar.elaborate import elaborate

        return elaborate(texts.parsed, config, parameters)

    machine = remembered(Machine, f"machine-{key}.pickle", resolved)
    return machine, _key(texts, machine.config, parameters or {})


def lint_machine(path: str, config: str | None = None) -> tuple[list[Diagnostic], SourceSet]:
    """All errors and warnings of a file, in every configuration unless one is named, and the texts to show them in.

    Of a text of monitors: in those that they are for.

    What several configurations find is reported once; a note names them when they are not all.
    """
    from popek_grammar.elaborate import elaborate_with_problems, monitored
    from popek_grammar.text.diagnostics import Note

    sources = _closure(path).parsed
    names = [config] if config is not None else monitored(sources)
    found: dict[Diagnostic, list[str]] = {}
    for name in names:
        for problem in dict.fromkeys(elaborate_with_problems(sources, name)[1]):
            found.setdefault(problem, []).append(name)
    merged = []
    for problem, where in found.items():
        if len(where) < len(names):
            note = Note(f"in configuration{'s' * (len(where) > 1)} {', '.join(where)}")
            problem = replace(problem, notes=(*problem.notes, note))
        merged.append(problem)
    return sorted(merged, key=lambda p: (p.span.file, p.span.line, p.span.column)), sources


def configs_of(path: str) -> list[str]:
    """The configurations that a file declares, the default first; of a text of monitors, those that they are for."""
    from popek_grammar.elaborate import monitored

    return monitored(_closure(path).parsed)


def _closure(path: str) -> Closure:
    return closure(path, code_digest())


def _key(texts: Closure, config: str | None, parameters: Mapping[str, int]) -> str:
    digest = hashlib.blake2b(f"{code_digest()} {texts.digest}".encode(), digest_size=20)
    digest.update(f"{config} {sorted(parameters.items())}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A digest of this package's own source: another version resolves anew."""
    lark = find_spec("lark")
    assert lark is not None and lark.origin is not None
    version = Path(lark.origin).read_bytes()  # it says which it is, and is not imported for that
    return f"{sources_digest(Path(__file__).parent)} {hashlib.blake2b(version, digest_size=20).hexdigest()}"
