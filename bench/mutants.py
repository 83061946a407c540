"""The mutation run over the library, as a document: what is noticed by kind of fault, and the survivors by reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from popek.library import shipped
from popek.working import executor
from popek_checker.mutation.faults import KINDS, Mutant, deletions, replacements, sample
from popek_checker.mutation.mutants import SAME, Fate, Trial, fates
from popek_checker.virtualizability.check import main_claim
from popek_checker.virtualizability.options import Options
from popek_grammar.elaborate import configurations, elaborate
from popek_grammar.text.source import SourceSet, load_file

EACH = 4
"""Faults tried of each kind in each machine, deletions apart, which are few and all tried."""

INTRODUCTION = """# Mutants

One fault at a time in every shipped machine, in its first configuration, under its first claim. A fault is noticed by an error or
a warning that was not there, by a verdict of an instruction that changes, or by an invariant or a sentence about a step that no
longer comes out as the text says. Tried here: every deletion of a `guard`, `save` or
`warl` line, and {each} of each other kind in each machine, evenly over its text. Written by `python -m bench mutants`; with every
fault, by `python -m bench mutants_all`.
"""


def report(path: Path, each: int | None) -> None:
    """Tries the faults, prints a row a machine, and writes the document."""
    print("\n| machine | mutants | noticed | survive | seconds |\n| --- | --- | --- | --- | --- |")
    found: dict[str, list[Fate]] = {}
    for spec in shipped().values():
        start = time.perf_counter()
        name, machine_fates = tried(spec, each)
        found[name] = machine_fates
        noticed = sum(fate.noticed for fate in machine_fates)
        counts = f"{len(machine_fates)} | {noticed} | {len(machine_fates) - noticed}"
        print(f"| {name} | {counts} | {time.perf_counter() - start:.1f} |", flush=True)
        path.write_text("\n".join(document(found, each)), encoding="utf-8")


def tried(spec: str, each: int | None) -> tuple[str, list[Fate]]:
    """The name of a machine, and the fates of its faults."""
    sources = load_file(spec)
    config = configurations(sources)[0]
    machine = elaborate(sources, config)
    claim, _ = main_claim(machine, Options(), list(machine.theorems.values()))
    chosen = tuple(faults(sources, each))
    with executor(2) as pool:
        return f"{machine.name} ({config})", fates(Trial(dict(sources.texts), config, claim, chosen, stated=True), pool, 16)


def faults(sources: SourceSet, each: int | None) -> list[Mutant]:
    """Every deletion, and of the other kinds as many as wanted, all of them for None."""
    others = list(replacements(sources))
    return [*deletions(sources), *(others if each is None else sample(others, each))]


# -- the document ----------------------------------------------------------------------------------------------------


def document(found: dict[str, list[Fate]], each: int | None) -> Iterator[str]:
    """The lines of docs/mutants.md."""
    every = [fate for machine_fates in found.values() for fate in machine_fates]
    yield INTRODUCTION.format(each="all" if each is None else each)
    yield from _by_kind(every)
    yield from _by_reason(every)
    for name, machine_fates in found.items():
        survivors = [fate for fate in machine_fates if not fate.noticed]
        yield f"## {name}: {len(machine_fates)} tried, {len(survivors)} survive\n"
        if survivors:
            yield "| line | kind | fault | why |\n| --- | --- | --- | --- |"
        for fate in survivors:
            where = f"{Path(fate.mutant.file).name}:{fate.mutant.line}"
            shown = _cut(fate.mutant.shown).replace("|", "\\|")
            why = fate.how if fate.survives == SAME else fate.survives
            yield f"| {where} | {fate.mutant.kind} | `{shown}` | {why} |"
        yield ""


def _by_kind(every: Sequence[Fate]) -> Iterator[str]:
    yield "| kind | tried | noticed | by a diagnosis | by a verdict | by an invariant |\n| --- | --- | --- | --- | --- | --- |"
    for kind in ("deleted", *KINDS):
        those = [fate for fate in every if fate.mutant.kind == kind]
        noticed = [fate for fate in those if fate.noticed]
        by = Counter(fate.how.split()[0] for fate in noticed)
        said = by["error"] + by["warning"]
        if those:
            share = f"{len(noticed)} ({100 * len(noticed) // len(those)} %)"
            yield f"| {kind} | {len(those)} | {share} | {said} | {by['verdict']} | {by['invariant']} |"
    yield ""


def _by_reason(every: Sequence[Fate]) -> Iterator[str]:
    yield "## Why the others survive\n"
    for reason, count in Counter(fate.survives for fate in every if not fate.noticed).most_common():
        yield f"- {count}: {reason}."
    yield ""


def _cut(text: str, width: int = 110) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
