"""Popek's answers beside those of the enumeration, and the smallest machine on which they still differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace

from enumeration.answers import amended, literally, under_h
from enumeration.classes import Enumeration
from enumeration.conditions import Unread, untrue
from enumeration.language import Instruction, Num, Op, Placement, Read, Return, Stack, Toy, When
from enumeration.meaning import Meaning
from enumeration.writing import text
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.decide import EVERYTHING, Item, decide, make_subject
from popek_checker.virtualizability.theorems import SHOWS
from popek_checker.virtualizability.verdict import Claim, Row, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

MOST_RUNS = 20000
"""An instruction with more runs than this is not enumerated, unless more are asked for."""
SHOWN = frozenset({"theorem1", "theorem3", "exact", "exact_user", "escalation", "trap_sensitive", "noninterference", "sensitive",
                   "user_sensitive", "control_sensitive", "config_sensitive", "mode_sensitive",
                   "location_sensitive"})  # fmt: skip
CLASSES = frozenset({"control_sensitive", "mode_sensitive", "location_sensitive", "config_sensitive", "user_sensitive"})
ESCALATION = ("raises_mode", "writes_control", "writes_map")


@dataclass(frozen=True)
class Disagreement:
    """An instruction of a machine on which the two differ: the reading, the question, and either answer."""

    toy: Toy
    instruction: str
    reading: str
    question: str
    popek: str
    enumerated: str

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """What makes two of them the same, on different machines: of a text that is refused, the message's code."""
        said = self.popek.partition(": ")[2][:12] or self.popek[:12]
        return self.reading, self.question.partition(":")[0], said, self.enumerated

    def __str__(self) -> str:
        said = f"{self.reading}: {self.question} of {self.instruction} is {self.popek}, by enumeration {self.enumerated}"
        return f"{said}\n{text(self.toy)}"


def compare(toy: Toy, smt: Smt, most: int = MOST_RUNS) -> tuple[int, list[Disagreement]]:
    """How many instructions were decided both ways, and where the answers differ."""
    try:
        machine = elaborate(load_texts({"toy.isa": text(toy)}))
    except SpecError as error:
        return 0, [Disagreement(toy, "-", "text", "reads", str(error), "well formed")]
    meaning = Meaning(toy)
    asked, found = 0, []
    for instruction in toy.instructions:
        if Enumeration(meaning, instruction, following=True).size > most:
            continue
        asked += 1
        for reading, question, popek, enumerated in differences(machine, meaning, instruction, smt):
            found.append(Disagreement(toy, instruction.name, reading, question, popek, enumerated))
    return asked, found


def differences(machine: m.Machine, meaning: Meaning, instruction: Instruction, smt: Smt) -> Iterator[tuple[str, str, str, str]]:
    """Reading, question and both answers, where they differ."""
    toy = meaning.toy
    bent = toy.placement is not None and bool(toy.placement.held or toy.placement.banked or toy.placement.apart)
    moved = toy.placement is not None and toy.placement.memory is not None
    (theorem,) = machine.theorems.values()
    held = tuple(expr for expr, _ in theorem.assume)
    claim = Claim(toy.guest, toy.host, toy.memory, "amended", tuple(said for _, said in theorem.assume))

    def row(claim: Claim, wanted: frozenset[str]) -> Row:
        item = Item(instruction.name)
        return decide(make_subject(machine, item, claim, held), item, smt, wanted)

    found = row(claim, SHOWN)
    mine = amended(meaning, instruction)
    yield from (("amended", *one) for one in _differ(_answers(found), mine, PLACED if bent and not moved else EVERY))
    if not moved:
        if SHOWS["theorem1"](found) is Truth.NO and not mine["exact"] and not _free_hidden(toy):
            yield "amended", "theorem1", "no", "inexact"
        if SHOWS["theorem3"](found) is Truth.NO and not mine["exact_user"] and not _free_hidden(toy):
            yield "amended", "theorem3", "no", "inexact for the user"
    if toy.placement is not None:
        return
    with suppress(Unread):
        for said, so in untrue(meaning, instruction, row(claim, EVERYTHING)):
            yield "conditions", "condition", said, so
    literal = _answers(row(replace(claim, reading="literal"), SHOWN - {"exact", "exact_user", "escalation"}))
    yield from (("literal", *one) for one in _differ(literal, literally(meaning, instruction), EVERY))
    if toy.assume:
        classes = _answers(row(replace(claim, everywhere=True), CLASSES))
        yield from (("H everywhere", *one) for one in _differ(classes, under_h(meaning, instruction), CLASSES_ASKED))


def _free_hidden(toy: Toy) -> bool:
    return any(piece.role == "hidden" and piece.reset is None for piece in toy.pieces)


