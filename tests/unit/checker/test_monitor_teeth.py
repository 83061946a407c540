"""Teeth: every line of the shipped monitors, left out or weakened, is missed by the proof, or it is said why nothing changes.

POPEK_TEETH=all goes through all files; else those that are quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from monitor_texts import monitors, weaker

from machines import SPEC
from popek_checker.monitor.prove import Asked, prove
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_file, load_texts

QUICK = {
    "pg1974.vmm": (),
    "riscv/riscv.vmm": ("csrrs", "wfi"),
    "s370/s370.vmm": ("MC", "SPKA", "IPK", "LRA"),
    "pdp10/ka10.vmm": (),
}
"""File to the instructions that are asked; none: all."""
SLOW = {"x86/ia32.vmm": (), "arm/armv7a.vmm": ()}

IDLE = {
    (
        "pg1974.vmm",
        "small",
        "memory E at k size 4",
    ): "without it memory is a view that the monitor makes: another f, and as right",
}
"""Of file and monitor, what makes no difference, and why."""


def faults() -> Iterator[tuple[str, str, str, str]]:
    for file in {**QUICK, **SLOW} if os.environ.get("POPEK_TEETH") == "all" else QUICK:
        for name, text in monitors((SPEC / file).read_text()).items():
            if "expect refuted" not in text:
                yield from ((file, name, what, made) for what, made in weaker(text))


@pytest.mark.parametrize(("file", "name", "what", "text"), [pytest.param(*f, id=f"{f[0]}-{f[1]}-{f[2]}") for f in faults()])
def test_a_line_less_is_missed(file: str, name: str, what: str, text: str) -> None:
    path = str(SPEC / file)
    texts = {**load_file(path).texts, path: text}
    try:
        machine = elaborate(load_texts(texts, path))
    except SpecError:
        assert what.startswith("let ")  # what the other lines speak of is not there
        return
    word, _, label = what.partition(" ")
    only = (label.partition("(")[0],) if word in ("rewrite", "hypercall") else {**QUICK, **SLOW}[file]
    made = prove(machine, name, Asked(only, ("first", "direct", "entry", "frame", "reflect")))
    assert made.refuted is (Truth.NO if (file, name, what) in IDLE else Truth.YES), IDLE.get((file, name, what), "not missed")
