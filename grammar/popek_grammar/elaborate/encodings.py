"""Encoding lines to bit patterns: operands scattered or whole, families, and fragments multiplied out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.context import Context, Node


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of an encoding line, most significant first: fixed bits, or bits `hi..lo` of an operand."""

    width: int
    bits: int | None
    operand: str
    hi: int
    lo: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """One alternative of a fragment."""

    name: str
    asm: str
    pieces: tuple[Piece, ...]
    lets: tuple[tuple[str, Node], ...]
    node: Tree[Token]


def pieces(ctx: Context, nodes: list[Tree[Token]], fragments: dict[str, list[Alternative]] | None) -> list[Piece | str]:
    """The items of an `enc` clause; a fragment stays a name. In an alternative, where `fragments` is None, none may stand."""
    made: list[Piece | str] = []
    for node in nodes:
        match node.data, node.children:
            case "enc_bits", [bits]:
                made.append(Piece(len(str(bits)), int(str(bits), 2), "", 0, 0))
            case "enc_field", [name, width]:
                size = int(str(width))
                if not 1 <= size <= 256:
                    ctx.fail("E0280", f"an operand of {size} bits", node)
                made.append(Piece(size, None, str(name), size - 1, 0))
            case "enc_slices", [name, *ranges]:
                for bounds in ranges:
                    assert isinstance(bounds, Tree)
                    hi = int(str(bounds.children[0]))
                    lo = int(str(bounds.children[1])) if bounds.children[1] is not None else hi
                    if lo > hi or hi > 255:
                        ctx.fail("E0281", f"[{hi}:{lo}] runs upwards", bounds, help="the higher bit comes first")
                    made.append(Piece(hi - lo + 1, None, str(name), hi, lo))
            case "enc_fragment", [name]:
                if fragments is None:
                    hint = "write its alternatives out here, or let the instruction's `enc` hold both fragments"
                    ctx.fail("E0293", f"an alternative cannot hold a fragment, as `{name}` is", node, help=hint)
                if str(name) in made:
                    ctx.fail(
                        "E0294",
                        f"fragment `{name}` stands twice in the encoding",
                        node,
                        help="a second fragment with other names",
                    )
                if str(name) not in fragments:
                    ctx.unknown("fragment", str(name), node, list(fragments))
                made.append(str(name))
    return made


def apart(ctx: Context, fragment: str, alternatives: list[Alternative]) -> None:
    """E0292: of two alternatives that match the same bits, one must lie strictly inside the other."""
    for (mask, value, one), (other_mask, other_value, other) in combinations([(*_fixed(a), a) for a in alternatives], 2):
        both = mask & other_mask
        if _length(one) == _length(other) and not (value ^ other_value) & both and both not in (mask, other_mask):
            _same_bits(ctx, fragment, one, other, value | other_value)
        elif _length(one) == _length(other) and (mask, value) == (other_mask, other_value):
            _same_bits(ctx, fragment, one, other, value)


def _same_bits(ctx: Context, fragment: str, one: Alternative, other: Alternative, value: int) -> None:
    message = f"alternatives `{one.name}` and `{other.name}` of `{fragment}` both match {value:0{_length(one)}b}"
    first = ("the first", ctx.span(one.node))
    ctx.report("E0292", message, other.node, other=first, help="they need bits in which they differ")


def _length(alternative: Alternative) -> int:
    return sum(piece.width for piece in alternative.pieces)


