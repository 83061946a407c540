"""A machine's program, built once and kept: from text to code that can be linked."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass

from popek_grammar.load import code_digest
from popek_vmm.engine.compiled import host_key, kept, object_code
from popek_vmm.engine.shape import Shape
from popek_vmm.steps import Steps


@dataclass(frozen=True, slots=True)
class Built:
    """The objects of a program, and its shape."""

    shape: Shape
    codes: tuple[bytes, ...]


def build(steps: Steps, key: str | None = None) -> tuple[Built, bool]:
    """The program of a machine's steps, and whether it was kept from before. `key` stands for them, as `machine_key` gives it."""
    whole = f"{key or _digest(steps)} {code_digest()} {host_key()}"
    name = f"{hashlib.blake2b(whole.encode(), digest_size=20).hexdigest()}.pickle"
    return kept(Built, name, lambda: _compiled(steps))


def _compiled(steps: Steps) -> Built:
    from popek_vmm.engine.program import Effort, program  # what generates is not needed where a program is kept

    made = program(steps)
    codes = [object_code(text, 0 if effort is Effort.NONE else 2, effort is Effort.LIGHT) for effort, text in made.parts.items()]
    return Built(made.shape, tuple(codes))


def _digest(steps: Steps) -> str:
    """A digest of steps that came from no file."""
    return hashlib.blake2b(pickle.dumps(steps), digest_size=20).hexdigest()