EVERY = ("privileged", "control_sensitive", "mode", "location", "config:", "trap_sensitive", "user_sensitive", "below", "exact",
         "exact_user", "leaks", "behaviour", "sensitive", "theorem1", "theorem3", *ESCALATION)  # fmt: skip
PLACED = ("privileged", "trap_sensitive", "exact", "exact_user", "leaks", "control_sensitive", *ESCALATION)
"""What is asked where f holds state elsewhere: of the other classes the definitions say that pairs are a guest and f of it."""
CLASSES_ASKED = ("control_sensitive", "mode", "location", "config:", "user_sensitive")


def _answers(row: Row) -> dict[str, Truth]:
    made = {finding.question: finding.truth for finding in row.findings}
    shows = ("sensitive", "theorem1", "theorem3")
    return {**made, **{show: SHOWS[show](row) for show in shows}, "behaviour": row.behaviour}


def _differ(popek: dict[str, Truth], mine: dict[str, bool], asked: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """The questions that are answered otherwise. What Popek leaves out because it cannot hold is a no."""
    for question, truth in mine.items():
        if not question.startswith(asked) or question == "together":
            continue
        said = popek.get(question, Truth.NO)
        if question == "config:*":
            said = Truth.of(any(value is Truth.YES for name, value in popek.items() if name.startswith("config:")))
        if said is not Truth.of(truth):
            yield question, said.value, Truth.of(truth).value
    yield from ((name, truth.value, "?") for name, truth in popek.items() if truth is Truth.UNKNOWN)


# -- shrinking ---------------------------------------------------------------------------------------------------------


def shrunk(found: Disagreement, smt: Smt, again: Callable[[Toy, Smt], tuple[int, list[Disagreement]]] = compare) -> Disagreement:
    """The disagreement on a machine of which no line, and no part of an expression, can be left out."""
    alone = tuple(one for one in found.toy.instructions if one.name == found.instruction)
    if alone:
        found = _still(replace(found.toy, instructions=alone), found, smt, again) or found
    smaller = True
    while smaller:
        smaller = False
        for toy in _smaller(found.toy):
            same = _still(toy, found, smt, again)
            if same is not None:
                found, smaller = same, True
                break
    return found


def _still(
    toy: Toy, found: Disagreement, smt: Smt, again: Callable[[Toy, Smt], tuple[int, list[Disagreement]]]
) -> Disagreement | None:
    """A disagreement of the same kind on another machine, if there is one."""
    try:
        _, differ = again(toy, smt)
    except (KeyError, NameError, StopIteration):  # a name that is read is gone
        return None
    return next((one for one in differ if one.kind == found.kind), None)


def _smaller(toy: Toy) -> Iterator[Toy]:
    """Machines with a little less."""
    for piece in toy.pieces:
        if piece.name not in ("pc", "mode"):
            yield replace(toy, pieces=tuple(other for other in toy.pieces if other is not piece))
    for assumed in toy.assume:
        yield replace(toy, assume=tuple(other for other in toy.assume if other is not assumed))
    if toy.placement is not None:
        yield replace(toy, placement=None)
    if toy.delegate is not None:
        yield replace(toy, delegate=None, stacks=toy.stacks[:1])
    for part in ("instructions", "stacks", "placement"):
        for smaller in _less(getattr(toy, part)):
            yield replace(toy, **{part: smaller})


def _less(tree: object) -> Iterator[object]:
    """Trees with one part less, or with an expression in place of one that holds it."""
    if isinstance(tree, tuple):
        for place, part in enumerate(tree):
            if is_dataclass(part) and not isinstance(part, Instruction | Stack | Num | Read):
                yield tree[:place] + tree[place + 1 :]
            if isinstance(part, When):
                yield tree[:place] + part.then + tree[place + 1 :]
                yield tree[:place] + part.other + tree[place + 1 :]
            for smaller in _less(part):
                yield (*tree[:place], smaller, *tree[place + 1 :])
    elif isinstance(tree, Op):
        for arg in tree.args:
            if arg.width == tree.width:
                yield arg
        if tree.width:
            yield Num(tree.width, 0)
        for args in _less_each(tree.args):
            yield replace(tree, args=args)
    elif is_dataclass(tree) and not isinstance(tree, Num | Return | type):
        if isinstance(tree, Placement) and tree.memory is not None:
            yield replace(tree, memory=None)
        for field in fields(tree):
            value = getattr(tree, field.name)
            if isinstance(value, tuple) and field.name == "operands":
                yield from (replace(tree, operands=value[:n] + value[n + 1 :]) for n in range(len(value)))
            elif is_dataclass(value) or isinstance(value, tuple):
                for smaller in _less(value):
                    yield replace(tree, **{field.name: smaller})  # type: ignore[arg-type]


def _less_each(args: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    for place, arg in enumerate(args):
        for smaller in _less(arg):
            yield (*args[:place], smaller, *args[place + 1 :])
