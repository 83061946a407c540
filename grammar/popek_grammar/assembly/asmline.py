"""Which instruction words a line of assembly can mean, by the templates and encodings that define the instructions.

When several encodings fit a line, one that is not reserved wins, of these the shortest, and of these the first declared.
`{2}` at the end of a line picks the second one that fits; `{rm=3}` sets an operand that the template does not show. The
disassembler writes both, so that its output always assembles to the same word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from popek_grammar.assembly.asmexpr import OUT_OF_RANGE, UNKNOWN_NAME, Misfit, Scope, evaluate
from popek_grammar.assembly.asmtemplate import Template, instruction_template, mnemonic, parse_template
from popek_grammar.assembly.asmvalue import Operands, Place
from popek_grammar.assembly.decode import Decoded, GuardHolds, decoder_of
from popek_grammar.assembly.words import cell_width, encode, operand_parts
from popek_grammar.machine import Encoding, Instruction, Machine, Span
from popek_grammar.text.diagnostics import Diagnostic, Note, SpecError, suggest


@dataclass(frozen=True, slots=True)
class Line:
    """A line of assembly, or the part of one from `column` on, and where it stands."""

    text: str
    file: str = "<asm>"
    number: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One encoding with its template, and what each slot can hold."""

    instruction: Instruction
    encoding: Encoding
    template: Template
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """An encoding that a line fits, with the operands read."""

    candidate: Candidate
    word: int
    width: int
    decoded: Decoded


@dataclass(frozen=True, slots=True)
class Hint:
    """What stands in braces after a line: which fit is meant (0: the first), and operands that the text lacks."""

    choice: int = 0
    hidden: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        parts = [str(self.choice)] if self.choice else []
        return ", ".join([*parts, *(f"{name}={value:#x}" for name, value in self.hidden)])


@dataclass(frozen=True, slots=True)
class _Near:
    """A template that a line matches, and where in it stands what does not fit; no place inside an alias."""

    candidate: Candidate
    misfit: Misfit
    where: tuple[int, int] | None


_ALIAS_DEPTH = 8
"""Aliases may expand to aliases, so far."""

_LONGEST_LINE = 500


class Assembler:
    """The templates of one machine, indexed by mnemonic. `guard_holds` says what is reserved; without it nothing is."""

    def __init__(self, machine: Machine, guard_holds: GuardHolds | None = None) -> None:
        self.machine = machine
        self.guard_holds = guard_holds
        self.decoder = decoder_of(machine)
        self.operands = Operands(machine)
        self._by_head: dict[str, list[Candidate]] = {}
        self._by_lead: dict[str, list[Candidate]] = {}
        self._by_encoding: dict[int, Candidate] = {}
        for instruction in machine.instructions.values():
            for encoding in instruction.encodings:
                candidate = _candidate(machine, instruction, encoding)
                head, lead = candidate.template.head, candidate.template.lead
                named = self._by_lead.setdefault(lead, []) if head is None else self._by_head.setdefault(head, [])
                named.append(candidate)
                self._by_encoding[id(encoding)] = candidate
        for candidates in self._by_head.values():
            candidates.sort(key=lambda each: each.encoding.width)
        self._aliases = [(parse_template(alias.pattern), alias.expansion) for alias in machine.aliases]

    def candidates(self, text: str) -> list[Candidate]:
        """The encodings whose mnemonic the line may start with, shortest first."""
        word = _first_word(text)
        named = self._by_head.get(word, [])
        open_ended = [each for end in range(len(word) + 1) for each in self._by_lead.get(word[:end], ())]
        return sorted([*named, *open_ended], key=lambda each: each.encoding.width) if open_ended else named

    def candidate(self, encoding: Encoding) -> Candidate:
        """The candidate of one of this machine's encodings."""
        return self._by_encoding[id(encoding)]

    def best(self, line: Line, scope: Scope, at_least: int = 0) -> Fit:
        """The fit that the line means, among those of `at_least` so many bits. SpecError when there is none."""
        if len(line.text) > _LONGEST_LINE:
            raise error("E0702", f"the line is longer than {_LONGEST_LINE} characters", line, 0, 1, "here")
        near: list[_Near] = []
        fit = self._pick(line.text, scope, near, at_least)
        if fit is None:
            raise self._misfit(line, near)
        return fit

    def fits(self, text: str, hint: Hint, scope: Scope, near: list[_Near] | None = None) -> Iterator[Fit]:
        """Every encoding that the line fits, in order of preference; in `near` those that it almost fits."""
        last: list[Fit] = []
        for fit in self._fitting(text, hint, scope, near):
            if self.decoder.reserved(fit.decoded, self.guard_holds):
                last.append(fit)
            else:
                yield fit
        yield from last

    def _fitting(self, text: str, hint: Hint, scope: Scope, near: list[_Near] | None) -> Iterator[Fit]:
        for candidate in self.candidates(text):
            match = candidate.template.match(text)
            if match is None:
                continue
            slot, values = 0, dict(hint.hidden)
            try:
                for slot, place in enumerate(candidate.places, 1):
                    value = self.operands.read(place, match[slot], scope)
                    if values.setdefault(place.slot.name, value) != value:
                        raise Misfit(f"`{place.slot.name}` stands twice with different values", rank=OUT_OF_RANGE)
                slot = 0
                yield self._fit(candidate, values)
            except Misfit as misfit:
                if near is not None:
                    near.append(_Near(candidate, misfit, match.span(slot)))

    def _fit(self, candidate: Candidate, values: Mapping[str, int]) -> Fit:
        """The word, if decoding it gives this encoding back."""
        try:
            word, width = encode(self.machine, candidate.encoding, values)
        except ValueError as error:
            raise Misfit(str(error), rank=OUT_OF_RANGE) from None
        back = self.decoder.decode(word, width)
        if back is None or back.encoding is not candidate.encoding:
            other = "nothing" if back is None else f"`{mnemonic(back.instruction)}`"
            raise Misfit(f"with these operands it would be the encoding of {other}", rank=OUT_OF_RANGE)
        return Fit(candidate, word, width, back)

    def _pick(self, text: str, scope: Scope, near: list[_Near], at_least: int, depth: int = 0) -> Fit | None:
        text, hint = split_hint(text)
        fits = (fit for fit in self.fits(text, hint, scope, near) if fit.width >= at_least or hint.choice)
        fit = next(islice(fits, max(hint.choice - 1, 0), None), None)
        return fit or (self._expanded(text, scope, near, at_least, depth) if depth < _ALIAS_DEPTH else None)

    def _expanded(self, text: str, scope: Scope, near: list[_Near], at_least: int, depth: int) -> Fit | None:
        inside: list[_Near] = []
        for pattern, expansion in self._aliases:
            match = pattern.match(text) if pattern.head in (None, _first_word(text)) else None
            if match is not None:
                texts = {slot.name: match[number] for number, slot in enumerate(pattern.slots, 1)}
                line = re.sub(r"\{(\w+)(?::\w+)?\}", lambda slot: texts.get(slot[1], slot[0]), expansion)  # noqa: B023
                fit = self._pick(line, scope, inside, at_least, depth + 1)
                if fit is not None:
                    return fit
        near.extend(_Near(each.candidate, each.misfit, None) for each in inside)
        return None

    # -- why a line fits nothing -------------------------------------------------------------------------------------

    def _misfit(self, line: Line, near: list[_Near]) -> SpecError:
        text, _ = split_hint(line.text)
        word = _first_word(text)
        known = [each for each in self.candidates(text) if each.template.head == word]
        patterns = [pattern.text for pattern, _ in self._aliases if pattern.head == word]
        start = len(line.text) - len(line.text.lstrip())
        if near:
            return self._explain(line, max(near, key=lambda each: each.misfit.rank))
        if known or patterns:
            templates = list(dict.fromkeys([*(each.template.text for each in known), *patterns]))
            notes = tuple(f"written as: {template}" for template in templates[:4])
            what = f"the operands of `{word}` do not fit its template"
            return error("E0702", what, line, start, len(text.rstrip()), "operand missing or too many", notes)
        names = [*filter(None, self._by_head), *(pattern.head for pattern, _ in self._aliases if pattern.head)]
        found = suggest(word, names)
        help = f"did you mean `{found}`?" if found else ""
        return error("E0701", f"no instruction is named `{word}`", line, start, start + len(word), "unknown", (), help)

    def _explain(self, line: Line, near: _Near) -> SpecError:
        misfit = near.misfit
        whole = len(line.text) - len(line.text.lstrip()), len(line.text.rstrip())
        start, end = near.where or whole
        found = suggest(misfit.name, misfit.known) if misfit.name else None
        help = f"did you mean `{found}`?" if found else misfit.help
        code = {OUT_OF_RANGE: "E0704", UNKNOWN_NAME: "E0703"}.get(misfit.rank, "E0702")
        notes = (f"written as: {near.candidate.template.text}",)
        return error(code, misfit.message, line, start, end, "here", notes, help)


