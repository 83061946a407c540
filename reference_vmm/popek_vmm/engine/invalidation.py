"""What must be forgotten when state changes: the TLB, decoded code, and what a store reports to the host."""

from __future__ import annotations

from popek_vmm.engine.plan import TOUCHED_TABLE, TOUCHED_WATCH, Plan
from popek_vmm.engine.shape import FLAG_CODE, FLAG_TABLE, FLAG_WATCH


def flush(plan: Plan) -> str:
    """Empties the TLB."""
    slot = plan.layout.slots["%tlb"]
    return f"""define void @flush(ptr %s) noinline {{
  %at = getelementptr i8, ptr %s, i64 {slot.offset}
  call void @llvm.memset.p0.i64(ptr %at, i8 -1, i64 {slot.size * slot.count}, i1 false)
  ret void
}}
"""


def touched(plan: Plan) -> str:
    """After a store of `cells` cells from `place` on: forgets code, empties the TLB; what was touched (`TOUCHED_..`).

    Of watched cells, `%place` and `%size` say which.
    """
    slots = plan.layout.slots
    reach_back = plan.longest - 1
    field = {name: slots[f"%{name}"].offset for name in ("flags", "ram_low", "entries", "watch_low", "watch_high", "ram_cells")}
    shift = plan.parcel_cells.bit_length() - 1
    tell = "\n".join(f"  %at.{name} = getelementptr i8, ptr %s, i64 {slots[f'%{name}'].offset}" for name in ("place", "size"))
    loads = "\n".join(
        f"  %at.{name} = getelementptr i8, ptr %s, i64 {offset}\n  %{name} = load i64, ptr %at.{name}"
        for name, offset in field.items()
    )
    return f"""define preserve_mostcc i8 @touched(ptr %s, i64 %place, i64 %cells) noinline cold {{
{loads}
{tell}
  %end = add i64 %place, %cells
  %last = sub i64 %end, 1
  %g1 = lshr i64 %place, {plan.granule}
  %g2 = lshr i64 %last, {plan.granule}
  %a1 = add i64 %g1, %flags
  %a2 = add i64 %g2, %flags
  %p1 = inttoptr i64 %a1 to ptr
  %p2 = inttoptr i64 %a2 to ptr
  %f1 = load i8, ptr %p1
  %f2 = load i8, ptr %p2
  %f = or i8 %f1, %f2
  %t = and i8 %f, {FLAG_TABLE}
  %istable = icmp ne i8 %t, 0
  br i1 %istable, label %table, label %codetest
table:
  call void @flush(ptr %s)
  %n1 = and i8 %f1, {255 - FLAG_TABLE}
  store i8 %n1, ptr %p1
  %f2now = load i8, ptr %p2
  %n2 = and i8 %f2now, {255 - FLAG_TABLE}
  store i8 %n2, ptr %p2
  br label %codetest
codetest:
  %c = and i8 %f, {FLAG_CODE}
  %iscode = icmp ne i8 %c, 0
  br i1 %iscode, label %code, label %watch
code:
  %off = sub i64 %place, %ram_low
  %ahead = icmp ult i64 %off, {reach_back}
  %back = sub i64 %off, {reach_back}
  %from = select i1 %ahead, i64 0, i64 %back
  %to = add i64 %off, %cells
  br label %loop
loop:
  %i = phi i64 [ %from, %code ], [ %next, %loop ]
  %page = lshr i64 %i, {plan.page}
  %inner = and i64 %i, {(1 << plan.page) - 1}
  %slot = lshr i64 %inner, {shift}
  %first = mul i64 %page, {plan.page_slots}
  %number = add i64 %first, %slot
  %bytes = mul i64 %number, {plan.entry_bytes}
  %address = add i64 %entries, %bytes
  %entry = inttoptr i64 %address to ptr
  store ptr @unknown, ptr %entry
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %to
  br i1 %more, label %loop, label %watch
watch:
  %w = and i8 %f, {FLAG_WATCH}
  %iswatch = icmp ne i8 %w, 0
  %below = icmp ult i64 %place, %watch_high
  %above = icmp ugt i64 %end, %watch_low
  %both = and i1 %below, %above
  %hit = and i1 %both, %iswatch
  br i1 %hit, label %tell, label %out
tell:
  store i64 %place, ptr %at.place
  %count = trunc i64 %cells to i32
  store i32 %count, ptr %at.size
  br label %out
out:
  %told = select i1 %hit, i8 {TOUCHED_WATCH}, i8 0
  %emptied = select i1 %istable, i8 {TOUCHED_TABLE}, i8 0
  %all = or i8 %told, %emptied
  ret i8 %all
}}
"""
