"""What a TLB miss goes to: the machine's own translation and protection, then a filled entry, a trap, or the oracle."""

from __future__ import annotations

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.outcome import TrapCase
from popek_vmm.engine.accesses import Reach, address_width
from popek_vmm.engine.frame import Frame
from popek_vmm.engine.functions import raise_one
from popek_vmm.engine.plan import Plan
from popek_vmm.engine.shape import FLAG_TABLE

MOST_RETRIES = 6
"""Misses of one instruction after which its accesses are taken to evict each other."""

CHUNK = 100
"""Nodes of a block in these functions, which are compiled fast rather than well."""


def miss(plan: Plan, each: Reach) -> str:
    """Translates and protects as the machine says; fills the TLB and starts the instruction again, or traps."""
    frame = Frame(plan, f"miss.{each.kind}", chunk=CHUNK)
    emit = frame.emit
    width = address_width(plan.machine)
    va = t.var("%va", width)
    _give_up(frame, va)
    for needed in (*each.outcome.assumptions, each.unchanged):
        if needed is not t.TRUE:
            frame.refuse(emit.term(t.not_(needed)))
    for trap in _by_cause(each):
        hit, on = emit.label("trap"), emit.label("on")
        emit.branch(emit.term(trap.condition), hit, on, unlikely=True)
        emit.begin(hit)
        outer = dict(emit.known)
        raise_one(frame, trap, t.var("%next_pc", 64))
        emit.known = outer
        emit.begin(on)
    place = emit.resized(emit.term(each.place), plan.memory.index_width, 64)
    at = emit.resized(emit.term(va), width, 64)
    _state_in_memory(frame, place)
    whole = _whole_page(frame, each, at)
    _outside(frame, each.kind, at, place)
    for table in each.tables:
        _mark_table(frame, emit.term(table.condition), emit.resized(emit.term(table.place), table.place.width, 64), table.cells)
    _fill(frame, each.kind, at, place, whole)
    if each.kind == "fetch":
        frame.go("resume")
    else:
        frame.go(emit.value("load ptr, ptr %e"))
    return frame.text()


def _by_cause(each: Reach) -> list[TrapCase]:
    """The traps of a translation, which exclude each other, those of one cause and payload together."""
    found: dict[tuple[str, tuple[t.Term, ...]], list[t.Term]] = {}
    for trap in each.outcome.traps:
        found.setdefault((trap.cause, trap.payload), []).append(trap.condition)
    return [TrapCase(t.or_(*conditions), cause, payload, True) for (cause, payload), conditions in found.items()]


def _outside(frame: Frame, kind: str, va: str, place: str) -> None:
    """An access that is not in guest memory: that of an instruction with no other one may be a device's, which the host
    has carried out; anything else is the oracle's."""
    emit = frame.emit
    ends = [frame.inside(end, 1) for end in (place, emit.value(f"add i64 {place}, {_size_less_one(frame)}"))]
    if kind in ("load", "store"):
        device, on = emit.label("device"), emit.label("on")
        either = emit.value(f"or i1 {ends[0]}, {ends[1]}")
        alone = emit.value(f"icmp ne i8 {frame.read('%single')}, 0")
        emit.branch(emit.value(f"and i1 {alone}, {emit.value(f'xor i1 {either}, true')}"), device, on, unlikely=True)
        emit.begin(device)
        frame.control("place", place)
        frame.control("store", int(kind == "store"))
        entry = frame.tlb_entry(kind, frame.page_number(va, 64), frame.read("%acting"))
        frame.control("tlb_entry", emit.value(f"ptrtoint ptr {entry} to i64"))
        frame.go("left.device")
        emit.begin(on)
    frame.refuse(emit.value(f"xor i1 {emit.value(f'and i1 {ends[0]}, {ends[1]}')}, true"))


