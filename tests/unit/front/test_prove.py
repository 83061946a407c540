"""`popek prove`: exit codes, formats, what it refuses; and that other commands know a text of monitors from a machine's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import popek
from monitor_texts import TOY

from machines import SPEC

PAPER = str(SPEC / "pg1974.vmm")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with two monitors, one of them not as expected."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.isa").write_text(TOY)
    good = 'vmm good for "toy.isa" {\n  run S, U at U\n  host open = 0\n  rewrite leak, hole, odd\n}\n'
    bad = 'vmm bad for "toy.isa" {\n  run S, U at U\n  host open = 0\n  rewrite leak, odd\n}\n'
    (folder / "toy.vmm").write_text(good + bad)
    return folder / "toy.vmm"


def test_as_text(toy: Path) -> None:
    run = popek("prove", str(toy), "-j", "1", "--no-cache")
    assert run.returncode == 1
    for told in (
        "monitor good of toy (default): guest S, U run at U, memory view",
        "O4 frame, what completes directly leaves the host's own state and memory alone: refuted by hole",
        "O3 call, what stands for a replaced instruction always traps: proved\n  a call of the monitor is `sys`, which always",
        "hole: direct",
        "guest in U  host in U",
        "assuming `rewrite`: the guest sees neither",
        "excluded: what devices and the console see (O6)",
        "monitor good: proved: as expected",
        "monitor bad: refuted: NOT as expected (unexpected: hole)",
    ):
        assert told in run.stdout, told


def test_as_json(toy: Path) -> None:
    run = popek("prove", str(toy), "--monitor", "bad", "--format", "json", "-j", "1", "--no-cache")
    made = json.loads(run.stdout)
    assert (made["schema"], made["verdict"], made["expected"], made["as_expected"]) == (
        "popek/proof/1",
        "refuted",
        "proved",
        False,
    )
    assert {each["name"]: each["verdict"] for each in made["obligations"]}["frame"] == "refuted"
    hole = next(each for each in made["instructions"] if each["name"] == "hole")
    assert [each["obligation"] for each in hole["fails"]] == ["direct", "frame"]
    assert hole["fails"][0]["witness"]["states"] == ["guest in U", "host in U"]


def test_as_markdown(toy: Path) -> None:
    run = popek("prove", str(toy), "--monitor", "bad", "--format", "markdown", "-j", "1", "--no-cache")
    assert "| `hole` | refuted | direct, frame |" in run.stdout


def test_a_second_run_is_remembered(tmp_path: Path) -> None:
    first = popek("prove", PAPER, "-j", "1", cache=tmp_path)
    again = popek("prove", PAPER, "-j", "1", cache=tmp_path)
    assert (first.returncode, first.stdout) == (0, again.stdout)


def test_of_some_only(toy: Path) -> None:
    run = popek("prove", str(toy), "--instr", "inc,odd", "--obligation", "direct", "-j", "1", "--no-cache")
    assert run.returncode == 0
    assert "monitor bad: proved as far as asked: as expected" in run.stdout
    assert "O4" not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("prove", str(SPEC / "pg1974.isa")), "E0490"),
        (("prove", PAPER, "--monitor", "clasic"), "did you mean classic?"),
        (("prove", PAPER, "--instr", "LRAQ"), "did you mean LRA"),
        (("prove", PAPER, "--obligation", "refelct"), "did you mean reflect?"),
        (("prove", PAPER, "--config", "none"), "states no monitor for configuration none"),
        (("prove", "nowhere.vmm"), "nowhere.vmm"),
        (("check", PAPER), "E0491"),
        (("diff", PAPER, PAPER), "E0491"),
        (("asm", PAPER, "-"), "E0491"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], told: str) -> None:
    run = popek(*arguments)
    assert run.returncode == 2
    assert told in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


def test_others_take_them() -> None:
    assert popek("lint", PAPER).returncode == 0
    assert popek("fmt", "--check", PAPER).returncode == 0
    assert "third-generation" in popek("explain", PAPER).stdout
    assert popek("prove", "pg1974", "--monitor", "hybrid", "-j", "1").returncode == 0
