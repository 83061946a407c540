"""Programs to load: ELF executables, and flat files of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from popek_grammar.machine import Machine
from popek_vmm.engine.layout import memory_region


class BadImage(Exception):
    """A file that cannot be loaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """What to put where (bytes at physical addresses), where to start, and the symbols there are."""

    pieces: tuple[tuple[int, bytes], ...]
    entry: int | None
    symbols: Mapping[str, int]


def _fits(file: Any, machine: Machine) -> None:
    """Refuses what a machine cannot run at all."""
    from elftools.elf.descriptions import describe_e_machine
    from elftools.elf.enums import ENUM_E_MACHINE

    memory, bits = machine.arrays[machine.main_memory or ""], machine.scalars[machine.pc].width
    found = file.header["e_machine"]
    if memory.width != 8:
        raise BadImage(f"an ELF file, which is for memories of bytes; a cell of {machine.name} has {memory.width} bits")
    if machine.elf is not None and ENUM_E_MACHINE.get(found, found) != machine.elf:
        raise BadImage(f"an ELF file for another machine: {describe_e_machine(found)}")
    if file.elfclass > max(bits, 32):
        raise BadImage(f"an ELF file of {file.elfclass} bits, and addresses of {machine.name} have {bits}")
    if file.little_endian == memory.big_endian:
        raise BadImage("an ELF file whose bytes are in the other order")


def flat(data: bytes, origin: int) -> Image:
    """A file without a header, loaded at `origin`, where it also starts."""
    return Image(((origin, data),), origin, {})


def is_elf(data: bytes) -> bool:
    return data[:4] == b"\x7fELF"


def elf(data: bytes, machine: Machine) -> Image:
    """An executable for a machine. Raises BadImage for a damaged one, or one that is for another machine."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        file = ELFFile(BytesIO(data))
        _fits(file, machine)
        if file.header["e_type"] != "ET_EXEC":
            raise BadImage("not an executable: it has no fixed addresses")
        pieces, room = [], memory_region(machine)[1]
        for segment in file.iter_segments():
            if segment["p_type"] == "PT_LOAD":
                content = segment.data()
                if len(content) != segment["p_filesz"]:
                    raise BadImage("a segment lies outside the file")
                if segment["p_memsz"] > room:
                    raise BadImage(f"a segment of {segment['p_memsz']} bytes, and the memory has {room}")
                pieces.append((int(segment["p_paddr"]), content.ljust(segment["p_memsz"], b"\0")))
        tables = [section for section in file.iter_sections() if isinstance(section, SymbolTableSection)]
        symbols = {symbol.name: int(symbol["st_value"]) for table in tables for symbol in table.iter_symbols()}
        return Image(tuple(pieces), int(file.header["e_entry"]), symbols)
    except BadImage:
        raise
    except (ELFError, ValueError, KeyError, AttributeError, TypeError, OverflowError, UnicodeError, MemoryError) as error:
        raise BadImage(f"a damaged ELF file: {error}") from None
