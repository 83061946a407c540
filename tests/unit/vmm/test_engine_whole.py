"""What is said of a whole page holds for every access to it: allowed, at the same distance, leaving all state as it is."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("llvmlite")

from engine_starts import every, ready
from engine_states import registers, small, wipe

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.accesses import address_width
from popek_vmm.engine.plan import plan
from popek_vmm.engine.whole import LARGEST_ACCESS
from popek_vmm.interpreter import Machine

MACHINES = [
    ("riscv/riscv.isa", "rv64"), ("riscv/riscv.isa", "rv32"), ("mips/mips.isa", "r3000"), ("s370/s370.isa", "base"),
    ("x86/ia32.isa", "base"), ("arm/armv7a.isa", "base"),
]  # fmt: skip


def value(term: Term, running: Machine, known: dict[str, int]) -> int:
    """A term in the machine's state, other variables as given."""
    memory = running.machine.main_memory

    def leaf(node: Term, args: tuple[Term, ...]) -> Term | None:
        if node.op == "var":
            return t.const(known[node.name] if node.name in known else running.get(node.name), node.width)
        if node.op != "apply":
            return None
        found = running.get(node.name, args[0].value) if node.name != memory else running.core.cell(args[0].value)
        return t.const(found, node.width)

    return t.substitute([term], leaf)[term].value


@pytest.mark.parametrize(("file", "config"), MACHINES)
def test_a_whole_page(file: str, config: str) -> None:
    """Random states that programs run in, and places near what they use; some pages must be whole, or nothing is shown."""
    running, seen = small(file, config), 0
    made = plan(running.machine)
    width, page = address_width(running.machine), made.page
    for seed in range(6):
        rng = random.Random(f"{file} {config} {seed}")
        wipe(running)
        registers(running, rng)
        hot = ready(file, running, rng)
        every(running, {name: 1 for name in running.machine.arrays if name in ("key.REF", "key.CHG")})
        for kind, reach in made.reaches.items():
            whole, least = made.wholes[kind], made.parcel_cells if kind == "fetch" else 1
            start = rng.choice(hot[:3]) >> page << page & (1 << width) - 1
            acting = value(made.usual[kind], running, {})
            known = {"%va": start, "%acting": acting, "%size": least}
            if not value(whole.allowed, running, known):
                continue
            seen += 1
            first, last = (value(end, running, known) for end in (whole.first, whole.last))
            assert last - first == (1 << page) - 1 or not whole.aligned
            for size in {least, 2 * least, LARGEST_ACCESS}:
                room = (1 << page) - size
                for inner in {0, room, rng.randrange(room + 1), rng.randrange(room + 1)}:
                    at = inner // size * size if whole.aligned else inner
                    here = known | {"%va": start + at, "%size": size}
                    assert value(reach.outcome.ok, running, here), (kind, hex(start + at), size)
                    assert value(reach.unchanged, running, here), (kind, hex(start + at), size)
                    assert value(reach.place, running, here) == first + at, (kind, hex(start + at), size)
    assert seen > 3
