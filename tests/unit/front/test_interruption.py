"""A check that is stopped half-way: Ctrl-C ends it cleanly, and what was decided before a kill is not decided again."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command import popek, running

from machines import SPEC

MACHINE = str(SPEC / "x86" / "ia32.isa")
SOME = [f"--instr={name}" for name in ("nop", "sgdt", "popf", "lsl", "iret", "call_far", "int_n", "ret_far", "lar", "verr")]


def begin(process: subprocess.Popen[str], cache: Path) -> None:
    """Waits until a check has begun to keep rows."""
    deadline = time.monotonic() + 100
    while not kept(cache):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kept(cache: Path) -> int:
    """How many rows the cache holds."""
    try:
        with closing(sqlite3.connect(f"file:{cache / 'answers.sqlite'}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM rows").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.fixture
def background() -> Iterator[None]:
    """Where SIGINT is ignored, as in the background of a script: what is started there begins so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("background")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_check_goes_on_where_it_was(tmp_path: Path, stop: signal.Signals) -> None:
    pipe = subprocess.PIPE
    with running("check", MACHINE, "--jobs", "2", *SOME, cache=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        begin(process, tmp_path)
        os.killpg(process.pid, stop)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if stop is signal.SIGINT else -stop)
    assert "Traceback" not in errors
    if stop is signal.SIGINT:
        assert "interrupted" in errors
    again = popek("check", MACHINE, *SOME, cache=tmp_path)
    assert again.returncode == 0
    found = re.search(r"(\d+) rows from the cache", again.stdout)
    assert found is not None
    assert int(found[1]) > 0
