"""Decides one instruction: asks the questions in order and gathers findings, a witness and a condition."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.conditions import Condition, condition, exact_when
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.embedding import seen_through
from popek_checker.virtualizability.escalation import ESCALATES
from popek_checker.virtualizability.escalation import asks as escalation
from popek_checker.virtualizability.literal import Literal
from popek_checker.virtualizability.physical import with_physical
from popek_checker.virtualizability.questions import Ask, Copies, Subject
from popek_checker.virtualizability.theorems import SHOWS
from popek_checker.virtualizability.verdict import Claim, Finding, Row, Truth, conjunction, disjunction
from popek_checker.virtualizability.witness import witness
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands, general

ALWAYS_TRAPS = "always traps"
"""The reason of an instruction that is not privileged because it never completes, bare or deprivileged."""

OTHER_CSR = "other"
"""The part of a CSR instruction that names no register of the machine."""


@dataclass(frozen=True, slots=True)
class Item:
    """A unit of deciding: an instruction, and the CSR that its operand names (`other`: none that exists)."""

    instruction: str
    part: str = ""
    fixed: tuple[tuple[str, int], ...] = ()

    @property
    def label(self) -> str:
        """`csrrw(cycle)`, as the row of the item is named."""
        return f"{self.instruction}({self.part})" if self.part else self.instruction


def items(machine: m.Machine) -> Iterator[Item]:
    """Every instruction; one that picks a CSR, once for each CSR and once for all the numbers that name none."""
    for instruction in machine.instructions.values():
        if not instruction.split:
            yield Item(instruction.name)
            continue
        operand = instruction.split[0]
        for address, register in machine.csrs.items():
            yield Item(instruction.name, register, ((operand, address),))
        yield Item(instruction.name, OTHER_CSR)


EVERYTHING = frozenset({"everything"})
"""What is wanted of the claim that the report's table is about: every class, with witness and condition."""

_SENSITIVE = ("control_sensitive", "mode", "location", "config:", "trap_sensitive")
KINDS = "kinds"
"""Wanted where a theorem says in which ways an instruction breaks it: then no reason is left unasked."""

_NEEDS: dict[str, tuple[str, ...]] = {
    "theorem1": ("privileged", "below", *_SENSITIVE),
    "sensitive_implies_privileged": ("privileged", "below", *_SENSITIVE),
    "inclusion": ("privileged", "below", *_SENSITIVE[:-1]),
    "theorem3": ("privileged", "below", "user_sensitive"),
    "user_sensitive_implies_privileged": ("privileged", "below", "user_sensitive"),
    "exact": ("inexact",),
    "noninterference": ("leaks",),
    "exact_user": ("inexact_user",),
    "sensitive": _SENSITIVE,
    "mode_sensitive": ("mode",),
    "location_sensitive": ("location",),
    "config_sensitive": ("config:",),
    "escalation": tuple(ESCALATES),
    KINDS: _SENSITIVE,
}
"""The questions that a theorem's `show` reads, where they are not the one of its own name."""

_ONLY_UNPRIVILEGED = frozenset(name for name, needs in _NEEDS.items() if needs[0] == "privileged")


def decide(subject: Subject, item: Item, smt: Smt, wanted: frozenset[str] = EVERYTHING) -> Row:
    """The row of one item. `wanted` are the shows that read it; no question is asked that none reads."""
    needs = {question for show in wanted for question in _NEEDS.get(show, (show,))}
    full = wanted == EVERYTHING
    findings = [ask_privileged(smt, subject)] if full or "privileged" in needs else []
    asked: dict[str, Ask] = {}
    if subject.below and (full or "below" in needs):
        finding, evidence = ask_below(smt, subject)
        findings.append(finding)
        asked |= {finding.question: evidence} if evidence is not None else {}
    if not full and wanted <= _ONLY_UNPRIVILEGED and findings[0].truth is Truth.YES:
        return Row(item.instruction, item.part, tuple(findings))
    for question in _questions(subject, needs, full):
        for finding, evidence in (
            behaviours(smt, subject, needs, full) if question == BEHAVIOUR else [answer(smt, subject, question)]
        ):
            findings.append(finding)
            if evidence is not None:
                asked[finding.question] = evidence
            if wanted <= _ONLY_UNPRIVILEGED and _settled(wanted, Row(item.instruction, item.part, tuple(findings))):
                return Row(item.instruction, item.part, tuple(findings))
    row = Row(item.instruction, item.part, tuple(findings))
    return with_evidence(smt, subject, row, asked) if full else row


