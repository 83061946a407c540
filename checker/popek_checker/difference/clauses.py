"""What a thing that is compared stands on: the clauses that its text names, those that they name, and so on.

A thing reads the same in two machines when its own text does and that of every clause it stands on. Where few of these differ,
they are what explains it. What is not told apart into clauses (modes, fragments, the order of words) everything stands on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from popek_checker.solver.keys import ASIDE, meaning
from popek_grammar import machine as m

Key: TypeAlias = "tuple[str, str]"
"""A clause: its kind, as reports call it, and its name."""

MEMORY: Final[Key] = ("memory", "")
"""Stands for all that an access through the machine's own translation rests on; itself the order of translations."""
ACCESS: Final = "access"
"""The kind of clause that one kind of access is: it stands on `MEMORY`."""
CSRS: Final[Key] = ("CSR access", "")
"""Stands for what an access by number to one CSR rests on beside that register."""
NUMBERS: Final[Key] = ("CSR numbers", "")
"""Which numbers there are."""
ENTRY: Final[Key] = ("trap entry", "")
"""Stands for all that the entry of traps rests on; itself the order of trap stacks."""
NO_CSR: Final = -1
"""The number picked by what names no CSR at all."""

APART: Final = {
    "functions": "function", "registers": "register", "scalars": "state", "arrays": "state", "trap_stacks": "trap stack",
    "translations": "translation", "protections": "protection", "faults": "fault",
}  # fmt: skip
"""The parts of a machine that are told apart by name, and what a clause of each is called."""
SINGLE: Final = {
    "delegate": "delegate",
    "interrupts": "interrupts",
    "acting": "acting",
    "otherwise": "otherwise",
    "csr_space": "CSR space",
    "mapped": "mapped",
}
"""The parts that are one clause each."""
ELSEWHERE: Final[dict[str, object]] = {
    "name": "", "config": "", "title": "", "manual": "", "files": (), "configs": (), "parameters": {}, "extensions": {},
    "choices": {}, "given": {}, "theorems": {}, "invariants": {}, "aliases": (), "program": (), "placements": {},
    "operand_kinds": {}, "instructions": {}, "regions": {}, "devicetree": None, "elf": None, "csrs": {},
}  # fmt: skip
"""What no comparison rests on, or what each thing says itself."""

