"""docs/hypervisor.md says what is so: its example is proved, its tables are the obligations and the texts that ship."""

from __future__ import annotations

import re

from machines import SPEC
from popek.reports.proof_text import write
from popek_checker.monitor.proof import OBLIGATIONS
from popek_checker.monitor.prove import Asked, prove
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.elaborate.monitors import SLICE, WEIGHT
from popek_grammar.load import configs_of, load_machine
from popek_grammar.text.parser import parse_text
from popek_grammar.text.source import load_texts

DOC = (SPEC.parent / "docs" / "hypervisor.md").read_text()


def test_the_example() -> None:
    (isa,), (vmm,) = (re.findall(rf"```{kind}\n(.*?)```", DOC, re.DOTALL) for kind in ("isa", "vmm"))
    machine = elaborate(load_texts({"toy.vmm": vmm, "toy.isa": isa}))
    assert {name: prove(machine, name, Asked()).as_expected for name in machine.monitors} == dict.fromkeys(
        ("naive", "right", "hybrid"), Truth.YES
    )
    assert prove(machine, "right", Asked()).found == "proved"
    made = prove(machine, "naive", Asked())
    (shown,) = re.findall(r"```\n(mix: direct\n.*?)```", DOC, re.DOTALL)
    printed = [line.rstrip() for line in write([made]).splitlines()]
    assert all(line in printed for line in shown.splitlines())


def test_every_obligation_is_described() -> None:
    rows = re.findall(r"^\| (O\d|Theorem 2) \| `(\w+)` \|", DOC, re.MULTILINE)
    assert {name: number for number, name in rows} == {name: number for name, (number, _) in OBLIGATIONS.items()}


def test_the_language_is_that_of_the_text() -> None:
    """Its summary of lines has every line that there is; the defaults are those of the code."""
    (block,) = re.findall(r"```\n(/// What the monitor is for.*?)```", DOC, re.DOTALL)
    for word in ("run", "interpret", "host", "bank", "through", "virtual", "let", "where", "memory", "placement", "rewrite",
                 "hypercall", "slice", "weight", "expect"):  # fmt: skip
        assert re.search(rf"^\s+{word} |; {word} ", block, re.MULTILINE), word
    assert f"| `slice`, `weight` | {SLICE}, {WEIGHT} |" in DOC
    for example in re.findall(r"```\n(vmm .*?)```", DOC, re.DOTALL):
        parse_text(example)


def test_what_ships_is_in_the_table() -> None:
    shipped = {
        name
        for path in SPEC.rglob("*.vmm")
        for config in configs_of(str(path))
        for name in load_machine(str(path), config).monitors
    }
    table = DOC[DOC.index("## The monitors that ship") : DOC.index("## What is wrong")]
    assert shipped <= set(re.findall(r"`(\w+)`", table))
    assert all(str(path.relative_to(SPEC.parent)) in table for path in SPEC.rglob("*.vmm"))
