"""Monitors for tests: a small machine whose guests are easy to get wrong, and a monitor's lines, each left out or weakened."""

from __future__ import annotations

import re
from collections.abc import Iterator

from popek_checker.monitor.proof import Proof
from popek_checker.monitor.prove import Asked, prove
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts

TOY = """
isa toy { title "a register, a setting, a saved pc"; encoding big parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m : mode role mode reset S
  A : bits(8) reset 0
  open : bits(1) role control reset 1
  c : bits(8) role control reset 0
  epc : bits(8) role control reset 0
  em : mode role control reset U
}
causes { privileged = 0; call = 1 }
trap_stack S { save pc -> epc; save m -> em; vector = 0; enter m = S }
instr inc { enc 00000000; asm "inc"; do { A = A + 1 } }
instr sys { enc 00000001; asm "sys"; do { trap call } }
instr put { enc 00000010; asm "put"; guard m == S else trap privileged; do { c = A } }
instr idle { enc 00000011; asm "idle"; guard m == S else trap privileged }
instr get { enc 00000100; asm "get"; guard m == S or open == 1 else trap privileged; do { A = c } }
instr shut { enc 00000101; asm "shut"; guard m == S else trap privileged; do { open = 0 } }
instr ret { enc 00000110; asm "ret"; guard m == S else trap privileged; do { return_from S } }
instr leak { enc 00000111; asm "leak"; do { if m == S { c = A } } }
instr hole { enc 00001000; asm "hole"; do { c = A } }
instr odd { enc 00001001; asm "odd"; guard m == U else trap privileged }
otherwise trap privileged
"""


def machine(lines: str, machine_text: str = TOY, config: str | None = None) -> Machine:
    """The toy with a monitor `x` of these lines."""
    texts = {"x.vmm": f'vmm x for "toy.isa" {{\n{lines}\n}}\n', "toy.isa": machine_text}
    return elaborate(load_texts(texts), config)


def proof(
    lines: str, machine_text: str = TOY, *obligations: str, instructions: tuple[str, ...] = (), timeout: float = 20
) -> Proof:
    """The proof of that monitor."""
    return prove(machine(lines, machine_text), "x", Asked(instructions, obligations, timeout))


def found(made: Proof, name: str) -> tuple[str, tuple[str, ...]]:
    """`proved`, `refuted` or `unknown`, and by what."""
    return next((answer.found, answer.names) for answer in made.answers if answer.name == name)


# -- a line less ------------------------------------------------------------------------------------------------------------


def monitors(text: str) -> dict[str, str]:
    """The monitors of a text by name, each with the doc comments above it."""
    found: dict[str, str] = {}
    for part in re.split(r"\n(?=///)|(?<=\n\})\n", text):
        if match := re.search(r"^vmm (\w+) for", part, re.MULTILINE):
            found[match.group(1)] = part
    return found


def weaker(text: str) -> Iterator[tuple[str, str]]:
    """A monitor's text with one thing less, each with what is missing: a line of f, a name that is replaced, half a `where`; or
    with its memory at the host's first cell."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        word = line.split()[0] if line.split() else ""
        without = [*lines[:number], *lines[number + 1 :]]
        if word in ("host", "bank", "where", "memory", "through", "virtual", "let"):
            yield line.strip(), "\n".join(without)
        if word == "memory" and " at " in line:
            moved = re.sub(r" at \S+ ", " at 0 ", line)
            yield moved.strip(), "\n".join([*lines[:number], moved, *lines[number + 1 :]])
        if word == "where" and " and " in line:
            for half in line.strip().removeprefix("where ").split(" and "):
                yield f"only {half}", "\n".join([*lines[:number], f"  where {half}", *lines[number + 1 :]])
    for match in re.finditer(r"^  (rewrite|hypercall) ((?:[^\n]*,\n)*[^\n]*)", text, re.MULTILINE):
        names = re.findall(r"\w+(?:\(\w+\))?", match.group(2))
        for name in names:
            left = ", ".join(other for other in names if other != name)
            line = f"  {match.group(1)} {left}" if left else ""
            yield f"{match.group(1)} {name}", text[: match.start()] + line + text[match.end() :]
