"""A campaign against the cache: every kind of clause of every machine edited, with a cache that knew the machine and without."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path


def report() -> None:
    """Prints a line a machine, and each stale answer. POPEK_SEED, POPEK_EACH (edits of a kind), POPEK_MOST (instructions)."""
    from popek.library import shipped
    from popek_checker.mutation.freshness import sampled, trial
    from popek_grammar.load import load_machine

    print("\n| machine | edits | of kinds | changed | nonsense | stale | seconds |\n| --- | --- | --- | --- | --- | --- | --- |")
    seed, each, most = (int(os.environ.get(f"POPEK_{name}", known)) for name, known in (("SEED", 1), ("EACH", 5), ("MOST", 4)))
    for path in shipped().values():
        machine, start = load_machine(path), time.perf_counter()
        with tempfile.TemporaryDirectory() as cache:
            tried = list(sampled(machine, seed, each))
            done = [trial(machine, edit, Path(cache) / "answers.sqlite", seed + n, most) for n, edit in enumerate(tried)]
        kinds = len({edit.kind for edit in tried})
        counts = (sum(one.changed for one in done), sum(not one.fresh for one in done), sum(one.stale for one in done))
        told = " | ".join(map(str, (len(done), kinds, *counts)))
        print(f"| {machine.name} | {told} | {time.perf_counter() - start:.1f} |", flush=True)
        for one in done:
            if one.stale:
                print(f"STALE {one.edit.where}: {one.edit.old!r} -> {one.edit.new!r}")
