"""The command, run as its users run it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from machines import SPEC


def popek(*arguments: str, cache: Path | None = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What `popek ARGUMENTS` printed and how it ended; no cache unless one is given."""
    root = SPEC.parent
    paths = os.pathsep.join(str(root / part) for part in ("grammar", "checker", "reference_vmm"))
    env = {**os.environ, "PYTHONPATH": paths, "POPEK_CACHE_DIR": str(cache or ""), "NO_COLOR": "1"}
    command = [sys.executable, "-c", "from popek.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, input=text, timeout=120, check=False)
