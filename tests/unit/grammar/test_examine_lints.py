"""Lints: each has a machine that earns it, and the sample machine earns none."""

from __future__ import annotations

import pytest
from examine_samples import RV

from popek_grammar.elaborate import elaborate
from popek_grammar.examine import examine
from popek_grammar.text.source import load_texts

DOUBTFUL = [
    ("mstatus.TSR == 1", "mstatus.SUM == 1", "W0401", "mstatus.TSR"),
    ("mtime : bits(64)    role env", "mtime : bits(64)", "W0402", "mtime"),
    ("or mstatus.SUM == 1 and k != fetch", "", "W0403", "mstatus.SUM"),
    ("do { X[rd] = X[rs2] }", "do { X[rd] = 0 }", "W0405", "rs2"),
    ("breakpoint = 3;", "breakpoint = 3; spare = 9;", "W0406", "spare"),
    ("MSI = 3", "MSI = 3; interrupt NMI = 5", "W0406", "NMI"),
    ("SIE  [1]      rw                        role control reset 0", "SIE [1] rw role control", "W0407", "SIE"),
    ("when S < M = 3", "when S < H = 2 < M = 3", "W0408", "mode H"),
    ("  enter  mode = M\n", "", "W0409", "does not set mode"),
    ("  enter  mode = M\n", "  enter  mode = U\n", "W0409", "least privileged"),
    ("  va    39 canonical else fault page\n", "  va    39\n", "W0511", "ignores bits 63:39"),
    ("  do { for i in 0..3", "  over lw\n  do { for i in 0..3", "W0434", "over lw"),
]


@pytest.mark.parametrize(("old", "new", "code", "words"), DOUBTFUL, ids=lambda value: str(value)[:24])
def test_a_doubtful_machine_is_warned_about(old: str, new: str, code: str, words: str) -> None:
    assert old in RV
    found = examine(elaborate(load_texts({"rv.isa": RV.replace(old, new)}), "full"))
    assert any(d.code == code and words in d.message for d in found), [f"{d.code} {d.message}" for d in found]


def test_a_read_only_field_is_a_report_to_software() -> None:
    text = RV.replace("mstatus.TSR == 1", "mstatus.SUM == 1").replace("TSR  [22]     rw", "TSR  [22]     ro")
    assert not [d.message for d in examine(elaborate(load_texts({"rv.isa": text}), "full")) if d.code == "W0401"]


def test_the_sample_earns_none() -> None:
    assert examine(elaborate(load_texts({"rv.isa": RV}), "full")) == ()
