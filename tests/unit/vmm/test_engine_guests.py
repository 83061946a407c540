"""Whole programs on the interpreter: devices, code that changes itself, traps, paging, protection, budgets, snapshots."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from command import environment

from machines import SPEC, machine
from popek_grammar.assembly.assemble import assemble

pytest.importorskip("llvmlite")

from engine_programs import BASE, FILE, booted, said, shared

from popek_vmm.images.images import BadImage, elf, flat
from popek_vmm.interpreter import Exit, Machine, Reason

FINISH = "lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0)\nj ."


def test_console_and_finisher() -> None:
    """Stores to the UART appear on the console; the finisher ends the program with its code."""
    running = booted(
        "lui t0, 0x10000; addi t1, zero, 104; sb t1, 0(t0); addi t1, zero, 105; sb t1, 0(t0)\n"
        "lui t0, 0x100; lui t1, 0x23; addi t1, t1, 0x333; sw t1, 0(t0)"
    )
    ended = running.run(1000)
    assert (ended.reason, ended.code) == (Reason.HALTED, 2)
    assert said() == b"hi"


def test_code_that_writes_itself() -> None:
    """An instruction overwritten by the one before it runs as written, without a fence (none is needed in this machine)."""
    running = booted(
        "start:; auipc t0, 0; lw t1, new - start(t0); sw t1, old - start(t0); nop; old:; addi a0, zero, 100; j end\n"
        " new:; addi a0, zero, 420; end:\n" + FINISH
    )
    assert running.run(100).reason is Reason.HALTED
    assert running.get("X", 10) == 420


def test_a_loop_of_traps_ends_with_the_budget() -> None:
    """A trap vector that holds no instruction traps for ever; the budget is kept exactly."""
    running = booted("csrw mtvec, zero; ebreak")
    ended = running.run(10_000)
    assert ended == Exit(Reason.STOPPED, ended.steps, None, ended.text) and "no memory at 0x0" in ended.text
    running = booted("auipc t0, 0; addi t0, t0, 12; csrw mtvec, t0; ebreak")
    assert running.run(10_000) == Exit(Reason.BUDGET, 10_000)
    assert running.get("mcause") == 3


LOOP = """
start:
auipc t0, 0
addi t0, t0, handler - start
csrw mtvec, t0
addi t1, zero, 1
slli t1, t1, 3
csrw mie, t1
csrrsi zero, mstatus, 8
again:
addi s0, zero, 300
inner:
mul s1, s0, s0
add s2, s2, s1
sd s2, 1024(sp)
addi s0, s0, -1
bnez s0, inner
ecall
j again
handler:
csrr t2, mepc
addi t2, t2, 4
csrw mepc, t2
addi s3, s3, 1
mret
"""


def test_cut_runs_and_interrupts_agree_with_the_oracle() -> None:
    """However a run is cut up, and whenever a line is raised, state is the oracle's at that instruction."""
    rng = random.Random(1)
    for _ in range(3):
        cuts = sorted(rng.sample(range(1, 400), 6))
        fast, slow = results(cuts, oracle=False), results(cuts, oracle=True)
        assert fast == slow


def results(cuts: list[int], oracle: bool) -> list[dict[str, int]]:
    """The state at each cut. At every other one the software interrupt's line changes."""
    running = booted(LOOP)
    running.set("X", BASE + 4096, 2)
    found, done = [], 0
    for number, cut in enumerate(cuts):
        if oracle:
            for _ in range(cut - done):
                running.step_by_oracle()
        else:
            running.run(cut - done)
        done = cut
        running.set("mip.MSIP", number % 2)
        names = list(running.machine.scalars)
        found.append({n: running.get(n) for n in names} | {f"X{i}": running.get("X", i) for i in range(32)})
    return found


def paged() -> Machine:
    """In S with Sv39 on: one 2 MiB page at 0 for the program, one at 0x200000 that a third-level table maps, read-only."""
    running = booted("ld a0, 0(s0); ld a1, 8(s0)\nsd a1, 0(s2); ld a2, 0(s0)\nsd a1, 0(s0); j .")
    root, low, leaf = BASE + 0x10000, BASE + 0x11000, BASE + 0x12000
    entries = {
        root: low >> 2 | 1, low: BASE >> 2 | 0xCF, low + 8: leaf >> 2 | 1, leaf: (BASE + 0x20000) >> 2 | 0xC3,
        BASE + 0x20000: 111, BASE + 0x20008: 222, BASE + 0x30000: 333,
    }  # fmt: skip
    for place, value in entries.items():
        for n, byte in enumerate(value.to_bytes(8, "little")):
            running.set("ram", byte, place + n)
    state = {"pc": 0, "mode": 1, "satp.MODE": 8, "satp.PPN": root >> 12, "mtvec.BASE": BASE >> 2}
    for name, value in state.items():
        running.set(name, value)
    running.set("pmp_cfg", 0x1F, 0)
    running.set("pmp_addr", (1 << 54) - 1, 0)
    running.set("X", 0x200000, 8)
    running.set("X", 0x12000, 18)
    return running


def test_paging_faults_and_tables_that_change() -> None:
    """A store to a table is seen by the next access though nothing is flushed; a store without the right traps."""
    running = paged()
    assert running.run(2) == Exit(Reason.BUDGET, 2)
    assert [running.get("X", i) for i in (10, 11)] == [111, 222]
    running.set("X", (BASE + 0x30000) >> 2 | 0xC3, 11)
    running.run(2)
    assert running.get("X", 12) == 333
    running.run(1)
    assert (running.get("mcause"), running.get("mtval"), running.get("mepc.PC") << 1) == (15, 0x200000, 16)


