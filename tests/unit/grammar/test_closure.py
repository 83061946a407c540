"""Which texts a specification is made of is remembered, and never believed once one of them has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from popek_grammar.text import source
from popek_grammar.text.closure import Closure, closure
from popek_grammar.text.diagnostics import SpecError

MAIN = 'isa t {{ encoding little parcel 8 }}\ninclude "{0}"\n'


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that includes another one, and an empty cache."""
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "part.isa").write_text("state { pc : bits(8) }\n")
    (tmp_path / "other.isa").write_text("state { pc : bits(16) }\n")
    path = tmp_path / "t.isa"
    path.write_text(MAIN.format("part.isa"))
    return path


def names(found: Closure) -> list[str]:
    return [Path(name).name for name in found.texts]


def test_the_second_time_nothing_is_parsed(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = closure(str(spec), "code")
    monkeypatch.setattr(source, "load_file", lambda path: pytest.fail("parsed again"))
    again = closure(str(spec), "code")
    assert names(again) == ["t.isa", "part.isa"] and again.digest == first.digest
    assert again.parsed.texts == first.texts
    with pytest.raises(pytest.fail.Exception):
        closure(str(spec), "other code")


@pytest.mark.parametrize("changed", ["main", "part"])
def test_a_changed_text_is_parsed_anew(spec: Path, changed: str) -> None:
    before = closure(str(spec), "code").digest
    if changed == "main":
        spec.write_text(MAIN.format("other.isa"))
    else:
        (spec.parent / "part.isa").write_text('include "other.isa"\n')
    after = closure(str(spec), "code")
    assert after.digest != before
    assert names(after) == (["t.isa", "other.isa"] if changed == "main" else ["t.isa", "part.isa", "other.isa"])


def test_a_text_that_is_gone_is_reported_where_it_is_named(spec: Path) -> None:
    closure(str(spec), "code")
    (spec.parent / "part.isa").unlink()
    with pytest.raises(SpecError) as raised:
        closure(str(spec), "code")
    assert (raised.value.diagnostics[0].code, raised.value.diagnostics[0].span.line) == ("E0011", 2)


def test_names_do_not_run_into_texts() -> None:
    """Two closures whose names and texts are the same letters in a row differ."""
    assert Closure({"a": "bc"}).digest != Closure({"ab": "c"}).digest
