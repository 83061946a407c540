"""What a machine is, as records that a page, a terminal or a JSON reader can show: `popek explain`.

Everything here is derived from the declarations. What needs the solver, the access to an instruction by mode, comes
in from outside as a mapping from mode names to `always`, `never` or `depends`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from popek_checker.explanation.access import Effects, by_role, instruction_effects, statement_effects
from popek_checker.explanation.explain_views import (
    BitField,
    EncodingView,
    FieldView,
    GuardView,
    InstructionView,
    MachineView,
    ProtectionView,
    RegisterView,
    SettingView,
    TranslationView,
    View,
)
from popek_checker.explanation.paging import translation_shape
from popek_grammar import machine as m
from popek_grammar.assembly.asmtemplate import instruction_template
from popek_grammar.assembly.words import operand_parts
from popek_grammar.text.diagnostics import Source, suggest


def as_json(view: View) -> dict[str, Any]:
    """The record as plain data."""
    return asdict(view)


# -- the machine -----------------------------------------------------------------------------------------------------


def explain_machine(machine: m.Machine) -> MachineView:
    """An overview: modes, state by role, instructions, traps."""
    widths = [encoding.width for each in machine.instructions.values() for encoding in each.encodings]
    ram = machine.arrays[machine.main_memory] if machine.main_memory else None
    return MachineView(
        machine.name, machine.config, machine.configs, machine.title, machine.manual, dict(machine.parameters),
        dict(machine.extensions), tuple(name for name, _ in machine.modes.members), machine.order, machine.parcel,
        f"{ram.name}: 2^{ram.index_width} cells of {ram.width} bits" if ram is not None else "none",
        len(machine.instructions), {width: widths.count(width) for width in sorted(set(widths))}, len(machine.csrs),
        by_role(machine, (*machine.scalars, *machine.arrays)),
        {stack.name: tuple(_saved(machine, stack)) for stack in machine.trap_stacks.values()},
        {cause.name: cause.code for cause in machine.causes.members}, tuple(machine.translations),
        tuple(machine.theorems),
    )  # fmt: skip


def _saved(machine: m.Machine, stack: m.TrapStack) -> Iterable[str]:
    for save in stack.saves:
        into = statement_effects(machine, (m.Assign(save.target, m.Literal(0, m.Bits(1)), save.span),)).writes
        source = statement_effects(machine, (m.Let("", save.source),)).reads
        yield f"{' @ '.join(source)} -> {' @ '.join(into)}"


# -- instructions ----------------------------------------------------------------------------------------------------


def explain_instruction(
    machine: m.Machine, name: str, access: Mapping[str, str] | None = None, sources: Mapping[str, str] | None = None
) -> InstructionView:
    """One instruction. `sources` gives file texts by name; without it the files are read from disk."""
    found = machine.instructions[_pick(name, machine.instructions, "instruction")]
    effects: Effects = instruction_effects(machine, found)
    return InstructionView(
        found.name, found.clause, found.doc, found.needs, found.over,
        tuple(encoding_view(machine, found, encoding) for encoding in found.encodings),
        _guards(machine, found.guards, sources), dict(access or {}), by_role(machine, effects.reads),
        by_role(machine, effects.writes), effects.accesses, effects.causes,
    )  # fmt: skip


def encoding_view(machine: m.Machine, instruction: m.Instruction, encoding: m.Encoding) -> EncodingView:
    """The bits of an encoding from the top: operand pieces, and fixed bits between them."""
    asm = instruction_template(instruction, encoding).text
    low_first = {part.operand for part in operand_parts(machine, encoding) if part.swap}
    widths = {operand.name: operand.width for operand in instruction.operands}
    fields: list[BitField] = []
    top = encoding.width
    for piece in sorted(encoding.pieces, key=lambda piece: -piece.at):
        end = piece.at + piece.hi - piece.lo + 1
        fields += _fixed(machine, encoding, top, end)
        whole = piece.lo == 0 and piece.hi + 1 == widths[piece.operand]
        bits = "" if whole else f"[{piece.hi}:{piece.lo}]" if piece.hi > piece.lo else f"[{piece.hi}]"
        note = " (low byte first)" if piece.operand in low_first else ""
        fields.append(BitField(end - 1, piece.at, f"{piece.operand}{bits}{note}", False))
        top = piece.at
    fields += _fixed(machine, encoding, top, 0)
    return EncodingView(encoding.width, tuple(fields), tuple(_alternatives(machine, encoding)), asm)


def _fixed(machine: m.Machine, encoding: m.Encoding, top: int, end: int) -> list[BitField]:
    """The fixed bits from below `top` down to `end`; in a byte stream a box for each byte."""
    cuts = [at for at in range(8, top, 8) if at > end] if machine.order == "stream" else []
    bounds = [top, *reversed(cuts), end] if top > end else []
    fields = []
    for above, below in pairwise(bounds):
        value = encoding.value >> below & ((1 << (above - below)) - 1)
        fields.append(BitField(above - 1, below, f"{value:0{above - below}b}", True))
    return fields


def _alternatives(machine: m.Machine, encoding: m.Encoding) -> Iterable[str]:
    for fragment, ordinal in encoding.choices:
        known = machine.fragments.get(fragment)
        yield f"{fragment} = {known.alternatives[ordinal].name if known is not None else ordinal}"


def _guards(machine: m.Machine, guards: tuple[m.Guard, ...], sources: Mapping[str, str] | None) -> tuple[GuardView, ...]:
    return tuple(GuardView(source_text(machine, guard.span, sources), guard.cause.name) for guard in guards)


def source_text(machine: m.Machine, span: m.Span, sources: Mapping[str, str] | None = None) -> str:
    """The text of a span on one line, empty when its file is not at hand."""
    text = sources.get(span.file) if sources is not None else _read(machine, span.file)
    if text is None:
        return ""
    source = Source(span.file, text)
    lines = [source.line(number) for number in range(span.line, span.end_line + 1)]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return " ".join(" ".join(lines).split())


def _read(machine: m.Machine, name: str) -> str | None:
    """A source file, as named or as one of the machine's files that ends so."""
    for path in (Path(name), *(Path(file) for file in machine.files if file.endswith(name))):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None


