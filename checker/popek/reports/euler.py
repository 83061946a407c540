"""The picture of Theorem 1: an Euler diagram of the privileged and the sensitive instructions, as SVG.

A machine is virtualizable when the sensitive set lies inside the privileged one. Both are drawn as rounded frames over
three columns of names: privileged only, both, and sensitive only. What stands in the last column sticks out.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

LINE = 16
"""Height of a line of names, in pixels."""
LETTER = 6.7
"""Width of a letter of the monospaced face at 11 px."""
MARGIN = 14
MOST_LINES = 12
MOST_LETTERS = 22


@dataclass(frozen=True, slots=True)
class Block:
    """A region's names laid out in columns of at most `MOST_LINES`."""

    columns: tuple[tuple[str, ...], ...]
    kind: str

    @property
    def width(self) -> float:
        return sum(_column_width(column) for column in self.columns)

    @property
    def height(self) -> int:
        return max((len(column) for column in self.columns), default=0) * LINE


def euler(privileged: tuple[str, ...], both: tuple[str, ...], holes: tuple[str, ...], title: str) -> str:
    """The diagram as an SVG element. `holes` are the violations, drawn in the part that sticks out."""
    blocks = [_block(names, kind) for names, kind in ((privileged, "privileged"), (both, "both"), (holes, "hole"))]
    height = max(*(block.height for block in blocks), 2 * LINE)
    spans, x = [], 3.0 * MARGIN
    for block in blocks:
        width = block.width + MARGIN if block.columns else 0.0
        spans.append((x, x + width))
        x += width + (MARGIN if block.columns else 0)
    top, bottom = 3.0 * MARGIN, 3.0 * MARGIN + height + 2 * MARGIN
    (only_p, in_both, only_s) = spans
    outer = (only_p[0] - 2 * MARGIN, in_both[1] + MARGIN / 2)
    first_s = in_both[0] if both else only_s[0]
    inner = (first_s - MARGIN / 2, (only_s[1] if holes else in_both[1]) + (MARGIN / 2 if holes else -MARGIN / 2))
    parts = []
    if privileged or both:
        parts.append(_frame("privileged", outer, (top - 2 * MARGIN, bottom + MARGIN), len(privileged) + len(both), "start"))
    if both or holes:
        parts.append(_frame("sensitive", inner, (top - MARGIN / 2, bottom), len(both) + len(holes), "end" if holes else "start"))
    for block, (left, _) in zip(blocks, spans, strict=True):
        parts += _names(block, left, top + MARGIN)
    whole, deep = max(x + MARGIN, 220.0), bottom + 2 * MARGIN
    said = f"{title}: {len(privileged) + len(both)} privileged, {len(both) + len(holes)} sensitive, {len(holes)} violations"
    return (
        f'<svg class="euler" role="img" aria-label="{escape(said)}" viewBox="0 0 {whole:.0f} {deep:.0f}" '
        f'width="{whole:.0f}" height="{deep:.0f}" xmlns="http://www.w3.org/2000/svg"><title>{escape(said)}</title>{"".join(parts)}</svg>'
    )


def _frame(kind: str, across: tuple[float, float], down: tuple[float, float], count: int, anchor: str) -> str:
    """A set: its frame, and its name with the number of its members."""
    (left, right), (top, bottom) = across, down
    at = left + MARGIN if anchor == "start" else right - MARGIN
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="12"/>'
        f'<text class="set {kind}" x="{at:.1f}" y="{top + 14:.1f}" text-anchor="{anchor}">{kind} {count}</text>'
    )


def _names(block: Block, x: float, top: float) -> list[str]:
    parts = []
    for column in block.columns:
        for line, name in enumerate(column, 1):
            shown = name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"
            parts.append(f'<text class="name {block.kind}" x="{x:.1f}" y="{top + line * LINE:.1f}">{escape(shown)}</text>')
        x += _column_width(column)
    return parts


def _block(names: tuple[str, ...], kind: str) -> Block:
    lines = max(4, min(MOST_LINES, -(-len(names) // 4)))
    return Block(tuple(names[at : at + lines] for at in range(0, len(names), lines)), kind)


def _column_width(column: tuple[str, ...]) -> float:
    return min(max(map(len, column)), MOST_LETTERS) * LETTER + MARGIN
