"""Which state a piece of a machine's text speaks of: all else is left at zero when states are enumerated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from enumeration.language import (
    FAULTS,
    PLACE,
    Element,
    Instruction,
    Load,
    ModeCode,
    ModeCompare,
    Read,
    Return,
    Set,
    SetMode,
    Store,
    Toy,
)


def spoken_of(toy: Toy, trees: Iterable[object]) -> set[str]:
    """The names of the pieces that trees read or write; of a return, those that it restores."""
    return {name for tree in trees for name in _names(tree, toy)}


def of_instruction(toy: Toy, instruction: Instruction) -> set[str]:
    """The pieces that an instruction, H or f speaks of, with pc and mode."""
    placed = () if toy.placement is None else (toy.placement,)
    return {"pc", "mode"} | spoken_of(toy, (instruction, *toy.assume, *placed))


def of_entry(toy: Toy) -> set[str]:
    """The pieces that the entry of a trap speaks of."""
    return spoken_of(toy, (toy.stacks, toy.delegate))


def _names(tree: object, toy: Toy) -> Iterator[str]:
    match tree:
        case Read(name) | Element(name) | Set(name):
            yield from (name,) if name in toy.slots else ()
        case ModeCode() | SetMode():
            yield "mode"
        case ModeCompare():
            yield tree.what
        case Load() | Store():
            yield from [piece.name for piece in toy.pieces if piece.memory]
            if toy.memory == "translated":
                yield from ("l", "b") if toy.relocated else ()
            else:
                yield FAULTS["load" if isinstance(tree, Load) else "store"]
                yield from (PLACE,) if toy.relocated else ()
        case Return(stack):
            yield from _names(next(one for one in toy.stacks if one.name == stack), toy)
        case str():
            yield from (tree,) if tree in toy.slots else ()
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from _names(part, toy)
    elif hasattr(tree, "__dataclass_fields__"):
        for field in tree.__dataclass_fields__:
            yield from _names(getattr(tree, field), toy)
