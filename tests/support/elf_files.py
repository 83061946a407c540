"""Executables of the ELF format, as a linker makes them: a header, one segment, a table of symbols (System V ABI, 4 and 5)."""

from __future__ import annotations

import struct
from collections.abc import Mapping


def executable(bits: int, machine: int, place: int, content: bytes, symbols: Mapping[str, int], empty: int = 0) -> bytes:
    """Little-endian, started at its first byte. `empty` bytes of zeros follow the content in memory."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in symbols)
    sections = b"\0.symtab\0.strtab\0.shstrtab\0"
    word = "Q" if bits == 64 else "I"
    header = struct.calcsize(f"<16sHHI{word * 3}IHHHHHH")
    programs = struct.calcsize(f"<II{word * 6}" if bits == 64 else "<8I")
    start = 0x1000
    table = b"".join([_symbol(bits, 0, 0, 0), *(_symbol(bits, at, value, 0xFFF1) for at, value in _places(symbols))])
    at_table = start + len(content)
    at_names = at_table + len(table)
    at_sections = at_names + len(names)
    at_headers = at_sections + len(sections) + 7 & -8
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    sizes = (header, programs, 1, struct.calcsize(f"<II{word * 4}II{word * 2}"), 4, 3)
    front = struct.pack(f"<16sHHI{word * 3}IHHHHHH", ident, 2, machine, 1, place, header, at_headers, 0, *sizes)
    memory = (len(content), len(content) + empty)
    if bits == 64:
        front += struct.pack("<IIQQQQQQ", 1, 7, start, place, place, *memory, 0x1000)
    else:
        front += struct.pack("<8I", 1, start, place, place, *memory, 7, 0x1000)
    body = (front.ljust(start, b"\0") + content + table + names + sections).ljust(at_headers, b"\0")
    entry = f"<II{word * 4}II{word * 2}"
    body += bytes(struct.calcsize(entry))
    body += struct.pack(entry, 1, 2, 0, 0, at_table, len(table), 2, 1, 8, len(_symbol(bits, 0, 0, 0)))
    body += struct.pack(entry, 9, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    return body + struct.pack(entry, 17, 3, 0, 0, at_sections, len(sections), 0, 0, 1, 0)


def _places(symbols: Mapping[str, int]) -> list[tuple[int, int]]:
    """The name's place and the value of each symbol."""
    found, at = [], 1
    for name, value in symbols.items():
        found.append((at, value))
        at += len(name) + 1
    return found


def _symbol(bits: int, name: int, value: int, section: int) -> bytes:
    """A global one of eight bytes without a type; section 0xFFF1 is an absolute value."""
    if bits == 64:
        return struct.pack("<IBBHQQ", name, 0x10 if section else 0, 0, section, value, 8 if section else 0)
    return struct.pack("<IIIBBH", name, value, 8 if section else 0, 0x10 if section else 0, 0, section)
