"""What a verdict takes for granted, what it leaves out, and which parts of the text it never looks at.

All of it is derived from the declarations: what does not concern a machine is not said of it. docs/theory.md, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.embedding import Embedding, seen_through
from popek_checker.virtualizability.verdict import Claim, Unseen
from popek_grammar import machine as m
from popek_grammar.examine.effects import Effects, effects, followed, nodes

MEMORY: Final = {
    "view": (
        "memory view: the monitor gives the guest one view of its memory in every virtual mode "
        "(shadow tables per virtual mode); whether an access faults, and where it lies, depends on its page and kind alone, and "
        "on the mode whose rights it uses, when that is a lesser one than the current; offsets in a page are kept",
    ),
    "per_mode": (
        "memory per_mode: the monitor keeps the guest's tables with their rights by mode; "
        "whether an access faults, and where its page lies, may differ from mode to mode",
    ),
    "translated": ("memory translated: the declared translation and protection act in each mode as they stand",),
}
ONE_PAGE = "no access crosses a page of the smallest size"
ENTRY = frozenset({"literal"})
"""The readings under which a trap is followed through its entry."""


def assumptions(machine: m.Machine, claim: Claim) -> tuple[str, ...]:
    """What the memory model of a claim takes for granted; nothing for a machine without memory."""
    if machine.main_memory is None:
        return ()
    paged = claim.memory == "translated" and any(each.page_bits for each in machine.translations.values())
    return (*MEMORY[claim.memory], ONE_PAGE) if paged else MEMORY[claim.memory]


def f_said(machine: m.Machine, claim: Claim) -> tuple[str, ...]:
    """Where the host has the guest's state while it runs: the lines of the placement, and what follows for the rest."""
    placement = machine.placements.get(claim.placement)
    seen = Embedding(seen_through(machine, placement), placement, "~", relocates=claim.memory == "translated")
    lines = placement.lines if placement is not None else ()
    if placement is not None and placement.memory is not None and not seen.moves:
        lines = tuple(line for line in lines if not line.startswith("memory "))
    carried = sorted(seen.apart - set(placement.apart)) if placement is not None else []
    apart = (f"{', '.join(carried)} with the monitor, since carried elsewhere",) if carried else ()
    rest = "all other state" if lines else "state"
    return (*lines, *apart, f"{rest} of role guest in place, of any other with the monitor")


# -- what is left out ------------------------------------------------------------------------------------------------


def exclusions(machine: m.Machine) -> tuple[str, ...]:
    """What no question of this machine is about."""
    return tuple(_exclusions(machine))


def _exclusions(machine: m.Machine) -> Iterator[str]:
    if any(piece.role is m.Role.ENV for _, piece in pieces(machine)):
        yield "timing: counters, time and other inputs are free in each copy (docs/theory.md 1.4.14)"
    if flags := links(machine):
        yield f"liveness: a trap between a load and the store that {', '.join(flags)} allows may end it (docs/theory.md 1.4.13)"
    if open_choices(machine):
        yield "open choices (`unspecified`, `choose`, illegal values) are made alike in both copies (docs/theory.md 4.3)"


def links(machine: m.Machine) -> tuple[str, ...]:
    """Flags that a store depends on and uses up, as a store-conditional does its link: each reader stores, and writes it."""
    functions = _functions(machine)
    found = {name for name, each in machine.scalars.items() if each.width == 1 and each.role in (m.Role.GUEST, m.Role.HIDDEN)}
    read: set[str] = set()
    for instruction in machine.instructions.values():
        does = followed(machine, effects(machine, instruction.lets, instruction.guards, instruction.body), functions)
        read |= does.reads
        found -= does.reads if not does.builtins & {"store", "store_as"} else does.reads - does.writes
    return tuple(name for name in machine.scalars if name in found & read)


def open_choices(machine: m.Machine) -> bool:
    """Whether the text leaves a value open: in so many words, or by what a field does with an illegal one."""
    code = (*machine.instructions.values(), *machine.functions.values(), *machine.registers.values())
    if any(isinstance(node, m.Unspecified) for node in nodes((*code, *machine.trap_stacks.values()))):
        return True
    fields = (field for register in machine.registers.values() if register.write is None for field in register.fields)
    return any(field.kind is m.FieldKind.WLRL for field in fields)


# -- what a verdict rests on, and what it does not look at ------------------------------------------------------------


