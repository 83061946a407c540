"""What two machines declare, compared by name: modes, state, registers and their fields, causes, traps, instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from popek_checker.difference.common import shape
from popek_checker.difference.delta import Change
from popek_checker.explanation.explain import encoding_view
from popek_checker.virtualizability.copies import pieces
from popek_grammar import machine as m

About: TypeAlias = "Mapping[str, tuple[str, ...]]"
"""What a machine says of each thing of a kind, in short parts."""


def changes(a: m.Machine, b: m.Machine) -> Iterator[Change]:
    """Every declaration that one machine lacks, or that says something else in the other; fields of a lacking register not."""
    lacking: set[str] = set()
    for kind, about in FACETS.items():
        one, other = about(a), about(b)
        for name in {**one, **other}:
            if one.get(name) == other.get(name) or (kind == "field" and name.partition(".")[0] in lacking):
                continue
            where = "B" if name not in one else "A" if name not in other else "both"
            if where != "both" and kind in ("register", "CSR"):
                lacking.add(name)
            yield Change(kind, name, where, _parted(one[name], other[name]) if where == "both" else "")
    for name in a.instructions:
        if name in b.instructions and encodings(a, name) != encodings(b, name):
            yield Change("encoding", name, "both", _parted(encodings(a, name), encodings(b, name)))


def _parted(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    """What only one side says of a thing."""
    left = ", ".join(part for part in one if part not in other)
    right = ", ".join(part for part in other if part not in one)
    return "; ".join(f"{text} in {side}" for text, side in ((left, "A"), (right, "B")) if text) or "in another order"


def encodings(machine: m.Machine, name: str) -> tuple[str, ...]:
    """The bit patterns of an instruction; one for each alternative of its fragments."""
    found = machine.instructions[name]
    views = (encoding_view(machine, found, encoding) for encoding in found.encodings)
    return tuple(" ".join(field.text for field in view.fields) for view in views)


# -- kinds -----------------------------------------------------------------------------------------------------------


def _layout(machine: m.Machine) -> About:
    """What every instruction rests on."""
    known = {"encoding order": machine.order, "parcel": f"{machine.parcel} bits"}
    known |= {"main memory": machine.main_memory} if machine.main_memory else {}
    known |= {"mode": machine.mode} if machine.mode else {}
    known |= {"otherwise": f"trap {machine.otherwise.name}"} if machine.otherwise else {}
    known |= {f"length {each.width}": "declared" for each in machine.lengths}
    known |= {"interrupts": "declared"} if machine.interrupts else {}
    return {name: (said,) for name, said in known.items()}


def _modes(machine: m.Machine) -> About:
    ranked = enumerate(machine.modes.members)
    return {name: (f"encoding {code}", f"privilege {rank}") for rank, (name, code) in ranked}


def _variables(machine: m.Machine) -> About:
    """State that belongs to no register."""
    loose = ((name, piece) for name, piece in pieces(machine) if name.partition(".")[0] not in machine.registers)
    return {name: tuple(_piece(piece)) for name, piece in loose}


def _piece(piece: m.Scalar | m.Array) -> Iterator[str]:
    yield shape(piece)
    yield f"role {piece.role.value}"
    if isinstance(piece, m.Array):
        yield f"{piece.count} of them"
        yield "big-endian" if piece.big_endian else "little-endian"
        yield f"zero at {piece.zero_at}"
        return
    yield f"holds {_ranges(piece.legal)}"
    yield _reset(piece)


def _reset(scalar: m.Scalar | None) -> str:
    return "no reset" if scalar is None or scalar.reset is None else f"reset {scalar.reset:#x}"


def _ranges(ranges: tuple[tuple[int, int], ...] | None) -> str:
    if ranges is None:
        return "anything"
    return "{" + ", ".join(str(low) if low == high else f"{low}..{high}" for low, high in ranges) + "}"


def _registers(machine: m.Machine) -> About:
    plain = (register for register in machine.registers.values() if register.address is None)
    return {register.name: (f"{register.width} bits", f"{register.count} of them") for register in plain}


def _csrs(machine: m.Machine) -> About:
    found = {address: machine.registers[name] for address, name in machine.csrs.items()}
    return {csr.name: (f"at {at:#x}", f"{csr.width} bits", _least(machine, csr)) for at, csr in found.items()}


def _least(machine: m.Machine, csr: m.Register) -> str:
    return "any mode" if csr.min_mode is None else f"mode {machine.modes.name(csr.min_mode)} and up"


def _fields(machine: m.Machine) -> About:
    return {
        f"{register.name}.{field.name}": (
            f"[{field.hi}:{field.lo}]",
            field.kind.value,
            f"takes {_ranges(field.legal)}",
            f"role {field.role.value}",
            _reset(machine.scalars.get(field.state or "")),
        )
        for register in machine.registers.values()
        for field in register.fields
    }


def _causes(machine: m.Machine) -> About:
    return {
        cause.name: ("interrupt" if cause.interrupt else "exception", f"code {cause.code}") for cause in machine.causes.members
    }


def _payload(machine: m.Machine) -> About:
    return {name: (f"{width} bits",) for name, width in machine.causes.payload}


def _present(names: Callable[[m.Machine], Mapping[str, object]]) -> Callable[[m.Machine], About]:
    """Things whose meaning shows in what instructions do: here only that they are there."""
    return lambda machine: dict.fromkeys(names(machine), ())


FACETS: Final[dict[str, Callable[[m.Machine], About]]] = {
    "layout": _layout,
    "mode": _modes,
    "state": _variables,
    "register": _registers,
    "CSR": _csrs,
    "field": _fields,
    "cause": _causes,
    "cause payload": _payload,
    "trap stack": _present(lambda machine: machine.trap_stacks),
    "translation": _present(lambda machine: machine.translations),
    "protection": _present(lambda machine: machine.protections),
    "instruction": _present(lambda machine: machine.instructions),
}
"""Each kind, with what a machine says of it."""
