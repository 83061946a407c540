"""Rows folded to one a mnemonic, and the half-line that says why: shared by every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from popek.reports.asked import scope
from popek_checker.virtualizability.theorems import WAYS
from popek_checker.virtualizability.verdict import Report, Row, Truth, conjunction, disjunction


@dataclass(frozen=True, slots=True)
class Summary:
    """One mnemonic: its rows (one, or one a CSR) and what they come to together. `inputs`: see `Report`."""

    name: str
    rows: tuple[Row, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)

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
        kinds = [q for q in ("location", "mode", "joint") if q in questions]
        return (*kinds, *sorted(q for q in questions if q.startswith("config:")))

    @property
    def verdict(self) -> str:
        """`ok`, `violation` or `unknown`."""
        return {Truth.NO: "ok", Truth.YES: "violation", Truth.UNKNOWN: "unknown"}[self.violation]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of sensitivity found; `below` is of a mode below the real one."""
        words = ["control"] if self.truth("control_sensitive") is Truth.YES else []
        words += [kind.partition(":")[0] for kind in self.behaviour]
        words += ["trap"] if self.truth("trap_sensitive") is Truth.YES else []
        words += ["below"] if self.truth("below") is Truth.YES else []
        return tuple(dict.fromkeys(words))

    @property
    def kind(self) -> str:
        """The class in the words of the theory."""
        words = [kind for kind in self.kinds if kind != "below"]
        if not words and self.kinds:
            return "sensitive below"
        if not words:
            return "innocuous" if self.sensitive is Truth.NO else "unknown"
        return "+".join(words) + " sensitive"

    @property
    def reason(self) -> str:
        """Why, in half a line."""
        unknown = [f"{f.question}: {f.reason}" for row in self.rows for f in row.findings if f.truth is Truth.UNKNOWN]
        left = f"not decided ({unknown[0]})" if unknown else ""
        match self.violation:
            case Truth.YES:
                known = _hole([row for row in self.rows if row.violation is Truth.YES], self.inputs)
            case Truth.NO:
                known = self._harmless()
            case _:
                return left
        return f"{known}; {left}" if left else known

    def _harmless(self) -> str:
        """Why it is no violation."""
        if self.truth("leaks") is Truth.YES:
            return f"hidden state{_hidden(self.rows)} decides what comes of it"
        if self.sensitive is Truth.YES:
            return "sensitive, and always traps when deprivileged"
        if self.privileged is Truth.YES:
            return "always traps when deprivileged" + (", and shows nothing" if self.sensitive is Truth.NO else "")
        if all(f.reason == "always traps" for row in self.rows for f in row.findings if f.question == "privileged"):
            return "always traps, bare or deprivileged"
        return "the same wherever and in whatever mode it runs"

    @property
    def escalates(self) -> tuple[str, ...]:
        """What an instruction that completes in the guest's real mode does to the machine: `raise`, `control`, `map`."""
        return tuple(word for question, word in WAYS["escalation"].items() if self.truth(question) is Truth.YES)

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


def _hidden(rows: Sequence[Row]) -> str:
    """` (link)`: the hidden pieces that differ in the states that show it."""
    found = [f.witness for row in rows for f in row.findings if f.question == "leaks" and f.witness is not None]
    names = [cell.name for shown in found[:1] for cell in shown.cells if cell.role == "hidden" and len(set(cell.before)) > 1]
    return f" ({', '.join(names)})" if names else ""


def _hole(rows: Sequence[Row], inputs: Mapping[str, str]) -> str:
    """The first sensitivity of the first of these holes, in words; of one that shows inputs alone, only if there is no other."""
    row = next((row for row in rows if not _shown_inputs(row, inputs)), rows[0])
    where = f" ({row.part})" if row.part else ""
    if row.deprivileged_violation is not Truth.YES:
        return f"sensitive in a mode below the real one, and no trap{where}"
    if shown := _shown_inputs(row, inputs):
        kinds = " and ".join(dict.fromkeys(inputs[name] for name in shown))
        return f"harmless to others (changes nothing of theirs), but shows the host's {', '.join(shown)} ({kinds}){where}"
    if row.truth("mode") is Truth.YES:
        return f"another result in another mode, and no trap{where}"
    if row.truth("control_sensitive") is Truth.YES:
        return f"changes resource state without a trap{where}"
    if row.truth("location") is Truth.YES:
        return f"shows where it runs, and no trap{where}"
    fields = _fields(row, Truth.YES)
    if fields == ["*"]:
        return f"shows settings, where several differ, and no trap{where}"
    if row.truth("joint") is Truth.YES:
        return f"shows settings, where the mode or the place differs too, and no trap{where}"
    if fields:
        return f"shows {', '.join(fields[:3])}{' ...' if len(fields) > 3 else ''}, and no trap{where}"
    return f"completes where the bare machine traps{where}"


def _fields(row: Row, *truths: Truth) -> list[str]:
    """The configuration of which it is so that the instruction shows it."""
    return [f.question.removeprefix("config:") for f in row.findings if f.question.startswith("config:") and f.truth in truths]


BEYOND_SETTINGS = ("control_sensitive", "mode", "location", "joint", "trap_sensitive", "below")
"""The questions about all that an instruction can be sensitive to but settings and inputs."""


def _shown_inputs(row: Row, inputs: Mapping[str, str]) -> list[str]:
    """The inputs that a hole shows, where that is certainly all that it is sensitive to; else nothing."""
    worse = disjunction(row.truth(question) for question in BEYOND_SETTINGS)
    shown = _fields(row, Truth.YES, Truth.UNKNOWN)
    return shown if worse is Truth.NO and all(name in inputs for name in shown) else []


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
        return f"smallest settings{scope(report)}: none{told}"
    total = len(found.closes) + len(found.remains)
    asked = {Truth.YES: "", Truth.NO: ", but asked again they do not", Truth.UNKNOWN: ", but that is not decided"}[found.verified]
    closes = f"close {len(found.closes)} of {total} violations{asked}"
    return f"smallest settings{scope(report)} ({len(found.held)}): {grouped(found.held)}: {closes}{told}"


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


def summaries(report: Report) -> list[Summary]:
    """Rows grouped by mnemonic, in order."""
    groups: dict[str, list[Row]] = {}
    for row in report.rows:
        groups.setdefault(row.name, []).append(row)
    inputs = dict(report.inputs)
    return [Summary(name, tuple(group), inputs) for name, group in groups.items()]


def word(truth: Truth) -> str:
    return {Truth.YES: "holds", Truth.NO: "fails", Truth.UNKNOWN: "unknown"}[truth]