def roles(machine: m.Machine, claims: Iterable[Claim], hides: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """By role, the state beside the program's own that anything asked about reads or writes: another role, another verdict."""
    used = _used(machine, claims, hides)
    found = {role: tuple(n for n, piece in pieces(machine) if piece.role is role and n in used) for role in m.Role}
    return tuple((role.value, names) for role, names in found.items() if names and role is not m.Role.GUEST)


def unseen(machine: m.Machine, claims: Sequence[Claim], hides: bool) -> tuple[Unseen, ...]:
    """The declarations that no answer depends on, the first claim being that of the table."""
    return tuple(_unseen(machine, claims, hides))


def _unseen(machine: m.Machine, claims: Sequence[Claim], hides: bool) -> Iterator[Unseen]:
    declared = [f"translation {name}" for name in machine.translations] + [f"protection {name}" for name in machine.protections]
    memory = claims[0].memory
    if declared and memory != "translated":
        others = "theorems of this report" if any(claim.memory == "translated" for claim in claims) else "--memory translated"
        told = {step.partition("(")[0] for kept in machine.invariants.values() for step in kept.steps}
        others = f"the sentences about them, {others}" if told & {*machine.translations, *machine.protections} else others
        why = f"memory is a {'view' if memory == 'view' else 'view for each mode'} that the monitor makes"
        yield Unseen(", ".join(declared), why, f"{others}, popek diff")
    entries = [f"entry of {name}" for name in machine.trap_stacks]
    if entries and not _enters(claims, hides):
        traps = [*entries, *(["delegation"] if machine.delegate is not None else []), "which cause a trap has"]
        yield Unseen(
            ", ".join(traps),
            "a trap ends the instruction",
            f"{_proved(machine)}--reading literal, popek explain --causes, popek diff",
        )
    yield Unseen("fetching, words that decode to nothing", "the instruction is there already", "popek diff")
    if machine.interrupts is not None:
        yield Unseen("interrupts", "they come between instructions", f"{_proved(machine)}popek diff")
    if machine.regions:
        yield Unseen("regions and devices", "verdicts are about instructions", "popek run")
    used = _used(machine, claims, hides)
    idle = [n for n, piece in pieces(machine) if n not in used and piece.role is not m.Role.GUEST]
    if idle:
        yield Unseen(f"the roles of {', '.join(idle)}", "no instruction reads or writes them", "")


def _proved(machine: m.Machine) -> str:
    """The machine's invariants, which are asked of every step, where it states any."""
    return "the invariants, " if machine.invariants else ""


def _enters(claims: Iterable[Claim], hides: bool) -> bool:
    """Whether some question follows a trap through its entry: the literal ones, and noninterference of hidden state."""
    return hides or any(claim.reading in ENTRY for claim in claims)


def _used(machine: m.Machine, claims: Iterable[Claim], hides: bool) -> set[str]:
    """All state that the questions follow instructions to."""
    claims = list(claims)
    code: list[object] = [(each.lets, each.guards, each.body) for each in machine.instructions.values()]
    if any(claim.memory == "translated" for claim in claims):
        code += [*machine.translations.values(), *machine.protections.values(), machine.acting]
    elif any(claim.memory == "per_mode" for claim in claims):
        code += [machine.acting]
    code += [machine.placements[claim.placement] for claim in claims if claim.placement in machine.placements]
    stacks = machine.trap_stacks
    if _enters(claims, hides):
        code += [*stacks.values(), machine.delegate]
    functions = _functions(machine)
    does, entered = Effects(), set[str]()
    while code:
        fresh = followed(machine, effects(machine, *code), functions)
        does.add(fresh)
        csr = fresh.builtins & {"csr_read", "csr_write"}
        named = {*fresh.registers, *(machine.csrs.values() if csr else ())} - entered
        code = [machine.registers[name] for name in named if name in machine.registers]
        code += [part for name in fresh.returns - entered for part in (stacks[name].saves, stacks[name].leaves)]
        code += [machine.csr_space] if csr and "csr_space" not in entered else []
        entered |= named | fresh.returns | ({"csr_space"} if csr else set())
    fields = {field.state for name in entered if name in machine.registers for field in machine.registers[name].fields}
    used = does.reads | does.writes | {name for name in fields if name is not None}
    return used | {machine.mode} if machine.mode is not None else used


def _functions(machine: m.Machine) -> dict[str, Effects]:
    return {name: effects(machine, function.body) for name, function in machine.functions.items()}
