"""The smallest settings: the hitting set is exact, the settings close what they say, and clearing one opens a hole."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machines import machine
from popek.reports import writer
from popek.reports.summary import grouped
from popek_checker.solver.hitting import hitting
from popek_checker.virtualizability.check import Asked, check, decide_all, main_claim
from popek_checker.virtualizability.decide import items
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Claim, Report, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

WORDS = "abcdef"
SETS = st.lists(st.frozensets(st.sampled_from(WORDS), min_size=1, max_size=4), max_size=5)


GROUPS = st.dictionaries(st.sampled_from("PQR"), SETS, max_size=3)


@given(GROUPS, SETS)
@settings(max_examples=60, deadline=None)
def test_the_hitting_set_hits_most_and_is_smallest(
    groups: dict[str, list[frozenset[str]]], conflicts: list[frozenset[str]]
) -> None:
    """As many groups as any set hits, and no set that hits as many is smaller."""

    def hits(chosen: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name, clauses in groups.items() if all(clause & chosen for clause in clauses))

    every = [frozenset(some) for size in range(len(WORDS) + 1) for some in combinations(WORDS, size)]
    possible = [chosen for chosen in every if not any(conflict <= chosen for conflict in conflicts)]
    most = max(len(hits(chosen)) for chosen in possible)
    found, hit = hitting(groups, conflicts, WORDS)
    assert found in possible
    assert hits(found) >= hit
    assert len(hit) == most
    assert len(found) == next(len(chosen) for chosen in possible if len(hits(chosen)) == most)


TEXT = """
isa t { encoding little parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8)
  m : mode role mode reset S
  a : bits(1) role control
  b : bits(1) role control
  c : bits(2) role control
  ram : mem(8 -> 8)
  x : bits(1)
}
causes { no = 0 }
otherwise trap no
instr one { enc 00000001
  guard m == S or (a == 0 and b == 0) else trap no
  do { c = 0 } }
instr two { enc 00000010
  guard m == S or (b == 0 and c != 3) else trap no
  do { c = 1 } }
instr three { enc 00000011
  guard m == S or not (if x == 1 then a == 1 else c == 2) else trap no
  do { c = 2 } }
instr never { enc 00000100
  do { c = 3 } }
instr clash { enc 00000101
  guard m == S or c != 3 else trap no
  do { c = 3 } }
theorem open { for S at U
  show theorem1
  expect fails }
"""


def small(text: str = TEXT) -> m.Machine:
    return elaborate(load_texts({"t.isa": text}))


def test_one_setting_for_two_and_what_remains() -> None:
    """`b` closes one and two; three needs a and c; clash needs another c, so one of the two stays open."""
    found = check(small(), Options()).settings
    assert found is not None
    assert found.verified is Truth.YES
    assert "never" in found.remains
    assert "b == 1" in found.held or "a == 1" in found.held
    assert ("clash" in found.remains) != ("three" in found.remains)
    without = check(small(TEXT.replace("c != 3 else trap no\n  do { c = 3 }", "c != 2 else trap no\n  do { c = 3 }")), Options())
    assert without.settings is not None
    assert without.settings.remains == ("never",)
    assert set(without.settings.held) in ({"a == 1", "c == 2", "b == 1"}, {"a == 1", "c == 2", "c == 3"})


def test_no_holes_no_settings() -> None:
    text = (
        TEXT[: TEXT.index("instr one")] + "instr fine { enc 00000001\n do { x = 1 } }\ntheorem t { for S at U\n show theorem1 }"
    )
    assert check(small(text), Options()).settings is None


def test_an_assumption_is_read_as_in_a_theorem() -> None:
    made = machine("x86/svm.isa", "nested")
    exprs = {text: expr for expr, text in made.theorems["nested_closed"].assume}
    assert assumption(made, "intercept.HLT == 1") == exprs["intercept.HLT == 1"]
    for wrong in ("nothing == 1", "intercept.HLT ==", "intercept.HLT == 9"):
        with pytest.raises(SpecError):
            assumption(made, wrong)


def test_settings_are_told_by_owner() -> None:
    assert grouped(("a.X == 1", "b < 3", "a.Y == 1", "a.Z == 0", "c[3:1] == 0")) == (
        "a.{X, Y} == 1 and b < 3 and a.Z == 0 and c[3:1] == 0"
    )


# -- SVM: the smallest intercept set -----------------------------------------------------------------------------------

OPENED = {
    "intercept.DR3_READ == 1": {"mov_from_dr"},
    "intercept.DR7_WRITE == 1": {"mov_to_dr"},
    "intercept.RDTSC == 1": {"rdtsc"},
    "intercept.RDPMC == 1": {"rdpmc"},
    "intercept.HLT == 1": {"hlt"},
    "intercept.IOIO_PROT == 1": {"in_al", "in_al_imm", "in_eax", "out_al", "out_al_imm", "out_eax", "insd", "outsd"},
    "iopm.P0 == 1": {"in_al", "in_al_imm", "in_eax", "out_al", "out_al_imm", "out_eax", "insd", "outsd"},
    "iopm.PC000 == 1": {"in_al", "in_eax", "out_al", "out_eax", "insd", "outsd"},
    "intercept.MSR_PROT == 1": {"rdmsr", "wrmsr"},
    "msrpm.TSC_READ == 1": {"rdmsr"},
    "msrpm.SYSENTER_CS_WRITE == 1": {"wrmsr"},
    "intercept.VMRUN == 1": {"vmrun"},
    "intercept.STGI == 1": {"stgi"},
    "intercept.CLGI == 1": {"clgi"},
}
"""What comes back when a setting is let go; a register of each kind."""


@pytest.fixture(scope="module")
def nested() -> Report:
    made = machine("x86/svm.isa", "nested")
    return check(made, Options(instructions=made.theorems["nested_open"].expect.names))


def test_the_smallest_intercept_set(nested: Report) -> None:
    """36: what VMRUN does not exchange, by instruction; every report tells it."""
    found = nested.settings
    assert found is not None
    assert len(nested.rows) == len(found.closes)
    assert (len(found.held), found.remains, found.verified) == (36, (), Truth.YES)
    assert set(OPENED) < set(found.held)
    for name in ("text", "json", "markdown"):
        assert "MSR_PROT" in writer(name)([nested])


def test_clearing_any_one_bit_brings_a_violation_back(nested: Report) -> None:
    made, found = machine("x86/svm.isa", "nested"), nested.settings
    assert found is not None
    base, _ = main_claim(made, Options(), [made.theorems["nested_open"]])
    work = [item for item in items(made) if item.label in found.closes]
    claims: dict[Claim, Asked] = {}
    dropped: dict[Claim, str] = {}
    for word in found.held:
        kept = tuple(other for other in found.held if other != word)
        claim = replace(base, invariant=kept)
        claims[claim] = Asked(tuple(assumption(made, text) for text in kept), frozenset({"theorem1"}))
        dropped[claim] = word
    rows, _ = decide_all(made, claims, work, 30.0, None, None, lambda done, total, name: None)
    for claim, word in dropped.items():
        back = {row.label for row in rows[claim] if row.violation is Truth.YES}
        assert back, word
        assert back == OPENED.get(word, back), word
