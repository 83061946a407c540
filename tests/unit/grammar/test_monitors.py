"""Monitors as text: what is read, what is left out, and every mistake with its place and its remedy."""

from __future__ import annotations

import os
import random

import pytest
from damage import damaged
from monitor_texts import TOY, machine

from machines import SPEC
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate, elaborate_with_problems, monitored
from popek_grammar.load import configs_of, lint_machine, load_machine
from popek_grammar.text.diagnostics import Diagnostic, SpecError, render_all
from popek_grammar.text.formatter import format_text
from popek_grammar.text.source import load_file, load_texts

COPIES = int(os.environ.get("POPEK_FUZZ", "200"))


def problems(text: str, name: str = "x.vmm", machine_text: str = TOY) -> list[Diagnostic]:
    try:
        return elaborate_with_problems(load_texts({name: text, "toy.isa": machine_text}))[1]
    except SpecError as error:
        return list(error.diagnostics)


def vmm(*lines: str) -> str:
    return "\n".join(('vmm x for "toy.isa" {', *(f"  {line}" for line in lines), "}", ""))


# -- what is read -----------------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    """Two lines are a monitor: the classic f, a view of memory, a slice and a weight, expected to be right."""
    made = machine("run S, U at U").monitors["x"]
    assert (made.runs, made.at, made.interprets, made.memory) == ((0, 1), 0, (), "view")
    assert (made.placement.held, made.replaced, made.expect) == ((), (), m.Expectation("holds", ()))
    assert made.slice > 0
    assert made.weight == 1


def test_every_line() -> None:
    made = machine(
        "run U at U\ninterpret S\nlet k : bits(8)\nhost c = A + k\nwhere k < 9\nthrough open\nmemory per_mode\n"
        "rewrite leak, odd\nhypercall hole\nslice 0x40\nweight 3\nexpect refuted { inc: direct + frame, first }"
    ).monitors["x"]
    assert (made.runs, made.at, made.interprets, made.memory, made.slice, made.weight) == ((0,), 0, (1,), "per_mode", 64, 3)
    assert made.placement.lines == ("let k : bits(8)", "host c = A + k", "where k < 9", "through open")
    assert [(each.how, each.names) for each in made.replaced] == [("rewrite", ("leak", "odd")), ("hypercall", ("hole",))]
    assert made.expect == m.Expectation("fails", ("inc", "first"), (("inc", ("direct", "frame")),))
    assert made.replaced_by("odd")
    assert not made.replaced_by("inc")


def test_f_is_the_machines_own_where_a_monitor_says_none() -> None:
    text = f"{TOY}\nplacement {{ host c = A }}\nplacement other {{ host open = 0 }}\n"
    assert machine("run S, U at U", text).monitors["x"].placement.lines == ("host c = A",)
    assert machine("run S, U at U\nplacement other", text).monitors["x"].placement.lines == ("host open = 0",)
    assert machine("run S, U at U\nhost epc = 0", text).monitors["x"].placement.lines == ("host epc = 0",)


def test_where_f_relocates_memory_the_machine_translates() -> None:
    monitors = load_machine(str(SPEC / "pg1974.vmm")).monitors
    assert {each.memory for each in monitors.values()} == {"translated"}


def test_the_configuration_is_the_monitors() -> None:
    """Commands on a text of monitors go by theirs, not by all that the machine has."""
    path = str(SPEC / "pdp10" / "ka10.vmm")
    assert configs_of(path) == ["ka10", "closed"]
    assert load_machine(path).config == "ka10"
    assert list(load_machine(path, "closed").monitors) == ["hybrid"]
    text = TOY + "config one { }\nconfig two { }\n"
    sources = load_texts({"x.vmm": vmm("run S, U at U").replace(" {", " config two {", 1), "toy.isa": text})
    assert monitored(sources) == ["two"]
    assert elaborate(sources).config == "two"


def test_the_machine_stands_beside_it_on_disk() -> None:
    files = [os.path.basename(file) for file in load_machine(str(SPEC / "riscv" / "riscv.vmm")).files]
    assert files[:2] == ["riscv.vmm", "riscv.isa"]


