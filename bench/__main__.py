"""`python -m bench [verdicts] [library] [solvers] [mutants] [mutants_all] [slips] [engine] [vmm]`: costs, peers, what is noticed.

`python -m bench freshness`, asked for by name, edits every machine and looks for a stale answer of the cache.
`python -m bench enumerate --seconds N --first SEED` holds verdicts of random small machines against enumeration.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MACHINES = (("pg1974.isa", "default"), ("riscv/riscv.isa", "rv64"), ("riscv/riscv.isa", "rv32"), ("x86/ia32.isa", "base"))


def main() -> None:
    """Prints the tables asked for; by default all but `mutants_all` and `freshness`."""
    if sys.argv[1:2] == ["enumerate"]:
        from bench.enumerating import run

        sys.exit(min(1, run(sys.argv[2:])))
    tables = {"verdicts": verdicts, "library": library, "solvers": solvers, "mutants": mutants, "slips": slips, "engine": engine,
              "vmm": vmm}  # fmt: skip
    by_name = {"mutants_all": mutants_all, "freshness": freshness}
    for name in sys.argv[1:] or tables:
        (tables | by_name)[name]()


def engine() -> None:
    """Programs at native speed, beside Unicorn and QEMU."""
    from bench.engine import main as run

    run()


def vmm() -> None:
    """Guests bare and under a monitor."""
    from bench.vmm import main as run

    run()


def verdicts() -> None:
    """Wall seconds of the whole command: parsing, all verdicts cold and warm, and after an edit of one instruction."""
    print("| machine | load cold | load warm | check cold | check warm | after an edit |")
    print("| --- | --- | --- | --- | --- | --- |")
    for file, config in MACHINES:
        with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as copies:
            spec = _copy(Path(copies)) / file
            lint = ["lint", str(spec), "--config", config]
            check = ["check", str(spec), "--config", config, "--jobs", "2"]
            explain = ["explain", str(spec), "--config", config]
            times = [_seconds(lint, cache)]
            _seconds(explain, cache)
            times.append(_seconds(explain, cache))
            times += [_seconds(check, cache), _seconds(check, cache)]
            _edit(spec)
            times.append(_seconds(check, cache))
            print(f"| {Path(file).stem} {config} | " + " | ".join(f"{t:.2f}" for t in times) + " |", flush=True)


def library() -> None:
    """The whole library, every machine in every configuration: cold and warm, and each machine's share."""
    from popek.library import shipped

    print("\n| library | cold | warm |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as cache:
        for name, path in shipped().items():
            cold, warm = (_seconds(["explain", "--gallery", path, "--jobs", "2"], cache) for _ in range(2))
            print(f"| {name} | {cold:.2f} | {warm:.2f} |", flush=True)
        print(f"| all | | {_seconds(['explain', '--gallery'], cache):.2f} |", flush=True)
    with tempfile.TemporaryDirectory() as cache:
        print(f"| all, in one run | {_seconds(['explain', '--gallery', '--jobs', '2'], cache):.2f} | |", flush=True)


def _copy(folder: Path) -> Path:
    import shutil

    return Path(shutil.copytree(ROOT / "spec", folder / "spec"))


def _edit(spec: Path) -> None:
    """Changes what one instruction means."""
    text = spec.read_text()
    files = [spec] if "instr " in text else [spec.parent / "base.isa", spec.parent / "ordinary.isa"]
    file = next(f for f in files if f.exists())
    body = file.read_text()
    addition, word = ("addi => a + b,", "addi => a - b,"), ("load(x, 14) + load(y", "load(x, 14) - load(y")
    changes = (addition, word, ("instr nop", "instr nop2"))
    for old, new in changes:
        if old in body:
            file.write_text(body.replace(old, new, 1))
            return


def _seconds(arguments: list[str], cache: str) -> float:
    paths = os.pathsep.join(str(ROOT / part) for part in ("grammar", "checker", "reference_vmm"))
    env = {**os.environ, "PYTHONPATH": paths, "POPEK_CACHE_DIR": cache}
    start = time.perf_counter()
    command = [sys.executable, "-c", "from popek.cli import main; main()", *arguments]
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def solvers() -> None:
    """The same obligations: ours in one process, Z3 and bitwuzla on the SMT-LIB text with a process each."""
    import z3

    from popek_checker.solver.smt import Smt
    from popek_checker.virtualizability.check import main_claim
    from popek_checker.virtualizability.crosscheck import QUESTIONS
    from popek_checker.virtualizability.decide import items, make_subject
    from popek_checker.virtualizability.options import Options
    from popek_grammar.load import load_machine
    from popek_grammar.meaning import terms as t

    print("\n| machine | obligations | ours, incremental | z3, a process each | bitwuzla, a process each |")
    print("| --- | --- | --- | --- | --- |")
    scripts = {
        "z3": "import sys,z3; s=z3.Solver(); s.from_string(sys.stdin.read()); print(s.check())",
        "bitwuzla": (
            "import sys\nfrom popek_checker.solver.second import second_solver\nprint(second_solver()(sys.stdin.read()))"
        ),
    }
    for file, config in MACHINES:
        machine = load_machine(str(ROOT / "spec" / file), config)
        claim, invariant = main_claim(machine, Options(), list(machine.theorems.values()))
        goals = []
        for item in list(items(machine))[::7]:
            subject = make_subject(machine, item, claim, invariant)
            for question in QUESTIONS:
                for ask in subject.ask(question):
                    goal = t.and_(*(f for one in ask.copies for f in one.facts), *ask.constraints)
                    goals += [] if goal.is_const else [goal]
        goals = goals[:: max(1, len(goals) // 40)]
        smt = Smt()
        start = time.perf_counter()
        for goal in goals:
            smt.check([goal], model=False)
        ours = time.perf_counter() - start
        texts = [smt.smtlib(goal) for goal in goals]
        row = [f"{_peer(scripts[name], texts):.2f}" for name in ("z3", "bitwuzla")]
        print(f"| {Path(file).stem} {config} | {len(goals)} | {ours:.2f} | {' | '.join(row)} |", flush=True)
    print(f"z3 {z3.get_version_string()}")


def _peer(script: str, texts: list[str]) -> float:
    paths = os.pathsep.join(str(ROOT / part) for part in ("grammar", "checker"))
    env = {**os.environ, "PYTHONPATH": paths}
    start = time.perf_counter()
    for text in texts:
        subprocess.run([sys.executable, "-c", script], input=text, text=True, env=env, capture_output=True, check=True)
    return time.perf_counter() - start


def mutants() -> None:
    """Some faults of each kind in every machine, written to docs/mutants.md; `mutants_all` tries them all."""
    from bench.mutants import EACH, report

    report(ROOT / "docs" / "mutants.md", EACH)


def mutants_all() -> None:
    """Every fault of every machine: hours."""
    from bench.mutants import report

    report(ROOT / "docs" / "mutants.md", None)


def slips() -> None:
    """Slips that others had, in the shipped texts: what is noticed of each, written to docs/slips.md."""
    from bench.slips import report

    report(ROOT / "docs" / "slips.md")


def freshness() -> None:
    """Edits of every kind of clause of every machine: what a cache that knew the machine says, and a run without one."""
    from bench.freshness import report

    report()


if __name__ == "__main__":
    main()
