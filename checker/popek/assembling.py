"""`popek asm` and `popek disasm`."""

from __future__ import annotations

import sys
from pathlib import Path

from popek_grammar.assembly.assemble import assemble
from popek_grammar.assembly.decode import cell_width
from popek_grammar.assembly.disassemble import disassemble, disassemble_word
from popek_grammar.elaborate.reserved import Guards
from popek_grammar.machine import Machine, Span
from popek_grammar.text.diagnostics import Diagnostic, SpecError
from popek_grammar.text.reading import read_source


def read_text(path: str) -> str:
    """A text file, or standard input for `-`; complains as a bad specification does."""
    return sys.stdin.read() if path == "-" else read_source(path).text


def assembled(machine: Machine, text: str, name: str, origin: int, output: str | None) -> tuple[str | bytes, str | None]:
    """The listing, or with an output file the cells as bytes; and where they go."""
    program = assemble(machine, text, origin, "<stdin>" if name == "-" else name, Guards(machine))
    if output is None:
        return program.render(), None
    _, cells = program.image()
    size = (cell_width(machine) + 7) // 8
    order = "big" if machine.order == "big" else "little"
    return b"".join(int(cell).to_bytes(size, order) for cell in cells), output  # type: ignore[arg-type]


def disassembled(machine: Machine, image: str, origin: int) -> str:
    """The listing of a file's bytes, or of one hexadecimal word that names no file."""
    if image.lower().startswith("0x") and not Path(image).exists():
        return _word(machine, image, origin)
    try:
        data = sys.stdin.buffer.read() if image == "-" else Path(image).read_bytes()
    except OSError as error:
        where = Span(image, 1, 1, 1, 1)
        raise SpecError([Diagnostic("E0011", "error", f"cannot read {image}: {error.strerror}", where)]) from None
    return disassemble(machine, data, origin, Guards(machine)).render()


def _word(machine: Machine, text: str, origin: int) -> str:
    try:
        value = int(text, 16)
    except ValueError:
        where = Span(text, 1, 1, 1, 1)
        raise SpecError([Diagnostic("E0702", "error", f"{text} is not a hexadecimal word", where)]) from None
    widths = sorted({encoding.width for i in machine.instructions.values() for encoding in i.encodings})
    guards = Guards(machine)
    for width in (w for w in widths if value < 1 << w):
        found = disassemble_word(machine, value, width, origin, guards)
        if found is not None:
            return found
    return f"{text}: no instruction"
