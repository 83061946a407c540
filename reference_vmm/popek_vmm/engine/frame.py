"""One generated function: how terms reach the state block, the pre-decoded entry, guest memory and the TLB.

Every function takes the state, the entry, pc, the instructions left, and what to add to an address to find guest memory
in the host. All jumps between functions are tail calls of that one type.
"""

from __future__ import annotations

from collections.abc import Mapping

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.accesses import KINDS
from popek_vmm.engine.lowering import Emitter, type_of
from popek_vmm.engine.plan import Plan
from popek_vmm.engine.shape import Field
from popek_vmm.engine.wide import base_and_offset, cells_read


def declaration(plan: Plan, name: str) -> str:
    """The head of a generated function."""
    return f'define void @"{name}"(ptr noalias %s, ptr %e, {type_of(plan.pc.width)} %pc, i64 %n, i64 %b)'


OTHERS = {"touched": "preserve_mostcc i8 @touched(ptr, i64, i64)", "flush": "void @flush(ptr)", "run": "void @run(ptr)"}
"""Functions of another type than the rest."""


def signature(plan: Plan, name: str) -> str:
    """The declaration of a function that is defined elsewhere."""
    other = OTHERS.get(name, f'void @"{name}"(ptr, ptr, {type_of(plan.pc.width)}, i64, i64)')
    return f"declare {other}\n"


