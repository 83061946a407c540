"""Reading files, includes and bases."""

from __future__ import annotations

from pathlib import Path

import pytest

from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.reading import MAX_BYTES, read_source
from popek_grammar.text.source import SourceSet, load_file, load_texts


def names(loaded: SourceSet) -> list[str]:
    """The parameters declared, in order."""
    return [str(d.tree.children[0]) for d in loaded.declarations if d.tree.data == "param"]


def param(name: str) -> str:
    """A declaration to be recognised."""
    return f"param {name} in {{1}} = 1\n"


def code(error: pytest.ExceptionInfo[SpecError]) -> str:
    """The code of the first diagnostic."""
    return error.value.diagnostics[0].code


def test_order() -> None:
    """The base first, an included file where the `include` stands, a file reached twice once."""
    loaded = load_texts({
        "d/main.isa": f'isa m extends "../base.isa" {{ }}\n{param("A")}include "inc.isa"\n{param("Z")}'
        'include "inc.isa"',
        "d/inc.isa": param("I") + 'include "../base.isa"',
        "base.isa": "isa b { }\n" + param("B"),
    })  # fmt: skip
    assert names(loaded) == ["B", "A", "I", "Z"]
    assert list(loaded.texts) == ["d/main.isa", "base.isa", "d/inc.isa"]
    assert [d.span().file for d in loaded.declarations if d.tree.data == "header"] == ["base.isa", "d/main.isa"]


def test_docs_of_a_declaration() -> None:
    """A declaration knows its doc comment."""
    (declaration,) = load_texts({"a": "/// why\n" + param("A")}).declarations
    assert declaration.docs == "why"
    assert declaration.span().line == 2


@pytest.mark.parametrize("texts", [
    {"a": 'include "a"'},
    {"a": 'include "b"', "b": 'isa b extends "a" { }'},
    {"a": 'include "./x/../a"'},
])  # fmt: skip
def test_cycles(texts: dict[str, str]) -> None:
    """A file cannot reach itself."""
    with pytest.raises(SpecError) as error:
        load_texts(texts)
    assert code(error) == "E0013"


def test_a_missing_include_is_reported_where_it_is_asked_for() -> None:
    """The author's own line, not line 1 of a file that does not exist."""
    with pytest.raises(SpecError) as error:
        load_texts({"a": '\ninclude "no.isa"'})
    (found,) = error.value.diagnostics
    assert (found.code, found.span.file, found.span.line, found.span.column) == ("E0011", "a", 2, 9)


def test_long_chains() -> None:
    """A chain of includes is bounded."""
    with pytest.raises(SpecError) as error:
        load_texts({str(i): f'include "{i + 1}"' for i in range(5000)})
    assert code(error) == "E0014"


def test_files(tmp_path: Path) -> None:
    """Paths are relative to the including file; a byte order mark is no part of the text."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "main.isa").write_bytes(b'\xef\xbb\xbfinclude "sub/a.isa"\r\n')
    (tmp_path / "sub" / "a.isa").write_text('include "b.isa"\n' + param("A"))
    (tmp_path / "sub" / "b.isa").write_text(param("B"))
    assert names(load_file(tmp_path / "main.isa")) == ["B", "A"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"a\n\xff", "E0012"), (b"a\n \0", "E0012"), (b"a" * (MAX_BYTES + 1), "E0010"), (None, "E0011")],
)
def test_unusable_files(tmp_path: Path, content: bytes | None, expected: str) -> None:
    """Whatever a file holds, there is a diagnostic and no traceback."""
    path = tmp_path / "x.isa"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        load_file(path)
    assert code(error) == expected


@pytest.mark.parametrize("path", ["/", "/dev/zero", "/nowhere/x", "a\0b", "x" * 5000])
def test_no_files(path: str) -> None:
    """Nor does a path that names no file raise anything else."""
    with pytest.raises(SpecError):
        read_source(path)
