"""One function from one outcome: its traps in order, then its writes, then on to what follows."""

from __future__ import annotations

from popek_grammar.meaning.outcome import TrapCase
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.accesses import MISS, STALE
from popek_vmm.engine.commits import commit
from popek_vmm.engine.effects import Effects
from popek_vmm.engine.frame import Frame
from popek_vmm.engine.lowering import type_of
from popek_vmm.engine.plan import TOUCHED_WATCH, Plan


def raise_traps(frame: Frame, done: Effects) -> None:
    """Leaves for the function of each trap whose condition holds. On entry of a trap, another trap is the oracle's."""
    emit, traps, following = frame.emit, done.traps, done.following
    single = len({trap.payload[0] for trap in traps if trap.cause == MISS}) == 1
    for trap in traps:
        condition = emit.term(trap.condition)
        hit, on = emit.label("trap"), emit.label("on")
        emit.branch(condition, hit, on, unlikely=True)
        emit.begin(hit)
        outer = dict(emit.known)
        if following is None or trap.cause == STALE:
            frame.go("left.slow")
        elif trap.cause == MISS:
            _miss(frame, trap.payload[0], following, single)
        else:
            raise_one(frame, trap, following)
        emit.known = outer
        emit.begin(on)


def raise_one(frame: Frame, trap: TrapCase, following: Term) -> None:
    """Stores what a trap carries, and goes to its entry."""
    emit = frame.emit
    for number, value in enumerate(trap.payload):
        frame.write("%payload", emit.resized(emit.term(value), max(value.width, 1), 128), str(number))
    frame.control("next_pc", emit.resized(emit.term(following), following.width, 64))
    frame.go(f"trap.{trap.cause}")


def _miss(frame: Frame, probe: Term, following: Term, single: bool) -> None:
    """Stores what the access is, and goes to where misses are handled. `probe` is the application that missed."""
    emit = frame.emit
    _, kind, cells, *_ = probe.name.split(".")
    address, acting = probe.args[0], probe.args[1] if len(probe.args) > 1 else frame.plan.usual[kind]
    frame.control("va", emit.resized(emit.term(address), address.width, 64))
    frame.control("size", cells)
    frame.control("acting", emit.resized(emit.term(acting), acting.width, 64))
    frame.control("single", int(single))
    frame.control("next_pc", emit.resized(emit.term(following), following.width, 64))
    frame.go(f"miss.{kind}")


# -- going on ----------------------------------------------------------------------------------------------------------


def settles(plan: Plan, done: Effects) -> bool:
    """Whether state is written that banks, the TLB or interrupts depend on."""
    watched = plan.acting | plan.mapping | plan.interrupting
    return not watched.isdisjoint(done.scalars) or not watched.isdisjoint(done.arrays)


def finish(frame: Frame, done: Effects) -> None:
    """Goes on after an instruction has completed, or a trap is entered."""
    emit, following = frame.emit, done.following
    touched = commit(frame, done)
    if following is None:
        frame.shift_clocks("-1", only_completed=True)
    left = emit.value("sub i64 %n, 1")
    pc = emit.term(done.pc)
    if touched is not None:
        _after_touch(frame, touched, pc, left)
    if following is None or settles(frame.plan, done):
        return frame.go("settle", pc=pc, left=left)
    _onward(frame, done.pc, following, left)


def _after_touch(frame: Frame, touched: str, pc: str, left: str) -> None:
    """Leaves after a store to watched cells. After one to a table the next instruction is fetched anew, though it be near."""
    emit = frame.emit
    away, on, watched, table = (emit.label(stem) for stem in ("touched", "on", "watched", "table"))
    emit.branch(emit.value(f"icmp ne i8 {touched}, 0"), away, on, unlikely=True)
    emit.begin(away)
    told = emit.value(f"icmp ne i8 {emit.value(f'and i8 {touched}, {TOUCHED_WATCH}')}, 0")
    emit.branch(told, watched, table)
    emit.begin(watched)
    frame.go("left.watch", pc=pc, left=left)
    emit.begin(table)
    frame.go("settle", pc=pc, left=left)
    emit.begin(on)


def _onward(frame: Frame, pc: Term, following: Term, left: str) -> None:
    emit = frame.emit
    if pc.op == "ite":
        yes, no = emit.label("taken"), emit.label("not")
        emit.branch(emit.term(pc.args[0]), yes, no)
        for label, arm in ((yes, pc.args[1]), (no, pc.args[2])):
            emit.begin(label)
            outer = dict(emit.known)
            _onward(frame, arm, following, left)
            emit.known = outer
    elif pc is following and following.args[1:] and following.args[1].op == "const":
        slots = following.args[1].value // frame.plan.parcel_cells
        entry = emit.value(f"getelementptr inbounds i8, ptr %e, i64 {slots * frame.plan.entry_bytes}")
        dispatch(frame, entry, emit.term(pc), left)
    else:
        _jump(frame, emit.term(pc), left)


def _jump(frame: Frame, target: str, left: str) -> None:
    """Within the page the entry is near; elsewhere it is looked up."""
    emit, plan = frame.emit, frame.plan
    kind, bits = type_of(plan.pc.width), plan.pc.width
    differs = emit.value(f"xor {kind} {target}, %pc")
    mask = ((1 << bits) - 1) & ~((1 << min(plan.page, bits)) - 1) | (plan.parcel_cells - 1)
    apart = emit.value(f"and {kind} {differs}, {mask}")
    near_test = emit.value(f"icmp eq {kind} {apart}, 0")
    near, far = emit.label("near"), emit.label("far")
    emit.branch(near_test, near, far)
    emit.begin(far)
    frame.go("resume", pc=target, left=left)
    emit.begin(near)
    from_, to = (emit.resized(each, bits, 64) for each in ("%pc", target))
    distance = emit.value(f"sub i64 {to}, {from_}")
    slots = distance if plan.parcel_cells == 1 else emit.value(f"sdiv exact i64 {distance}, {plan.parcel_cells}")
    offset = emit.value(f"mul i64 {slots}, {plan.entry_bytes}")
    dispatch(frame, emit.value(f"getelementptr i8, ptr %e, i64 {offset}"), target, left)


def dispatch(frame: Frame, entry: str, pc: str, left: str) -> None:
    """Runs the instruction at an entry of this page, if any are left to run. One that is not decoded looks itself up."""
    emit = frame.emit
    stop, on = emit.label("stop"), emit.label("on")
    emit.branch(emit.value(f"icmp eq i64 {left}, 0"), stop, on, unlikely=True)
    emit.begin(stop)
    frame.go("left.budget", pc=pc, left=left)
    emit.begin(on)
    frame.go(emit.value(f"load ptr, ptr {entry}"), entry=entry, pc=pc, left=left)
