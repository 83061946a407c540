"""Damaged copies of the shipped specifications are refused with diagnostics, or accepted; never a traceback.

POPEK_FUZZ sets how many copies are tried; 10,000 is the figure that releases are tried with.
"""

from __future__ import annotations

import os
import random

from machines import SPEC
from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.text.diagnostics import SpecError, render_all
from popek_grammar.text.source import load_file, load_texts

COPIES = int(os.environ.get("POPEK_FUZZ", "120"))


SPLINTERS = ("zext(", "}", "if", "@", "-1", " role map", "\x00", "é", '"')


def damaged(rng: random.Random, text: str) -> str:
    """One to three small accidents: a line lost or doubled, a word moved, a bracket or a digit changed."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[rng.randrange(len(lines))])
            case 2:
                words = lines[at].split(" ")
                rng.shuffle(words)
                lines[at] = " ".join(words)
            case 3:
                swapped = rng.sample("(){}[]9870", 10)
                lines[at] = lines[at].translate({ord(a): b for a, b in zip("(){}[]0123", swapped, strict=True)})
            case 4:
                cut = rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + rng.choice(SPLINTERS) + lines[at][cut:]
            case _:
                other = rng.choice(lines[rng.randrange(len(lines))].split() or ["x"])
                lines[at] = lines[at].replace(rng.choice(lines[at].split() or [" "]), other, 1)
        if not lines:
            lines = [""]
    return "\n".join(lines)


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
