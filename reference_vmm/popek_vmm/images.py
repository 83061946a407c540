"""Programs to load: ELF executables, and flat files of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO


class BadImage(Exception):
    """A file that cannot be loaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """What to put where (bytes at physical addresses), where to start, and the symbols there are."""

    pieces: tuple[tuple[int, bytes], ...]
    entry: int | None
    symbols: Mapping[str, int]


def flat(data: bytes, origin: int) -> Image:
    """A file without a header, loaded at `origin`, where it also starts."""
    return Image(((origin, data),), origin, {})


def is_elf(data: bytes) -> bool:
    return data[:4] == b"\x7fELF"


def elf(data: bytes, bits: int) -> Image:
    """An executable for addresses of `bits` bits. Raises BadImage for a damaged one or one for another width."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        file = ELFFile(BytesIO(data))
        if file.elfclass > max(bits, 32):
            raise BadImage(f"an ELF file of {file.elfclass} bits, and addresses have {bits}")
        if file.header["e_type"] != "ET_EXEC":
            raise BadImage("not an executable: it has no fixed addresses")
        pieces = []
        for segment in file.iter_segments():
            if segment["p_type"] == "PT_LOAD":
                content = segment.data()
                if len(content) != segment["p_filesz"] or segment["p_memsz"] > 1 << 32:
                    raise BadImage("a segment lies outside the file")
                pieces.append((int(segment["p_paddr"]), content.ljust(segment["p_memsz"], b"\0")))
        tables = [section for section in file.iter_sections() if isinstance(section, SymbolTableSection)]
        symbols = {symbol.name: int(symbol["st_value"]) for table in tables for symbol in table.iter_symbols()}
        return Image(tuple(pieces), int(file.header["e_entry"]), symbols)
    except BadImage:
        raise
    except (ELFError, ValueError, KeyError, AttributeError, TypeError, OverflowError, UnicodeError, MemoryError) as error:
        raise BadImage(f"a damaged ELF file: {error}") from None
