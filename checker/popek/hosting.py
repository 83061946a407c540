"""`popek run X.vmm`: guests under the monitor of a text, beside each other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from popek.running import BUDGET_CODE, STOPPED_CODE, code_of, content, disk_in, image_of, starting

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
    with _consoles(len(images), wanted.console) as consoles, _disks(wanted, len(images)) as disks:
        host = _started(path, images, wanted, consoles, disks)
        start = time.perf_counter()
        done = _go(host, wanted.most)
        seconds = time.perf_counter() - start
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
    if attended is None and count == 1:
        yield [Stream(sys.stdout.buffer)]
        return
    named = [Prefixed(f"guest{number}") for number in range(count)]
    with nullcontext() if attended is None else keyboard() as terminal:
        yield [each if number != attended or terminal is None else terminal for number, each in enumerate(named)]
    for each in named:
        each.close()


@contextmanager
def _disks(wanted: Hosting, count: int) -> Iterator[dict[int, Disk]]:
    """The disk of each guest that has one; closed at the end."""
    with ExitStack() as open_:
        found: dict[int, Disk] = {}
        for number, file in wanted.disks:
            if not 0 <= number < count:
                raise click.UsageError(f"--disk {number}={file}: there are guests 0 to {count - 1}")
            found[number] = open_.enter_context(disk_in(file, False))
        yield found


def _started(
    path: str, images: Sequence[str], wanted: Hosting, consoles: Sequence[Console], disks: Mapping[int, Disk]
) -> Vmm:  # fmt: skip
    """The monitor with its guests. What is wrong with either is a usage error, and no guest runs then."""
    if wanted.weights and len(wanted.weights) != len(images):
        raise click.UsageError(f"--weights names {len(wanted.weights)} of {len(images)} guests")
    host = None
    for number, image in enumerate(images):
        data = content(image)
        with starting(path, image):
            host = host or _loaded(path, wanted.monitor)
            weight = wanted.weights[number] if wanted.weights else None
            host.add(
                image_of(host.places.bare, data, wanted.origin), console=consoles[number], disk=disks.get(number), weight=weight
            )
    assert host is not None, "a guest is required"
    return host


def _loaded(path: str, name: str | None) -> Vmm:
    from popek_vmm.monitor.vmm import Vmm

    try:
        return Vmm.load(path, name)
    except KeyError:
        raise click.UsageError(f"{path} has no monitor {name}") from None


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
    return code_of(guest.ended.code)


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