# -- mistakes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "place", "told"),
    [
        (vmm("run S, W at U"), "E0201", (2, 3), "unknown mode `W`"),
        (vmm("run S, U at V"), "E0201", (2, 3), "unknown mode `V`"),
        (vmm("run S at U"), "E0484", (2, 3), "nobody runs or interprets the guest's mode U"),
        (vmm("run S, U at S"), "E0485", (2, 3), "the guest's mode U would run in mode S, which is more privileged"),
        (vmm("run S, U at U", "interpret S"), "E0483", (3, 3), "mode S both runs and is interpreted"),
        (vmm("run S, S at U"), "E0483", (2, 3), "mode S stands twice"),
        (vmm("host c = 0"), "E0482", (1, 5), "monitor x runs no mode of a guest"),
        (vmm("run S, U at U", "rewrite leek"), "E0201", (3, 11), "did you mean `leak`?"),
        (vmm("run S, U at U", "rewrite leak(c)"), "E0201", (3, 11), "`leak` names no CSR"),
        (vmm("run S, U at U", "rewrite leak", "hypercall leak"), "E0486", (4, 13), "`leak` is replaced twice"),
        (vmm("run S, U at U", "host c = 0", "through c"), "E0488", (3, 3), "`c` is held here, and let through"),
        (vmm("run S, U at U", "host A = c", "virtual A"), "E0488", (3, 3), "`A` is held here, and the monitor's"),
        (vmm("run S, U at U", "host c = 0", "host c = 1"), "E0461", (4, 8), "`c` is placed twice"),
        (vmm("run S, U at U", "host m = U"), "E0462", (3, 8), "`m` is the mode"),
        (vmm("run S, U at U", "slice 5", "slice 6"), "E0487", (4, 3), "a monitor has one `slice` line"),
        (vmm("run S, U at U", "weight 0"), "E0489", (3, 3), "`weight` is a number from 1 on"),
        (vmm("run S, U at U", "memory vew"), "E0201", (3, 3), "did you mean `view`?"),
        (vmm("run S, U at U", "placement nowhere"), "E0201", (3, 3), "unknown placement `nowhere`"),
        (vmm("run S, U at U", "placement nowhere", "host c = 0"), "E0487", (3, 3), "f is the placement of that name"),
        (vmm("run S, U at U", "expect refuted { leek }"), "E0201", (3, 20), "did you mean `leak`?"),
        (vmm("run S, U at U", "expect refuted { inc: drect }"), "E0201", (3, 20), "did you mean `direct`?"),
        (vmm("run S, U at U", "expect fails"), "E0001", (3, 10), "expected `proved` or `refuted`"),
        (vmm("run S, U at U") * 2, "E0203", (4, 5), "monitor `x` is declared twice"),
        (vmm("run S, U at U").replace("x for", "x config two for"), "E0001", (1, 7), "expected `for`"),
        (vmm("run S, U at U").replace(" {", " config two {", 1), "E0215", (1, 28), "there is no configuration `two`"),
        (vmm("run S, U at U").replace("toy", "joy"), "E0011", (1, 11), "joy.isa"),
        (vmm("run S, U at U") + "extension E = true\n", "E0480", (4, 1), "beside monitors nothing else is declared"),
        (vmm("ran S, U at U"), "E0001", (2, 3), "expected a line of a monitor"),
        (vmm("run S, U at U", "hypercal leak"), "E0001", (3, 3), "did you mean `hypercall`?"),
    ],
)
def test_mistakes(text: str, code: str, place: tuple[int, int], told: str) -> None:
    (found,) = problems(text)[:1]
    assert (found.code, found.span.file, found.span.line, found.span.column) == (code, "x.vmm", *place)
    assert told in render_all([found], {"x.vmm": text})


def test_monitors_stand_alone() -> None:
    """Not in a text of another name, nor in the machine's own; with no other text; and one text is of one machine."""
    more = {"x.vmm": 'include "more.isa"\n' + vmm("run S, U at U"), "more.isa": "extension E = true\n", "toy.isa": TOY}
    assert [found.code for found in elaborate_with_problems(load_texts(more))[1]][:1] == ["E0480"]
    assert [found.code for found in problems(vmm("run S, U at U"), "x.isa")] == ["E0480"]
    texts = {"x.vmm": vmm("run S, U at U") + vmm("run S, U at U").replace("x for", "y for").replace("toy", "two"), "toy.isa": TOY}
    with pytest.raises(SpecError) as error:
        elaborate(load_texts({**texts, "two.isa": "extension E = true\n"}))
    assert "E0481" in [found.code for found in error.value.diagnostics]


@pytest.mark.parametrize(
    ("lines", "warns"),
    [
        (("rewrite put",), True),
        (("hypercall sys",), True),
        (("host open = 0", "rewrite get"), True),
        (("rewrite get",), False),  # the host may have it open
        (("rewrite leak",), False),
    ],
)
def test_what_always_traps_need_not_be_replaced(lines: tuple[str, ...], warns: bool) -> None:
    found = [each for each in problems(vmm("run S, U at U", *lines)) if each.code == "W0480"]
    assert bool(found) is warns
    assert all("always traps in mode U" in each.message for each in found)


def test_lint_and_format_take_them() -> None:
    for path in SPEC.rglob("*.vmm"):
        found, sources = lint_machine(str(path))
        assert not [each for each in found if each.span.file.endswith(".vmm")]
        text = sources.files[0].source.text
        assert format_text(text) == text


def test_damage_never_escapes() -> None:
    """As for machines: refused with diagnostics, or accepted. POPEK_FUZZ=5000 is the figure that releases are tried with."""
    path = str(SPEC / "pg1974.vmm")
    texts = dict(load_file(path).texts)
    refused = 0
    for number in range(COPIES):
        copy = {**texts, path: damaged(random.Random(number), texts[path])}
        try:
            made, found = elaborate_with_problems(load_texts(copy, path))
        except SpecError as error:
            made, found = None, list(error.diagnostics)
        assert bool(found) == bool(render_all(found, copy))
        refused += made is None
    assert refused > COPIES // 4
