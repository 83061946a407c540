"""The parts of the generated loop that every machine has: entry and exits, settling, interrupts, lookups."""

from __future__ import annotations

from collections.abc import Iterator

from popek_grammar.meaning import terms as t
from popek_vmm.engine.accesses import KINDS
from popek_vmm.engine.frame import Frame
from popek_vmm.engine.invalidation import flush, touched
from popek_vmm.engine.lowering import type_of
from popek_vmm.engine.plan import Plan
from popek_vmm.engine.shape import LEFT_BUDGET, LEFT_DECODE, LEFT_DEVICE, LEFT_SLOW, LEFT_WATCH


def loop(plan: Plan) -> Iterator[tuple[str, str]]:
    """The name and text of all these functions but those of misses."""
    made = {
        "run": _run,
        "flush": flush,
        "touched": touched,
        "settle": _settle,
        "check": _check,
        "resume": _resume,
        "unknown": _unknown,
    }
    yield from ((name, make(plan)) for name, make in made.items())
    reasons = {"watch": LEFT_WATCH, "slow": LEFT_SLOW, "decode": LEFT_DECODE, "device": LEFT_DEVICE}
    for reason, code in reasons.items():
        yield f"left.{reason}", _leave(plan, f"left.{reason}", code)
    yield "left.budget", _leave_budget(plan)


def _run(plan: Plan) -> str:
    """What the host calls: takes pc and the budget from the state."""
    kind = type_of(plan.pc.width)
    frame = Frame(plan, "run")
    pc = frame.read(plan.machine.pc)
    left, bias = frame.read("%left"), frame.read("%bias")
    frame.emit.line(f"call void @settle(ptr %s, ptr null, {kind} {pc}, i64 {left}, i64 {bias})")
    frame.emit.line("ret void")
    body = "\n".join(frame.emit.lines)
    return f"define void @run(ptr noalias %s) {{\n{body}\n}}\n"


def _leave(plan: Plan, name: str, code: int) -> str:
    """Stores pc and what is left of the budget, and returns to the host."""
    frame = Frame(plan, name)
    oneshot = frame.emit.value(f"icmp ne i64 {frame.read('%oneshot')}, 0")
    held = frame.emit.value(f"sub i64 {frame.read('%oneshot_left')}, 1")
    held = frame.emit.value(f"select i1 {oneshot}, i64 {held}, i64 0")
    left = frame.emit.value(f"add i64 {held}, %n")
    frame.shift_clocks(held)
    _forget_oneshot(frame, oneshot)
    frame.control("left", left)
    frame.control("exit", code)
    frame.write(plan.machine.pc, "%pc")
    frame.emit.line("ret void")
    return frame.text()


def _forget_oneshot(frame: Frame, active: str) -> None:
    """Clears the TLB entry that was meant for one instruction."""
    emit = frame.emit
    at = emit.value(f"inttoptr i64 {frame.read('%oneshot')} to ptr")
    safe = emit.value(f"select i1 {active}, ptr {at}, ptr {frame.pointer('%sink')}")
    emit.line(f"store i64 -1, ptr {safe}")
    frame.control("oneshot", 0)


def _leave_budget(plan: Plan) -> str:
    """The budget is used up; that of a single instruction only gives the rest back."""
    frame = Frame(plan, "left.budget")
    emit = frame.emit
    oneshot = emit.value(f"icmp ne i64 {frame.read('%oneshot')}, 0")
    on, end = emit.label("on"), emit.label("end")
    emit.branch(oneshot, on, end)
    emit.begin(on)
    left = emit.value(f"sub i64 {frame.read('%oneshot_left')}, 1")
    frame.shift_clocks(left)
    _forget_oneshot(frame, "true")
    frame.go("settle", left=left)
    emit.begin(end)
    frame.control("left", "%n")
    frame.control("exit", LEFT_BUDGET)
    frame.write(plan.machine.pc, "%pc")
    emit.line("ret void")
    return frame.text()


def _settle(plan: Plan) -> str:
    """After state was written that the TLB, its banks or interrupts depend on."""
    frame = Frame(plan, "settle")
    emit = frame.emit
    dirty = emit.value(f"icmp ne i8 {frame.read('%dirty')}, 0")
    empty, on = emit.label("empty"), emit.label("on")
    emit.branch(dirty, empty, on, unlikely=True)
    emit.begin(empty)
    emit.line("call void @flush(ptr %s)")
    frame.control("dirty", 0)
    emit.line(f"br label %{on}")
    emit.begin(on)
    for ordinal, kind in enumerate(KINDS):
        acting = plan.usual[kind]
        bank = frame.bank(kind, emit.resized(emit.term(acting), acting.width, 64))
        frame.write("%banks", emit.value(f"ptrtoint ptr {bank} to i64"), str(ordinal))
    frame.go("check")
    return frame.text()


