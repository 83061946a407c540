"""What every format says of the same report: what is undecided is no violation, and all count alike."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from popek.codes import AS_EXPECTED, REFUTED, UNKNOWN, exit_code
from popek.gallery import entry
from popek.reports import gallery_report, json_report, junit, markdown, sarif, text
from popek.reports.asked import not_asked
from popek.reports.counts import counted, regions
from popek.reports.json_report import document
from popek.reports.summary import Summary, summaries
from popek_checker.virtualizability.verdict import Claim, Finding, Report, Row, TheoremResult, Truth, Unseen

CLAIM = Claim("S", "U")


def row(name: str, privileged: Truth, part: str = "", /, **findings: Truth) -> Row:
    """A row of a name, of which all is decided that is not among `findings`."""
    given = {"control_sensitive": Truth.NO, "mode": Truth.NO, "location": Truth.NO, "exact": Truth.YES, **findings}
    told = tuple(Finding(question, truth, reason="timeout") for question, truth in given.items())
    return Row(name, part, (Finding("privileged", privileged), *told))


UNDECIDED = row("hard", Truth.NO, mode=Truth.UNKNOWN, exact=Truth.UNKNOWN)
PRIVILEGED = row("halt", Truth.YES)
BOTH = row("lpsw", Truth.YES, control_sensitive=Truth.YES)
HOLE = row("popf", Truth.NO, mode=Truth.YES)
PLAIN = row("add", Truth.NO)


def report(*rows: Row, theorems: tuple[TheoremResult, ...] = ()) -> Report:
    return Report("small", "default", CLAIM, rows, theorems)


def test_undecided_is_no_violation_in_any_count() -> None:
    """One undecided and one privileged instruction were two violations."""
    found = report(UNDECIDED, PRIVILEGED)
    assert counted(found) == "2 instructions: 0 sensitive, 1 privileged, 0 violations, 1 undecided"
    assert counted(found) in " ".join(text.write([found]).split())
    assert counted(found) in markdown.write([found])
    sets = {"instructions": 2, "sensitive": 0, "privileged": 1, "violations": 0, "undecided": 1}
    assert document(found)["counts"] == sets
    assert exit_code(found) == UNKNOWN


def test_all_formats_count_alike() -> None:
    found = report(UNDECIDED, PRIVILEGED, BOTH, HOLE, PLAIN)
    told = document(found)
    gallery = json.loads(gallery_report.as_json([entry(found)]))["machines"][0]
    assert told["counts"]["violations"] == len(gallery["violations"]["instructions"]) == 1
    assert told["counts"]["undecided"] == len(gallery["unknown"]) == 1
    assert told["counts"]["sensitive"] == len(gallery["sensitive"]) == 2
    assert told["counts"]["privileged"] == len(gallery["privileged"]) == 2
    assert [each["verdict"] for each in told["instructions"]].count("violation") == 1
    assert told["because"] == "1 of 2 sensitive instructions are not privileged; 1 of 5 instructions could not be decided"
    assert "1 (1 mode), 1 undecided" in gallery_report.as_text([entry(found)])
    assert "1 undecided" in gallery_report.as_html([entry(found)])


def test_a_set_for_each() -> None:
    """Sensitive in one of two ways not decided, but surely a hole by the other; sensitive or not, surely privileged."""
    surely = row("surely", Truth.NO, mode=Truth.YES, location=Truth.UNKNOWN)
    anyway = row("anyway", Truth.YES, mode=Truth.UNKNOWN)
    perhaps = row("perhaps", Truth.UNKNOWN, mode=Truth.YES)
    sets = regions(summaries(report(surely, anyway, perhaps)))
    assert (sets.holes, sets.privileged, sets.open) == (("surely",), ("anyway",), ("perhaps",))


def test_what_is_left_open_does_not_hide_what_is_known() -> None:
    surely = Summary("popf", (row("popf", Truth.NO, mode=Truth.YES, exact=Truth.UNKNOWN),))
    assert surely.reason == "another result in another mode, and no trap; not decided (exact: timeout)"
    anyway = Summary("anyway", (row("anyway", Truth.YES, mode=Truth.UNKNOWN),))
    assert anyway.reason == "always traps when deprivileged; not decided (mode: timeout)"


def result(name: str, truth: Truth) -> TheoremResult:
    return TheoremResult(name, "theorem1", CLAIM, "holds", "unknown", (), truth, "unknown: hard")


def test_a_class_is_had_and_a_theorem_fails() -> None:
    made = result("of a theorem", Truth.YES)
    of_class = replace(made, name="of a class", show="privileged", expected="exactly", found="fails", names=("a",))
    broken = replace(made, expected="fails", found="fails", names=("a",))
    told = " ".join(text.write([report(theorems=(of_class, broken))]).split())
    assert "theorem of a class: privileged" in told
    assert "exactly {a}: as expected" in told
    assert "fails {a}: as expected" in told


def test_sarif_has_a_kind_for_it() -> None:
    """Not a failure of any level: `open`, SARIF 2.1.0 section 3.27.9."""
    found = report(UNDECIDED, HOLE, theorems=(result("t", Truth.UNKNOWN), result("u", Truth.NO)))
    results = json.loads(sarif.write([found]))["runs"][0]["results"]
    assert [(each["ruleId"], each["kind"], each["level"]) for each in results] == [
        ("undecided", "open", "none"),
        ("theorem-1", "fail", "error"),
        ("undecided", "open", "none"),
        ("unexpected", "fail", "error"),
    ]


@pytest.mark.parametrize("theorems", [(), (result("t", Truth.UNKNOWN), result("u", Truth.NO))])
def test_junit_has_an_error_for_it(theorems: tuple[TheoremResult, ...]) -> None:
    suite = ElementTree.fromstring(junit.write([report(UNDECIDED, HOLE, theorems=theorems)]))[0]
    assert (suite.get("failures"), suite.get("errors")) == ("1", "1")
    assert [error.get("type") for error in suite.iter("error")] == ["undecided"]


def test_the_gallery_does_not_say_that_it_is_unexpected() -> None:
    rows = [entry(report(UNDECIDED)), entry(report(HOLE)), entry(report(PLAIN))]
    told = json.loads(gallery_report.as_json(rows))["machines"]
    assert [row.code for row in rows] == [UNKNOWN, REFUTED, AS_EXPECTED]
    assert [each["as_expected"] for each in told] == [None, False, True]


# -- reasons ---------------------------------------------------------------------------------------------------------


def test_a_clock_alone_harms_nobody() -> None:
    """Only where it is certainly all: not beside a control field, nor where something is left open."""
    shows = {"config:mtime": Truth.YES}
    found = report(
        row("rdtime", Truth.NO, **shows),
        row("both", Truth.NO, **shows, **{"config:mstatus.IE": Truth.YES}),
        row("open", Truth.NO, **shows, mode=Truth.UNKNOWN),
        row("csrrs", Truth.NO, "time", **shows),
        row("csrrs", Truth.NO, "satp", **{"config:satp": Truth.YES}),
    )
    said = {each.name: each.reason for each in summaries(replace(found, inputs=(("mtime", "a clock"),)))}
    harmless = "harmless to others (changes nothing of theirs), but shows the host's mtime (a clock)"
    assert said["rdtime"] == harmless
    assert [name for name, reason in said.items() if "harmless" in reason] == ["rdtime"]
    assert said["csrrs"] == "shows satp, and no trap (satp)"


# -- a part of a machine ---------------------------------------------------------------------------------------------


def test_a_part_is_named_in_every_format() -> None:
    found = replace(report(PRIVILEGED, theorems=(result("t", Truth.NO),)), only=("halt",))
    assert "Theorem 1, of halt only: holds" in text.write([found])
    assert "theorem t, of halt only:" in text.write([found])
    assert "Theorem 1, of halt only **holds**" in markdown.write([found])
    assert document(found)["only"] == ["halt"]
    assert "theorem t, of halt only:" in sarif.write([found])
    assert "small (default), of halt only" in junit.write([found])
    assert document(report(PRIVILEGED))["only"] is None


def test_configurations_not_asked_are_named_in_every_format() -> None:
    some = replace(report(PLAIN), configs=("default", "wide", "narrow"))
    wide = replace(some, config="wide, N = 3")
    assert not_asked([some]) == {"small": ("wide", "narrow")}
    assert not_asked([some, wide]) == {"small": ("narrow",)}
    assert "not asked: small in wide, narrow (--config all" in text.write([some])
    assert "Not asked: small in narrow (--config all" in markdown.write([some, wide])
    assert json.loads(json_report.write([some]))["configs_not_asked"] == ["wide", "narrow"]
    assert json.loads(sarif.write([some]))["runs"][0]["properties"] == {"configurationsNotAsked": {"small": ["wide", "narrow"]}}
    assert 'value="wide, narrow"' in junit.write([some])
    assert not not_asked([some, wide, replace(some, config="narrow")])


def test_what_a_verdict_rests_on_is_in_text_and_json() -> None:
    given = (("mode", ("cpl",)), ("control", ("cr0.PE", "cr0.PG", "tsc")))
    found = replace(
        report(PLAIN), roles=given, unseen=(Unseen("protection p", "memory is a view", "popek diff"), Unseen("x", "y"))
    )
    told = " ".join(text.write([found]).split())
    assert "rests on these roles: mode cpl; control cr0.{PE, PG}, tsc" in told
    assert "not looked at: protection p: memory is a view (asked by popek diff)" in told
    assert "not looked at: x: y" in markdown.write([found])
    assert document(found)["roles"] == {"mode": ["cpl"], "control": ["cr0.PE", "cr0.PG", "tsc"]}
    assert document(found)["not_looked_at"][0] == {"what": "protection p", "why": "memory is a view", "seen_by": "popek diff"}
