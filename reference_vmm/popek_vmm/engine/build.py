"""A machine's program, built once and kept: from text to code that can be linked."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass

from popek_grammar.load import code_digest
from popek_grammar.machine import Machine
from popek_vmm.engine.compiled import host_key, kept, object_code
from popek_vmm.engine.shape import Shape


@dataclass(frozen=True, slots=True)
class Built:
    """The objects of a program, and its shape."""

    shape: Shape
    codes: tuple[bytes, ...]


def build(machine: Machine, key: str | None = None) -> tuple[Built, bool]:
    """The machine's program, and whether it was kept from before. `key` stands for the machine, as `machine_key` gives it."""
    whole = f"{key or machine_digest(machine)} {code_digest()} {host_key()}"
    name = f"{hashlib.blake2b(whole.encode(), digest_size=20).hexdigest()}.pickle"
    return kept(Built, name, lambda: _compiled(machine))


def _compiled(machine: Machine) -> Built:
    from popek_vmm.engine.program import Effort, program  # what generates is not needed where a program is kept

    made = program(machine)
    codes = [object_code(text, 0 if effort is Effort.NONE else 2, effort is Effort.LIGHT) for effort, text in made.parts.items()]
    return Built(made.shape, tuple(codes))


def machine_digest(machine: Machine) -> str:
    """A digest of a machine that came from no file."""
    return hashlib.blake2b(pickle.dumps(machine), digest_size=20).hexdigest()
