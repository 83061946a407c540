"""Small accidents of texts, for tests that nothing escapes as a traceback."""

from __future__ import annotations

import random

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
