"""A check that is stopped half-way: Ctrl-C ends it cleanly, and what was decided before a kill is not decided again."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from command import popek

from machines import SPEC

MACHINE = str(SPEC / "x86" / "ia32.isa")
SOME = [f"--instr={name}" for name in ("nop", "sgdt", "popf", "lsl", "iret", "call_far", "int_n", "ret_far", "lar", "verr")]


def started(cache: Path) -> subprocess.Popen[str]:
    """A check of some slow instructions that has begun to keep rows."""
    paths = os.pathsep.join(str(SPEC.parent / part) for part in ("grammar", "checker", "reference_vmm"))
    env = {**os.environ, "PYTHONPATH": paths, "POPEK_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", "from popek.cli import main; main()", "check", MACHINE, "--jobs", "2", *SOME]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env, start_new_session=True)
    deadline = time.monotonic() + 100
    while not kept(cache):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def kept(cache: Path) -> int:
    """How many rows the cache holds."""
    try:
        with closing(sqlite3.connect(f"file:{cache / 'verdicts.sqlite'}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM rows").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_check_goes_on_where_it_was(tmp_path: Path, stop: signal.Signals) -> None:
    process = started(tmp_path)
    os.killpg(process.pid, stop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if stop is signal.SIGINT else -stop)
    assert "Traceback" not in errors
    if stop is signal.SIGINT:
        assert "interrupted" in errors
    again = popek("check", MACHINE, *SOME, cache=tmp_path)
    assert again.returncode == 1
    found = re.search(r"(\d+) rows from the cache", again.stdout)
    assert found is not None
    assert int(found[1]) > 0
