"""The records of `explain.py` as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from popek_checker.explanation.explain_views import (
    CausesView,
    EncodingView,
    Ending,
    FieldView,
    GuardView,
    InstructionView,
    MachineView,
    RegisterView,
    Roles,
    TranslationView,
    View,
)
from popek_checker.explanation.paging import Shape

SHOWN = 8
"""Encodings drawn, or CSRs named, before the rest are only counted."""
FEW = 3
"""Pieces of state named that decide between two ends."""


def as_text(view: View) -> str:
    """A record for a terminal."""
    match view:
        case InstructionView():
            lines = _instruction(view)
        case RegisterView():
            lines = _register(view)
        case TranslationView():
            lines = _translation(view)
        case MachineView():
            lines = _machine(view)
        case CausesView():
            lines = _causes(view)
        case _:
            assert_never(view)
    return "\n".join(line.rstrip() for line in lines)


def _instruction(view: InstructionView) -> list[str]:
    family = f" (of {view.clause})" if view.clause != view.name else ""
    lines = [f"instruction {view.name}{family}", *_doc(view.doc)]
    lines += [f"  needs {', '.join(view.needs)}"] if view.needs else []
    lines += [f"  lies inside {', '.join(view.over)}"] if view.over else []
    for encoding in view.encodings[:SHOWN]:
        named = f"    ({', '.join(encoding.alternatives)})" if encoding.alternatives else ""
        lines += ["", f"  {encoding.asm}{named}", *(f"  {line}" for line in bit_table(encoding))]
    rest = len(view.encodings) - SHOWN
    lines += [f"  and {rest} encodings more"] if rest > 0 else []
    lines += ["", *_guards(view.guards)] if view.guards else [""]
    lines += [f"  access   {'  '.join(f'{mode}: {how}' for mode, how in view.access.items())}"] if view.access else []
    lines += [*_roles("reads", view.reads), *_roles("writes", view.writes)]
    lines += [f"  memory   {', '.join(view.memory)}"] if view.memory else []
    lines += [f"  raises   {', '.join(view.causes)}"] if view.causes else []
    return lines


def bit_table(encoding: EncodingView) -> list[str]:
    """A row of boxes with bit numbers above and widths below."""
    above, boxes, below = [], [], []
    for field in encoding.fields:
        numbers = str(field.hi) if field.hi == field.lo else f"{field.hi} {field.lo}"
        width = max(len(field.text), len(numbers)) + 2
        gap = width - 2 - len(str(field.hi)) - len(str(field.lo))
        spread = str(field.hi) if field.hi == field.lo else f"{field.hi}{' ' * gap}{field.lo}"
        above.append(f" {spread:^{width - 2}} ")
        boxes.append(f"{field.text:^{width}}")
        below.append(f"{field.hi - field.lo + 1:^{width}}")
    rule = "+" + "+".join("-" * len(box) for box in boxes) + "+"
    return [" " + " ".join(above), rule, "|" + "|".join(boxes) + "|", rule, " " + " ".join(below)]


def _register(view: RegisterView) -> list[str]:
    at = f" at {view.address:#x}" if view.address is not None else ""
    many = f" [{view.count}]" if view.count > 1 else ""
    mode = f", from mode {view.min_mode} up" if view.min_mode else ""
    lines = [f"{view.kind} {view.name}{many}{at}: {view.width} bits{mode}", *_doc(view.doc)]
    lines += [f"  role {view.role}"] if view.role else []
    lines += [f"  {note}" for note in view.notes]
    if view.fields:
        lines += ["", *_columns([("bits", "field", "access", "role", "legal", "reset", ""), *map(_field, view.fields)])]
    return [*lines, *(["", *_guards(view.guards)] if view.guards else [])]


def _field(field: FieldView) -> tuple[str, ...]:
    bits = str(field.hi) if field.hi == field.lo else f"{field.hi}:{field.lo}"
    return bits, field.name, field.access, field.role, field.legal, field.reset, field.doc


def _translation(view: TranslationView) -> list[str]:
    modes = f" for {', '.join(view.modes)}" if view.modes else ""
    over = f" over {view.over}" if view.over else ""
    lines = [f"translation {view.name}{modes}{over}", *_shape(view.shape), ""]
    lines += [*_roles("reads", view.reads)]
    return [*lines, f"  raises   {', '.join(view.causes)}"] if view.causes else lines


def _shape(shape: Shape) -> list[str]:
    lines = [f"  address  {shape.va_bits} bits = [ {' | '.join(map(str, shape.widths))} ]"]
    if shape.page_bits:
        lines.append(f"  page     2^{shape.page_bits} = {1 << shape.page_bits}")
    if shape.levels:
        source = "by page and entry size" if shape.derived else "by the walk"
        entry = f", entries of {shape.entry_bits} bits" if shape.entry_bits is not None else ""
        lines.append(f"  levels   {len(shape.levels)}, {source}{entry}")
        for level in shape.levels:
            bits = f"bits {level.hi}..{level.lo}"
            lines.append(f"    level {level.number}: {bits}, {level.entries} entries, each for 2^{level.lo}")
    if shape.segments is not None:
        at = shape.segments
        lines.append(f"  selector bits {at.hi}..{at.lo}: {at.count} segments of at most 2^{at.lo} = {at.largest}")
    return [*lines, *(f"  note     {note}" for note in shape.notes)]


def _machine(view: MachineView) -> list[str]:
    on = [name for name, enabled in view.extensions.items() if enabled]
    widths = ", ".join(f"{count} of {width} bits" for width, count in view.encodings.items())
    lines = [f"machine {view.name}, configuration {view.config}" + (f": {view.title}" if view.title else "")]
    settings = ", ".join(f"{name} = {value}" for name, value in view.parameters.items())
    lines += [f"  parameters   {settings}"] if settings else []
    lines += [f"  extensions   {', '.join(on)}"] if on else []
    lines += [f"  modes        {' < '.join(view.modes)}"] if view.modes else []
    lines += [f"  encoding     {view.order}, parcels of {view.parcel} bits", f"  memory       {view.memory}"]
    lines += [f"  instructions {view.instructions}; encodings: {widths}", f"  CSRs         {view.csrs}"]
    lines += [f"  traps        {len(view.causes)} causes"]
    lines += [f"    {name}: saves {', '.join(saved) or 'nothing'}" for name, saved in view.trap_stacks.items()]
    lines += [f"  translation  {', '.join(view.translations)}"] if view.translations else []
    lines += [f"  theorems     {', '.join(view.theorems)}"] if view.theorems else []
    return [*lines, *_roles("state", view.state)]


def _causes(view: CausesView) -> list[str]:
    parts = f" with {', '.join(view.parts[:SHOWN])}" if view.parts else ""
    more = f" and {len(view.parts) - SHOWN} more" if len(view.parts) > SHOWN else ""
    lines = [f"causes of {view.instruction}{parts}{more}, the first that applies"]
    rows = [(", ".join(row.modes) or "any", " and ".join(row.setting) or "any", _ends(row.endings)) for row in view.rows]
    return [*lines, *_columns([("mode", "setting", "ends"), *rows])]


def _ends(endings: Sequence[Ending]) -> str:
    """`illegal_instruction by rs1, else completes`."""
    told = []
    for number, ending in enumerate(endings, 1):
        last = number == len(endings)
        names = [name for name in ending.by if name != "the access"]
        by = "" if last or not names else f" by {', '.join(names[:FEW])}{' ..' if len(names) > FEW else ''}"
        told.append(f"{ending.cause or 'completes'}{by}{'' if ending.sure else ' (not decided)'}")
    return ", else ".join(told)


# -- pieces ----------------------------------------------------------------------------------------------------------


def _doc(doc: str) -> list[str]:
    return [f"  {line}" for line in doc.splitlines()]


def _guards(guards: Iterable[GuardView]) -> list[str]:
    return [f"  guard {n}  {guard.text or f'(else {guard.cause})'}" for n, guard in enumerate(guards, 1)]


def _roles(title: str, roles: Roles, limit: int = 12) -> list[str]:
    lines = []
    for role, names in roles.items():
        more = f", and {len(names) - limit} more" if len(names) > limit else ""
        lines.append(f"  {title:8} {role:8} {', '.join(names[:limit])}{more}")
        title = ""
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
