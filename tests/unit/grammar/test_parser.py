"""The parser: every construct parses, and every other text is refused with a helpful diagnostic."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark, Token, Tree
from syntax_samples import EVERYTHING

from popek_grammar.text import parser
from popek_grammar.text.diagnostics import Diagnostic, Source, SpecError, render_all
from popek_grammar.text.layout import Layout
from popek_grammar.text.parser import grammar_text, parse_text
from popek_grammar.text.reading import MAX_BYTES

FUZZ = int(os.environ.get("POPEK_FUZZ", "25"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a cache of its own."""
    monkeypatch.setenv("POPEK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refusal(text: str) -> str:
    """The printed diagnostics of a text that does not parse."""
    with pytest.raises(SpecError) as raised:
        parse_text(text, "t.isa")
    return render_all(raised.value.diagnostics, {"t.isa": text})


def parse_or_refuse(text: str) -> None:
    """Parse a text, and print what is wrong with it if anything is."""
    found: tuple[Diagnostic, ...] = ()
    try:
        parser.parse(Source("t", text))
    except SpecError as error:
        found = error.diagnostics
    assert bool(found) == bool(render_all(found, {"t": text}))


def places(tree: Tree[Token]) -> list[tuple[object, ...]]:
    """Everything in a tree that a span may be made of."""
    tokens = tree.scan_values(lambda t: isinstance(t, Token))
    ends: list[tuple[object, ...]] = [(t.type, t.value, t.line, t.column, t.end_line, t.end_column) for t in tokens]
    metas = [node.meta for node in tree.iter_subtrees() if not node.meta.empty]
    return ends + [(m.line, m.column, m.end_line, m.end_column) for m in metas]


def test_every_construct_parses() -> None:
    """No rule of the grammar that the language reference speaks of is left out."""
    used = {str(node.data) for node in parse_text(EVERYTHING).tree.iter_subtrees()}
    assert used >= {
        "header", "include", "param", "conflict", "modes", "state", "layout", "register", "csr", "csr_view",
        "csr_index", "warl", "wlrl", "wpri", "ro", "read_rule", "write_rule", "csr_space", "enc_slices", "enc_fragment",
        "fault_kind", "fragment", "operands", "alias", "otherwise", "length", "trap_stack", "delegate", "interrupts",
        "translation", "walk", "protection", "placement", "theorem", "expect_exactly", "program", "override", "fields_assign",
        "match_stmt", "match_expr", "for_stmt", "choose", "unspecified", "slice_from", "return_from", "acting", "function",
        "invariant", "about", "kept", "raises", "ends",
    }  # fmt: skip


def test_docs_and_spans() -> None:
    """The doc comment of a declaration and of a field, and where they stand."""
    file = parse_text(EVERYTHING, "all.isa")
    csr = next(item for item in file.tree.children if isinstance(item, Tree) and item.data == "csr")
    assert file.docs_before(file.span(csr).line) == "Machine status.\nPriv 3.1.6."
    field = list(csr.find_data("field"))[1]
    assert file.docs_before(file.span(field).line) == "previous mode"
    assert file.span(csr).file == "all.isa"
    assert parse_text("", "e").span(parse_text("").tree).line == 1


def test_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """Lark resolves shift/reduce conflicts in silence; there must be none."""
    with caplog.at_level("DEBUG", logger="lark"):
        Lark(grammar_text(), parser="lalr", postlex=Layout(), debug=True)
    assert "conflict" not in caplog.text.lower()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("inst sret { }", "did you mean `instr`?"),
        ("fn f() { tarp foo }", "did you mean `trap foo`?"),
        ("fn f() { if a = b { } }", "`==` compares"),
        ("param X in {1} == 3", "`=` binds and assigns"),
        ("fn f() = a && b", "`and` joins conditions"),
        ("fn f() = !a", "`not` negates"),
        ("fn f() { let next = 3 }", "`next` is a word of the language"),
        ("fn f() { x = 3", "a `}` is missing"),
        ("instr a {\n enc 0\ninstr b {\n enc 1 }", "a `}` is missing above"),
        ("instr a {\n enc 0\ninstr b {\n enc 1 }", "this `{` is still open\n  --> t.isa:1:9"),
        ("instr x { enc 0b01 }", "bits of an encoding are bare"),
        ("instr x { enc 012 }", "bits of an encoding are bare"),
        ("fn f() = 0b", "after `0b` only"),
        ("fn f() = 0o8", "after `0o` only"),
        ("fn f() = 12ab", "does not start with a digit"),
        ('include "a', 'a text ends with `"` on the same line'),
        ("fn f() { x = a\n - b }", "put the `-` at the end of that line"),
        ("fn f() =", "expected an expression, found the end of the file"),
        ("instr a\n{ }", "`{` stands on the same line"),
        ("fn f() = $", "expected an expression, found `$`"),
        ("fn f() }", "expected `->`, `=` or `{`, found `}`"),
        ("csr x : bits(3)", "expected `[` or `at`, found `:`"),
    ],
)
def test_what_the_author_is_told(text: str, told: str) -> None:
    """The commonest slips are named."""
    assert told in refusal(text)


