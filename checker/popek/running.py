"""`popek run`: a program on the generated machine, or on the oracle."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from popek_grammar.machine import Machine as MachineText
    from popek_vmm.devices.device import Console, Disk
    from popek_vmm.images.images import Image
    from popek_vmm.interpreter import Exit, Machine

BUDGET_CODE, STOPPED_CODE = 124, 125
MOST_ELEMENTS = 64
"""Of an array, so many elements are looked at when the state is printed."""
FEWEST, MOST = 1 << 10, 1 << 26
"""Steps at a time, between looks at the keyboard; Ctrl-C waits for these at most."""
MANY_STEPS = 1000
"""A run of fewer steps says nothing about speed."""
PATIENCE = 0.02
"""Seconds that so many steps are to take where keys are listened to."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of one run."""

    config: str | None
    oracle: bool
    origin: int | None
    most: int | None
    stats: bool
    trace: bool
    keyboard: bool = False
    disk: str | None = None
    read_only: bool = False


def run_image(spec: str, image: str, wanted: Wanted) -> int:
    """Runs a program to its end; the exit code."""
    attached = nullcontext() if wanted.disk is None else disk_in(wanted.disk, wanted.read_only)
    with _console(wanted) as console, attached as disk:
        running = _booted(spec, image, wanted, console, disk)
        start = time.perf_counter()
        ended = _go(running, wanted)
    seconds = time.perf_counter() - start
    if not (wanted.oracle or wanted.trace) and ended.steps >= MANY_STEPS and running.counts.slow * 2 > ended.steps:
        click.echo(_slow(running, ended), err=True)
    if wanted.stats:
        click.echo(_stats(running, ended, seconds), err=True)
    if ended.code is None:
        click.echo(_state(running), err=True)
    return _code(ended)


def _console(wanted: Wanted) -> AbstractContextManager[Console]:
    """The terminal, with its keys if they are asked for."""
    from popek_vmm.consoles import Stream, keyboard

    return keyboard() if wanted.keyboard else nullcontext(Stream(sys.stdout.buffer))


def disk_in(file: str, read_only: bool) -> AbstractContextManager[Disk]:
    """A file as a disk, closed at the end. One that cannot be opened is a usage error."""
    from popek_vmm.disks import FileDisk

    try:
        return closing(FileDisk(Path(file), read_only))
    except OSError as error:
        raise click.UsageError(f"cannot open {file}: {error.strerror}") from None


@contextmanager
def starting(spec: str, image: str) -> Iterator[None]:
    """While a machine is made and its program loaded: what is wrong with either is a usage error."""
    try:
        from popek_vmm.devices.board import UnknownDevice
        from popek_vmm.engine.layout import Unsupported
        from popek_vmm.images.images import BadImage
    except ModuleNotFoundError as error:
        raise _needed(error) from None
    try:
        yield
    except BadImage as error:
        raise click.UsageError(f"{image}: {error}") from None
    except (Unsupported, UnknownDevice) as error:
        raise click.UsageError(f"{spec}: {error}") from None
    except ModuleNotFoundError as error:
        raise _needed(error) from None
    except (OSError, MemoryError) as error:
        raise click.ClickException(f"no memory for the machine: {getattr(error, 'strerror', None) or error}") from None


def _needed(error: ModuleNotFoundError) -> click.UsageError:
    return click.UsageError(f"running needs {error.name}: pip install 'popek[engine]'")


def _booted(spec: str, path: str, wanted: Wanted, console: Console, disk: Disk | None) -> Machine:
    """The machine with its program."""
    data = content(path)
    with starting(spec, path):
        from popek_vmm.interpreter import Machine

        running = Machine.load(spec, wanted.config, console, disk)
        running.boot(image_of(running.machine, data, wanted.origin))
        return running


def content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}") from None


def image_of(machine: MachineText, data: bytes, origin: int | None) -> Image:
    """An ELF file lies where it says, anything else at the origin, by default where memory starts."""
    from popek_vmm.engine.layout import memory_region
    from popek_vmm.images.images import elf, flat, is_elf

    if is_elf(data) and origin is None:
        return elf(data, machine)
    return flat(data, memory_region(machine)[0] if origin is None else origin)


def _go(running: Machine, wanted: Wanted) -> Exit:
    from popek_vmm.consoles import Left
    from popek_vmm.interpreter import Exit, Reason

    done, chunk = 0, FEWEST if wanted.keyboard else MOST
    while wanted.most is None or done < wanted.most:
        room = chunk if wanted.most is None else min(chunk, wanted.most - done)
        try:
            running.devices.poll()
        except Left:
            return Exit(Reason.LEFT, done)
        if wanted.trace or wanted.oracle:
            ended = running.step_by_oracle() if wanted.oracle else running.step()
            if wanted.trace:
                pc = running.get(running.machine.pc)
                click.echo(f"{done + 1:>10}  pc {pc:#x}", err=True)
        else:
            start = time.perf_counter()
            ended = running.run(room)
            if wanted.keyboard:
                chunk = _paced(chunk, time.perf_counter() - start)
        done += ended.steps
        if ended.reason is not Reason.BUDGET:
            return Exit(ended.reason, done, ended.code, ended.text)
    return Exit(Reason.BUDGET, done)


def _paced(chunk: int, seconds: float) -> int:
    """How many steps to take next, after so many took so long: a guest that waits for a device is slow."""
    return max(FEWEST, min(MOST, chunk * 2 if seconds < PATIENCE / 2 else chunk // 2 if seconds > PATIENCE else chunk))


def _slow(running: Machine, ended: Exit) -> str:
    """Why a run took so long: most of it was left to the oracle."""
    made = running.machine
    checks = [*(f"protection {name}" for name in made.protections), *(f"translation {name}" for name in made.translations)]
    why = f": whether {' and '.join(checks)} let an access through was asked each time" if checks else ""
    hint = ", since it could not be told for a page as a whole" if checks else ""
    return (
        f"warning: {running.counts.slow} of {ended.steps} steps were taken by the oracle, some thousand times slower than "
        f"compiled code{why}{hint}"
    )


def _stats(running: Machine, ended: Exit, seconds: float) -> str:
    counts = running.counts
    speed = ended.steps / seconds / 1e6 if seconds else 0.0
    return (
        f"{ended.steps} steps in {seconds:.3f} s, {speed:.1f} million a second; {counts.decoded} instructions decoded, "
        f"{counts.slow} steps by the oracle; program {'kept' if counts.cached else 'compiled'}"
    )


def _state(running: Machine) -> str:
    """All state but memory that is not zero, by the text's own names."""
    made = running.machine
    lines = [f"{name} = {value:#x}" for name in made.scalars if (value := running.get(name))]
    for array in made.arrays.values():
        if not array.memory:
            found = {index: running.get(array.name, index) for index in range(min(1 << array.index_width, MOST_ELEMENTS))}
            lines += [f"{array.name}[{index}] = {value:#x}" for index, value in found.items() if value]
    return "\n".join(lines)


def code_of(code: int) -> int:
    """The process's exit code for a program's own: eight bits, and never 0 for one that is not."""
    return code & 0xFF or int(code != 0)


def _code(ended: Exit) -> int:
    from popek_vmm.interpreter import Reason

    if ended.reason is Reason.LEFT:
        click.echo(f"left after {ended.steps} steps", err=True)
        return 0
    if ended.code is not None:
        return code_of(ended.code)
    if ended.text:
        click.echo(f"the machine stopped after {ended.steps} steps: {ended.text}", err=True)
        return STOPPED_CODE
    sys.stderr.write(f"stopped after {ended.steps} steps\n")
    return BUDGET_CODE