def _state_in_memory(frame: Frame, place: str) -> None:
    """A page in which state lies is the oracle's, which knows what it finds there."""
    emit, plan = frame.emit, frame.plan
    page = emit.value(f"lshr i64 {place}, {plan.page}")
    pages = {
        at >> plan.page
        for mapped in plan.machine.mapped
        if mapped.array == plan.memory.name
        for at in (mapped.at, mapped.at + mapped.place.width // plan.memory.width - 1)
    }
    for number in sorted(pages):
        frame.refuse(emit.value(f"icmp eq i64 {page}, {number}"))


def _give_up(frame: Frame, va: t.Term) -> None:
    """Not for us: an access across pages, one that misses again and again, and a miss within a single step for another."""
    emit, plan = frame.emit, frame.plan
    at = emit.resized(emit.term(va), va.width, 64)
    size = emit.resized(emit.term(t.var("%size", 32)), 32, 64)
    last = emit.value(f"sub i64 {emit.value(f'add i64 {at}, {size}')}, 1")
    differs = emit.value(f"xor i64 {at}, {last}")
    crosses = emit.value(f"icmp ugt i64 {differs}, {(1 << plan.page) - 1}")
    again = emit.value(f"icmp eq i64 {frame.read('%retry')}, %n")
    tries = emit.value(f"add i32 {frame.read('%retries')}, 1")
    tries = emit.value(f"select i1 {again}, i32 {tries}, i32 0")
    frame.control("retry", "%n")
    frame.control("retries", tries)
    often = emit.value(f"icmp ugt i32 {tries}, {MOST_RETRIES}")
    nested = emit.value(f"icmp ne i64 {frame.read('%oneshot')}, 0")
    frame.refuse(emit.value(f"or i1 {crosses}, {emit.value(f'or i1 {often}, {nested}')}"))


def _whole_page(frame: Frame, each: Reach, va: str) -> str:
    """Whether any access of this kind to this page is allowed, and lies in guest memory at the same distance."""
    emit, found = frame.emit, frame.plan.wholes[each.kind]
    if found.allowed is t.FALSE:
        return "false"
    allowed = emit.term(found.allowed)
    ends = [frame.inside(emit.resized(emit.term(end), end.width, 64), 1) for end in (found.first, found.last)]
    allowed = emit.value(f"and i1 {allowed}, {emit.value(f'and i1 {ends[0]}, {ends[1]}')}")
    if not found.aligned:
        return allowed
    inside = emit.value(f"and i64 {va}, {_size_less_one(frame)}")
    return emit.value(f"and i1 {allowed}, {emit.value(f'icmp eq i64 {inside}, 0')}")


def _size_less_one(frame: Frame) -> str:
    return frame.emit.value(f"sub i64 {frame.emit.resized(frame.read('%size'), 32, 64)}, 1")


def _fill(frame: Frame, kind: str, va: str, place: str, whole: str) -> None:
    """Fills the entry; if not for the whole page, for this one instruction, which must make no other access."""
    emit = frame.emit
    single = emit.value(f"icmp ne i8 {frame.read('%single')}, 0")
    neither = emit.value(f"xor i1 {emit.value(f'or i1 {whole}, {single}')}, true")
    frame.refuse(neither)
    at = frame.tlb_entry(kind, frame.page_number(va, 64), frame.read("%acting"))
    emit.line(f"store i64 {frame.tag(kind, va, _size_less_one(frame))}, ptr {at}")
    second = emit.value(f"getelementptr inbounds i8, ptr {at}, i64 8")
    emit.line(f"store i64 {emit.value(f'sub i64 {place}, {va}')}, ptr {second}")
    once, on = emit.label("once"), emit.label("on")
    emit.branch(whole, on, once)
    emit.begin(once)
    frame.control("oneshot", emit.value(f"ptrtoint ptr {at} to i64"))
    frame.control("oneshot_left", "%n")
    frame.shift_clocks(emit.value("sub i64 1, %n"))
    frame.go(emit.value("load ptr, ptr %e"), left="1")
    emit.begin(on)


def _mark_table(frame: Frame, condition: str, place: str, cells: int) -> None:
    """A store to what a walk has read must empty the TLB. A walk outside guest memory is the oracle's."""
    emit, plan = frame.emit, frame.plan
    good = frame.inside(place, cells)
    frame.refuse(emit.value(f"and i1 {condition}, {emit.value(f'xor i1 {good}, true')}"))
    for end in (place, emit.value(f"add i64 {place}, {cells - 1}")):
        granule = emit.value(f"lshr i64 {end}, {plan.granule}")
        where = emit.value(f"add i64 {granule}, {frame.read('%flags')}")
        at = emit.value(f"inttoptr i64 {where} to ptr")
        safe = emit.value(f"select i1 {condition}, ptr {at}, ptr {frame.pointer('%sink')}")
        old = emit.value(f"load i8, ptr {safe}")
        emit.line(f"store i8 {emit.value(f'or i8 {old}, {FLAG_TABLE}')}, ptr {safe}")
