"""From text to tree: builds the parser once, and turns whatever is wrong with a text into diagnostics."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import lark
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from popek_grammar.cache import remembered
from popek_grammar.machine import Span
from popek_grammar.text.diagnostics import Diagnostic, Source, SpecError
from popek_grammar.text.files import write_whole
from popek_grammar.text.layout import MAX_NESTING, Docs, Layout, NestedTooDeeply, find_docs
from popek_grammar.text.reading import check_size
from popek_grammar.text.syntax_errors import explain

Node: TypeAlias = Tree[Token]

TABLES = "isa.tables"
"""The parser's tables, beside this file where the package was built rather than found."""

MAX_DEPTH = 200
"""Depth of the tree, so that passes over it may recurse: chains of operators and of `else if` count too."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A text, its tree and its doc comments."""

    source: Source
    tree: Node
    docs: Docs

    def docs_before(self, line: int) -> str:
        """The `///` comment that ends directly above `line`."""
        return self.docs.before(line)

    def span(self, node: Node | Token) -> Span:
        """Where `node` stands in this file."""
        return span_of(node, self.source.name)


def parse_text(text: str, name: str = "<text>") -> ParsedFile:
    """Parse a text. `name` is for messages only. Raises `SpecError` and nothing else."""
    source = Source(name, text)
    check_size(len(text), name)
    tree = remembered(Tree, f"tree-{_key(text)}.pickle", lambda: parse(source))
    return ParsedFile(source, tree, find_docs(text))


def parse(source: Source) -> Node:
    """The tree of a text, not looking at the cache of trees."""
    try:
        tree = _parser().parse(source.text)
    except UnexpectedInput as error:
        raise SpecError([explain(error, source, _parser())]) from None
    except NestedTooDeeply as error:
        raise _too_deep(span_of(error.token, source.name), f"more than {MAX_NESTING} brackets are open here") from None
    _check_depth(tree, source)
    return tree


def span_of(node: Node | Token, file: str) -> Span:
    """Where a node or token stands; the start of the file for a node without any text."""
    place = node if isinstance(node, Token) else node.meta
    if getattr(place, "line", None) is None:
        return Span(file, 1, 1, 1, 1)
    assert place.line
    assert place.column
    return Span(file, place.line, place.column, place.end_line or place.line, place.end_column or place.column)


def _check_depth(tree: Node, source: Source) -> None:
    level: list[Node] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    place = span_of(level[0], source.name)
    first = Span(place.file, place.line, place.column, place.line, place.column + 1)
    raise _too_deep(first, f"more than {MAX_DEPTH} constructs stand in one another here")


def _too_deep(span: Span, label: str) -> SpecError:
    remedy = "name parts with `let` or `fn`; `match` instead of a long chain of `if`"
    return SpecError([Diagnostic("E0003", "error", "nested too deeply", span, label, (), remedy)])


# -- the parser ------------------------------------------------------------------------------------------------------


@cache
def grammar_text() -> str:
    """The grammar, `isa.lark`."""
    return files("popek_grammar").joinpath("isa.lark").read_text(encoding="utf-8")


@cache
def _parser() -> Lark:
    # Lark's own `cache=` is neither atomic nor sure to survive a spoilt file, so its saved form is kept as any result.
    saved = _installed() or remembered(bytes, f"parser-{_key('')}.pickle", lambda: _saved(_build()))
    try:
        return Lark.load(io.BytesIO(saved))
    except Exception:  # whatever a spoilt entry makes of Lark
        return _build()


def write_tables(path: Path) -> None:
    """Keep the parser in a file, under the hash of all that it was made from: done once, when the package is built."""
    write_whole(path, _key("").encode() + b"\n" + _saved(_build()))


def _installed() -> bytes | None:
    """The parser that came with the package, if it was made from this very grammar by this Lark and this Python."""
    try:
        key, _, saved = files("popek_grammar").joinpath(TABLES).read_bytes().partition(b"\n")
    except OSError:
        return None
    return saved if key == _key("").encode() else None


def _build() -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="contextual",
        postlex=Layout(),
        propagate_positions=True,
        maybe_placeholders=True,
    )


def _saved(parser: Lark) -> bytes:
    buffer = io.BytesIO()
    parser.save(buffer)
    return buffer.getvalue()


@cache
def _grammar_hash() -> bytes:
    parts = (grammar_text(), lark.__version__, sys.version)
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _key(text: str) -> str:
    return hashlib.sha256(_grammar_hash() + text.encode("utf-8", "surrogatepass")).hexdigest()
