"""One page a machine: all that its text says and all that follows from it, gathered for a template to lay out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from popek.deriving import Access
from popek.gallery import Entry, entry
from popek.reports.summary import Summary, summaries
from popek_checker.explanation.explain import (
    explain_instruction,
    explain_machine,
    explain_protection,
    explain_register,
    explain_settings,
    explain_translation,
)
from popek_checker.explanation.explain_views import (
    InstructionView,
    MachineView,
    ProtectionView,
    RegisterView,
    SettingView,
    TranslationView,
)
from popek_checker.explanation.prose import Heading, Prose, prose
from popek_checker.explanation.virtual import Case
from popek_checker.virtualizability.verdict import Report, Row, TheoremResult, Truth
from popek_grammar.machine import Array, Machine, Scalar, Span
from popek_grammar.text.source import SourceSet


@dataclass(frozen=True, slots=True)
class Parts:
    """The CSRs with which an instruction comes out alike."""

    kind: str
    privileged: str
    verdict: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An instruction, what it came to, and the row whose witness shows what is wrong with it."""

    view: InstructionView
    summary: Summary
    parts: tuple[Parts, ...]
    shown: Row | None

    @property
    def violates(self) -> bool:
        return self.summary.violation is Truth.YES


@dataclass(frozen=True, slots=True)
class Section:
    heading: Heading
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The instructions of one file, section by section."""

    heading: Heading
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """State that belongs to no register, and the comment beside it."""

    view: RegisterView
    beside: str


@dataclass(frozen=True, slots=True)
class RegisterGroup:
    """The registers of one declaration: one, or the members of a numbered row."""

    views: tuple[RegisterView, ...]

    @property
    def view(self) -> RegisterView:
        return self.views[0]

    @property
    def label(self) -> str:
        names = [view.name for view in self.views]
        return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"

    @property
    def addresses(self) -> str:
        found = [f"{view.address:#05x}" for view in self.views if view.address is not None]
        return "" if not found else found[0] if len(found) == 1 else f"{found[0]} … {found[-1]}"

    @property
    def computed(self) -> bool:
        """Nothing is stored: the whole is one computed value."""
        return len(self.view.fields) == 1 and self.view.fields[0].name == "value" and not self.view.fields[0].stored

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field.role for field in self.view.fields if field.stored))


@dataclass(frozen=True, slots=True)
class Clause:
    """A theorem of the machine, what its author says of it, and what was found."""

    result: TheoremResult
    doc: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on a page. `docs` are comments by kind and name, as `("translation", "sv39")`."""

    machine: MachineView
    entry: Entry
    report: Report
    about: tuple[str, ...]
    settings: tuple[SettingView, ...]
    variables: Mapping[str, tuple[Variable, ...]]
    registers: tuple[RegisterGroup, ...]
    csrs: tuple[RegisterGroup, ...]
    chapters: tuple[Chapter, ...]
    translations: tuple[TranslationView, ...]
    protections: tuple[ProtectionView, ...]
    expected: tuple[Heading, ...]
    clauses: tuple[Clause, ...]
    cases: tuple[Case, ...]
    interrupts: frozenset[str]
    docs: Mapping[tuple[str, str], str]

    @property
    def holes(self) -> tuple[Operation, ...]:
        """The violations, and what hidden state decides, in the order of the text."""
        every = (each for chapter in self.chapters for section in chapter.sections for each in section.operations)
        return tuple(each for each in every if each.violates or each.summary.truth("leaks") is Truth.YES)

    def said(self, kind: str, name: str = "") -> str:
        """The comment on a declaration."""
        return self.docs.get((kind, name), "")


def page(machine: Machine, sources: SourceSet, report: Report, access: Access, cases: Sequence[Case]) -> Page:
    """The page of a machine. `report`, `access` and `cases` are what was decided of it."""
    told = prose(sources)
    texts = sources.texts
    groups = _register_groups(machine, texts)
    results = [Clause(result, told.above(machine.theorems[result.name].span)) for result in report.theorems]
    return Page(
        explain_machine(machine), entry(report), report, told.about, explain_settings(machine), _variables(machine, told),
        tuple(group for group in groups if group.view.address is None),
        tuple(group for group in groups if group.view.address is not None),
        _chapters(machine, told, summaries(report), access, texts),
        tuple(explain_translation(machine, name) for name in machine.translations),
        tuple(explain_protection(machine, name) for name in machine.protections), _expected(machine, told, report),
        tuple(results), tuple(cases), frozenset(cause.name for cause in machine.causes.members if cause.interrupt), told.docs,
    )  # fmt: skip


# -- state -----------------------------------------------------------------------------------------------------------


def _variables(machine: Machine, told: Prose) -> dict[str, tuple[Variable, ...]]:
    """Variables, register files and memories that are no fields, by role."""
    roles: dict[str, list[Variable]] = {role: [] for role in explain_machine(machine).state}
    states: dict[str, Scalar | Array] = {**machine.scalars, **machine.arrays}
    for name, state in states.items():
        if name.partition(".")[0] not in machine.registers:
            roles[state.role.value].append(Variable(explain_register(machine, name), told.beside(state.span)))
    return {role: tuple(found) for role, found in roles.items() if found}


def _register_groups(machine: Machine, texts: Mapping[str, str]) -> list[RegisterGroup]:
    groups: dict[Span, list[RegisterView]] = {}
    for name, register in machine.registers.items():
        groups.setdefault(register.span, []).append(explain_register(machine, name, texts))
    return [RegisterGroup(tuple(views)) for views in groups.values()]


# -- instructions ----------------------------------------------------------------------------------------------------


def _chapters(
    machine: Machine, told: Prose, found: Iterable[Summary], access: Access, texts: Mapping[str, str]
) -> tuple[Chapter, ...]:
    """Instructions by file and section, each where it was declared first."""
    files: dict[Heading, dict[Heading, list[Operation]]] = {}
    for summary in found:
        span = machine.instructions[summary.name].span
        view = explain_instruction(machine, summary.name, access.get(summary.name), texts)
        sections = files.setdefault(told.chapter(span), {})
        sections.setdefault(told.section(span), []).append(_operation(view, summary))
    return tuple(
        Chapter(heading, tuple(Section(title, tuple(operations)) for title, operations in sections.items()))
        for heading, sections in files.items()
    )


def _operation(view: InstructionView, summary: Summary) -> Operation:
    shown = next((row for row in summary.rows if row.witness is not None), None)
    return Operation(view, summary, _parts(summary) if len(summary.rows) > 1 else (), shown)


def _parts(summary: Summary) -> tuple[Parts, ...]:
    """CSRs by what the instruction comes to with them."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in summary.rows:
        alone = Summary(row.name, (row,))
        groups.setdefault((alone.kind, alone.privileged.value, alone.verdict), []).append(row.part)
    return tuple(Parts(*key, tuple(names)) for key, names in groups.items())


def _expected(machine: Machine, told: Prose, report: Report) -> tuple[Heading, ...]:
    """What the files that hold the theorems say at their head."""
    places = [machine.theorems[result.name].span for result in report.theorems]
    return tuple(found for found in dict.fromkeys(told.chapter(span) for span in places) if found.title)
