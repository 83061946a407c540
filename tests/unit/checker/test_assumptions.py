"""Which questions take H, and what becomes of an H that cannot be."""

from __future__ import annotations

import pytest

from popek_checker.virtualizability.assumed import changeable, unchanging
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.verdict import Report
from popek_grammar.elaborate import elaborate
from popek_grammar.elaborate.theorems import SHOWS
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

TEXT = """
isa small { encoding big parcel 16 }
modes { U = 0 < S = 1 }
state { pc : bits(8) reset 0; m : mode role mode reset S; A : bits(8); left : bits(8) role hidden; ram : mem(8 -> 8) }
state { c : bits(8) role control; at : bits(8) role map; sp : bits(8) role control; sm : bits(1) role control }
register gate : bits(8) role control { SHUT [0] rw; KEPT [1] rw reset 0; write v { gate.SHUT = v[0] } }
causes { ill = 0; call = 1 }
trap_stack T { vector = 0x10; save pc -> sp; save m -> sm; enter m = S }
instr leak { enc 00000010 00000000; guard gate.SHUT == 0 else trap ill; do { A = left } }
instr conf { enc 00000011 00000000; guard gate.SHUT == 0 else trap ill; do { A = c } }
instr locs { enc 00000100 00000000; guard gate.SHUT == 0 else trap ill; do { A = at } }
instr ctrl { enc 00000101 00000000; guard gate.SHUT == 0 else trap ill; do { c = A } }
instr mods { enc 00000110 00000000; guard gate.SHUT == 0 else trap ill; do { A = zext(bits(m)) } }
instr trps { enc 00000111 00000000; guard gate.SHUT == 0 else trap ill; do { guard m == U else trap call } }
instr open { enc 00001000 00000000; guard m == S else trap ill; do { gate = A } }
otherwise trap ill
"""
SHOWN = {
    "theorem1": ({"conf", "locs", "ctrl", "mods", "trps", "leak"}, set()),
    "inclusion": ({"conf", "locs", "ctrl", "mods"}, set()),
    "theorem3": ({"conf", "locs", "ctrl", "mods", "trps", "leak"}, set()),
    "exact": ({"conf", "locs", "ctrl", "mods", "trps", "leak"}, set()),
    "exact_user": ({"conf", "locs", "ctrl", "mods", "trps", "leak"}, set()),
    "privileged": ({"open"}, {"open", "leak", "conf", "locs", "ctrl", "mods"}),
    "control_sensitive": ({"ctrl", "open"}, {"open"}),
    "mode_sensitive": ({"mods"}, set()),
    "location_sensitive": ({"locs"}, set()),
    "config_sensitive": ({"conf"}, set()),
    "trap_sensitive": ({"leak", "conf", "locs", "ctrl", "mods", "trps"}, set()),
    "user_sensitive": ({"leak", "conf", "locs", "ctrl", "mods", "trps"}, set()),
    "noninterference": ({"leak"}, set()),
    "escalation": ({"ctrl"}, set()),
}
"""What each `show` names without an H, and under one that shuts the gate."""


def report(*theorems: str, text: str = TEXT) -> Report:
    return check(elaborate(load_texts({"small.isa": "\n".join((text, *theorems))})), Options())


@pytest.fixture(scope="module")
def found() -> Report:
    lines = [f"theorem {show}_any {{ for S at U; show {show} }}" for show in SHOWN]
    lines += [f"theorem {show}_shut {{ for S at U; assume gate.SHUT == 1; show {show} }}" for show in SHOWN]
    return report(*lines)


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("which", ["any", "shut"])
def test_every_show_takes_h(found: Report, show: str, which: str) -> None:
    (result,) = (theorem for theorem in found.theorems if theorem.name == f"{show}_{which}")
    assert set(result.names) == SHOWN[show][which == "shut"]
    assert result.claim.invariant == (("gate.SHUT == 1",) if which == "shut" else ())


def test_every_show_is_in_the_matrix() -> None:
    """But `sensitive` and the long names, which say the same of the same rows."""
    longer = {"sensitive", "sensitive_implies_privileged", "user_sensitive_implies_privileged"}
    assert set(SHOWS) - longer == set(SHOWN)


def errors(*theorems: str, text: str = TEXT) -> list[tuple[str, int]]:
    with pytest.raises(SpecError) as raised:
        report(*theorems, text=text)
    return [(each.code, each.span.line) for each in raised.value.diagnostics]


def test_a_contradiction_is_an_error_at_its_line() -> None:
    first = TEXT.count("\n") + 2
    lines = ("theorem one { for S at U", "assume c == 1", "assume gate.SHUT == 1", "assume c == 2", "show theorem1 }")
    assert errors(*lines) == [("E0424", first + 3)]


def test_a_mode_that_the_guest_is_not_in_contradicts() -> None:
    assert errors("theorem one { for S at U; assume m == S; show theorem1 }") == [("E0424", TEXT.count("\n") + 2)]


def test_a_field_that_no_write_rule_sets_is_what_it_was() -> None:
    """KEPT is 0 from reset on: `gate` is written, and its rule leaves KEPT out. SHUT has no value at reset, and is written."""
    assert errors("theorem one { for S at U; assume gate.KEPT == 1; show theorem1 }") == [("E0424", TEXT.count("\n") + 2)]
    made = elaborate(load_texts({"small.isa": TEXT}))
    assert "gate.SHUT" in changeable(made)
    assert set(unchanging(made)) == {"gate.KEPT"}
    assert report("theorem one { for S at U; assume gate.KEPT == 0; show theorem1 }").theorems


def test_what_the_text_brings_about_by_no_means_is_said() -> None:
    """No instruction writes `c` or its register: what the text leaves out may meet H, and the report says that it must."""
    text = TEXT.replace("c : bits(8) role control", "c : bits(8) role control reset 3").replace("do { c = A }", "do { sm = 1 }")
    said = report("theorem one { for S at U; assume c == 1; show theorem1 }", text=text).assumptions
    assert [line for line in said if "theorem one: c == 1" in line]
    met = report("theorem one { for S at U; assume c == 3; show theorem1 }", text=text).assumptions
    assert not [line for line in met if "theorem one" in line]


def test_a_placement_without_a_guest_is_an_error() -> None:
    text = TEXT + "translation t { va 8; yield va + at }\n"
    text += "placement { let k : bits(8); host at = at + k; where at <= 4\nwhere at > 8; memory ram at k size 16 }\n"
    assert errors("theorem one { for S at U; memory translated; show exact }", text=text) == [("E0425", TEXT.count("\n") + 3)]