def test_protection_inside_a_page() -> None:
    """An entry that ends inside a page: accesses beside its end go through, one across it faults (Priv 3.7.1)."""
    running = booted("sd a0, 0(s0); ld a1, 0(s0)\nlw a2, 12(s0); ld a3, 12(s0)")
    running.set("pc", BASE)
    running.set("X", BASE + 0x3000, 8)
    running.set("X", 77, 10)
    for index, (cfg, top) in enumerate([(0x0F, BASE + 0x3010), (0x08, BASE + 0x3020), (0x1F, 4 * ((1 << 54) - 1))]):
        running.set("pmp_cfg", cfg, index)
        running.set("pmp_addr", top >> 2, index)
    running.set("mode", 0)
    running.set("mtvec.BASE", BASE >> 2)
    slow = running.counts.slow
    assert running.run(4).steps == 4
    assert (running.get("X", 11), running.get("mcause"), running.get("mtval")) == (77, 5, BASE + 0x300C)
    assert running.counts.slow == slow


def test_snapshot_and_restore() -> None:
    """A state taken and put back goes on in the same way; another machine's is refused."""
    running = booted(LOOP)
    running.set("X", BASE + 4096, 2)
    running.run(100)
    kept = running.snapshot()
    running.run(555)
    first = [running.get("X", i) for i in range(32)]
    running.restore(kept)
    running.run(555)
    assert [running.get("X", i) for i in range(32)] == first


def test_other_machines_run_programs() -> None:
    """A word machine with cells of 36 bits and one of the stack: a loop each, on generated code."""
    made = Machine.load(str(SPEC / "pdp10/ka10.isa"))
    text = "MOVEI AC1, 100\nagain:\nADDI AC2, 3\nSOJG AC1, again\nhere:\nJRST here"
    origin, cells = assemble(made.machine, text, 1024).image()
    for n, cell in enumerate(cells):
        made.set(made.machine.main_memory or "", cell, origin + n)
    made.set(made.machine.pc, 1024)
    assert made.run(201) == Exit(Reason.BUDGET, 201)
    assert (made.get("AC", 1), made.get("AC", 2)) == (0, 300)


# -- files -------------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    from popek.cli import popek

    result = CliRunner().invoke(popek, ["run", *arguments], standalone_mode=False)
    if result.exception is not None and not hasattr(result.exception, "message"):
        raise result.exception
    code = result.return_value if result.exception is None else result.exception.exit_code  # type: ignore[attr-defined]
    return code, result.output + str(result.exception or "")


def test_bad_images(tmp_path: Path) -> None:
    """Clear errors for what is no program of this machine."""
    with pytest.raises(BadImage):
        elf(b"\x7fELF" + bytes(60), machine(FILE, "rv64"))
    with pytest.raises(BadImage):
        shared("rv64")[0].boot(flat(bytes(10), 0x1000))
    empty = tmp_path / "missing"
    code, text = run(str(SPEC / FILE), str(empty))
    assert code == 2 and "cannot read" in text


def test_run_flat_binary(tmp_path: Path) -> None:
    """`popek run` of a flat binary: the finisher's code is the exit code, 124 when the budget is used up."""
    _, cells = assemble(machine(FILE, "rv64"), FINISH.replace("; ", "\n"), BASE).image()
    image = tmp_path / "finish.bin"
    image.write_bytes(bytes(cells))
    assert run(str(SPEC / FILE), str(image))[0] == 0
    assert run(str(SPEC / FILE), str(image), "--max-instructions", "2")[0] == 124
    assert run(str(SPEC / FILE), str(image), "--engine", "oracle")[0] == 0


def test_what_the_package_offers() -> None:
    """All of it is there under its own name, and nothing else is; none of it is imported before it is asked for."""
    import popek_vmm

    assert popek_vmm.Machine is Machine and popek_vmm.Exit is Exit
    assert {getattr(popek_vmm, name).__name__ for name in popek_vmm.__all__} == set(popek_vmm.__all__)
    with pytest.raises(AttributeError, match="Machines"):
        popek_vmm.Machines  # noqa: B018  # the access itself is what fails
    code = "import sys, popek_vmm; print(sorted(name for name in sys.modules if name.startswith('popek')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.strip() == "['popek_vmm']"


def test_the_readmes_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """What README.md says of the use from Python runs as it stands there."""
    monkeypatch.chdir(SPEC.parent)
    code = Path("README.md").read_text().split("```python")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {})


def test_checking_needs_no_llvm() -> None:
    """What `popek check` imports does not import llvmlite or pyelftools."""
    code = "import sys, popek.cli, popek.checking, popek_checker.virtualizability.check, popek_vmm\n"
    code += "print({'llvmlite', 'elftools'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_spoilt_cache_entry_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut or changed file is never used."""
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path))
    from popek_vmm.engine.compiled import kept

    assert kept(str, "k", lambda: "one") == ("one", False)
    assert kept(str, "k", lambda: "two") == ("one", True)
    file = tmp_path / "engine-k"
    data = file.read_bytes()
    for spoilt in (data[:-1], data[:-3] + b"x" + data[-2:], b"", data + b"0"):
        file.write_bytes(spoilt)
        assert kept(str, "k", lambda: "new")[0] == "new"
        file.write_bytes(data)
