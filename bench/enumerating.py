"""Random small machines for as long as one likes, each decided by Popek and by enumeration of all its states.

`python -m bench enumerate --seconds 600 --first 1000`: seeds from 1000 on. What differs is printed on the smallest machine on
which it still does, with the seed; the exit code is then 1. `tests/unit/checker/test_enumerated.py` runs the first seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
TIMEOUT = 60
"""Seconds that the solver has for a question: what takes longer is undecided, and counts as a difference."""


def run(arguments: Sequence[str]) -> int:
    """Goes through seeds until the time is up; how many disagreements there were."""
    parser = argparse.ArgumentParser(prog="python -m bench enumerate")
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(SUPPORT))
    from enumeration.compare import compare, shrunk
    from enumeration.generate import generate

    from popek_checker.solver.smt import Smt

    smt, start, seed, asked, kinds = Smt(TIMEOUT), time.perf_counter(), chosen.first, 0, set()
    while time.perf_counter() - start < chosen.seconds:
        decided, found = compare(generate(seed), smt)
        asked, seed = asked + decided, seed + 1
        for one in found:
            if one.kind not in kinds:
                print(f"seed {seed - 1}: {shrunk(one, smt)}", flush=True)
            kinds.add(one.kind)
    taken = time.perf_counter() - start
    print(f"seeds {chosen.first} to {seed - 1}: {asked} instructions in {taken:.0f} s, {len(kinds)} kinds of disagreement")
    return len(kinds)
