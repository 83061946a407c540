"""How pages are made: one environment, one style sheet and one set of parts for all templates."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

CODE = re.compile(r"`([^`\n]+)`")
INDENT = 2
"""Blanks before a line that is set in from the others."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of this package, all escaping what they are given."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    places = PackageLoader("popek.reports", ".")
    made = Environment(loader=places, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"prose": paragraphs, "inline": inline, "anchor": anchor, "size": size, "sensitivity": sensitivity}
    return made


def render(template: str, **values: object) -> str:
    """A page, without the blank lines that the template's own lines leave."""
    text = environment().get_template(template).render(**values)
    return re.sub(r"\n\s*\n+", "\n", text).strip() + "\n"


def inline(text: str) -> Markup:
    """A text in a line, `code` in backticks."""
    from markupsafe import Markup, escape

    return Markup(CODE.sub(r"<code>\1</code>", str(escape(" ".join(text.split())))))


def paragraphs(text: str) -> Markup:
    """A comment as paragraphs: a blank line or another indentation ends one."""
    from markupsafe import Markup

    found = []
    for kind, lines in groupby(text.splitlines(), _kind):
        if kind != "blank":
            found.append(f'<p class="{kind}">{inline(" ".join(lines))}</p>')
    return Markup("\n".join(found))


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    return "set-in" if len(line) - len(line.lstrip()) >= INDENT else "plain"


def size(count: int) -> str:
    """A number of elements; a large power of two as such."""
    return f"2^{count.bit_length() - 1}" if count >= 1 << 16 and count & (count - 1) == 0 else str(count)


def sensitivity(kind: str) -> str:
    """What a witness shows, in words."""
    name, _, field = kind.partition(":")
    if name == "leaks":
        return "hidden state at work"
    if name in ("exact", "inexact"):
        return "a run that is not exact"
    return f"{name.removesuffix('_sensitive')} sensitivity" + (f": {field}" if field else "")


def anchor(name: str, kind: str = "") -> str:
    """The identifier of a thing on its page: `instr-csrrw`."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return f"{kind}-{plain}" if kind else plain
