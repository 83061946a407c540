"""A proof of a monitor in the words that every format has: instructions, folded to one a mnemonic, and obligations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from popek_checker.monitor.proof import Answer, Handled, Proof
from popek_checker.virtualizability.verdict import Truth, Witness

MANY = 6
"""More parts than this are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One mnemonic, or those parts of it that are handled alike: how, and in which obligations it fails or is not decided."""

    name: str
    how: str
    why: str
    rows: tuple[Handled, ...]

    @property
    def witness(self) -> tuple[str, Witness] | None:
        """The first state that shows a failure, with the label of its row."""
        return next(((r.label, f.witness) for r in self.rows for f in r.broken if f.witness is not None), None)


def lines(proof: Proof) -> list[Line]:
    """A line for each mnemonic and way in which it, or some of its parts, are handled."""
    groups: dict[tuple[str, str, str], list[Handled]] = {}
    for row in proof.rows:
        groups.setdefault((row.row.name, row.how, _why(row)), []).append(row)
    per_name = {name: sum(key[0] == name for key in groups) for name, _, _ in groups}
    return [
        Line(name if per_name[name] == 1 else _parts(name, rows), how, why, tuple(rows))
        for (name, how, why), rows in groups.items()
    ]


def _parts(name: str, rows: Sequence[Handled]) -> str:
    parts = [row.row.part for row in rows]
    return f"{name}({', '.join(parts)})" if len(parts) <= MANY else f"{name} of {len(parts)} registers"


def _why(row: Handled) -> str:
    if row.replaced:
        return ""
    told = [finding.question for finding in row.broken] + [f"{f.question}: {f.reason}" for f in row.open]
    if row.row.truth("efficient") is Truth.NO and row.row.findings[-1].question == "efficient":
        told.append("traps though innocuous")
    return ", ".join(told)


def sentence(answer: Answer) -> str:
    """`O3 (no trap of the host loses ..): refuted by entry(nmi): ..`."""
    names = f" by {', '.join(_folded(answer.names))}" if answer.names else ""
    word = {"efficient": {"refuted": "not met"}, "recursive": {"proved": "holds", "refuted": "does not hold"}}
    found = word.get(answer.name, {}).get(answer.found, answer.found)
    count = f" ({len(answer.names)} in all)" if answer.name == "efficient" and answer.names else ""
    return f"{answer.number} {answer.name}, {answer.says}: {found}{names}{count}" + (
        f": {answer.reason}" if answer.reason else ""
    )


def _folded(labels: Sequence[str]) -> list[str]:
    """`csrrs(cycle), csrrs(time)`, or `csrrs of 40 registers`; entries of traps by their cause."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        name, _, part = label.removesuffix(")").partition("(")
        groups.setdefault(name, []).extend([part] if part else [])
    return [
        name if not parts else f"{name}({', '.join(parts)})" if len(parts) <= MANY else f"{name} of {len(parts)} {_what(name)}"
        for name, parts in groups.items()
    ]


def _what(name: str) -> str:
    return "causes" if name == "entry" else "registers"


def counted(proof: Proof) -> str:
    """`20 instructions: 3 direct; 5 emulated; 10 refuted`."""
    found: dict[str, int] = {}
    for row in proof.rows:
        found[row.how] = found.get(row.how, 0) + 1
    cases = "cases" if any(row.row.part for row in proof.rows) else "instructions"
    return f"{len(proof.rows)} {cases}: {'; '.join(f'{count} {how}' for how, count in found.items())}"


def heading(proof: Proof) -> str:
    """What the monitor does with the guest's modes."""
    interpreted = f", {', '.join(proof.interprets)} interpreted" if proof.interprets else ""
    only = f", of {', '.join(proof.only)} only" if proof.only else ""
    return f"guest {', '.join(proof.runs)} run at {proof.at}{interpreted}, memory {proof.memory}{only}"


def verdict(proof: Proof) -> str:
    """`proved, as expected`; of some obligations or instructions only, it says so."""
    told = {Truth.YES: "as expected", Truth.NO: "NOT as expected", Truth.UNKNOWN: "not decided"}[proof.as_expected]
    part = " as far as asked" if proof.only or proof.asked else ""
    return f"{proof.found}{part}: {told}" + (f" ({proof.difference})" if proof.difference else "")