def error(
    code: str, message: str, line: Line, start: int, end: int, label: str, notes: tuple[str, ...] = (), help: str = ""
) -> SpecError:
    """A diagnosis of the stretch `start` to `end` of a line's text."""
    first, last = line.column + start, line.column + max(end, start + 1)
    span = Span(line.file, line.number, first, line.number, last)
    return SpecError([Diagnostic(code, "error", message, span, label, tuple(Note(note) for note in notes), help)])


_known: list[tuple[Machine, Assembler]] = []


def assembler_of(machine: Machine, guard_holds: GuardHolds | None = None) -> Assembler:
    """The assembler of a machine; the last few are kept, since building one reads every template."""
    for owner, assembler in _known:
        if owner is machine and assembler.guard_holds is guard_holds:
            return assembler
    assembler = Assembler(machine, guard_holds)
    _known[:] = [(machine, assembler), *_known[:7]]
    return assembler


def _candidate(machine: Machine, instruction: Instruction, encoding: Encoding) -> Candidate:
    template = instruction_template(instruction, encoding)
    widths = {operand.name: operand.width for operand in instruction.operands}
    held: dict[str, int] = {}
    for part in operand_parts(machine, encoding):
        held[part.operand] = held.get(part.operand, 0) | part.mask << part.low
    cells = encoding.width // cell_width(machine)
    places = tuple(Place(slot, widths[slot.name], held.get(slot.name, 0), cells) for slot in template.slots)
    return Candidate(instruction, encoding, template, places)


def _first_word(text: str) -> str:
    words = text.split(maxsplit=1)
    return words[0].lower() if words else ""


_HINT = re.compile(r"([^{]*?)\s*\{([^{}]+)\}\s*")
_HINT_ITEM = re.compile(r"\s*(?:(\d{1,4})|([A-Za-z_]\w*)\s*=\s*(0x[\da-fA-F]{1,64}|\d{1,20}))\s*", re.ASCII)


def split_hint(text: str) -> tuple[str, Hint]:
    """A line without its hint, and the hint."""
    match = _HINT.fullmatch(text)
    items = [_HINT_ITEM.fullmatch(item) for item in match[2].split(",")] if match is not None else []
    if match is None or None in items:
        return text, Hint()
    choices = [int(item[1]) for item in items if item is not None and item[1]]
    hidden = [(item[2], evaluate(item[3], Scope())) for item in items if item is not None and item[2]]
    return match[1], Hint(max(choices, default=0), tuple(hidden))