def _questions(subject: Subject, needs: Set[str], full: bool) -> Iterator[str]:
    """The questions to be asked one by one; those about behaviour, which are asked together, as one of them."""
    yield from (question for question in ("control_sensitive",) if full or question in needs)
    if full or needs & set(_BEHAVIOURS):
        yield BEHAVIOUR
    yield from (question for question in _OTHERS if full or question in needs)
    hidden = any(piece.role is m.Role.HIDDEN for _, piece in pieces(subject.machine))
    if hidden and (full or "leaks" in needs):
        yield "leaks"


def behaviours(smt: Smt, subject: Subject, needs: Set[str], full: bool) -> Iterator[tuple[Finding, Ask | None]]:
    """What of the behaviour questions is wanted.

    Mode, place and each setting are asked alone, so that a row says which of them shows. What shows only where several settings
    differ is `config:*`; only with the mode or the place among them, `joint`.
    """
    shown = Truth.NO
    for question in ("mode", "location"):
        if full or question in needs:
            alone = answer(smt, subject, question)
            shown = disjunction((shown, alone[0].truth))
            yield alone
    if full or "config:" in needs:
        settings = Truth.NO
        for name in subject.configuration:
            alone = answer(smt, subject, f"config:{name}")
            settings = disjunction((settings, alone[0].truth))
            yield alone
        if settings is not Truth.YES and subject.configuration and len(subject.settings) > 1 and subject.asks_together:
            several = answer(smt, subject, "config:*")
            settings = disjunction((settings, several[0].truth))
            yield several
        shown = disjunction((shown, settings))
    if all(full or part in needs for part in _BEHAVIOURS) and shown is not Truth.YES and subject.asks_together:
        yield answer(smt, subject, "joint")


def _settled(wanted: frozenset[str], row: Row) -> bool:
    """Whether all that read the row count it as a hole already: what is not asked yet can only add reasons."""
    return all(SHOWS[show](row) is Truth.YES for show in wanted)


BEHAVIOUR = "behaviour"
_BEHAVIOURS = ("mode", "location", "config:")
_OTHERS = ("trap_sensitive", "user_sensitive", "inexact", "inexact_user", *ESCALATES)


def make_subject(
    machine: m.Machine, item: Item, claim: Claim, invariant: tuple[m.Expr, ...], copies: Copies | None = None
) -> Subject:
    """The copies of one instruction, ready to be asked about; `copies` are those of the same item made before."""
    machine = with_physical(machine, claim.memory)
    modes, host = virtual_modes(machine, claim), machine.modes.code(claim.host)
    operands = item_operands(machine, item)
    kind = Literal if claim.reading == "literal" else Subject
    placement = machine.placements.get(claim.placement)
    seen = seen_through(machine, placement)
    kept: Copies = {} if copies is None else copies
    return kind(seen, operands, modes, host, claim.memory, invariant, kept, claim.alone, claim.everywhere, placement)


def virtual_modes(machine: m.Machine, claim: Claim) -> tuple[int, ...]:
    """The modes that a guest may believe to be in: from the host's own up to the guest's top; these two where it is `alone`."""
    top, host = machine.modes.code(claim.guest), machine.modes.code(claim.host)
    if claim.alone:
        return host, top
    low, high = sorted((machine.modes.rank(host), machine.modes.rank(top)))
    return tuple(code for rank, (_, code) in enumerate(machine.modes.members) if low <= rank <= high)


def item_operands(machine: m.Machine, item: Item) -> Operands:
    instruction = machine.instructions[item.instruction]
    made = general(machine, instruction, dict(item.fixed))
    if item.part != OTHER_CSR or not instruction.split:
        return made
    number = made.locals[instruction.split[0]]
    none = t.and_(*(t.ne(number, t.const(address, number.width)) for address in machine.csrs))
    return Operands(instruction, made.locals, made.word, made.cells, t.and_(made.valid, none), unknown_csr=True)


def ask_privileged(smt: Smt, subject: Subject) -> Finding:
    """Privileged: never runs deprivileged where it runs bare, and there is a state where the one traps, the other runs."""
    start = time.perf_counter()
    runs, _, why = satisfiable(smt, subject, "runs")
    if runs is Truth.NO:
        executable, _, why = satisfiable(smt, subject, "executable")
        why = why or (ALWAYS_TRAPS if executable is Truth.NO else "")
        return Finding("privileged", executable, reason=why, seconds=time.perf_counter() - start)
    truth = Truth.NO if runs is Truth.YES else Truth.UNKNOWN
    return Finding("privileged", truth, reason=why, seconds=time.perf_counter() - start)


