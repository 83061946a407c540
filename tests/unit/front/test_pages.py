"""A page a machine: what the text says and what follows from it, in plain HTML that needs nothing else."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import popek

from machines import SPEC
from popek.checking import Settings, only_target, whole_report
from popek.deriving import Means
from popek.gallery import Entry, Found
from popek.pages import Page
from popek.publishing import file_names, machine_page
from popek.reports import html as templates
from popek.reports.html import anchor, inline, paragraphs, sensitivity, size
from popek.reports.page_report import as_html
from popek_checker.explanation.prose import heading, prose
from popek_checker.solver import keys
from popek_checker.virtualizability.options import Options
from popek_grammar.text.source import load_file, load_texts

PAPER = SPEC / "pg1974.isa"
SMALL_FILE = Path(__file__).resolve().parents[2] / "corpus" / "mret_without_mode_check.isa"
VOID = frozenset({"meta", "br", "hr", "rect", "circle", "line", "path"})

SMALL = """// About it. It is
// small.

/// Beside: a note.
isa small { title "A <small> machine"; manual "M 1"; encoding little parcel 16 }
param SIZE in {8, 16} = 8  // bits of a word
/// Faster.
extension FAST = false
config plain { SIZE = 8, FAST = false }
config fast { SIZE = 8, FAST = true }
modes { U = 0 < S = 1 }
// -- state ---------------------------------
state {
  pc   : bits(8) reset 0
  m    : mode role mode reset S
  A[4] : bits(8) role guest
  ram  : mem(8 -> 8)
}
causes { bad = 1; interrupt LINE = 2 }
trap_stack T { save pc -> csr_epc
  enter m = S }
register epc_ : bits(8) { V[7:0] rw role control }
operand d : A
"""


class Strict(HTMLParser):
    """Collects identifiers, links and text; complains when elements do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.links += [known["href"] or ""] if "href" in known else []
        self.loaded += [tag] if tag in ("script", "link", "img", "iframe", "object") or "src" in known else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(html: str) -> Strict:
    parser = Strict()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def made(path: Path, config: str | None = None) -> Page:
    options = Settings(Options())
    target = only_target(str(path), config)
    report = whole_report(target, options, None, False, lambda done, total, name: None)
    return machine_page(target, report, Means(None, False, 30.0, lambda done, total, name: None))


@pytest.fixture(scope="module")
def paper() -> Page:
    return made(PAPER)


@pytest.fixture(scope="module")
def html(paper: Page) -> str:
    return as_html(paper)


def test_the_page_parses_and_needs_nothing_else(html: str) -> None:
    found = read(html)
    assert html.startswith("<!doctype html>")
    assert not found.loaded
    assert not re.search(r"url\(|@import", html)
    assert all(link.startswith("#") for link in found.links)


def test_every_instruction_has_its_anchor_and_every_link_its_place(paper: Page, html: str) -> None:
    found = read(html)
    names = [each.view.name for chapter in paper.chapters for section in chapter.sections for each in section.operations]
    assert len(names) == 20
    assert {anchor(name, "instr") for name in names} <= set(found.ids)
    assert {anchor(name, "hole") for name in paper.entry.regions.holes} <= set(found.ids)
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_the_page_says_what_the_text_says(paper: Page, html: str) -> None:
    text = read(html).text
    for said in (
        "all that a program sees lies in E",  # the head of the text
        "relocation, absolute",  # beside a variable
        "Traps when the divisor is zero",  # above an instruction
        "Every reference is relocated, in both modes",  # above a translation
        "The amended inclusion alone lets XTRAP pass",  # above a theorem
        "ADD {x}, {y}",
    ):
        assert said in text
    assert [section.heading.title for section in paper.chapters[0].sections] == [
        "innocuous", "privileged", "traps always", "holes",
    ]  # fmt: skip


def test_the_page_says_what_was_found(paper: Page, html: str) -> None:
    text = read(html).text
    assert "11 of 14 sensitive instructions are not privileged" in text
    assert html.count('class="hole"') == len(paper.holes) == 11
    assert text.count("as expected") == len(paper.clauses)
    assert "traps to VMM, which emulates" in text
    assert "fetching, words that decode to nothing" in text
    assert "timing" not in text  # the machine has no clock
    assert {each.view.name: dict(each.view.access) for each in paper.holes}["JRST1"] == {"U": "always", "S": "always"}


def test_the_page_has_the_invariants(html: str) -> None:
    """What the text says of every state and of single steps, and how it came out."""
    section = html.partition('<h2 id="invariants">')[2].partition("</table>")[0]
    assert "after entry: E[0] == old(m @ pc @ l @ b)" in section
    assert section.count("<td>holds</td>") == section.count("<tr>") - 1


