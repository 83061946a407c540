"""`popek run --console` on a terminal: keys reach the guest, Ctrl-A X leaves, and the terminal is as before."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
def test_the_terminal_is_as_before(image: Path, how: str) -> None:
    """Left by Ctrl-A X (exit code 0, the state is printed) or interrupted (130)."""
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    command = [sys.executable, "-m", "popek", "run", str(SPEC / "riscv/riscv.isa"), str(image), "--console"]
    try:
        with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=subprocess.PIPE) as running:
            until(leader, b">")
            assert termios.tcgetattr(follower) != before
            os.write(leader, b"q\x01\x01")
            until(leader, b"q\x01")
            if how == "keys":
                os.write(leader, b"\x01x")
            else:
                running.send_signal(signal.SIGINT)
            _, told = running.communicate(timeout=60)
        assert running.returncode == (0 if how == "keys" else 130)
        assert (b"left after" in told and b"X[8] = 0x10000000" in told) == (how == "keys")
        assert b"Traceback" not in told
        assert termios.tcgetattr(follower) == before
    finally:
        os.close(leader)
        os.close(follower)


def test_input_from_a_pipe_and_no_such_disk(image: Path) -> None:
    """A pipe is read like keys, and its end ends nothing; a disk that is not there is said to be so."""
    command = [sys.executable, "-m", "popek", "run", str(SPEC / "riscv/riscv.isa"), str(image)]
    piped = subprocess.run([*command, "--console", "--max-instructions", "60000"], input=b"abc", capture_output=True, check=False)
    assert (piped.returncode, piped.stdout) == (124, b">abc")
    missing = subprocess.run([*command, "--disk", "/nowhere/disk"], capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "/nowhere/disk" in missing.stderr