def ask_below(smt: Smt, subject: Subject) -> tuple[Finding, Ask | None]:
    """Whether, in a mode of the guest's below the real one, it runs under H and is sensitive with both modes that one."""
    start = time.perf_counter()
    found, why = Truth.NO, ""
    for mode in subject.below:
        there = subject.at(mode)
        runs, _, reason = satisfiable(smt, there, "runs")
        if runs is Truth.NO:
            continue
        sensitive, evidence, other = satisfiable(smt, there, "user_sensitive")
        both = conjunction((runs, sensitive))
        if both is Truth.YES and evidence is not None:
            seconds = time.perf_counter() - start
            return Finding("below", Truth.YES, seconds=seconds), replace(evidence, question="below")
        found, why = disjunction((found, both)), why or reason or other
    return Finding("below", found, reason=why, seconds=time.perf_counter() - start), None


def answer(smt: Smt, subject: Subject, question: str) -> tuple[Finding, Ask | None]:
    """One question; `inexact` is reported as its negation, `exact`."""
    start = time.perf_counter()
    truth, evidence, why = satisfiable(smt, subject, question)
    name = question
    if question.startswith("inexact"):
        name = question.removeprefix("in")
        truth = {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[truth]
    return Finding(name, truth, reason=why, seconds=time.perf_counter() - start), evidence


def satisfiable(smt: Smt, subject: Subject, question: str) -> tuple[Truth, Ask | None, str]:
    """Whether some ask of the question has a model; which one; or why that is not known."""
    return first_found(smt, escalation(subject, question) if question in ESCALATES else subject.ask(question))


def first_found(smt: Smt, asks: Iterable[Ask]) -> tuple[Truth, Ask | None, str]:
    """Whether some of the asks has a model; which one; or why that is not known."""
    unknown = ""
    for ask in asks:
        goal = t.and_(*ask.constraints)
        if goal is t.FALSE:
            continue
        found = smt.check([*(fact for item in ask.copies for fact in item.facts), goal], model=False)
        if found.status is Status.SAT:
            return Truth.YES, ask, ""
        if found.status is Status.UNKNOWN:
            unknown = f"{'/'.join(ask.labels)}: {found.reason}"
    return (Truth.UNKNOWN, None, unknown) if unknown else (Truth.NO, None, "")


def with_evidence(smt: Smt, subject: Subject, row: Row, asked: Mapping[str, Ask]) -> Row:
    """Adds the minimal witness and the conditions to a row that shows a hole."""
    row = replace(row, findings=tuple(_shown(smt, subject, finding, asked) for finding in row.findings))
    broken = row.violation is Truth.YES or row.truth("exact") is Truth.NO
    if not broken and row.truth("leaks") is not Truth.YES:
        return row
    shown = next((name for name in _evidence_order(asked) if row_shows(row, name)), None)
    findings = list(row.findings)
    if shown is not None:
        made = witness(smt, subject, asked[shown])
        findings = [Finding(f.question, f.truth, made, f.reason, f.seconds) if f.question == shown else f for f in findings]
    closing = condition(smt, subject) if broken else Condition()
    exact = exact_when(smt, subject) if row.truth("exact") is Truth.NO else ()
    return Row(row.name, row.part, tuple(findings), closing.held, exact, closing.closable, closing.searched)


def _shown(smt: Smt, subject: Subject, finding: Finding, asked: Mapping[str, Ask]) -> Finding:
    """An escalation with its own witness: it may be the worse half of a hole that another question shows."""
    if finding.question not in ESCALATES or finding.truth is not Truth.YES:
        return finding
    return replace(finding, witness=witness(smt, subject, asked[finding.question]))


def _evidence_order(asked: Mapping[str, Ask]) -> list[str]:
    order = ["mode", "control_sensitive", "location", "trap_sensitive", "exact"]
    configs = [name for name in asked if name.startswith("config:")]
    return [name for name in ("leaks", *order[:3], *configs, "joint", *order[3:], "below") if name in asked]


def row_shows(row: Row, question: str) -> bool:
    return row.truth(question) is (Truth.NO if question == "exact" else Truth.YES)
