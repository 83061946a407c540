"""The processes of a check: none is left when the command is, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import environment

KEEPS_ONE_BUSY = """
import os, sys, threading, time
from popek.working import executor
if {threads}:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
if __name__ == "__main__":
    with executor(2) as pool:
        print(pool.submit(os.getpid).result(), pool._mp_context.get_start_method(), flush=True)
        pool.submit(time.sleep, 60)
        time.sleep(60)
"""


@pytest.mark.parametrize(("threads", "method"), [(False, "fork"), (True, "spawn")])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_no_process_outlives_the_command(tmp_path: Path, stop: signal.Signals, threads: bool, method: str) -> None:
    """What reads its output until the end gets to the end: nothing holds the pipe any more."""
    script = tmp_path / "busy.py"
    script.write_text(KEEPS_ONE_BUSY.format(threads=threads))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        worker, started = process.stdout.readline().split()
        assert started == method
        process.send_signal(stop)
        assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == -stop
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(int(worker), 0)