def _check(plan: Plan) -> str:
    """Takes an interrupt if one is deliverable, which counts as a step; else goes on at pc."""
    frame = Frame(plan, "check")
    emit = frame.emit
    stop, on = emit.label("stop"), emit.label("on")
    emit.branch(emit.value("icmp eq i64 %n, 0"), stop, on, unlikely=True)
    emit.begin(stop)
    frame.go("left.budget")
    emit.begin(on)
    if plan.interrupts:
        take, resume = emit.label("take"), emit.label("resume")
        emit.branch(emit.term(t.or_(*(condition for condition, _ in plan.interrupts))), take, resume, unlikely=True)
        emit.begin(take)
        for number in range(len(plan.machine.causes.payload)):
            frame.write("%payload", "0", str(number))
        frame.control("next_pc", emit.resized("%pc", plan.pc.width, 64))
        for condition, name in plan.interrupts:
            taken, other = emit.label("taken"), emit.label("other")
            emit.branch(emit.term(condition), taken, other)
            emit.begin(taken)
            frame.go(f"trap.{name}")
            emit.begin(other)
        frame.go("left.slow")
        emit.begin(resume)
    frame.go("resume")
    return frame.text()


def _resume(plan: Plan) -> str:
    """Finds the entry of the instruction at pc, by the TLB for fetches."""
    frame = Frame(plan, "resume")
    emit, pc = frame.emit, plan.pc
    stop, on = emit.label("stop"), emit.label("on")
    emit.branch(emit.value("icmp eq i64 %n, 0"), stop, on, unlikely=True)
    emit.begin(stop)
    frame.go("left.budget")
    emit.begin(on)
    wide = emit.resized("%pc", pc.width, 64)
    if plan.parcel_cells > 1:
        low = emit.value(f"and i64 {wide}, {plan.parcel_cells - 1}")
        frame.refuse(emit.value(f"icmp ne i64 {low}, 0"))
    place, missed = frame.probe("fetch", "%pc", pc.width, plan.parcel_cells, None)
    miss, hit = emit.label("miss"), emit.label("hit")
    emit.branch(missed, miss, hit, unlikely=True)
    emit.begin(miss)
    acting = plan.usual["fetch"]
    frame.control("va", wide)
    frame.control("size", plan.parcel_cells)
    frame.control("acting", emit.resized(emit.term(acting), acting.width, 64))
    frame.control("single", 0)
    frame.control("next_pc", wide)
    frame.go("miss.fetch")
    emit.begin(hit)
    where = emit.resized(place, plan.memory.index_width, 64)
    entry = _entry(frame, where)
    handler = emit.value(f"load ptr, ptr {entry}")
    unknown, known = emit.label("unknown"), emit.label("known")
    none = [emit.value(f"icmp eq ptr {handler}, {what}") for what in ("null", "@unknown")]
    emit.branch(emit.value(f"or i1 {none[0]}, {none[1]}"), unknown, known, unlikely=True)
    emit.begin(unknown)
    frame.control("place", where)
    frame.go("left.decode")
    emit.begin(known)
    frame.go(handler, entry=entry)
    return frame.text()


def _unknown(plan: Plan) -> str:
    """The function of an entry that is not decoded."""
    frame = Frame(plan, "unknown")
    frame.go("resume")
    return frame.text()


def _entry(frame: Frame, place: str) -> str:
    """The entry of a parcel in guest memory."""
    emit, plan = frame.emit, frame.plan
    offset = emit.value(f"sub i64 {place}, {frame.read('%ram_low')}")
    page = emit.value(f"lshr i64 {offset}, {plan.page}")
    inner = emit.value(f"and i64 {offset}, {(1 << plan.page) - 1}")
    slot = emit.value(f"lshr i64 {inner}, {plan.parcel_cells.bit_length() - 1}")
    first = emit.value(f"mul i64 {page}, {plan.page_slots}")
    number = emit.value(f"add i64 {first}, {slot}")
    bytes_ = emit.value(f"mul i64 {number}, {plan.entry_bytes}")
    base = emit.value(f"inttoptr i64 {frame.read('%entries')} to ptr")
    return emit.value(f"getelementptr i8, ptr {base}, i64 {bytes_}")
