"""A cache hit equals a fresh run: whatever is edited, a cache that knew the machine before says what a run without one says."""

from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path

import pytest
from command import popek

from machines import FILES, SPEC, machine
from popek_checker.mutation.edits import edits
from popek_checker.mutation.freshness import sampled, trial
from popek_checker.solver import answers
from popek_checker.solver.keys import meaning
from popek_checker.virtualizability import filed

PAPER = SPEC / "pg1974.isa"
SMALL = ("pg1974.isa", "stack/stack.isa")
"""Machines of which every kind of clause is edited here; of the others some are. `python -m bench freshness` edits more."""

ENTRY = "enter m @ pc @ l @ b = E[1]"


def test_trap_entry_edited(tmp_path: Path) -> None:
    """What enters a trap decides verdicts of the literal reading and of f: the cache of the machine before says nothing of it."""
    file, cache = tmp_path / "machine.isa", tmp_path / "cache"
    text = PAPER.read_text()
    assert ENTRY in text
    file.write_text(text)
    assert popek("check", str(file), "-j", "1", cache=cache).returncode == 0
    file.write_text(text.replace(ENTRY, "enter pc = E[1][12:9]"))
    runs = [popek("check", str(file), "-j", "1", "--format", "json", cache=where) for where in (cache, None)]
    assert [run.returncode for run in runs] == [1, 1]
    cached, fresh = (json.loads(run.stdout) | {"seconds": 0} for run in runs)
    assert cached == fresh


@pytest.mark.parametrize("file", FILES)
def test_every_kind_of_clause(tmp_path: Path, file: str) -> None:
    made = machine(file)
    tried = list(sampled(made, seed=11, each=1))
    random.Random(file).shuffle(tried)
    for edit in tried if file in SMALL else islice(tried, 6):
        done = trial(made, edit, tmp_path / "answers.sqlite", seed=11, most=2)
        assert not done.stale, (edit.where, edit.old, edit.new)


@pytest.mark.parametrize("file", FILES)
def test_an_edit_is_another_key(file: str) -> None:
    """Each edit shows in what rows are filed under, or is one of claims, which are compared with what was found each time."""
    made = machine(file)
    base = filed.standing(made)
    tried = [edit for edit in sampled(made, seed=5, each=1) if edit.path[0] != "theorems"]
    assert len({edit.kind for edit in tried}) > 8
    for edit in tried:
        edited = edit.made(made)
        name = str(edit.path[1]) if edit.path[0] == "instructions" else ""
        own = bool(name) and meaning(edited.instructions[name]) != meaning(made.instructions[name])
        assert own or filed.standing(edited) != base, edit.where


def test_edits_reach_every_part() -> None:
    """Over the library, every part of a machine that decides something is edited."""
    parts = {edit.kind for file in FILES for edit in edits(machine(file))}
    assert parts >= {
        "acting.condition", "arrays.role", "causes.members", "csr_space.guards", "delegate.condition", "faults.causes",
        "functions.body", "instructions.body", "instructions.encodings", "instructions.guards", "interrupts.levels",
        "interrupts.pending", "modes.members", "placements.held", "placements.memory", "placements.where", "protections.body",
        "protections.when", "registers.fields", "registers.guards", "registers.min_mode", "registers.read", "registers.write",
        "scalars.legal", "scalars.reset", "scalars.role", "theorems.assume", "theorems.expect", "translations.body",
        "translations.modes", "trap_stacks.before", "trap_stacks.enters", "trap_stacks.leaves", "trap_stacks.records",
        "trap_stacks.saves", "trap_stacks.vector",
    }  # fmt: skip


def test_answers_change_under_edits(tmp_path: Path) -> None:
    """The trials are no idle ones: many edits change a row."""
    made = machine("pg1974.isa")
    done = (trial(made, edit, tmp_path / "answers.sqlite", 3, 3) for edit in sampled(made, 3, 1))
    assert sum(1 for _ in islice((each for each in done if each.changed), 4)) == 4


@pytest.mark.parametrize("forgetful", ["text", "terms"])
def test_a_key_that_forgets_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful: str) -> None:
    """Rows filed without the text, or answers without the terms, are stale at once, and the trials say so."""
    if forgetful == "text":
        monkeypatch.setattr(filed, "meaning", lambda value: "the same")
    else:
        monkeypatch.setattr(answers, "together", lambda keys: "the same")
    made = machine("pg1974.isa")
    done = (trial(made, edit, tmp_path / "answers.sqlite", 3, 3) for edit in sampled(made, 3, 1))
    assert any(each.stale for each in done)
