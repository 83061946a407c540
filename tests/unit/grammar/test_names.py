"""Names that are words of some clause: what may be declared may be used, wherever it stands."""

from __future__ import annotations

import pytest

from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.source import load_texts

WORDS = """alt asm assume before clobber config enter entry expect host interrupt leave level memory needs ops over page
    pending read reading record save show va vector walk when where""".split()  # noqa: SIM905 - words are easier to read so

TEXT = """
isa t {{ encoding big parcel 8 }}
state {{ pc : bits(16); {word} : bits(8); ram : mem(16 -> 8) }}
fn f_{word}(a : bits(8)) {{ {word} = a }}
instr n {{ enc 00000000; do {{ if {word} == 0 {{ {word} = 1 }} else {{ {word} = {word} + 1; f_{word}({word}) }} }} }}
"""


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_a_clause_may_begin_a_block(word: str) -> None:
    """As first statement of a block such a name was taken for the clause's word, and refused there only."""
    assert elaborate(load_texts({"t.isa": TEXT.format(word=word)}))


def test_a_function_cannot_be_called_write() -> None:
    """Refused where it is defined, once; a use of it is no second error."""
    text = (
        TEXT.format(word="b")
        + "fn write(a : bits(16)) { store(a, 0x00) }\ninstr w { enc 00000001; do { if b == 0 { write(pc) } } }"
    )
    _, found = elaborate_with_problems(load_texts({"t.isa": text}))
    assert [(p.code, p.span.line, p.span.column) for p in found] == [("E0209", 6, 4)]


@pytest.mark.parametrize("name", ["insn", "next_pc"])
def test_state_is_not_called_what_bodies_call_the_instruction(name: str) -> None:
    """It was declared, and every body that read it got the built-in."""
    _, found = elaborate_with_problems(
        load_texts({"t.isa": TEXT.format(word="b").replace("b : bits(8);", f"b : bits(8); {name} : bits(8);")})
    )
    assert [p.code for p in found if p.severity == "error"] == ["E0209"]
