"""What a text says to its readers: the comment at its head, its sections, the comments on its declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lark import Token, Tree

from popek_grammar.machine import Span
from popek_grammar.text.parser import Node, ParsedFile
from popek_grammar.text.source import SourceSet

SECTION = re.compile(r"// -- (?P<title>.*?)[ \t]*-*")
"""A rule across the page with the name of what follows."""
COMMENT = re.compile(r"[ \t]*//+ ?(?P<text>.*)")
BESIDE = re.compile(r'(?:[^"/]|"[^"]*"|/(?!/))*\S(?:[^"/]|"[^"]*"|/(?!/))*//(?!/)[ \t]*(?P<text>.*)')
"""A comment at the end of a line that says something."""
SENTENCE = re.compile(r"(?<=[^.\s]{2})\.\s+(?=[A-Z\"`(])")
LONG_TITLE = 72


@dataclass(frozen=True, slots=True)
class Heading:
    """The name of a part of a text, and what is said under it."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """The comments of all files of a machine. `about` holds the comment at the head of each machine, the asked for first."""

    about: tuple[str, ...]
    chapters: dict[str, Heading]
    lines: dict[str, tuple[str, ...]]
    files: dict[str, ParsedFile]
    docs: dict[tuple[str, str], str]

    def said(self, kind: str, name: str = "") -> str:
        """The comment above or beside a declaration, such as `param` and its name; empty when there is none."""
        return self.docs.get((kind, name), "")

    def above(self, span: Span) -> str:
        """The doc comment above a place."""
        file = self.files.get(span.file)
        return file.docs_before(span.line) if file is not None else ""

    def beside(self, span: Span) -> str:
        """The comment at the end of the line of a place."""
        lines = self.lines.get(span.file, ())
        found = BESIDE.fullmatch(lines[span.line - 1]) if 0 < span.line <= len(lines) else None
        return found["text"].strip() if found is not None else ""

    def section(self, span: Span) -> Heading:
        """The section that a place is in; without a title before the first one of its file."""
        lines = self.lines.get(span.file, ())
        for number in range(min(span.line, len(lines)) - 1, -1, -1):
            found = SECTION.fullmatch(lines[number])
            if found is not None:
                return Heading(*_joined(found["title"], [*_comment(lines[number + 1 :])]))
        return Heading("", "")

    def chapter(self, span: Span) -> Heading:
        """The file that a place is in, by the comment at its head; without a title when the file is the machine's own."""
        return self.chapters.get(span.file, Heading("", ""))


def prose(sources: SourceSet) -> Prose:
    """The comments of a specification."""
    lines = {file.source.name: tuple(file.source.text.splitlines()) for file in sources.files}
    heads = {name: "\n".join(_comment(each)) for name, each in lines.items()}
    mains = [file.source.name for file in sources.files if any(_kinds(file.tree, "header"))]
    told = Prose(
        tuple(heads[name] for name in mains), {name: heading(text) for name, text in heads.items() if name not in mains},
        lines, {file.source.name: file for file in sources.files}, {},
    )  # fmt: skip
    said = ((key, each.docs or told.beside(each.span())) for each in sources.declarations for key in _keys(each.tree))
    return replace(told, docs={key: text for key, text in said if text})


def heading(text: str) -> Heading:
    """A text whose first sentence, or the part of it before a colon, is the title."""
    first, *rest = SENTENCE.split(text, maxsplit=1)
    first = " ".join(first.split())
    if len(first) > LONG_TITLE and ": " in first:
        first, _, more = first.partition(": ")
        rest = [f"{more[:1].upper()}{more[1:]}. {' '.join(rest)}".replace("..", ".").strip()]
    return Heading(first.removesuffix("."), "\n".join(rest))


def _joined(title: str, rest: list[str]) -> tuple[str, str]:
    """A section whose first line goes on in the next ones is a text with a title of its own."""
    if not rest:
        return title, ""
    found = heading("\n".join((title, *rest)))
    return found.title, found.text


def _comment(lines: tuple[str, ...]) -> Iterator[str]:
    """The lines of the comment that a text begins with."""
    for line in lines:
        found = COMMENT.fullmatch(line)
        if found is None or SECTION.fullmatch(line):
            return
        yield found["text"]


def _keys(tree: Node) -> Iterator[tuple[str, str]]:
    """How a declaration is asked for: its kind, and its name if it has one."""
    inner = tree.children[0] if tree.data == "override" else tree
    if isinstance(inner, Tree):
        name = next((str(child) for child in inner.children[:1] if isinstance(child, Token) and child.type == "NAME"), "")
        yield str(inner.data), name


def _kinds(tree: Node, kind: str) -> Iterator[Node]:
    return (child for child in tree.children if isinstance(child, Tree) and child.data == kind)
