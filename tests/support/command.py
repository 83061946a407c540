"""The command, run as its users run it: a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machines import SPEC

START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from popek.cli import main; main()"
"""Interruptible even where this process is not: what is started in the background of a script ignores SIGINT."""


def arguments_of(*arguments: str) -> list[str]:
    """The process to start for `popek ARGUMENTS`."""
    return [sys.executable, "-c", START, *arguments]


def environment(cache: Path | None = None) -> dict[str, str]:
    """That of a process which finds the packages of this checkout, and no cache unless one is given."""
    paths = os.pathsep.join(str(SPEC.parent / part) for part in ("grammar", "checker", "reference_vmm"))
    return {**os.environ, "PYTHONPATH": paths, "POPEK_CACHE_DIR": str(cache or ""), "NO_COLOR": "1"}


def popek(*arguments: str, cache: Path | None = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What `popek ARGUMENTS` printed and how it ended; no cache unless one is given."""
    command, env = arguments_of(*arguments), environment(cache)
    return subprocess.run(command, capture_output=True, text=True, env=env, input=text, timeout=120, check=False)


@contextlib.contextmanager
def running(*arguments: str, cache: Path | None = None, **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """`popek ARGUMENTS` while it runs, in a session of its own; nothing of it is left in the end. `how`: as of `Popen`."""
    with subprocess.Popen(arguments_of(*arguments), env=environment(cache), start_new_session=True, **how) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
