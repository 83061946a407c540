"""What answers must imply of each other: on every machine, under what each of its theorems is relative to.

Theorem 1 is sufficient (Popek and Goldberg 1974): where all that is sensitive traps, executing directly commutes with f. So it is
row by row here, since each question is asked of one instruction. A guest that is `alone` has no user mode to speak of.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from machines import machine, representatives
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.check import Options, main_claim
from popek_checker.virtualizability.copies import pieces, shared
from popek_checker.virtualizability.decide import decide, items, make_subject
from popek_checker.virtualizability.theorems import SHOWS, claim_of
from popek_checker.virtualizability.verdict import Claim, Row, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import load_file

CORPUS = sorted((Path(__file__).resolve().parents[2] / "corpus").glob("*.isa"))
MOST = 6
"""So many instructions of a machine are asked under each claim, spread over its text, where there are more than 30."""
ANSWERS = frozenset({"theorem1", "theorem3", "exact", "exact_user", "inclusion"})


@pytest.mark.parametrize(("file", "config"), representatives())
def test_answers_of_the_shipped_machines_agree(file: str, config: str) -> None:
    agree(machine(file, config))


@pytest.mark.parametrize("path", [path for path in CORPUS if "expect: verdicts" in path.read_text()], ids=lambda path: path.stem)
def test_answers_of_the_corpus_agree(path: Path) -> None:
    agree(elaborate(load_file(path)))


def agree(made: m.Machine) -> None:
    """Every implication, of every instruction (or some), under every claim."""
    theorems = [th for th in made.theorems.values() if not th.configs or made.config in th.configs]
    main, _ = main_claim(made, Options(), theorems)
    claims = {claim_of(made, th, main): tuple(expr for expr, _ in th.assume) for th in theorems if th.reading == "amended"}
    claims = {claim: invariant for claim, invariant in claims.items() if not claim.everywhere}
    work = list(items(made))
    work = work if len(work) <= 30 else work[:: len(work) // MOST]
    smt, asked = Smt(60), 0
    for claim, invariant in claims.items():
        for item in work:
            row = decide(make_subject(made, item, claim, invariant), item, smt, ANSWERS)
            broken = [words for words, holds in implications(row, relative(made, claim), claim.alone).items() if not holds]
            assert broken == [], f"{row.label} under {claim}"
            asked += 1
    assert asked


def relative(made: m.Machine, claim: Claim) -> bool:
    """Whether exactness says more than sensitivity: of where memory is placed, or of hidden state that is not shared."""
    placed = claim.memory == "translated" and claim.placement in made.placements
    return placed or any(piece.role is m.Role.HIDDEN and not shared(piece) for _, piece in pieces(made))


def implications(row: Row, relative: bool, alone: bool) -> dict[str, bool]:
    """By name, whether each holds of the row. What is unknown says nothing."""
    first, third = SHOWS["theorem1"](row), SHOWS["theorem3"](row)
    exact, exact_user = row.truth("exact"), row.truth("exact_user")

    def implies(left: bool, right: bool) -> bool:
        return not left or right

    return {
        "theorem 1 implies theorem 3": implies(first is Truth.NO and not alone, third is not Truth.YES),
        "theorem 1 implies exact": implies(first is Truth.NO and not relative, exact is not Truth.NO),
        "theorem 3 implies exact for user mode": implies(
            third is Truth.NO and not relative and not alone, exact_user is not Truth.NO
        ),
        "exact implies exact for user mode": implies(exact is Truth.YES and not alone, exact_user is not Truth.NO),
        "a failure of inclusion is one of theorem 1": implies(SHOWS["inclusion"](row) is Truth.YES, first is not Truth.NO),
        "a hole can be seen": implies(exact is Truth.NO and not relative, first is not Truth.NO),
    }
