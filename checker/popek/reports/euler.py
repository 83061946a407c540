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
FEWEST_LINES, MOST_LINES = 4, 60
WIDEST = 1000
"""A picture becomes deeper rather than wider than this."""
MOST_LETTERS = 26
LABEL = 14
"""Where the name of a set stands below the top of its frame."""


@dataclass(frozen=True, slots=True)
class Block:
    """A region's names in columns, at least as wide as `least` if there are any."""

    columns: tuple[tuple[str, ...], ...]
    kind: str
    least: float = 0.0

    @property
    def width(self) -> float:
        return max(self.least, sum(_column_width(column) for column in self.columns) - MARGIN) if self.columns else 0.0

    @property
    def height(self) -> int:
        return max((len(column) for column in self.columns), default=0) * LINE


@dataclass(frozen=True, slots=True)
class Across:
    """From left to right: where names begin, and the sides of the frames; a set without members has none."""

    names: tuple[float, float, float]
    privileged: tuple[float, float] | None
    sensitive: tuple[float, float] | None


def euler(privileged: tuple[str, ...], both: tuple[str, ...], holes: tuple[str, ...], title: str) -> str:
    """The diagram as an SVG element. `holes` are the violations, drawn in the part that sticks out."""
    labels = (f"privileged {len(privileged) + len(both)}", f"sensitive {len(both) + len(holes)}")
    said = f"{title}: {labels[0]}, {labels[1]}, {len(holes)} violations"
    if not (privileged or both or holes):
        return _svg(f"{title}: nothing is privileged or sensitive", '<text x="1" y="18">both sets are empty</text>', 220, 28)
    blocks = _laid_out((privileged, both, holes), labels)
    across = _across(blocks)
    height = max(*(block.height for block in blocks), 2 * LINE)
    top, low = 2.5 * MARGIN, 2.5 * MARGIN + LABEL + height + MARGIN
    parts = []
    if across.privileged is not None:
        parts.append(_frame("privileged", labels[0], across.privileged, (1, low + MARGIN), "start"))
    if across.sensitive is not None:
        parts.append(_frame("sensitive", labels[1], across.sensitive, (top - MARGIN / 2, low), "end" if holes else "start"))
    for block, left in zip(blocks, across.names, strict=True):
        parts += _names(block, left, top + LABEL)
    right = max(side[1] for side in (across.privileged, across.sensitive) if side is not None)
    return _svg(said, "".join(parts), right + 1, low + MARGIN + 1)


def _svg(said: str, content: str, width: float, height: float) -> str:
    return (
        f'<svg class="euler" role="img" aria-label="{escape(said)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" xmlns="http://www.w3.org/2000/svg"><title>{escape(said)}</title>{content}</svg>'
    )


def _laid_out(regions: tuple[tuple[str, ...], ...], labels: tuple[str, str]) -> list[Block]:
    """The regions in columns of as many lines as keep the picture from being too wide; room for the labels in their frames."""
    privileged, _, holes = regions
    needs = [0.0, 0.0, 0.0]
    needs[0 if privileged else 1] = _text_width(labels[0])
    sensitive = 2 if holes else 1
    needs[sensitive] = max(needs[sensitive], _text_width(labels[1]))
    most = max(map(len, regions))
    lines, blocks = FEWEST_LINES - 1, list[Block]()
    while not blocks or (lines < MOST_LINES and (sum(block.width for block in blocks) > WIDEST or lines * lines < most)):
        lines += 1
        blocks = [_block(*each, lines) for each in zip(regions, ("privileged", "both", "hole"), needs, strict=True)]
    return blocks


def _across(blocks: list[Block]) -> Across:
    """Privileged only, both, sensitive only: the frames overlap where both is."""
    only, both, holes = (block.width for block in blocks)
    x = 1.0
    start = x
    if only:
        x += MARGIN + only + MARGIN
    at_both, first = x, x
    privileged = (start, x) if only else None
    if both:
        first = x if only else x + MARGIN
        at_both = first + MARGIN
        x = at_both + both + MARGIN
        privileged = (start, x if holes else x + MARGIN)
    if holes:
        first = first if both else x + MARGIN if only else x
        at_holes = (x if both else first) + MARGIN
        return Across((start + MARGIN, at_both, at_holes), privileged, (first, at_holes + holes + MARGIN))
    return Across((start + MARGIN, at_both, x), privileged, (first, x) if both else None)


def _frame(kind: str, label: str, across: tuple[float, float], down: tuple[float, float], anchor: str) -> str:
    """A set: its frame, and its name with the number of its members."""
    (left, right), (top, bottom) = across, down
    at = left + MARGIN if anchor == "start" else right - MARGIN
    return (
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="12"/>'
        f'<text class="set {kind}" x="{at:.1f}" y="{top + LABEL:.1f}" text-anchor="{anchor}">{label}</text>'
    )


def _names(block: Block, x: float, top: float) -> list[str]:
    parts = []
    for column in block.columns:
        for line, name in enumerate(column, 1):
            parts.append(f'<text class="name {block.kind}" x="{x:.1f}" y="{top + line * LINE:.1f}">{_shown(name)}</text>')
        x += _column_width(column)
    return parts


def _shown(name: str) -> str:
    """A name, cut when it is long; then a pointer resting on it shows the whole."""
    if len(name) <= MOST_LETTERS:
        return escape(name)
    return f"{escape(name[: MOST_LETTERS - 1])}…<title>{escape(name)}</title>"


def _block(names: tuple[str, ...], kind: str, least: float, lines: int) -> Block:
    return Block(tuple(names[at : at + lines] for at in range(0, len(names), lines)), kind, least)


def _column_width(column: tuple[str, ...]) -> float:
    return _text_width("x" * min(max(map(len, column)), MOST_LETTERS)) + MARGIN


def _text_width(text: str) -> float:
    return len(text) * LETTER