def test_a_witness_has_a_column_for_each_state(html: str) -> None:
    """Section of LRA: the two places differ in l, and show it."""
    start = html.index('id="hole-LRA"')
    section = html[start : html.index("</section>", start)]
    assert "<th>U</th><th>U elsewhere</th>" in section
    assert section.count('class="differs"') == 2


def test_the_page_of_a_large_machine() -> None:
    """CSRs, page tables and several files. What was decided is left out: it is decided elsewhere."""
    from popek.pages import page
    from popek_checker.virtualizability.verdict import Claim, Report, Row
    from popek_grammar.load import load_machine

    path = str(SPEC / "riscv" / "riscv.isa")
    machine = load_machine(path, "rv64")
    rows = tuple(Row(name, "", ()) for name in machine.instructions)
    report = Report("riscv", "rv64", Claim("S", "U"), rows, title=machine.title)
    built = page(machine, load_file(path), report, {}, [])
    found = read(as_html(built, "index.html", {"rv32": "riscv-rv32.html"}))
    assert {anchor(name, "instr") for name in machine.instructions} <= set(found.ids)
    assert {anchor(name, "reg") for name in machine.registers} <= set(found.ids)
    assert {link for link in found.links if not link.startswith("#")} == {"index.html", "riscv-rv32.html"}
    assert {link.removeprefix("#") for link in found.links if link.startswith("#")} <= set(found.ids)
    assert "39 bits: 9 | 9 | 9 | 12" in found.text
    assert "1: misaligned loads and stores are done in hardware" in found.text
    assert "mhpmcounter3 … mhpmcounter31" in found.text
    assert built.chapters[0].heading.title == "RV32I and RV64I: Unpriv 2 and 4"


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    run = popek("explain", str(SMALL_FILE), "--format", "html", "-o", str(tmp_path / "page.html"), "-j", "1")
    assert run.returncode == 0
    assert 'id="instr-sret"' in (tmp_path / "page.html").read_text()


def test_files_of_pages_are_told_apart() -> None:
    target = only_target(str(PAPER), None)
    same = Found(Entry("a b", "x/y"), target)
    assert file_names([same, Found(Entry("bad", "")), same]) == ["a-b-x-y.html", "", "a-b-x-y-2.html"]


def test_templates_are_packaged() -> None:
    """They lie in a package of the wheel, which leaves no kind of file out."""
    folder = Path(templates.__file__).parent
    project = SPEC.parent
    wheel = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {file.name for file in folder.glob("*.jinja")} >= {"base.html.jinja", "gallery.html.jinja", "machine.html.jinja"}
    assert folder.parent.relative_to(project).as_posix() in wheel["packages"]
    assert not {"include", "exclude", "only-include"} & set(wheel)


# -- comments --------------------------------------------------------------------------------------------------------


def test_comments_of_a_text() -> None:
    told = prose(load_texts({"small.isa": SMALL}))
    assert told.about == ("About it. It is\nsmall.",)
    assert told.said("param", "SIZE") == "bits of a word"
    assert told.said("extension", "FAST") == "Faster."
    assert told.said("modes") == ""


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        ("Loads (A 5.2). They\ntrap.", "Loads (A 5.2)", "They\ntrap."),
        ("Loads.", "Loads", ""),
        ("", "", ""),
        (f"Long: {'word ' * 20}end. More.", "Long", f"{'word ' * 20}end. More.".capitalize().replace("more", "More")),
    ],
)
def test_headings(text: str, title: str, rest: str) -> None:
    found = heading(text)
    assert (found.title, found.text) == (title, rest)


def test_text_becomes_html() -> None:
    assert inline("a <b> `c&d`") == "a &lt;b&gt; <code>c&amp;d</code>"
    assert paragraphs("a\nb:\n  c\n  d\ne\n\nf").split("\n") == [
        '<p class="plain">a b:</p>', '<p class="set-in">c d</p>', '<p class="plain">e</p>', '<p class="plain">f</p>',
    ]  # fmt: skip
    assert (size(100), size(1 << 32), size(70000)) == ("100", "2^32", "70000")
    assert sensitivity("config:mstatus.TVM") == "config sensitivity: mstatus.TVM"
    assert anchor("a/b c", "instr") == "instr-a-b-c"


def test_verdicts_are_filed_under_the_code_wherever_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.code_digest.cache_clear()
    here = keys.code_digest()
    monkeypatch.chdir(tmp_path)
    keys.code_digest.cache_clear()
    assert keys.code_digest() == here
