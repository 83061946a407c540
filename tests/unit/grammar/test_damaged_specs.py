"""Damaged copies of the shipped specifications are refused with diagnostics, or accepted; never a traceback.

POPEK_FUZZ sets how many copies are tried; 10,000 is the figure that releases are tried with.
"""

from __future__ import annotations

import os
import random

from damage import damaged

from machines import SPEC
from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.text.diagnostics import SpecError, render_all
from popek_grammar.text.source import load_file, load_texts

COPIES = int(os.environ.get("POPEK_FUZZ", "120"))


def test_damage_never_escapes() -> None:
    sets = [dict(load_file(str(SPEC / file)).texts) for file in ("pg1974.isa", "riscv/riscv.isa", "x86/ia32.isa")]
    refused = 0
    for number in range(COPIES):
        rng = random.Random(number)
        texts = dict(rng.choice([sets[0], sets[0], sets[1], sets[2]]))
        name = rng.choice(list(texts))
        texts[name] = damaged(rng, texts[name])
        try:
            machine, found = elaborate_with_problems(load_texts(texts))
        except SpecError as error:
            machine, found = None, list(error.diagnostics)
        assert bool(found) == bool(render_all(found, texts))
        refused += machine is None
    assert refused > COPIES // 4
