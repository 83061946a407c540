"""Monitors: the lines of a `.vmm` text, read in the context of the machine that it is for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import literal
from popek_grammar.elaborate.context import names, text_of, trees
from popek_grammar.elaborate.placements import placed
from popek_grammar.elaborate.theorems import expectation
from popek_grammar.elaborate.work import Work
from popek_grammar.meaning.views import MODELS
from popek_grammar.text.closure import ENDING

SLICE, WEIGHT = 1_000_000, 1
"""The steps that a guest has before another's turn, and its share of them, where a monitor does not say."""

WAYS: Final = ("direct", "reflect", "frame", "call")
"""The ways in which an instruction can refute a monitor, as expectations name them."""

OTHERS: Final = ("first", "entry")
"""What else can refute one: the guest's first state, and the entry of a trap, by its cause."""

_ONCE: Final = {
    "runs": "run", "runs_alone": "run", "interprets": "interpret", "memory_model": "memory", "under": "placement",
    "slice_of": "slice", "weight_of": "weight", "expect_holds": "expect", "expect_fails": "expect",
}  # fmt: skip
_OF_PLACEMENT: Final = (
    "place_param", "place_map", "place_bank", "place_through", "place_virtual", "place_where", "place_memory",
)  # fmt: skip


def monitors(work: Work) -> None:
    """Every monitor of the text that is for this configuration."""
    if "monitor" not in work.by_kind:
        return
    _alone(work)
    for node in work.each("monitor"):
        named = node.children[2]
        if (str(named) if named is not None else work.draft.configs[0]) != work.config:
            work.ctx.absent[str(node.children[0])] = "it is for another configuration"
            continue
        with work.ctx.recover(node.children[0]):
            made = _Reading(work, node).made()
            if made.name in work.draft.monitors:
                first = ("first here", work.draft.monitors[made.name].span)
                work.ctx.report("E0203", f"monitor `{made.name}` is declared twice", made.span, other=first)
            work.draft.monitors[made.name] = made


def _alone(work: Work) -> None:
    """E0480, E0481: monitors stand in a text of their own, and all are for one machine."""
    ctx = work.ctx
    first = work.sources.files[0]
    for item in (each for each in first.tree.children if isinstance(each, Tree) and each.data == "include"):
        ctx.report(
            "E0480", "beside monitors nothing else is declared", first.span(item), help="what the machine has, its own text says"
        )
    paths = dict[str, m.Span]()
    for declaration in work.sources.declarations:
        here, is_monitor = declaration.file is first, declaration.tree.data == "monitor"
        ctx.file = declaration.file.source.name
        if is_monitor and not (here and ctx.file.endswith(ENDING)):
            hint = f"the text that a command is given, NAME{ENDING}; the machine's own stays as it is"
            ctx.report("E0480", "monitors stand in a text of their own", declaration.span(), help=hint)
        elif here and not is_monitor and any(d.tree.data == "monitor" for d in work.sources.declarations):
            hint = "what the machine has, its own text says"
            ctx.report("E0480", "beside monitors nothing else is declared", declaration.span(), help=hint)
        if is_monitor:
            path = os.path.normpath(text_of(declaration.tree.children[1]))  # type: ignore[arg-type]
            paths.setdefault(path, declaration.span(declaration.tree.children[1]))
    for span in list(paths.values())[1:]:
        other = ("the machine of the first", next(iter(paths.values())))
        ctx.report("E0481", "the monitors of one text are for one machine", span, other=other, help="a text for each machine")


