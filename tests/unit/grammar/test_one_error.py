"""One mistake, one error: what hangs on a declaration that is wrong is not reported as wrong too."""

from __future__ import annotations

import pytest

from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.text.source import load_texts

TEXT = """
isa t { encoding big parcel 8 }
param W in {8, 16} = 8
extension E
modes { U = 0 < S = 1 }
state { pc : bits(16); A : bits(W); B[2] : bits(W) when E; old : bits(16) role control; m : mode role mode reset S
  was : bits(1) role control; ram : mem(16 -> 8) }
causes (info : bits(8)) { illegal = 1; call = 2 }
otherwise trap illegal(0)
csr_space c : bits(12) { guard exists(addr) else trap illegal(0) }
csr one at 0x001 : bits(8) rw role control
fragment f { alt x enc 0 let k = 0x01
 alt y enc 1 let k = 0x02 }
trap_stack T { save pc -> old; save m -> was; enter m = S; vector = zext(cause.info) }
instr fam { enc 000000 k:2; ops k { aa = 00, ab = 01 }; do { A = zext(B[0][W - 1:0], W) } }
instr low { enc 00001 j:3; do { A = zext(j, W) } }
instr mid { enc 00001000; over low; do { trap call(A) } }
instr frag { enc 0001000 f; do { A = k } }
instr back { enc 00011000; guard m == S else trap illegal(0); do { return_from T } }
theorem z { show theorem1; expect fails { aa, low } }
"""

SLIPS = [
    ("{8, 16} = 8", "{8, X} = 8", "E0224"),
    ("{8, 16} = 8", "{8, 16} = 9", "E0214"),
    ("info : bits(8)", "info : bitz(8)", "E0201"),
    ("exists(addr)", "exsts(addr)", "E0201"),
    ("enc 000000 k:2", "enc 0000000 k:2", "E0285"),
    ("enc 00001 j:3", "enc 000010 j:3", "E0285"),
    ("enc 0 let", "enc 0 i:0 let", "E0280"),
    ("save m -> was", "save m -> wos", "E0201"),
    ("enter m = S", "enter m = R", "E0201"),
    ("vector = zext(cause.info)", "vector = zext(cause.inf)", "E0201"),
    ("state { pc : bits(16)", "state { pc : bitz(16)", "E0201"),
]


def errors(text: str) -> list[str]:
    _, found = elaborate_with_problems(load_texts({"t.isa": text}))
    return [problem.code for problem in found if problem.severity == "error"]


def test_the_text_is_right() -> None:
    assert errors(TEXT) == []


@pytest.mark.parametrize(("right", "wrong", "code"), SLIPS)
def test_one_slip_is_one_error(right: str, wrong: str, code: str) -> None:
    assert TEXT.count(right) == 1
    assert errors(TEXT.replace(right, wrong)) == [code]
