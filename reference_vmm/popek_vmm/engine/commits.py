"""How generated code makes all of an outcome's writes at once."""

from __future__ import annotations

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import Write
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.effects import Effects
from popek_vmm.engine.frame import Frame
from popek_vmm.engine.lowering import type_of
from popek_vmm.engine.shape import FLAG_TABLE
from popek_vmm.engine.wide import WideWrite


def commit(frame: Frame, done: Effects) -> str | None:
    """Makes all writes at once; what they have touched (an i8 of `TOUCHED_..`), if memory was written."""
    emit = frame.emit
    emit.all([*done.scalars.values(), done.pc])
    emit.all([part for ws in done.arrays.values() for w in ws for part in (w.guard, w.index, w.value)])
    emit.all([part for w in done.memory for part in (w.guard, w.index, w.value)])
    places = [_checked_place(frame, write) for write in done.memory]
    if done.follows:
        _leave_tables(frame, [(write.cells, *place) for write, place in zip(done.memory, places, strict=True)])
    changed = _changed(frame, done)
    for name, writes in done.arrays.items():
        for write in writes:
            _write_element(frame, name, write)
    for name, value in done.scalars.items():
        if name in frame.plan.clocks:
            _write_clock(frame, name, value)
        else:
            frame.write(name, emit.term(value))
    if changed is not None:
        old = frame.read("%dirty")
        frame.control("dirty", emit.value(f"or i8 {old}, {emit.resized(changed, 1, 8)}"))
    touched: str | None = None
    for wide, place in zip(done.memory, places, strict=True):
        found = _write_memory(frame, wide, *place)
        touched = found if touched is None else emit.value(f"or i8 {touched}, {found}")
    return touched


def _write_clock(frame: Frame, name: str, value: Term) -> None:
    """A clock that is set shows that value in the next step; one that keeps its value goes on."""
    emit = frame.emit
    same = emit.value(f"icmp eq i64 {emit.term(value)}, {emit.term(t.var(name, value.width))}")
    left = emit.value("sub i64 %n, 1")
    slot = emit.value(f"add i64 {emit.term(value)}, {left}")
    frame.write(name, emit.value(f"select i1 {same}, i64 {frame.read(name)}, i64 {slot}"))


def _changed(frame: Frame, done: Effects) -> str | None:
    """Whether state that translations depend on takes another value; None if it is not written."""
    emit, result = frame.emit, None
    for name, value in done.scalars.items():
        if name in frame.plan.mapping:
            kind = type_of(value.width)
            differs = emit.value(f"icmp ne {kind} {emit.term(t.var(name, value.width))}, {emit.term(value)}")
            result = differs if result is None else emit.value(f"or i1 {result}, {differs}")
    if any(name in frame.plan.mapping for name in done.arrays):
        return "true"
    return result


def _write_element(frame: Frame, name: str, write: Write) -> None:
    """An element's new value. What must not be written goes to the element past the last one."""
    emit = frame.emit
    index = emit.resized(emit.term(write.index), write.index.width, 64)
    if write.guard is not t.TRUE:
        index = emit.value(
            f"select i1 {emit.term(write.guard)}, i64 {index}, i64 {1 << frame.plan.machine.arrays[name].index_width}"
        )
    frame.write(name, emit.term(write.value), index)


def _checked_place(frame: Frame, write: WideWrite) -> tuple[str, str]:
    """Where a write goes (an i64) and whether it is to be made; one outside guest memory is left to the oracle."""
    emit = frame.emit
    place = emit.resized(emit.term(write.index), write.index.width, 64)
    good = frame.valid(write.index, place, write.cells)
    guard = emit.term(write.guard)
    outside = emit.value(f"and i1 {guard}, {emit.value(f'xor i1 {good}, true')}")
    frame.refuse(outside)
    return place, emit.value(f"and i1 {guard}, {good}")


def _leave_tables(frame: Frame, writes: list[tuple[int, str, str]]) -> None:
    """Leaves the step to the oracle if any write (cells, place, whether made) may change a translation that is in the TLB."""
    emit = frame.emit
    for cells, place, made in writes:
        flag = _flags(frame, cells, place, made)
        frame.refuse(emit.value(f"icmp ne i8 {emit.value(f'and i8 {flag}, {FLAG_TABLE}')}, 0"))


def _write_memory(frame: Frame, write: WideWrite, place: str, made: str) -> str:
    """Stores cells. Granules that hold code, tables or watched cells are looked after out of line."""
    emit, plan = frame.emit, frame.plan
    bits = 8 * plan.cell_bytes * write.cells
    value = emit.resized(emit.term(write.value), write.value.width, bits)
    if plan.memory.big_endian and write.cells > 1:
        value = frame.swapped(value, bits)
    at = emit.value(f"select i1 {made}, ptr {frame.host(place)}, ptr {frame.pointer('%sink')}")
    emit.line(f"store i{bits} {value}, ptr {at}, align 1")
    flag = _flags(frame, write.cells, place, made)
    special = emit.value(f"icmp ne i8 {flag}, 0")
    here, touched, on = emit.label("store"), emit.label("touched"), emit.label("on")
    emit.line(f"br label %{here}")
    emit.begin(here)
    emit.branch(special, touched, on, unlikely=True)
    emit.begin(touched)
    told = emit.value(f"call preserve_mostcc i8 @touched(ptr %s, i64 {place}, i64 {write.cells})")
    emit.line(f"br label %{on}")
    emit.begin(on)
    return emit.value(f"phi i8 [ 0, %{here} ], [ {told}, %{touched} ]")


def _flags(frame: Frame, cells: int, place: str, made: str) -> str:
    """What is flagged of the granules that a write is to."""
    flag = _flag(frame, place, made)
    if cells == 1:
        return flag
    last = frame.emit.value(f"add i64 {place}, {cells - 1}")
    return frame.emit.value(f"or i8 {flag}, {_flag(frame, last, made)}")


def _flag(frame: Frame, place: str, made: str) -> str:
    emit = frame.emit
    granule = emit.value(f"lshr i64 {place}, {frame.plan.granule}")
    where = emit.value(f"add i64 {granule}, {frame.read('%flags')}")
    at = emit.value(f"inttoptr i64 {where} to ptr")
    safe = emit.value(f"select i1 {made}, ptr {at}, ptr {frame.pointer('%zeros')}")
    return emit.value(f"load i8, ptr {safe}")
