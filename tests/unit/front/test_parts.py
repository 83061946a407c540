"""A theorem asked of some instructions, or of some configurations: compared for these alone, and never more is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import popek

from machines import SPEC

PAPER, IA32, RISCV = str(SPEC / "pg1974.isa"), str(SPEC / "x86" / "ia32.isa"), str(SPEC / "riscv" / "riscv.isa")
MACHINE = """
isa part { title "part"; encoding big parcel 8 }
param GUARD in {0, 1} = 0
config open { GUARD = 0 }
config shut { GUARD = 1 }
modes { U = 0 < S = 1 }
state {
  pc    : bits(8)
  A     : bits(8)
  m     : mode     role mode    reset S
  ctl   : bits(8)  role control
  cache : bits(8)  role hidden
  saved : bits(8)  role control
  prior : mode     role control
}
causes { illegal = 0 }
otherwise trap illegal
trap_stack T { vector = 16; save pc -> saved; save m -> prior; enter m = S }
instr a { enc 00000001; guard GUARD == 0 or m == S else trap illegal; do { ctl = A } }
instr b { enc 00000010; do { A = A + 1 } }
instr c { enc 00000011; guard m == S else trap illegal; do { return_from T } }
instr d { enc 00000100; do { A = cache } }
theorem named { for S at U; show theorem1; expect holds }
theorem somewhere { for S at U; show exact; expect fails }
theorem leaks { config shut; for S at U; show noninterference; expect fails { d } }
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("part") / "part.isa"
    path.write_text(MACHINE)
    return str(path)


def checked(*arguments: str) -> tuple[int, str]:
    run = popek("check", *arguments, "-j", "1", "--no-cache")
    return run.returncode, " ".join((run.stdout + run.stderr).split())


def test_what_holds_of_a_part_is_said_of_the_part(machine: str) -> None:
    """`named` fails of the machine; of b alone it holds, and the report says of what."""
    assert checked(machine, "--theorem", "named")[0] == 1
    code, told = checked(machine, "--theorem", "named", "--instr", "b")
    assert code == 0
    assert "theorem named, of b only: theorem1 for S at U: holds: as expected" in told
    assert "Theorem 1, of b only: holds" in told
    assert "Theorem 1: holds" not in told


@pytest.mark.parametrize("theorem", [(), ("--theorem", "robin_irvine")])
def test_what_is_not_asked_about_is_not_missed(theorem: tuple[str, ...]) -> None:
    """Of the twenty holes that the theorem names, those that were asked about."""
    code, told = checked(IA32, *theorem, "--instr", "popf,nop", "--instr", "sgdt")
    assert code == 0
    assert "missing" not in told
    assert "fails {popf, sgdt}: as expected" in told


def test_a_hole_of_the_part_is_as_unexpected_as_ever(machine: str) -> None:
    code, told = checked(machine, "--theorem", "named", "--instr", "a,b")
    assert code == 1
    assert "fails {a}: NOT as expected (unexpected: a)" in told


def test_to_fail_somewhere_is_not_settled_by_others(machine: str) -> None:
    """Neither as expected nor not: b does not break it, another may."""
    assert checked(machine, "--theorem", "somewhere")[0] == 0
    assert checked(machine, "--theorem", "somewhere", "--instr", "a")[0] == 0
    code, told = checked(machine, "--theorem", "somewhere", "--instr", "b")
    assert code == 3
    assert "not decided (expected to fail of some instruction, which these do not settle)" in told


def test_a_theorem_picked_by_name_is_all_that_is_held_against_a_machine(machine: str) -> None:
    """Hidden state reaches d; that is what `leaks` says, and another theorem is not about."""
    code, _ = checked(machine, "--config", "shut", "--theorem", "named")
    assert code == checked(machine, "--config", "shut")[0] == 0


def test_a_theorem_of_another_configuration_is_not_answered(machine: str) -> None:
    code, told = checked(machine, "--theorem", "leaks")
    assert code == 2
    assert "part does not state leaks in open; it does in: shut" in told
    code, told = checked(machine, "--theorem", "leaks", "--config", "all")
    assert code == 0
    assert "not asked: part in open" in told


def test_all_configurations_and_one(machine: str) -> None:
    """The default is one configuration, says so, and `all` asks each; the worst decides how it ends."""
    code, told = checked(machine, "--theorem", "named", "--config", "all")
    assert (code, "not asked" in told) == (1, False)
    assert "part (open)" in told
    assert "part (shut)" in told
    assert "not asked: part in shut (--config all asks every configuration)" in checked(machine)[1]


def test_all_configurations_of_a_shipped_machine(tmp_path: Path) -> None:
    run = popek("check", RISCV, "--config", "all", "--instr", "sret,addi", "--format", "json", "-j", "1", cache=tmp_path)
    documents = json.loads(run.stdout)
    assert run.returncode == 0
    assert [each["config"] for each in documents] == ["rv64", "rv32"]
    assert all(each["configs_not_asked"] == [] and each["only"] == ["sret", "addi"] for each in documents)


# -- names between commas --------------------------------------------------------------------------------------------


def test_names_between_commas_are_for_every_command(tmp_path: Path) -> None:
    told = popek("explain", PAPER, "--instr", "ADD,DIV", cache=tmp_path).stdout
    assert "instruction ADD" in told
    assert "instruction DIV" in told
    virtual = popek("explain", PAPER, "--virtual", "--instr", "LPSW, ADD", "--format", "json", "-j", "1", cache=tmp_path)
    cells = json.loads(virtual.stdout)["cells"]
    assert {name for cell in cells for names in cell["fates"].values() for name in names} == {"LPSW", "ADD"}
    assert popek("diff", PAPER, PAPER, "--instr", "ADD,DIV", "-j", "1", cache=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", PAPER, "--instr", "ADD,JMQ"), "`JMQ`"),
        (("check", PAPER, "--instr", ","), "names nothing"),
        (("diff", PAPER, PAPER, "--instr", ""), "names nothing"),
        (("check", PAPER, "--theorem", "theorem1,theorem4"), "did you mean theorem"),
        (("explain", PAPER, "--instr", "ADD,JMQ"), "`JMQ`"),
        (("explain", "--gallery", "--instr", "ADD"), "--instr"),
        (("explain", PAPER, "ADD", "--virtual"), "--instr"),
    ],
)
def test_a_bad_name_is_a_usage_error(arguments: tuple[str, ...], says: str) -> None:
    run = popek(*arguments)
    assert run.returncode == 2, run.stdout
    assert says in run.stderr
