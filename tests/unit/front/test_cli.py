"""The command as its users meet it: exit codes, formats, bad input without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import popek

from machines import SPEC

PAPER = str(SPEC / "pg1974.isa")
CORPUS = Path(__file__).resolve().parents[2] / "corpus"


def test_help_is_there() -> None:
    assert "check" in popek("--help").stdout
    assert "Exit codes" in popek("check", "--help").stdout


def test_check_json_and_cache(tmp_path: Path) -> None:
    """The second run answers from the cache, and says the same."""
    runs = [popek("check", PAPER, "--format", "json", "-j", "1", cache=tmp_path) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0]
    assert runs[0].stdout == runs[1].stdout
    assert json.loads(runs[0].stdout)["machine"] == "pg1974"


def test_spoilt_cache_is_ignored(tmp_path: Path) -> None:
    for name in ("answers.sqlite", "grammar.pickle"):
        (tmp_path / name).write_bytes(b"not a database")
    assert popek("check", PAPER, "-j", "1", "--instr", "ADD", cache=tmp_path).returncode == 0


def test_a_placement_by_name(tmp_path: Path) -> None:
    """The table under that f; of a name that the machine has not, exit 2 and the nearest."""
    text = (CORPUS / "bank_by_mode.isa").read_text().replace("placement {", "placement by_mode {")
    spec = tmp_path / "named.isa"
    spec.write_text(text)
    under = [popek("check", str(spec), "-j", "1", *more).stdout for more in ((), ("--placement", "by_mode"))]
    assert ["Theorem 1: fails" in out for out in under] == [True, False]
    assert "f: bank usp by mode { S => ssp }; ssp with the monitor, since carried elsewhere" in under[1]
    refused = popek("check", str(spec), "--placement", "by_mood")
    assert refused.returncode == 2
    assert "did you mean by_mode?" in refused.stderr


def test_refuted_is_1() -> None:
    run = popek("check", str(CORPUS / "mret_without_mode_check.isa"), "-j", "1")
    assert run.returncode == 1
    assert "NOT as expected" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "nowhere.isa"), "nowhere.isa"),
        (("check", str(SPEC)), "directory"),
        (("check", PAPER, "--config", "big"), "configuration"),
        (("check", PAPER, "--instr", "JMQ"), "JMP"),
        (("check", PAPER, "--for", "X"), "mode"),
        (("check", PAPER, "--param", "N=1"), "N"),
        (("check", PAPER, "--param", "N"), "NAME=VALUE"),
        (("check",), "SPEC"),
        (("explain", PAPER, "LPSWW"), "LPSW"),
        (("asm", PAPER, "nowhere.s"), "nowhere.s"),
        (("disasm", PAPER, "nowhere.bin"), "nowhere.bin"),
        (("check", str(CORPUS / "entry_does_not_save.isa")), "E0412"),
    ],
)
def test_bad_input_is_2(arguments: tuple[str, ...], says: str) -> None:
    run = popek(*arguments)
    assert run.returncode == 2, run.stderr
    assert says in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00", b"isa x {", b"(" * 5000, b"\x00" * 10, b"a" * (5 << 20), b"isa t { }\nparam N in {1} = 1 / 0\n"],
    ids=["encoding", "cut", "nested", "zeros", "huge", "division"],
)
def test_garbage_is_2(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.isa"
    file.write_bytes(data)
    run = popek("check", str(file))
    assert run.returncode == 2
    assert "error" in run.stderr
    assert "Traceback" not in run.stderr


def test_assemble_and_back(tmp_path: Path) -> None:
    source = tmp_path / "x.s"
    source.write_text("start:\n  addi a0, zero, 5\n  bne a0, zero, start\n  mret\n")
    riscv = str(SPEC / "riscv" / "riscv.isa")
    image = tmp_path / "x.bin"
    assert popek("asm", riscv, str(source), "-o", str(image)).returncode == 0
    listing = popek("disasm", riscv, str(image)).stdout
    assert "addi a0, zero, 5" in listing
    assert "mret" in listing


def test_format_is_idempotent(tmp_path: Path) -> None:
    file = tmp_path / "p.isa"
    file.write_text((SPEC / "pg1974.isa").read_text())
    assert popek("fmt", str(file)).returncode == 0
    assert popek("fmt", "--check", str(file)).returncode == 0


def test_a_machine_without_modes_is_2(tmp_path: Path) -> None:
    """There is nothing to virtualize; it ended in a traceback."""
    text = tmp_path / "plain.isa"
    text.write_text(
        "isa plain { encoding big parcel 8 }\nstate { pc : bits(8); ram : mem(8 -> 8) }\ninstr n { enc 00000000; do { } }\n"
    )
    ended = popek("check", str(text))
    assert ended.returncode == 2
    assert "plain declares no modes" in ended.stderr
