"""The machines that ship with Popek: found in the installed package, or in the checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from popek_grammar.load import load_machine
from popek_grammar.machine import Machine


def folder() -> Path:
    """The folder of shipped machines."""
    installed = resources.files("popek_checker") / "spec"
    if isinstance(installed, Path) and installed.is_dir():
        return installed
    return Path(__file__).resolve().parents[2] / "spec"


def shipped() -> dict[str, str]:
    """Name of machine to path of its file: every file that begins a machine."""
    found = {}
    for file in sorted(folder().rglob("*.isa")):
        if file.stem == file.parent.name or file.parent == folder() or file.stem in _mains(file):
            found[file.stem] = str(file)
    return found


def locate(spec: str) -> str:
    """A file's path; the name of a shipped machine (`riscv`, `ia32`, `pg1974`) stands for its file."""
    return spec if Path(spec).exists() or "/" in spec or spec.endswith(".isa") else shipped().get(spec, spec)


def load(spec: str, config: str | None = None) -> Machine:
    """The machine in a file, or the shipped one of that name. Raises SpecError."""
    return load_machine(locate(spec), config)


def _mains(file: Path) -> set[str]:
    """The stem, when the file opens a machine."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return {file.stem} if any(line.startswith("isa ") for line in text.splitlines()) else set()