class _Reading:
    """One monitor, line by line."""

    def __init__(self, work: Work, node: Tree[Token]) -> None:
        self.work, self.ctx, self.node = work, work.ctx, node
        self.name = str(node.children[0])
        self.doc = work.ctx.doc
        self.lines = trees(node)
        for kind, count in Counter(_ONCE.get(str(line.data), "") for line in self.lines).items():
            if kind and count > 1:
                again = [line for line in self.lines if _ONCE.get(str(line.data)) == kind][1]
                self.ctx.fail("E0487", f"a monitor has one `{kind}` line", again)

    def made(self) -> m.Monitor:
        running = next((line for line in self.lines if line.data in ("runs", "runs_alone")), None)
        if running is None:
            hint = "run S, U at U: these modes of the guest directly, in the host's mode U"
            self.ctx.fail("E0482", f"monitor {self.name} runs no mode of a guest", self.node.children[0], help=hint)
        runs = self._modes(running.children[0], running)
        at = self._mode(str(running.children[1]), running)
        interprets = tuple(code for line in self._each("interprets") for code in self._modes(line.children[0], line))
        self._shared(runs, interprets)
        self._ranked(runs, at, running)
        if running.data == "runs":
            self._covered(runs, interprets, running)
        place = self._placement()
        return m.Monitor(
            self.name, runs, at, interprets, place, self._memory(place), tuple(self._replaced()),
            self._number("slice_of", SLICE), self._number("weight_of", WEIGHT), self._expectation(), self.doc,
            self.ctx.span(self.node.children[0]),
        )  # fmt: skip

    def _each(self, *kinds: str) -> Iterator[Tree[Token]]:
        return (line for line in self.lines if line.data in kinds)

    # -- modes ---------------------------------------------------------------------------------------------------------

    def _mode(self, name: str, line: Tree[Token]) -> int:
        codes = dict(self.ctx.modes.members)
        if name not in codes:
            self.ctx.unknown("mode", name, line, list(codes))
        return codes[name]

    def _modes(self, node: object, line: Tree[Token]) -> tuple[int, ...]:
        """The modes that a line names, each once, least privileged first."""
        found = [self._mode(name, line) for name in names(node)]  # type: ignore[arg-type]
        twice = next((code for code in found if found.count(code) > 1), None)
        if twice is not None:
            self.ctx.fail("E0483", f"mode {self.ctx.modes.name(twice)} stands twice", line)
        return tuple(sorted(found, key=self.ctx.modes.rank))

    def _shared(self, runs: Sequence[int], interprets: Sequence[int]) -> None:
        for line in self._each("interprets"):
            for name in names(line.children[0]):
                if dict(self.ctx.modes.members)[name] in runs:
                    self.ctx.fail("E0483", f"mode {name} both runs and is interpreted", line, help="one of the two")
        if len(set(interprets)) < len(interprets):
            self.ctx.fail("E0483", "a mode is interpreted twice", self.node.children[0])

    def _ranked(self, runs: Sequence[int], at: int, line: Tree[Token]) -> None:
        """E0485: none of the guest's modes runs with more privilege than it has."""
        modes = self.ctx.modes
        if modes.rank(at) > modes.rank(runs[0]):
            low = modes.name(runs[0])
            message = f"the guest's mode {low} would run in mode {modes.name(at)}, which is more privileged"
            self.ctx.fail("E0485", message, line, help=f"run {', '.join(modes.name(code) for code in reversed(runs))} at {low}")

    def _covered(self, runs: Sequence[int], interprets: Sequence[int], line: Tree[Token]) -> None:
        """E0484: the guest's machine ends at its most privileged mode that is named; each mode below it is somebody's."""
        modes, named = self.ctx.modes, {*runs, *interprets}
        top = max(modes.rank(code) for code in named)
        left = [name for name, code in modes.members if modes.rank(code) < top and code not in named]
        if left:
            which = f"the guest's mode{'s' * (len(left) > 1)} {', '.join(left)}"
            hint = (
                f"run .., {', '.join(left)} at ..; interpret {', '.join(left)}; or `run .. alone at ..`, if it has no such mode"
            )
            self.ctx.fail("E0484", f"nobody runs or interprets {which}", line, help=hint)

    # -- f ---------------------------------------------------------------------------------------------------------------

    def _placement(self) -> m.Placement:
        """Its own lines, else those of the placement that it names, else those of the machine's own."""
        ctx, known = self.ctx, self.work.draft.placements
        lines = list(self._each(*_OF_PLACEMENT))
        under = next(self._each("under"), None)
        if under is None and lines:
            return placed(ctx, self.name, self.node, lines, self.work.sources.texts[ctx.file])
        name = str(under.children[0]) if under is not None else ""
        if under is not None and lines:
            ctx.fail("E0487", "f is the placement of that name, or what this monitor's own lines say", under)
        if under is not None and name not in known:
            ctx.unknown("placement", name, under, [each for each in known if each])
        span = ctx.span(self.node.children[0])
        return known.get(name) or m.Placement(self.name, (), (), (), (), (), None, (), (), span)

    def _memory(self, place: m.Placement) -> str:
        """The model of the guest's memory: where f says where it lies, the machine's own translation is what reaches it."""
        line = next(self._each("memory_model"), None)
        if line is None:
            return "translated" if place.memory is not None else "view"
        name = str(line.children[0])
        if name not in MODELS:
            self.ctx.unknown("word", name, line, list(MODELS))
        where = next(self._each("place_memory"), None)
        if where is not None and name != "translated":
            message = f"under `memory {name}` the guest's memory has no place: the line has no effect"
            self.ctx.fail("E0463", message, where, help="memory translated")
        return name

    # -- instructions ------------------------------------------------------------------------------------------------------

    def _replaced(self) -> Iterator[m.Replaced]:
        seen = dict[str, m.Span]()
        for line in self._each("rewrite", "hypercall"):
            found = []
            for called in trees(line):
                with self.ctx.recover():
                    label = self._instruction(called)
                    if label in seen:
                        self.ctx.report("E0486", f"`{label}` is replaced twice", called, other=("first here", seen[label]))
                    seen.setdefault(label, self.ctx.span(called))
                    found.append(label)
            yield m.Replaced(str(line.data), tuple(found), self.ctx.span(line))

    def _instruction(self, called: Tree[Token]) -> str:
        ctx, (name, part) = self.ctx, called.children[:2]
        known = self.work.draft.instructions
        if str(name) not in known:
            ctx.unknown("instruction", str(name), called, list(known))
        if part is None:
            return str(name)
        if not known[str(name)].split:
            ctx.fail("E0201", f"`{name}` names no CSR", called, help=str(name))
        if str(part) not in ctx.registers and str(part) != "other":
            ctx.unknown("CSR", str(part), called, list(ctx.registers))
        return f"{name}({part})"

    # -- the rest -----------------------------------------------------------------------------------------------------------

    def _number(self, kind: str, default: int) -> int:
        line = next(self._each(kind), None)
        if line is None:
            return default
        number = literal(line.children[0])
        if not 0 < number < 1 << 32:
            self.ctx.fail("E0489", f"`{_ONCE[kind]}` is a number from 1 on, not {number}", line)
        return number

    def _expectation(self) -> m.Expectation:
        line = next(self._each("expect_holds", "expect_fails"), None)
        if line is None:
            return m.Expectation("holds", ())
        made = expectation(line)
        known = [*self.work.draft.instructions, *OTHERS]
        for named in line.find_data("verdict_name"):
            name, _, ways = named.children
            with self.ctx.recover():
                if str(name) not in known and str(name) not in self.ctx.absent:
                    self.ctx.unknown("instruction", str(name), named, known)
                for way in ways.children if isinstance(ways, Tree) else ():
                    if str(way) not in (*WAYS, "+"):
                        self.ctx.unknown("way to fail", str(way), named, list(WAYS))
        return made