class Frame:
    """A function under construction. `variables` gives the places of variables that are not the machine's state."""

    def __init__(self, plan: Plan, name: str, entry: Mapping[str, Field] | None = None, chunk: int | None = None) -> None:
        self.plan, self.name = plan, name
        self.entry = entry or {}
        self.emit = Emitter(self._leaf, chunk)
        self.emit.begin("start")

    def text(self) -> str:
        body = "\n".join(self.emit.lines)
        return f"{declaration(self.plan, self.name)} {{\n{body}\n}}\n"

    # -- leaving -----------------------------------------------------------------------------------------------------

    def go(self, target: str, entry: str = "%e", pc: str = "%pc", left: str = "%n") -> None:
        """Goes on in another function, named or a value."""
        callee = target if target.startswith("%") else f'@"{target}"'
        kind = type_of(self.plan.pc.width)
        self.emit.line(f"musttail call void {callee}(ptr %s, ptr {entry}, {kind} {pc}, i64 {left}, i64 %b)")
        self.emit.line("ret void")

    def refuse(self, condition: str) -> None:
        """Leaves the step to the oracle under a condition."""
        slow, on = self.emit.label("slow"), self.emit.label("on")
        self.emit.branch(condition, slow, on, unlikely=True)
        self.emit.begin(slow)
        self.go("left.slow")
        self.emit.begin(on)

    # -- the state block ---------------------------------------------------------------------------------------------

    def pointer(self, name: str, index: str | None = None) -> str:
        """The address of a slot; of an element, whose index is an i64."""
        slot = self.plan.layout.slots[name]
        if index is None:
            return self.emit.value(f"getelementptr inbounds i8, ptr %s, i64 {slot.offset}")
        start = self.emit.value(f"getelementptr inbounds i8, ptr %s, i64 {slot.offset}")
        return self.emit.value(f"getelementptr inbounds {slot.container}, ptr {start}, i64 {index}")

    def read(self, name: str, index: str | None = None) -> str:
        """The value of a slot in its own width."""
        slot = self.plan.layout.slots[name]
        found = self.emit.value(f"load {slot.container}, ptr {self.pointer(name, index)}")
        return self.emit.resized(found, 8 * slot.size, max(slot.width, 1))

    def write(self, name: str, value: str, index: str | None = None) -> None:
        """Stores a value of the slot's width."""
        slot = self.plan.layout.slots[name]
        wide = self.emit.resized(value, max(slot.width, 1), 8 * slot.size)
        self.emit.line(f"store {slot.container} {wide}, ptr {self.pointer(name, index)}")

    def control(self, name: str, value: str | int) -> None:
        """Stores into a control field."""
        self.write(f"%{name}", str(value))

    # -- leaves of terms ---------------------------------------------------------------------------------------------

    def _leaf(self, emit: Emitter, term: Term, values: list[str]) -> str:
        name = term.name
        if term.op == "var":
            return self._variable(name, term.width)
        if name.startswith("%place."):
            return self._probe(term, values)
        if cells_read(self.plan.memory, term):
            return self._read_memory(term, values[0])
        return self.read(name, emit.resized(values[0], term.args[0].width, 64))

    def _variable(self, name: str, width: int) -> str:
        if name == self.plan.machine.pc:
            return "%pc"
        if name in self.entry:
            return self._field(self.entry[name])
        if name.startswith("%payload."):
            wide = self.read("%payload", name.removeprefix("%payload."))
            return self.emit.resized(wide, 128, max(width, 1))
        if name in self.plan.clocks:
            return self.emit.value(f"sub i64 {self.read(name)}, %n")
        slot = self.plan.layout.slots[name]
        return self.emit.resized(self.read(name), max(slot.width, 1), max(width, 1))

    def _field(self, field: Field) -> str:
        """A field of the entry, which holds nothing beyond its width but zeros or signs."""
        where = self.emit.value(f"getelementptr inbounds i8, ptr %e, i64 {field.offset}")
        held, width = 8 * field.size, max(field.term.width, 1)
        if held == width:
            return self.emit.value(f"load i{held}, ptr {where}")
        if field.signed:
            return self.emit.value(f"trunc nsw i{held} {self.emit.value(f'load i{held}, ptr {where}')} to i{width}")
        found = self.emit.value(f"load i{held}, ptr {where}, !range !{{i{held} 0, i{held} {1 << width}}}")
        return self.emit.value(f"trunc i{held} {found} to i{width}")

    def shift_clocks(self, by: str, only_completed: bool = False) -> None:
        """Adds to the slots of clocks: their values jump, or stay when the count of steps left jumps as much."""
        for clock in self.plan.clocks.values():
            if clock.completed or not only_completed:
                self.write(clock.name, self.emit.value(f"add i64 {self.read(clock.name)}, {by}"))

    # -- the TLB -----------------------------------------------------------------------------------------------------

    def _probe(self, term: Term, values: list[str]) -> str:
        """Where an access lies, which means something only if it does not miss, or whether it misses: both made known."""
        name = term.name.removesuffix(".miss")
        _, kind, cells, explicit = name.split(".")
        place = t.apply(name, self.plan.memory.index_width, term.args)
        miss = t.apply(f"{name}.miss", t.BOOL, term.args)
        if term not in self.emit.known:
            acting = self.emit.resized(values[1], term.args[1].width, 64) if explicit == "1" else None
            found = self.probe(kind, values[0], term.args[0].width, int(cells), acting)
            self.emit.known[place], self.emit.known[miss] = found
        return self.emit.known[term]

    def probe(self, kind: str, address: str, width: int, cells: int, acting: str | None) -> tuple[str, str]:
        """Looks an access up: its place in the memory's address width, and whether it misses."""
        emit = self.emit
        if not self.plan.holds(kind, cells):
            return "0", "true"
        at = self.tlb_entry(kind, self.page_number(address, width), acting)
        tag = emit.value(f"load i64, ptr {at}")
        if self.plan.wholes[kind].aligned:
            wanted = self.tag(kind, emit.resized(address, width, 64), str(cells - 1))
        else:
            last = address if cells == 1 else emit.value(f"add {type_of(width)} {address}, {cells - 1}")
            wanted = self.page_number(last, width)
        miss = emit.value(f"icmp ne i64 {tag}, {wanted}")
        second = emit.value(f"getelementptr inbounds i8, ptr {at}, i64 8")
        delta = emit.value(f"load i64, ptr {second}")
        place = emit.value(f"add i64 {emit.resized(address, width, 64)}, {delta}")
        return emit.resized(place, 64, self.plan.memory.index_width), miss

    def tag(self, kind: str, address: str, beyond: str) -> str:
        """What the entry of an address (an i64) holds: the page's number. Where an entry stands for aligned accesses only, with
        the bits above it that make this one misaligned; `beyond` is its size less one."""
        number = self.page_number(address, 64)
        if not self.plan.wholes[kind].aligned:
            return number
        crooked = self.emit.value(f"and i64 {address}, {beyond}")
        return self.emit.value(f"or i64 {number}, {self.emit.value(f'shl i64 {crooked}, {64 - self.plan.page}')}")

    def page_number(self, address: str, width: int) -> str:
        wide = self.emit.resized(address, width, 64)
        return self.emit.value(f"lshr i64 {wide}, {self.plan.page}") if self.plan.page else wide

    def tlb_entry(self, kind: str, page_number: str, acting: str | None) -> str:
        """The address of the only TLB entry that a page can be in: tag, then place minus address."""
        emit, ordinal = self.emit, KINDS.index(kind)
        if acting is None:
            bank = emit.value(f"inttoptr i64 {self.read('%banks', str(ordinal))} to ptr")
        else:
            bank = self.bank(kind, acting)
        set_ = emit.value(f"and i64 {page_number}, {self.plan.sets - 1}")
        offset = emit.value(f"shl i64 {set_}, 4")
        return emit.value(f"getelementptr i8, ptr {bank}, i64 {offset}")

    def bank(self, kind: str, acting: str) -> str:
        """The bank of a kind of access made as a mode, given as its encoding in an i64."""
        row = self.emit.value(f"mul i64 {acting}, {len(KINDS)}")
        number = self.emit.value(f"add i64 {row}, {KINDS.index(kind)}")
        first = self.emit.value(f"mul i64 {number}, {self.plan.sets}")
        return self.pointer("%tlb", first)

    # -- guest memory ------------------------------------------------------------------------------------------------

    def host(self, place: str) -> str:
        """The host address of a cell, as a pointer; `place` is an i64."""
        size = self.plan.cell_bytes
        offset = place if size == 1 else self.emit.value(f"mul i64 {place}, {size}")
        return self.emit.value(f"inttoptr i64 {self.emit.value(f'add i64 {offset}, %b')} to ptr")

    def valid(self, index: Term, place: str, cells: int) -> str:
        """Whether cells lie in guest memory: those of a probe that hit do, others are compared with its bounds."""
        base, offset = base_and_offset(index)
        if base.op == "apply" and base.name.startswith("%place.") and offset + cells <= int(base.name.split(".")[2]):
            miss = t.apply(f"{base.name}.miss", t.BOOL, base.args)
            return self.emit.value(f"xor i1 {self.emit.term(miss)}, true")
        return self.inside(place, cells)

    def inside(self, place: str, cells: int) -> str:
        """Whether `cells` cells from `place` (an i64) on are all in guest memory."""
        offset = self.emit.value(f"sub i64 {place}, {self.read('%ram_low')}")
        size = self.read("%ram_cells")
        first = self.emit.value(f"icmp ult i64 {offset}, {size}")
        if cells == 1:
            return first
        last = self.emit.value(f"icmp ule i64 {cells}, {self.emit.value(f'sub i64 {size}, {offset}')}")
        return self.emit.value(f"and i1 {first}, {last}")

    def _read_memory(self, term: Term, index: str) -> str:
        """Cells of guest memory; zeros where there is none, so that reading ahead of a test is harmless."""
        emit, memory = self.emit, self.plan.memory
        count = cells_read(memory, term)
        place = emit.resized(index, memory.index_width, 64)
        good = self.valid(term.args[0], place, count)
        zeros = self.pointer("%zeros")
        at = emit.value(f"select i1 {good}, ptr {self.host(place)}, ptr {zeros}")
        bits = 8 * self.plan.cell_bytes * count
        found = emit.value(f"load i{bits}, ptr {at}, align 1")
        if memory.big_endian and count > 1:
            found = self.swapped(found, bits)
        return emit.resized(found, bits, term.width)

    def swapped(self, value: str, bits: int) -> str:
        """The bytes of a value the other way round."""
        if bits % 16 == 0:
            return self.emit.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")
        wide = self.emit.resized(value, bits, bits + 8)
        turned = self.emit.value(f"call i{bits + 8} @llvm.bswap.i{bits + 8}(i{bits + 8} {wide})")
        down = self.emit.value(f"lshr i{bits + 8} {turned}, 8")
        return self.emit.resized(down, bits + 8, bits)