# -- registers -------------------------------------------------------------------------------------------------------


def explain_csr(machine: m.Machine, name: str, sources: Mapping[str, str] | None = None) -> RegisterView:
    """A CSR by name or by number."""
    by_number = {hex(number): csr for number, csr in machine.csrs.items()}
    known = {csr: csr for csr in machine.csrs.values()} | by_number
    return explain_register(machine, known[_pick(name.lower() if name[:2] == "0x" else name, known, "CSR")], sources)


def explain_register(machine: m.Machine, name: str, sources: Mapping[str, str] | None = None) -> RegisterView:
    """A register with fields, a register file, a memory or a variable."""
    names = [*machine.registers, *machine.arrays, *machine.scalars]
    name = _pick(name, names, "register")
    if name in machine.registers:
        return _fielded(machine, machine.registers[name], sources)
    if name in machine.arrays:
        array = machine.arrays[name]
        kind = "memory" if array.memory else "register file"
        zero = () if array.zero_at is None else (f"{array.name}[{array.zero_at}] reads zero",)
        notes = (*zero, *((f"named {' '.join(array.names)}",) if array.names else ()))
        count = 1 << array.index_width if array.memory else array.count
        return RegisterView(name, kind, array.width, count, None, "", array.doc, (), (), notes, array.role.value)
    scalar = machine.scalars[name]
    reset = () if scalar.reset is None else (f"reset {scalar.reset:#x}",)
    return RegisterView(name, "variable", scalar.width, 1, None, "", scalar.doc, (), (), reset, scalar.role.value)


def _fielded(machine: m.Machine, register: m.Register, sources: Mapping[str, str] | None) -> RegisterView:
    fields = sorted((_field(machine, register, field) for field in register.fields), key=lambda field: -field.hi)
    viewed = {f.state.split(".")[0] for f in register.fields if f.state and not f.state.startswith(f"{register.name}.")}
    viewed -= {register.name}
    notes = [f"a view of {name}" for name in sorted(viewed)]
    notes += ["reads are computed by its `read` clause"] if register.read is not None else []
    notes += ["writes go through its `write` clause"] if register.write is not None else []
    mode = machine.modes.name(register.min_mode) if register.min_mode is not None else ""
    return RegisterView(
        register.name, "csr" if register.address is not None else "register", register.width, register.count,
        register.address, mode, register.doc, tuple(fields), _guards(machine, register.guards, sources), tuple(notes),
    )  # fmt: skip


def _field(machine: m.Machine, register: m.Register, field: m.Field) -> FieldView:
    scalar = machine.scalars.get(field.state or "")
    reset = f"{scalar.reset:#x}" if scalar is not None and scalar.reset is not None else ""
    computed = " (computed)" if field.value is not None else ""
    return FieldView(
        field.name, field.hi, field.lo, field.kind.value + computed, field.role.value, _legal(machine, field), reset,
        field.state or "", field.doc,
    )  # fmt: skip


def _legal(machine: m.Machine, field: m.Field) -> str:
    if field.legal is None:
        return ""
    return ", ".join(str(low) if low == high else f"{low}..{high}" for low, high in field.legal)


# -- translations ----------------------------------------------------------------------------------------------------


def explain_translation(machine: m.Machine, name: str) -> TranslationView:
    """A translation: levels and field widths, the state it reads, what it raises."""
    found = machine.translations[_pick(name, machine.translations, "translation")]
    when = () if found.when is None else (m.Let("", found.when),)
    effects = statement_effects(machine, (*when, *found.body))
    modes = tuple(machine.modes.name(code) for code in found.modes)
    shape = translation_shape(machine, found)
    return TranslationView(name, modes, found.over or "", shape, by_role(machine, effects.reads), effects.causes)


def explain_protection(machine: m.Machine, name: str) -> ProtectionView:
    """A protection: the state it reads, what it raises."""
    found = machine.protections[_pick(name, machine.protections, "protection")]
    when = () if found.when is None else (m.Let("", found.when),)
    effects = statement_effects(machine, (*when, *found.body))
    return ProtectionView(name, by_role(machine, effects.reads), effects.causes)


# -- settings --------------------------------------------------------------------------------------------------------


def explain_settings(machine: m.Machine) -> tuple[SettingView, ...]:
    """The parameters and extensions of a machine, and what they are in its configuration."""
    parameters = (
        SettingView(name, "parameter", _number(value), _ranges(machine.choices.get(name, ())))
        for name, value in machine.parameters.items()
    )
    extensions = (SettingView(name, "extension", "yes" if on else "no", "") for name, on in machine.extensions.items())
    return (*parameters, *extensions)


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    return ", ".join(_number(low) if low == high else f"{_number(low)}..{_number(high)}" for low, high in ranges)


def _number(value: int) -> str:
    return str(value) if value < 1 << 16 else hex(value)


def _pick(name: str, known: Iterable[str], what: str) -> str:
    """The name itself; KeyError that says what was meant when there is none."""
    names = list(known)
    if name in names:
        return name
    written = name.replace(".", "_")
    if written in names:
        return written
    found = suggest(name, names)
    raise KeyError(f"no {what} is named `{name}`" + (f"; did you mean `{found}`?" if found else ""))