def test_a_refusal_in_full() -> None:
    """Position, text and carets."""
    assert refusal("isa toy { }\ninstr sret  privileged;\n") == (
        "error[E0001]: expected `{`, found `privileged`\n"
        "  --> t.isa:2:13\n"
        "   |\n"
        " 2 | instr sret  privileged;\n"
        "   |             ^^^^^^^^^^"
    )


@pytest.mark.parametrize(
    "chain",
    [
        "not " * 5000 + "a",
        "-" * 5000 + "a",
        "a" + " + a" * 5000,
        "a" + ".b" * 5000,
        "if a then b else " * 5000 + "c",
        "f(" * 5000,
    ],
)
def test_depth_is_bounded(chain: str) -> None:
    """No text exhausts the stack."""
    assert "nested too deeply" in refusal(f"acting = {chain}")


@pytest.mark.parametrize("text", ["(" * MAX_BYTES, "z" * 10_000_000, "\x00" * MAX_BYTES, "x = " * (MAX_BYTES // 4)])
def test_garbage(text: str) -> None:
    """However much of it there is, the message is short."""
    assert len(refusal(text)) < 2000


def test_the_cache_keeps_everything(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remembered tree equals a fresh one, positions included, and is in fact remembered."""
    fresh = parse_text(EVERYTHING).tree
    monkeypatch.setattr(parser, "parse", lambda source: pytest.fail("not remembered"))
    again = parse_text(EVERYTHING).tree
    assert again == fresh
    assert places(again) == places(fresh)
    assert all(entry.suffix == ".pickle" for entry in own_cache.iterdir())


@pytest.fixture
def uninstalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the tables that come with an installed package."""
    monkeypatch.setattr(parser, "TABLES", "nowhere.tables")
    parser._parser.cache_clear()
    yield
    parser._parser.cache_clear()


@pytest.mark.parametrize("spoilt", [b"", b"garbage", pickle.dumps(3), pickle.dumps(b"3")])
@pytest.mark.usefixtures("uninstalled")
def test_a_spoilt_cache(own_cache: Path, spoilt: bytes) -> None:
    """Entries that are no pickles, or pickles of something else, are made anew."""
    tree = parse_text("acting = a").tree
    for entry in own_cache.iterdir():
        entry.write_bytes(spoilt)
    parser._parser.cache_clear()
    assert parse_text("acting = a").tree == tree


@pytest.mark.parametrize("where", ["", "/dev/null/x", "/proc/nope"])
@pytest.mark.usefixtures("uninstalled")
def test_no_cache(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Where nothing can be kept, nothing is, and parsing works."""
    monkeypatch.setenv("POPEK_CACHE_DIR", where)
    assert parse_text("acting = a").tree.children


@pytest.mark.parametrize("damage", [b"", b"x", b"stale\n"])
@pytest.mark.usefixtures("uninstalled")
def test_tables_that_came_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    """They save the building; those of another grammar, and spoilt ones, are not used."""
    monkeypatch.setattr(parser, "files", lambda package: tmp_path)
    tables = tmp_path / parser.TABLES
    parser.write_tables(tables)
    made = tables.read_bytes()
    monkeypatch.setattr(parser, "_build", lambda: pytest.fail("built again"))
    assert parse_text("acting = a").tree.children
    tables.write_bytes(damage + made[len(damage) :] if damage else b"")
    assert parser._installed() is None


GENERATED = from_lark(
    Lark(grammar_text(), parser="lalr", postlex=Layout()),
    explicit={
        "NAME": st.sampled_from(["a", "mstatus", "X", "rd"]),
        "COMMENT": st.just("// c\n"),
        "_GOES_ON": st.just("\n"),
        "_SEP": st.sampled_from(["\n", ";", "\n\n"]),
        "WS": st.just(" "),
    },
)
QUIET = settings(max_examples=FUZZ, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(GENERATED)
@example("fn f() { a = b }")
def test_grammatical_texts(text: str) -> None:
    """Whatever the grammar generates is parsed or refused, never a traceback."""
    parse_or_refuse(text)


@QUIET
@given(st.data())
def test_mangled_texts(data: st.DataObject) -> None:
    """Neither does a real text with something replaced raise anything else."""
    start = data.draw(st.integers(0, len(EVERYTHING)))
    end = data.draw(st.integers(start, min(len(EVERYTHING), start + 40)))
    text = EVERYTHING[:start] + data.draw(st.text(max_size=5)) + EVERYTHING[end:]
    parse_or_refuse(text)