def _fixed(alternative: Alternative) -> tuple[int, int]:
    """The mask and value of the bits that an alternative fixes."""
    mask = value = 0
    for piece in alternative.pieces:
        ones = (1 << piece.width) - 1
        mask = mask << piece.width | (ones if piece.bits is not None else 0)
        value = value << piece.width | (piece.bits or 0)
    return mask, value


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line with its fragments chosen."""

    pieces: tuple[Piece, ...]
    choices: tuple[tuple[str, int], ...]


def choose(line: list[Piece | str], fragments: dict[str, list[Alternative]]) -> list[Pattern]:
    """Every choice of alternatives."""
    used = [item for item in line if isinstance(item, str)]
    made = []
    for choice in product(*(range(len(fragments[name])) for name in used)):
        picked = dict(zip(used, choice, strict=True))
        flat: list[Piece] = []
        for item in line:
            flat.extend([item] if isinstance(item, Piece) else fragments[item][picked[item]].pieces)
        made.append(Pattern(tuple(flat), tuple(picked.items())))
    return made


def operands(ctx: Context, node: Node, patterns: list[Pattern], families: set[str]) -> tuple[m.Operand, ...]:
    """The operands of an instruction: widths and the bits that are given; gaps above bit 0 are an error."""
    present: dict[str, int] = {}
    for pattern in patterns:
        here: dict[str, int] = {}
        for piece in pattern.pieces:
            if piece.bits is None:
                mask = ((1 << piece.width) - 1) << piece.lo
                if here.get(piece.operand, 0) & mask:
                    ctx.fail("E0282", f"bits of `{piece.operand}` stand twice in the encoding", node)
                here[piece.operand] = here.get(piece.operand, 0) | mask
        for name, mask in here.items():
            low = (mask & -mask).bit_length() - 1
            if (mask >> low) & ((mask >> low) + 1):
                ctx.fail("E0283", f"`{name}` lacks bits in the middle", node, help="only missing low bits are zero")
            if present.setdefault(name, mask) != mask:
                ctx.fail("E0284", f"`{name}` has other bits in another alternative", node)
    span = ctx.span(node)
    return tuple(m.Operand(n, mask.bit_length(), mask, span) for n, mask in present.items() if n not in families)


def encoding(ctx: Context, node: Node, pattern: Pattern, fixed: dict[str, int], asm: str, parcel: int) -> m.Encoding:
    """The bit pattern of one choice, family fields filled in."""
    width = sum(piece.width for piece in pattern.pieces)
    if width == 0 or width % parcel:
        ctx.fail("E0285", f"the encoding has {width} bits, not a multiple of {parcel}", node, help="count the widths")
    mask = value = 0
    placed: list[m.Piece] = []
    at = width
    for piece in pattern.pieces:
        at -= piece.width
        ones = (1 << piece.width) - 1
        if piece.bits is not None:
            mask, value = mask | ones << at, value | piece.bits << at
        elif piece.operand in fixed:
            mask, value = mask | ones << at, value | ((fixed[piece.operand] >> piece.lo) & ones) << at
        else:
            placed.append(m.Piece(piece.operand, piece.hi, piece.lo, at))
    return m.Encoding(width, mask, value, tuple(placed), pattern.choices, tuple(fixed.items()), asm)


# -- overlap ---------------------------------------------------------------------------------------------------------


def overlaps(ctx: Context, instructions: dict[str, m.Instruction]) -> None:
    """Every word that two clauses match must be explained by an `over`: one strictly inside some encoding of the other."""
    rows = [
        (encoding.width, encoding.mask, encoding.value, instruction)
        for instruction in instructions.values()
        for encoding in instruction.encodings
    ]
    by_width: dict[int, list[tuple[int, int, m.Instruction]]] = {}
    for width, mask, value, instruction in rows:
        by_width.setdefault(width, []).append((mask, value, instruction))
    for width, group in by_width.items():
        for position, (mask, value, first) in enumerate(group):
            for other_mask, other_value, second in group[position + 1 :]:
                if (value ^ other_value) & mask & other_mask:
                    continue
                if first.name == second.name:
                    _one_choice(ctx, (mask, value), (other_mask, other_value), first)
                else:
                    _explained(ctx, width, (mask, value, first), (other_mask, other_value, second), instructions.values())


def _one_choice(ctx: Context, one: tuple[int, int], other: tuple[int, int], both: m.Instruction) -> None:
    """E0292: two choices of alternatives of several fragments, which each on its own keep theirs apart."""
    if any(code == "E0292" for code, _ in ctx.reported):
        return  # one of them does not, and that has been said
    common = one[0] & other[0]
    if one == other or common not in (one[0], other[0]):
        message = f"two choices of alternatives of `{both.clause}` both match {one[1] | other[1]:#x}"
        ctx.report("E0292", message, both.span, help="lengths of its fragments add up alike: they need bits in which they differ")


def _explained(
    ctx: Context, width: int, one: tuple[int, int, m.Instruction], two: tuple[int, int, m.Instruction],
    every: Iterable[m.Instruction],
) -> None:  # fmt: skip
    (mask, value, first), (other_mask, other_value, second) = one, two
    inside = _says(first, second) and _inside(mask, value, second)
    outside = _says(second, first) and _inside(other_mask, other_value, first)
    settled = any(_settles(third, (mask | other_mask, value | other_value), first, second) for third in every)
    if not inside and not outside and not settled:
        ctx.report(
            "E0290", f"`{first.name}` and `{second.name}` both match the word {value | other_value:#0{width // 4 + 2}x}",
            first.span, other=("the other clause", second.span),
            help=f"if one is a special case of the other, write `over {second.clause}` in it; else a third clause `over` both",
        )  # fmt: skip


def _inside(mask: int, value: int, outer: m.Instruction) -> bool:
    """Every word of a pattern matches one encoding of `outer`, which matches others too."""
    return any(
        mask & each.mask == each.mask and mask != each.mask and (value ^ each.value) & each.mask == 0 for each in outer.encodings
    )


def _settles(third: m.Instruction, both: tuple[int, int], first: m.Instruction, second: m.Instruction) -> bool:
    """Whether a third clause, declared over two, holds every word that both match."""
    mask, value = both
    named = _says(third, first) and _says(third, second)
    return named and any(not each.mask & ~mask and not (each.value ^ value) & each.mask for each in third.encodings)


def _says(inner: m.Instruction, outer: m.Instruction) -> bool:
    return outer.name in inner.over or outer.clause in inner.over
