"""The machines that ship with Popek: found in the installed package, or in the checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from popek_grammar.load import ENDING, load_machine
from popek_grammar.machine import Machine, Span
from popek_grammar.text.diagnostics import Diagnostic, SpecError


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
    return spec if Path(spec).exists() or "/" in spec or spec.endswith((".isa", ENDING)) else shipped().get(spec, spec)


def monitors(spec: str) -> str:
    """A text of monitors: its path, or the name of a shipped one's file. Raises SpecError for a machine's."""
    if not spec.endswith(ENDING) and not Path(spec).exists():
        spec = next((str(file) for file in sorted(folder().rglob(f"*{ENDING}")) if file.stem == spec), spec)
    if not spec.endswith(ENDING):
        written = f'vmm NAME for "{Path(locate(spec)).name}" {{ run .. at .. }}'
        hint = f"popek check {spec}; a monitor of it is written in a text of its own: {written}"
        raise _refused("E0490", f"{spec} is no text of monitors, whose name ends with {ENDING}", spec, hint)
    return spec


def of_machine(spec: str) -> str:
    """The path of a machine's text. Raises SpecError for one of monitors."""
    path = locate(spec)
    if path.endswith(ENDING):
        raise _refused("E0491", f"{spec} states monitors, not a machine", path, f"popek prove {spec}; or name the machine")
    return path


def _refused(code: str, message: str, file: str, help: str) -> SpecError:
    return SpecError([Diagnostic(code, "error", message, Span(file, 1, 1, 1, 1), help=help)])


def load(spec: str, config: str | None = None) -> Machine:
    """The machine in a file, or the shipped one of that name. Raises SpecError."""
    return load_machine(of_machine(spec), config)


def load_any(spec: str, config: str | None = None) -> Machine:
    """The machine in a file, or the one that the monitors in it are for. Raises SpecError."""
    return load_machine(locate(spec), config)


def _mains(file: Path) -> set[str]:
    """The stem, when the file opens a machine."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return {file.stem} if any(line.startswith("isa ") for line in text.splitlines()) else set()
