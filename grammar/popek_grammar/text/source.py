"""Reading specifications: files and in-memory texts, with what they `include` and `extend`, and the machine of a monitor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lark import Token, Tree

from popek_grammar.machine import Span
from popek_grammar.text.diagnostics import Diagnostic, Note, Source, SpecError
from popek_grammar.text.parser import Node, ParsedFile, parse_text
from popek_grammar.text.reading import read_source, unreadable

__all__ = ["Declaration", "Source", "SourceSet", "load_file", "load_texts"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A top-level item and the file it stands in."""

    tree: Node
    file: ParsedFile

    def span(self, node: Node | Token | None = None) -> Span:
        """Where `node` (by default the whole declaration) stands."""
        return self.file.span(self.tree if node is None else node)

    @property
    def docs(self) -> str:
        """The doc comment above the declaration."""
        return self.file.docs_before(self.span().line)


@dataclass(frozen=True, slots=True)
class SourceSet:
    """Every file of a specification, the one asked for first, and the declarations in the order they take effect.

    What a base file (`extends`, a monitor's `for`) declares comes before what the file itself declares; what an included file
    declares comes where the `include` stands. A file reached twice counts once. `include` items are gone; headers are kept.
    """

    files: tuple[ParsedFile, ...]
    declarations: tuple[Declaration, ...]

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file by name, as `render` wants it."""
        return {file.source.name: file.source.text for file in self.files}


def load_file(path: str | os.PathLike[str]) -> SourceSet:
    """A specification from a file. Raises `SpecError` for whatever is wrong with it or the files it reaches."""
    return _load(os.fspath(path), read_source)


def load_texts(texts: Mapping[str, str], start: str | None = None) -> SourceSet:
    """A specification from texts by name, beginning at `start` (by default the first of them)."""

    def read(name: str) -> Source:
        if name not in texts:
            raise unreadable(name, "no such file")
        return Source(name, texts[name])

    return _load(next(iter(texts)) if start is None else start, read)


# -- includes and bases ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Loader:
    read: Callable[[str], Source]
    files: dict[str, ParsedFile] = field(default_factory=dict)
    underway: list[str] = field(default_factory=list)

    def declarations(self, name: str, asked: Span | None) -> Iterator[Declaration]:
        """The declarations of the file `name` and all it reaches; `asked` is where it was named."""
        if name in self.underway:
            raise _cycle([*self.underway[self.underway.index(name) :], name], asked)
        if name in self.files:
            return
        file = self._parsed(name, asked)
        self.files[name] = file
        self.underway.append(name)
        for path in _bases(file.tree):
            yield from self.declarations(_relative(path, name), file.span(path))
        for item in _items(file.tree):
            if item.data == "include":
                path = _only_token(item)
                yield from self.declarations(_relative(path, name), file.span(path))
            else:
                yield Declaration(item, file)
        self.underway.pop()

    def _parsed(self, name: str, asked: Span | None) -> ParsedFile:
        if len(self.underway) >= MAX_CHAIN:
            raise SpecError([Diagnostic("E0014", "error", "includes are nested too deeply", asked or _start(name))])
        try:
            source = self.read(name)
        except SpecError as error:
            raise (_at(error, asked) if asked else error) from None
        return parse_text(source.text, source.name)


MAX_CHAIN = 50
"""Files that include one another in a chain."""


def _load(name: str, read: Callable[[str], Source]) -> SourceSet:
    loader = _Loader(read)
    declarations = tuple(loader.declarations(os.path.normpath(name), None))
    return SourceSet(tuple(loader.files.values()), declarations)


def _items(tree: Node) -> Iterator[Node]:
    return (item for item in tree.children if isinstance(item, Tree))


def _bases(tree: Node) -> Iterator[Token]:
    """The paths of what comes before all that the text says: the machine that it extends, or that its monitors are for."""
    for item in _items(tree):
        if item.data in ("header", "monitor") and isinstance(path := item.children[1], Token):
            yield path


def _only_token(item: Node) -> Token:
    (path,) = item.children
    assert isinstance(path, Token)
    return path


def _relative(path: Token, including: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(including), path.value.strip('"')))


def _at(error: SpecError, asked: Span) -> SpecError:
    """The failure to read a file, reported where the file was asked for."""
    first = error.diagnostics[0]
    note = Note("named here", asked)
    if first.code != "E0011":
        return SpecError([Diagnostic(first.code, "error", first.message, first.span, first.label, (note,), first.help)])
    return SpecError([Diagnostic(first.code, "error", first.message, asked, "paths start at the including file")])


def _cycle(names: list[str], asked: Span | None) -> SpecError:
    chain = " -> ".join(names)
    message = "a file cannot include or extend itself" if len(names) == 2 else f"files include one another: {chain}"
    return SpecError([Diagnostic("E0013", "error", message, asked or _start(names[0]))])


def _start(name: str) -> Span:
    return Span(name, 1, 1, 1, 1)
