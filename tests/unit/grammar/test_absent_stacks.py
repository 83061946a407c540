"""Trap stacks that only some configurations have: what goes to one that is not there is an error, and `when` is decided."""

from __future__ import annotations

import pytest

from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.source import load_texts

TEXT = """
isa t { encoding big parcel 8 }
param N in {1, 2} = 1
config one { N = 1 }
config two { N = 2 }
modes { U = 0 < S = 1 }
state { pc : bits(16); old : bits(16) role control; was : bits(1) role control; line : bits(1) role env
  mode : mode role mode reset S; ram : mem(16 -> 8) }
causes { illegal = 1; interrupt irq = 3 }
otherwise trap illegal
trap_stack S when N == 1 { save pc -> old; save mode -> was; enter mode = S; vector = 0x10 }
interrupts { pending zext(line, 8) << 3; level S : irq enable line == 1 }
instr ret { enc 00000000; guard mode == S else trap illegal; do { return_from S } }
"""

OTHER = """
trap_stack T when N == 2 { save pc -> old; save mode -> was; enter mode = S; vector = 0x20 }
instr back { enc 00000001; when N == 2; guard mode == S else trap illegal; do { return_from T } }
"""


def errors(text: str, config: str) -> list[tuple[str, int]]:
    _, problems = elaborate_with_problems(load_texts({"t.isa": text}), config)
    return [(problem.code, problem.span.line) for problem in problems if problem.severity == "error"]


def test_where_it_is_nothing_is_wrong() -> None:
    assert errors(TEXT, "one") == []


def test_a_configuration_without_a_stack() -> None:
    """Its traps lead nowhere, and its interrupts, and its return."""
    assert errors(TEXT, "two") == [("E0419", 11), ("E0418", 12), ("E0202", 13)]


def test_interrupts_do_not_vanish_with_their_stack() -> None:
    text = TEXT.replace("instr ret { enc 00000000;", "instr ret { enc 00000000; when N == 1;") + OTHER
    assert errors(text, "two") == [("E0418", 12)]
    said = text.replace("level S :", "level S when N == 1 : ").replace(
        "enable line == 1", "enable line == 1; level T : irq when true"
    )
    alone = said.replace("level T :", "level T when N == 2 :")
    for config, stack in (("one", "S"), ("two", "T")):
        made = elaborate(load_texts({"t.isa": alone}), config)
        assert made.interrupts is not None
        assert [level.stack for level in made.interrupts.levels] == [stack]


@pytest.mark.parametrize(
    "line",
    [
        "trap_stack Q when line == 1 { clobber pc, mode; enter mode = S; vector = 0 }",
        "region r at 0 size 0x100 : ram when line == 1",
        "register q : bits(8) when line == 1",
        "instr q { enc 00000011; when line == 1; do { } }",
    ],
)
def test_what_exists_is_decided_before_anything_runs(line: str) -> None:
    """A condition on state would hold or not from one moment to the next; it was taken for one that holds."""
    assert ("E0213", 14) in errors(TEXT.rstrip() + "\n" + line, "one")
