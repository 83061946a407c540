"""Rows folded to one a mnemonic, and the half-line that says why: shared by every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from popek_checker.virtualizability.verdict import Report, Row, Truth, conjunction, disjunction


@dataclass(frozen=True, slots=True)
class Summary:
    """One mnemonic: its rows (one, or one a CSR) and what they come to together."""

    name: str
    rows: tuple[Row, ...]

    @property
    def privileged(self) -> Truth:
        """Every part that the guest can run at all is privileged, and there is one."""
        live = [row for row in self.rows if row.truth("privileged") is not Truth.NO or row.sensitive is not Truth.NO]
        return conjunction(row.truth("privileged") for row in live) if live else self.rows[0].truth("privileged")

    @property
    def sensitive(self) -> Truth:
        return disjunction(row.sensitive for row in self.rows)

    @property
    def violation(self) -> Truth:
        return disjunction(row.violation for row in self.rows)

    @property
    def exact(self) -> Truth:
        return conjunction(row.truth("exact") for row in self.rows)

    def truth(self, question: str) -> Truth:
        return disjunction(row.truth(question) for row in self.rows)

    @property
    def behaviour(self) -> tuple[str, ...]:
        """The kinds of behaviour sensitivity found: location, mode, config:FIELD."""
        questions = {f.question for row in self.rows for f in row.findings if f.truth is Truth.YES}
        kinds = [q for q in ("location", "mode") if q in questions]
        return (*kinds, *sorted(q for q in questions if q.startswith("config:")))

    @property
    def verdict(self) -> str:
        """`ok`, `violation` or `unknown`."""
        return {Truth.NO: "ok", Truth.YES: "violation", Truth.UNKNOWN: "unknown"}[self.violation]

    @property
    def kind(self) -> str:
        """The class in the words of the theory."""
        words = []
        if self.truth("control_sensitive") is Truth.YES:
            words.append("control")
        words += [kind.partition(":")[0] for kind in self.behaviour]
        if self.truth("trap_sensitive") is Truth.YES:
            words.append("trap")
        if not words:
            return "innocuous" if self.sensitive is Truth.NO else "unknown"
        return "+".join(dict.fromkeys(words)) + " sensitive"

    @property
    def reason(self) -> str:
        """Why, in half a line."""
        unknown = [f"{f.question}: {f.reason}" for row in self.rows for f in row.findings if f.truth is Truth.UNKNOWN]
        if unknown:
            return f"not decided ({unknown[0]})"
        if self.violation is Truth.NO:
            if self.truth("leaks") is Truth.YES:
                return "hidden state decides what comes of it"
            if self.sensitive is Truth.YES:
                return "sensitive, and always traps when deprivileged"
            if self.privileged is Truth.YES:
                return "always traps when deprivileged, and shows nothing"
            if all(f.reason == "always traps" for row in self.rows for f in row.findings if f.question == "privileged"):
                return "always traps, bare or deprivileged"
            return "the same wherever and in whatever mode it runs"
        return _hole(next(row for row in self.rows if row.violation is Truth.YES))

    @property
    def condition(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for row in self.rows for c in row.condition))

    @property
    def searched(self) -> tuple[str, ...]:
        """Why its holes without a condition have none, or what was looked through for one."""
        return tuple(dict.fromkeys(row.searched for row in self.rows if row.searched))

    @property
    def exact_when(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for row in self.rows for c in row.exact_when))


def _hole(row: Row) -> str:
    """The first sensitivity of a row that does not trap, in words."""
    where = f" ({row.part})" if row.part else ""
    if row.truth("mode") is Truth.YES:
        return f"another result in another mode, and no trap{where}"
    if row.truth("control_sensitive") is Truth.YES:
        return f"changes resource state without a trap{where}"
    if row.truth("location") is Truth.YES:
        return f"shows where it runs, and no trap{where}"
    fields = [
        f.question.removeprefix("config:") for f in row.findings if f.question.startswith("config:") and f.truth is Truth.YES
    ]
    if fields:
        return f"shows {', '.join(fields[:3])}{' ...' if len(fields) > 3 else ''}, and no trap{where}"
    return f"completes where the bare machine traps{where}"


def settings_line(report: Report) -> str:
    """`smallest settings (2): cr4.{TSD, UMIP} == 1: close 7 of 20 violations; no setting closes {lar, ..}`; or nothing."""
    found = report.settings
    if found is None:
        return ""
    proved = [name for name in found.remains if name not in (*found.conflicts, *found.unfound)]
    left = (
        ("with other settings than these: ", found.conflicts),
        ("no setting found that closes ", found.unfound),
        ("no setting closes ", proved),
    )
    told = "".join(f"; {words}{{{', '.join(names)}}}" for words, names in left if names)
    if not found.held:
        return f"smallest settings: none{told}"
    total = len(found.closes) + len(found.remains)
    asked = {Truth.YES: "", Truth.NO: ", but asked again they do not", Truth.UNKNOWN: ", but that is not decided"}[found.verified]
    closes = f"close {len(found.closes)} of {total} violations{asked}"
    return f"smallest settings ({len(found.held)}): {grouped(found.held)}: {closes}{told}"


def grouped(settings: Sequence[str]) -> str:
    """`a.X == 1` and `a.Y == 1` told as `a.{X, Y} == 1`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for text in settings:
        place, _, rest = text.partition(" ")
        owner, _, field = place.rpartition(".")
        groups.setdefault((owner, rest) if owner.isidentifier() and field.isidentifier() else (text, ""), []).append(field)
    told = []
    for (owner, rest), fields in groups.items():
        inside = fields[0] if len(fields) == 1 else f"{{{', '.join(fields)}}}"
        told.append(f"{owner}.{inside} {rest}" if rest else owner)
    return " and ".join(told)


def summaries(rows: Iterable[Row]) -> list[Summary]:
    """Rows grouped by mnemonic, in order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.name, []).append(row)
    return [Summary(name, tuple(group)) for name, group in groups.items()]


def word(truth: Truth) -> str:
    return {Truth.YES: "holds", Truth.NO: "fails", Truth.UNKNOWN: "unknown"}[truth]


def because(report: Report) -> str:
    """Why Theorem 1 comes out as it does, in half a line."""
    if report.own:
        return "all state is the program's own, in one mode: there is nothing that an instruction could be sensitive to"
    rows = summaries(report.rows)
    sensitive = sum(summary.sensitive is Truth.YES for summary in rows)
    match report.theorem("1"):
        case Truth.YES if sensitive:
            return f"all {sensitive} sensitive instructions are privileged"
        case Truth.YES:
            return "no instruction is sensitive"
        case Truth.NO:
            return f"{len(violations(report))} of {sensitive} sensitive instructions are not privileged"
        case _:
            return "not every instruction could be decided"


def violations(report: Report) -> Sequence[Summary]:
    return [summary for summary in summaries(report.rows) if summary.violation is not Truth.NO]
