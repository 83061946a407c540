"""Slips that other texts and cores had, put into the shipped texts one by one: what `lint`, `check` and `diff` notice of each.

`lint` and `check` see the text with the slip alone, as its author would; `diff` is given the text without it too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from popek.codes import REFUTED, exit_code
from popek_checker.difference.compare import Pair, between, instructions
from popek_checker.difference.deciding import decide
from popek_checker.difference.declared import changes
from popek_checker.difference.delta import Status
from popek_checker.mutation.mutants import Reach
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import configurations, elaborate_with_problems
from popek_grammar.text.diagnostics import Diagnostic, SpecError
from popek_grammar.text.source import load_file, load_texts

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(__file__).with_name("slips.toml")


@dataclass(frozen=True, slots=True)
class Slip:
    """In `file`, `was` becomes `is_`. `config` is looked at first; `source` is where the slip was reported.

    `unnoticed` says why neither `lint` nor `check` sees it, where that is so; `unconfirmed` names those of its sources that could
    not be looked up when the corpus was last gone through. `later`: it was looked for when the texts had been finished.
    """

    spec: str
    file: str
    was: str
    is_: str
    what: str
    kind: str
    source: str
    config: str = ""
    unnoticed: str = ""
    unconfirmed: str = ""
    later: bool = False

    def applied(self, texts: dict[str, str]) -> dict[str, str]:
        """The texts of the specification with the slip; ValueError where `was` does not stand in its file exactly once."""
        name = next((name for name in texts if Path(name).as_posix().endswith(self.file)), "")
        count = texts.get(name, "").count(self.was)
        if count != 1:
            raise ValueError(f"{self.file}: the text of the slip `{self.what}` stands there {count} times")
        # Lines that follow keep their numbers, so that declarations which did not change are equal.
        kept = self.is_ + "\n" * (self.was.count("\n") - self.is_.count("\n"))
        return {**texts, name: texts[name].replace(self.was, kept)}


@dataclass(frozen=True, slots=True)
class Noticed:
    """What each command says of a slip; empty where it says nothing."""

    slip: Slip
    lint: str
    check: str
    diff: str

    @property
    def alone(self) -> bool:
        """Whether the text with the slip is enough to notice it."""
        return bool(self.lint or self.check)


def corpus(path: Path = CORPUS) -> list[Slip]:
    """The slips of a file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["slip"]
    return [Slip(is_=entry.pop("is"), **entry) for entry in entries]


@dataclass(slots=True)
class Shelf:
    """The shipped machines as they are, each made once."""

    timeout: float = 10.0
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    made: dict[tuple[str, str], tuple[m.Machine, frozenset[tuple[str, str]]]] = field(default_factory=dict)
    excused: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def sound(self, spec: str) -> dict[str, str]:
        if spec not in self.texts:
            self.texts[spec] = dict(load_file(str(ROOT / "spec" / spec)).texts)
        return self.texts[spec]

    def machine(self, spec: str, config: str) -> tuple[m.Machine, frozenset[tuple[str, str]]]:
        """A shipped machine, and what is said of it already."""
        if (spec, config) not in self.made:
            machine, problems = elaborate_with_problems(load_texts(self.sound(spec)), config)
            assert machine is not None
            self.made[spec, config] = machine, frozenset((p.code, p.message) for p in problems)
        return self.made[spec, config]

    def noticed(self, slip: Slip) -> Noticed:
        """What is noticed: by `lint` and `diff` in any configuration, by `check` in the slip's own, else the first."""
        sources = load_texts(slip.applied(self.sound(slip.spec)))
        names = sorted(configurations(sources), key=lambda name: name != slip.config)
        said, machines = [], {}
        for name in names:
            machine, problems = _elaborated(sources, name)
            said += [p for p in problems if (p.code, p.message) not in self.machine(slip.spec, name)[1]]
            if machine is not None:
                machines[name] = machine
        lint = f"{said[0].severity} {said[0].code}" if said else ""
        if len(machines) < len(names):
            return Noticed(slip, lint, lint, "does not load")
        found = self.checked(names[0], machines[names[0]])
        return Noticed(slip, lint, found, _first(self.compared(slip.spec, name, made) for name, made in machines.items()))

    def checked(self, name: str, machine: m.Machine) -> str:
        """The first theorem or invariant that does not come out as its author expects."""
        report = check(machine, Options(timeout=self.timeout))
        if exit_code(report) != REFUTED:
            return ""
        answers = [*report.theorems, *report.invariants]
        wrong = [answer.name for answer in answers if answer.as_expected is Truth.NO]
        return f"{wrong[0] if wrong else 'Theorem 1'} ({name})"

    def compared(self, spec: str, name: str, machine: m.Machine) -> str:
        """What differs from the machine without the slip: a declaration, an instruction that it touches, or anything else."""
        base = self.machine(spec, name)[0]
        declared = [f"{change.kind} {change.name}" for change in changes(base, machine)]
        if declared:
            return _counted(declared)
        pair = Pair(base, machine)
        touched = {item.instruction for item in Reach(base).affected(machine)}
        units = sorted((*between(pair), *instructions(pair, ())), key=lambda unit: unit.name not in touched)
        rows = (decide(kept_solver(self.timeout), pair, unit) for unit in units)
        return next((row.label for row in rows if row.status in (Status.DIFFERENT, Status.INCOMPARABLE)), "")


