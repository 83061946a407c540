"""The corpus of slips: every one is a change of a shipped text, and a few, one of each way of being noticed, are noticed so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from popek_grammar.text.parser import parse_text

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench.slips import Noticed, Shelf, Slip, corpus, document  # noqa: E402 - found through the line above

SLIPS = corpus()
NAMED = {slip.what: slip for slip in SLIPS}


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


def test_the_corpus_is_large_and_each_slip_says_where_it_was_seen() -> None:
    assert len(SLIPS) >= 60
    assert len(NAMED) == len(SLIPS)
    assert all(slip.source and slip.kind and slip.was != slip.is_ for slip in SLIPS)


def test_every_slip_changes_one_place_of_a_shipped_text(shelf: Shelf) -> None:
    for slip in SLIPS:
        texts = shelf.sound(slip.spec)
        changed = slip.applied(texts)
        assert [name for name in texts if changed[name] != texts[name]] == [
            name for name in texts if Path(name).as_posix().endswith(slip.file)
        ]
        assert all(changed[name].count("\n") >= text.count("\n") for name, text in texts.items())
        (name,) = [name for name in texts if changed[name] != texts[name]]
        assert parse_text(changed[name], name).tree.children, "a slip is text that parses"


def test_a_slip_whose_place_is_gone_is_an_error(shelf: Shelf) -> None:
    lost = Slip("pg1974.isa", "pg1974.isa", "no such text", "", "nothing", "", "")
    with pytest.raises(ValueError, match="stands there 0 times"):
        shelf.noticed(lost)


@pytest.mark.parametrize(
    ("what", "lint", "check", "diff"),
    [
        ("SSM completes in problem state", "", "supervisor_in_problem (base)", "SSM"),
        ("RRB does not reset the reference bit", "", "control_sensitive (base)", "RRB"),
        ("EPC is the delay slot, not the branch before it", "", "epc (r3000)", "entry of"),
        ("a CSR that does not exist raises nothing", "error E0453", "error E0453", "does not load"),
    ],
)
def test_slips_are_noticed(shelf: Shelf, what: str, lint: str, check: str, diff: str) -> None:
    found = shelf.noticed(NAMED[what])
    assert (found.lint, found.check) == (lint, check)
    assert diff in found.diff


def test_the_document_counts_and_lists_what_is_not_noticed() -> None:
    one, other = SLIPS[0], SLIPS[1]
    text = "\n".join(document([Noticed(one, "warning W0401", "", "sret"), Noticed(other, "", "", "sret")]))
    assert "1 of 2 (50 %) are noticed from the text alone, 2 by `diff`." in text
    assert f"- riscv: {other.what}" in text
