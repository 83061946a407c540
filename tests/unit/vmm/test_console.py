"""`popek run --console` on a terminal: keys reach the guest, Ctrl-A X leaves, and the terminal is as before."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import popek, running

from machines import SPEC, machine
from popek_grammar.assembly.assemble import assemble

pytest.importorskip("llvmlite")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

ECHO = """
  lui   s0, 0x10000
  addi  t1, zero, 62
  sb    t1, 0(s0)
wait:
  lbu   t0, 5(s0)
  andi  t0, t0, 1
  beq   t0, zero, wait
  lbu   t1, 0(s0)
  sb    t1, 0(s0)
  j wait
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the machine's compiled code is kept from test to test."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A guest that prints `>`, and then every key."""
    path = tmp_path / "echo.bin"
    path.write_bytes(bytes(assemble(machine("riscv/riscv.isa", "rv64"), ECHO, 0x80000000).image()[1]))
    return path


def until(fd: int, wanted: bytes, seconds: float = 60) -> bytes:
    """What comes from the terminal, up to the wanted text."""
    found, end = b"", time.monotonic() + seconds
    while wanted not in found and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            found += os.read(fd, 1024)
    assert wanted in found, found
    return found


@pytest.mark.parametrize("how", ["keys", "signal"])
def test_the_terminal_is_as_before(image: Path, cache: Path, how: str) -> None:
    """Left by Ctrl-A X (exit code 0, the state is printed) or interrupted (130)."""
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    command = ("run", str(SPEC / "riscv/riscv.isa"), str(image), "--console")
    try:
        with running(*command, cache=cache, stdin=follower, stdout=follower, stderr=subprocess.PIPE) as process:
            until(leader, b">")
            assert termios.tcgetattr(follower) != before
            os.write(leader, b"q\x01\x01")
            until(leader, b"q\x01")
            if how == "keys":
                os.write(leader, b"\x01x")
            else:
                process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        assert process.returncode == (0 if how == "keys" else 130)
        assert (b"left after" in told and b"X[8] = 0x10000000" in told) == (how == "keys")
        assert b"Traceback" not in told
        assert termios.tcgetattr(follower) == before
    finally:
        os.close(leader)
        os.close(follower)


def test_input_from_a_pipe_and_no_such_disk(image: Path, cache: Path) -> None:
    """A pipe is read like keys, and its end ends nothing; a disk that is not there is said to be so."""
    command = ("run", str(SPEC / "riscv/riscv.isa"), str(image))
    piped = popek(*command, "--console", "--max-instructions", "60000", text="abc", cache=cache)
    assert (piped.returncode, piped.stdout) == (124, ">abc")
    missing = popek(*command, "--disk", "/nowhere/disk", cache=cache)
    assert missing.returncode == 2
    assert "/nowhere/disk" in missing.stderr