def _counted(labels: Sequence[str]) -> str:
    return labels[0] + (f" and {len(labels) - 1} more" if len(labels) > 1 else "")


def _first(answers: Iterator[str]) -> str:
    return next(filter(None, answers), "")


def _elaborated(sources: object, config: str) -> tuple[m.Machine | None, list[Diagnostic]]:
    try:
        return elaborate_with_problems(sources, config)  # type: ignore[arg-type]
    except SpecError as error:
        return None, list(error.diagnostics)


def noticed(slips: Sequence[Slip]) -> Iterator[Noticed]:
    """The slips in order, one shelf for all."""
    shelf = Shelf()
    for slip in slips:
        yield shelf.noticed(slip)


# -- the document ----------------------------------------------------------------------------------------------------


INTRODUCTION = """# Slips

{count} slips that simulators, emulators, processors and their specifications really had, as reported, each put into a shipped
text by one change (bench/slips.toml). `lint` and `check` see that one text; `diff` compares it with the text as it was. What is
said is the first warning, the first theorem or invariant that does not come out as the text says, one row that differs. By
`python -m bench slips`.

{alone} of {count} ({percent} %) are noticed from the text alone, {compared} by `diff`. {later} were looked for after the
invariants and sentences of the texts had been written; of them {met} are noticed so.
"""


SOURCES = """The threads and advisories have been looked up and say what is put into the text. Not found, named as noted:
"""


def report(path: Path) -> None:
    """Tries every slip, prints what is noticed as it comes, and writes the document."""
    done: list[Noticed] = []
    slips = corpus()
    for one in noticed(slips):
        done.append(one)
        print(f"{len(done)}/{len(slips)} {'noticed' if one.alone else 'NOT noticed'}: {one.slip.what}", flush=True)
    path.write_text("\n".join(document(done)), encoding="utf-8")


def document(done: Sequence[Noticed]) -> Iterator[str]:
    """The lines of docs/slips.md."""
    alone = [one for one in done if one.alone]
    later = [one for one in done if one.slip.later]
    yield INTRODUCTION.format(
        count=len(done), alone=len(alone), percent=100 * len(alone) // len(done), compared=sum(bool(one.diff) for one in done),
        later=len(later), met=sum(one.alone for one in later),
    )  # fmt: skip
    yield "| machine | slip | kind | lint | check | diff | reported |\n| --- | --- | --- | --- | --- | --- | --- |"
    for one in done:
        cells = [Path(one.slip.spec).stem, one.slip.what, one.slip.kind, one.lint, one.check, one.diff, one.slip.source]
        yield "| " + " | ".join(cells) + " |"
    yield "\n## Not noticed from the text alone\n"
    for one in done:
        if not one.alone:
            yield f"- {Path(one.slip.spec).stem}: {one.slip.what} ({one.slip.kind}). {one.slip.unnoticed}".rstrip()
    yield "\n## Sources\n"
    yield SOURCES
    for one in done:
        if one.slip.unconfirmed:
            yield f"- {one.slip.what}: {one.slip.unconfirmed}"
    yield ""
