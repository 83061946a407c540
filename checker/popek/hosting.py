"""`popek run X.vmm`: guests under the monitor of a text, beside each other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from popek.running import BUDGET_CODE, STOPPED_CODE, content, image_of

if TYPE_CHECKING:
    from popek_vmm.devices.device import Console, Disk
    from popek_vmm.monitor.vmm import Guest, Vmm

ROUND = 1 << 22
"""Steps of all guests together between looks at the keyboard."""
MOST_NAMED = 8
"""Causes and instructions that statistics name, of each guest."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """The options of one run under a monitor. `disks` are (guest, file) pairs, `console` the guest that has the terminal."""

    monitor: str | None
    origin: int | None
    most: int | None
    stats: bool
    weights: tuple[int, ...] = ()
    console: int | None = None
    disks: tuple[tuple[int, str], ...] = ()


class Prefixed:
    """The console of one guest among several: whole lines, each with the guest's name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = b""

    def read(self) -> bytes:
        return b""

    def write(self, data: bytes) -> None:
        *lines, self.line = (self.line + data).split(b"\n")
        for line in lines:
            self._show(line)

    def close(self) -> None:
        """Shows what no line end came after."""
        if self.line:
            self._show(self.line)
            self.line = b""

    def _show(self, line: bytes) -> None:
        sys.stdout.buffer.write(f"{self.name}: ".encode() + line.rstrip(b"\r") + b"\n")
        sys.stdout.buffer.flush()


def run_guests(path: str, images: Sequence[str], wanted: Hosting) -> int:
    """Runs the guests until all have ended, or have had their steps; the first exit code that is not zero."""
    with _consoles(len(images), wanted.console) as consoles:
        host = _started(path, images, wanted, consoles)
        start = time.perf_counter()
        done = _go(host, wanted.most)
        seconds = time.perf_counter() - start
    for console in consoles:
        if isinstance(console, Prefixed):
            console.close()
    for guest in host.guests:
        _told(guest)
    if wanted.stats:
        click.echo("\n".join(_stats(host, done, seconds)), err=True)
    return next((code for code in map(_code, host.guests) if code), 0)


@contextmanager
def _consoles(count: int, attended: int | None) -> Iterator[list[Console]]:
    """The terminal for a guest alone, or for the one that has it; lines with their guest's name for the others."""
    from popek_vmm.consoles import Stream, keyboard

    if attended is not None and not 0 <= attended < count:
        raise click.UsageError(f"--console {attended}: there are guests 0 to {count - 1}")
    named: list[Console] = [Prefixed(f"guest{number}") for number in range(count)]
    if attended is None:
        yield named if count > 1 else [Stream(sys.stdout.buffer)]
        return
    with keyboard() as terminal:
        yield [*named[:attended], terminal, *named[attended + 1 :]]


def _started(path: str, images: Sequence[str], wanted: Hosting, consoles: Sequence[Console]) -> Vmm:
    """The monitor with its guests. What is wrong with either is a usage error, and no guest runs then."""
    try:
        return _loaded(path, images, wanted, consoles)
    except ModuleNotFoundError as error:
        raise click.UsageError(f"running needs {error.name}: pip install 'popek[engine]'") from None
    except (OSError, MemoryError) as error:
        raise click.ClickException(f"no memory for {len(images)} guests: {error}") from None


def _loaded(path: str, images: Sequence[str], wanted: Hosting, consoles: Sequence[Console]) -> Vmm:
    from popek_vmm.devices.board import UnknownDevice
    from popek_vmm.engine.layout import Unsupported
    from popek_vmm.images.images import BadImage
    from popek_vmm.monitor.vmm import Vmm

    try:
        host = Vmm.load(path, wanted.monitor)
    except KeyError:
        raise click.UsageError(f"{path} has no monitor {wanted.monitor}") from None
    if wanted.weights and len(wanted.weights) != len(images):
        raise click.UsageError(f"--weights names {len(wanted.weights)} of {len(images)} guests")
    disks = _disks(wanted, len(images))
    for number, image in enumerate(images):
        try:
            weight = wanted.weights[number] if wanted.weights else None
            loaded = image_of(host.places.bare, content(image), wanted.origin)
            host.add(loaded, console=consoles[number], disk=disks.get(number), weight=weight)
        except BadImage as error:
            raise click.UsageError(f"{image}: {error}") from None
        except (Unsupported, UnknownDevice) as error:
            raise click.UsageError(f"{path}: {error}") from None
    return host


def _disks(wanted: Hosting, count: int) -> dict[int, Disk]:
    from popek_vmm.disks import FileDisk

    found: dict[int, Disk] = {}
    for number, file in wanted.disks:
        if not 0 <= number < count:
            raise click.UsageError(f"--disk {number}={file}: there are guests 0 to {count - 1}")
        try:
            found[number] = FileDisk(Path(file), False)
        except OSError as error:
            raise click.UsageError(f"cannot open {file}: {error.strerror}") from None
    return found


def _go(host: Vmm, most: int | None) -> int:
    """Rounds, until no guest runs any more, all have had their steps, or somebody at the console has had enough."""
    from popek_vmm.consoles import Left

    done = 0
    while any(guest.runs for guest in host.guests) and (most is None or done < most):
        try:
            for guest in host.guests:
                guest.vcpu.devices.poll()
        except Left:
            break
        done += host.run(ROUND if most is None else min(ROUND, most - done))
    return done


# -- what came of it ---------------------------------------------------------------------------------------------------


def _code(guest: Guest) -> int:
    if guest.ended is None:
        return BUDGET_CODE
    if guest.ended.code is None:
        return STOPPED_CODE
    return guest.ended.code & 0xFF or int(guest.ended.code != 0)


def _told(guest: Guest) -> None:
    """A sentence about a guest that did not end by itself."""
    if guest.ended is None:
        click.echo(f"{guest.name}: stopped after {guest.steps} steps", err=True)
    elif guest.ended.text:
        click.echo(f"{guest.name}: the machine stopped after {guest.steps} steps: {guest.ended.text}", err=True)


def _stats(host: Vmm, done: int, seconds: float) -> Iterator[str]:
    speed = done / seconds / 1e6 if seconds else 0.0
    yield f"{done} steps of {len(host.guests)} guests in {seconds:.3f} s, {speed:.1f} million a second"
    for guest in host.guests:
        exits = host.exits(guest)
        share = guest.steps / done if done else 0.0
        turns = f"{guest.slices} turn{'s' * (guest.slices != 1)}"
        yield f"{guest.name}: {guest.steps} steps ({share:.1%} of all, weight {guest.weight}) in {turns}"
        yield f"  direct: {exits.direct_fraction:.4%} of the steps; interpreted: {exits.interpreted}"
        yield f"  exits by cause: {_most(exits.by_cause)}"
        yield f"  emulated: {_most(exits.by_instruction)}"


def _most(counts: Mapping[str, int]) -> str:
    pairs = list(counts.items())
    told = [f"{name} {count}" for name, count in pairs[:MOST_NAMED]]
    more = [f"{len(pairs) - MOST_NAMED} more"] if len(pairs) > MOST_NAMED else []
    return ", ".join([*told, *more]) or "none"