ACCESSES: Final = frozenset({"load", "load_as", "store", "store_as", "phys_load", "phys_store"})
NUMBERED: Final = frozenset({"csr_read", "csr_write", "exists", "read_legal"})


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names: clauses; causes that it may raise; and whether it names CSRs by a number that is not `picked`."""

    clauses: frozenset[Key]
    raises: frozenset[str] = frozenset()
    numbers: bool = False


NOTHING: Final = Named(frozenset())


class Standing:
    """The clauses of one machine, and what stands on which."""

    def __init__(self, machine: m.Machine) -> None:
        self.machine = machine
        self.clauses: dict[Key, Any] = dict(_clauses(machine))
        self._named: dict[Key, Named] = {}
        self._instructions: dict[tuple[str, str], Named] = {}
        self._digests: dict[Key, str] = {}
        self.cut: frozenset[Key] = frozenset()
        """Accesses that are known to come to the same, so that what they stand on does not matter."""

    @cached_property
    def base(self) -> str:
        """A digest of what everything stands on."""
        empty: dict[str, Any] = {**{part: {} for part in APART}, **dict.fromkeys(SINGLE), **ELSEWHERE}
        causes = replace(self.machine.causes, members=())
        return meaning(replace(self.machine, causes=causes, **empty), ASIDE)

    def digest(self, key: Key) -> str:
        """What a clause says itself; empty for one that the machine lacks."""
        if key not in self._digests:
            self._digests[key] = meaning(self.clauses[key], ASIDE) if key in self.clauses else ""
        return self._digests[key]

    def on(self, instruction: str, clauses: Iterable[Key] = (), picked: tuple[str, int] | None = None) -> Named:
        """All that an instruction (or none, if its name is empty) and these clauses stand on.

        `picked` is the operand that picks a CSR, with the number that it has here.

        Traps are followed to the cause that they raise, and not to the entry, which is compared by itself.
        """
        operand = picked[0] if picked is not None else ""
        first = self._instruction(instruction, operand) if instruction else NOTHING
        always = {("state", self.machine.pc), *([("state", self.machine.mode)] if self.machine.mode else [])}
        found: set[Key] = set()
        raises = set(first.raises)
        left = [*always, *clauses, *first.clauses]
        every = first.numbers
        while left:
            key = left.pop()
            if key in found:
                continue
            found.add(key)
            if key in self.cut:
                continue
            inside = self._of(key)
            raises |= inside.raises
            every = every or inside.numbers
            left += inside.clauses - found
            if key == CSRS and picked is not None:
                left += self._register(picked[1])
            if every and CSRS in found and NUMBERS not in found:
                left += [NUMBERS, *(("register", name) for name in self.machine.csrs.values())]
        return Named(frozenset(found), frozenset(raises))

    def _instruction(self, name: str, operand: str) -> Named:
        if (name, operand) not in self._instructions:
            self._instructions[name, operand] = named(self.machine.instructions[name], operand)
        return self._instructions[name, operand]

    def _register(self, number: int) -> list[Key]:
        name = self.machine.csrs.get(number)
        return [NUMBERS] if number == NO_CSR else [] if name is None else [("register", name)]

    def _of(self, key: Key) -> Named:
        if key not in self._named:
            self._named[key] = self._inside(key)
        return self._named[key]

    def _inside(self, key: Key) -> Named:
        """What a clause names itself."""
        machine = self.machine
        if key == MEMORY:
            whole = {(APART[part], name) for part in ("translations", "protections") for name in getattr(machine, part)}
            whole |= {("acting", ""), ("mapped", ""), *([("state", machine.main_memory)] if machine.main_memory else [])}
            return Named(frozenset(whole))
        if key[0] == ACCESS:
            return Named(frozenset({MEMORY}))
        if key == CSRS:
            return Named(frozenset({("CSR space", "")}))
        if key == ENTRY:
            return Named(frozenset({("delegate", ""), *(("trap stack", name) for name in machine.trap_stacks)}))
        under_way = "addr" if key == ("CSR space", "") else ""
        return named(self.clauses[key], under_way) if key in self.clauses else NOTHING


def _clauses(machine: m.Machine) -> Iterator[tuple[Key, object]]:
    for part, kind in APART.items():
        yield from (((kind, name), clause) for name, clause in getattr(machine, part).items())
    yield from (((kind, ""), getattr(machine, part)) for part, kind in SINGLE.items())
    yield from ((("cause", cause.name), cause) for cause in machine.causes.members)
    yield NUMBERS, tuple(machine.csrs.items())
    yield MEMORY, (tuple(machine.translations), tuple(machine.protections), machine.main_memory)
    yield ENTRY, tuple(machine.trap_stacks)


def named(text: object, operand: str = "") -> Named:
    """What a text names itself; CSR numbers that are the operand `operand` are not counted as open."""
    clauses: set[Key] = set()
    raises: set[str] = set()
    numbers = False
    records = list(_records(text))
    if any(isinstance(record, m.Let) and record.name == operand for record in records):
        operand = ""
    for record in records:
        match record:
            case m.Call(function, _, _):
                clauses.add(("function", function))
            case m.ReadScalar(name, _) | m.ScalarPlace(name, _) | m.ReadElement(name, _, _) | m.ElementPlace(name, _, _):
                clauses.add(("state", name))
            case m.Field(_, _, _, _, str() as name, _, _, _, _):
                clauses.add(("state", name))
            case m.ReadRegister(name, _, _) | m.RegisterPlace(name, _, _):
                clauses.add(("register", name))
            case m.ReturnFrom(name):
                clauses.add(("trap stack", name))
            case m.Cause(name, _, _):
                raises.add(name)
            case m.Fault(name, _) | m.Walk(_, _, _, _, name) | m.Translation(_, _, _, _, _, str() as name):
                clauses.add(("fault", name))
            case m.Level(stack, order, _, _):
                clauses |= {("trap stack", stack), *(("cause", name) for name in order)}
            case m.Builtin(name, _, _) if name in ACCESSES:
                clauses.add(_access(record) or MEMORY)
            case m.Builtin(name, arguments, _) if name in NUMBERED:
                clauses.add(CSRS)
                numbers = numbers or not _is(arguments[0], operand)
            case m.Builtin("acting", _, _):
                clauses.add(("acting", ""))
    return Named(frozenset(clauses), frozenset(raises), numbers)


def _access(call: m.Builtin) -> Key | None:
    """The kind of access that a call makes: load or store, the rights it needs, the bits of what is moved and of the address.

    None for one that a walk makes itself, past translation.
    """
    arguments = call.arguments[1:] if call.name.endswith("_as") else call.arguments
    operation = call.name.removesuffix("_as")
    match operation, arguments:
        case "load", (place, *kind):
            moved, address = call.type, place.type
        case "store", (place, value, *kind):
            moved, address = value.type, place.type
        case _:
            return None
    if not isinstance(moved, m.Bits) or not isinstance(address, m.Bits):
        return None
    rights = m.ACCESS.members[kind[0].value] if kind and isinstance(kind[0], m.Literal) else operation
    return ACCESS, f"{operation} {rights} {moved.width} {address.width}"


def _is(number: m.Expr, operand: str) -> bool:
    """Whether a CSR's number is the operand."""
    return isinstance(number, m.Local) and bool(operand) and number.name == operand


def _records(value: Any) -> Iterator[Any]:
    """Every record below a value, itself included."""
    if isinstance(value, (tuple, list)):
        for held in value:
            yield from _records(held)
    elif isinstance(value, Mapping):
        for held in value.values():
            yield from _records(held)
    elif is_dataclass(value) and not isinstance(value, m.Span):
        yield value
        for part in fields(value):
            yield from _records(getattr(value, part.name))


def mentions_open(side: Standing, on: Named) -> bool:
    """Whether any clause that something stands on leaves a value open."""
    texts = (side.clauses[key] for key in on.clauses if key in side.clauses)
    return any(isinstance(record, m.Unspecified) for text in texts for record in _records(text))
