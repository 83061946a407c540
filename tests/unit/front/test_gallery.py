"""The gallery: a row a machine, the picture of Theorem 1, its formats, broken machines, text that stays in its frame."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import popek

from machines import SPEC
from popek.checking import Settings
from popek.codes import AS_EXPECTED, BAD_INPUT
from popek.gallery import Entry, Found, by_kind, found
from popek.reports.counts import Regions, regions
from popek.reports.euler import euler
from popek.reports.gallery_report import as_html, as_json, as_text
from popek.reports.summary import Summary
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Finding, Row, Truth

PAPER, STACK = str(SPEC / "pg1974.isa"), str(SPEC / "stack" / "stack.isa")
SMALL = str(Path(__file__).resolve().parents[2] / "corpus" / "mret_without_mode_check.isa")
HOLES = ("JRST1", "LRA", "MFPI", "RDMODE", "RDR", "DECB", "UNOPR", "UNOPM", "STABS", "LDABS", "XTRAP")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SVG = "{http://www.w3.org/2000/svg}"


def rows(*specs: str) -> list[Found]:
    options = Settings(Options())
    return list(found(specs, options, None, False, lambda done, total, name: None))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("broken") / "broken.isa"
    path.write_text('isa broken { title "B"; manual "1"; encoding little parcel 8 }\nmodes { U = 0 < S = }\n')
    return str(path)


@pytest.fixture(scope="module")
def entries(broken: str) -> list[Entry]:
    """The machine of the paper, one that is no machine, and one without anything sensitive."""
    return [row.entry for row in rows(PAPER, broken, STACK)]


def test_a_row_says_what_is_known(entries: list[Entry]) -> None:
    paper = entries[0]
    assert (paper.name, paper.guest, paper.host, paper.instructions) == ("pg1974", "S", "U", 20)
    assert paper.regions.holes == HOLES
    assert (paper.regions.both, paper.regions.privileged) == (("LPSW", "LBAR", "LRAP"), ("HALT", "PNOP"))
    assert (paper.privileged, paper.sensitive, len(paper.regions.innocuous)) == (5, 14, 4)
    assert dict(paper.violations) == {"control": 3, "location": 4, "mode": 4, "trap": 3}
    assert dict(paper.theorems) == {"1": "fails", "3": "fails", "exact": "fails"}
    assert paper.code == AS_EXPECTED


def test_a_broken_machine_does_not_stop_the_others(entries: list[Entry], broken: str) -> None:
    assert [each.code for each in entries] == [AS_EXPECTED, BAD_INPUT, AS_EXPECTED]
    assert entries[1].problem.startswith(f"{broken}:2:")
    assert entries[2].instructions > 0


def test_what_is_open_is_in_no_set() -> None:
    row = Row("x", "", (Finding("privileged", Truth.NO), Finding("mode", Truth.UNKNOWN)))
    assert regions([Summary("x", (row,))]) == Regions(open=("x",))


def test_every_kind_of_sensitivity_is_counted() -> None:
    """What shows only with several things apart, or below the real mode, is of a kind too."""
    told = {"joint": ("joint",), "config:*": ("config",), "below": ("below",), "trap_sensitive": ("trap",)}
    for question, kinds in told.items():
        row = Row("x", "", (Finding("privileged", Truth.NO), Finding(question, Truth.YES)))
        assert by_kind([Summary("x", (row,))]) == tuple((kind, 1) for kind in kinds)


def test_the_schema_of_the_json(entries: list[Entry]) -> None:
    """`popek/gallery/1`, as the README documents it."""
    document = json.loads(as_json(entries))
    assert document["schema"] == "popek/gallery/1"
    paper, bad, stack = document["machines"]
    assert set(paper) == {
        "machine", "config", "title", "guest", "mode", "host_invariant", "instructions", "privileged", "sensitive", "violations",
        "unknown", "theorems", "condition", "as_expected", "seconds",
    }  # fmt: skip
    assert set(bad) == {"machine", "config", "broken"}
    assert paper["violations"]["instructions"] == list(HOLES)
    assert set(paper["violations"]["instructions"]) == set(paper["sensitive"]) - set(paper["privileged"])
    assert stack["violations"] == {"instructions": [], "by_kind": {}}
    assert set(stack["theorems"].values()) <= {"holds", "fails", "unknown"}


def test_the_text_has_every_machine(entries: list[Entry]) -> None:
    text = as_text(entries)
    assert "pg1974" in text
    assert "broken" in text
    assert "11 (3 control, 4 location, 4 mode, 3 trap)" in text


def test_the_page_has_a_picture_for_each_machine(entries: list[Entry]) -> None:
    page = as_html(entries)
    assert page.count("<svg") == 2
    assert 'class="broken"' in page
    assert not re.search(r"<(script|link|img|iframe)\b|\bsrc=|url\(|@import", page)


# -- the picture -----------------------------------------------------------------------------------------------------

CASES = [
    ((), (), ()),
    (("a",), (), ()),
    ((), ("b",), ()),
    ((), (), ("hole",)),
    (("a",), (), ("hole",)),
    (("a",), ("b",), ()),
    ((), ("b",), ("hole",)),
    (("a", "<b>"), ("c&d",), ("an_instruction_with_a_name_that_is_cut", "e")),
    (tuple(f"p{n}" for n in range(9)), tuple(f"both_{n}" for n in range(140)), tuple(f"hole_{n}" for n in range(70))),
]


def parsed(picture: str) -> ElementTree.Element:
    """The picture as XML: it raises when it is not well formed."""
    return ElementTree.fromstring(picture)


def box(picture: ElementTree.Element, kind: str) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a frame."""
    frame = next((rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == kind), None)
    if frame is None:
        return None
    x, y, width, height = (float(frame.attrib[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def full_name(text: ElementTree.Element) -> str:
    """What a text stands for: its title when it is cut."""
    title = text.find(f"{SVG}title")
    return (text.text if title is None else title.text) or ""


@pytest.mark.parametrize("case", CASES)
def test_names_lie_in_their_sets(case: tuple[tuple[str, ...], ...]) -> None:
    """A violation stands in the sensitive frame and not in the privileged one; everything else in the latter."""
    picture = parsed(euler(*case, "a & b"))
    frames = {"privileged": box(picture, "privileged"), "sensitive": box(picture, "sensitive")}
    inside = {"privileged": ("privileged",), "both": ("privileged", "sensitive"), "hole": ("sensitive",)}
    seen: dict[str, list[str]] = {kind: [] for kind in inside}
    for text in picture.iter(f"{SVG}text"):
        kind = text.get("class", "").removeprefix("name ")
        if kind not in inside:
            continue
        seen[kind].append(full_name(text))
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        within = [name for name, side in frames.items() if side and side[0] < x < side[2] and side[1] < y < side[3]]
        assert tuple(within) == inside[kind]
    assert tuple(tuple(names) for names in seen.values()) == case


@pytest.mark.parametrize("case", [case for case in CASES if case[1] and not case[2]])
def test_without_violations_one_frame_lies_in_the_other(case: tuple[tuple[str, ...], ...]) -> None:
    picture = parsed(euler(*case, "x"))
    outer, inner = box(picture, "privileged"), box(picture, "sensitive")
    assert outer is not None and inner is not None
    assert outer[0] < inner[0] and outer[1] < inner[1] and inner[2] < outer[2] and inner[3] < outer[3]


def test_a_picture_of_nothing_says_so() -> None:
    assert "both sets are empty" in euler((), (), (), "x")


MEASURE = """<script>
let bad = [];
for (const svg of document.querySelectorAll("svg")) {
  const all = svg.viewBox.baseVal, texts = [...svg.querySelectorAll("text")].map(each => [each, each.getBBox()]);
  const right = a => a.x + a.width, low = a => a.y + a.height;
  const within = (a, b) => a.x >= b.x - .5 && a.y >= b.y - .5 && right(a) <= right(b) + .5 && low(a) <= low(b) + .5;
  const apart = (a, b) => right(a) <= b.x || right(b) <= a.x || low(a) <= b.y + 3 || low(b) <= a.y + 3;
  for (const [text, place] of texts) {
    if (!within(place, all)) bad.push("outside: " + text.textContent);
    const set = text.classList.contains("set") && svg.querySelector("rect." + text.classList[1]);
    if (set && !within(place, set.getBBox())) bad.push("beyond its frame: " + text.textContent);
    for (const [other, there] of texts) if (other !== text && !apart(place, there)) bad.push("on another: " + text.textContent);
  }
}
document.title = "measured";
document.body.dataset.bad = bad.join("; ") || "none";
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium to measure text")
def test_no_text_leaves_its_frame_or_lies_on_another(tmp_path: Path) -> None:
    """A browser lays the pictures out; a script in a copy of the page measures every text."""
    assert CHROMIUM is not None
    machines = [Entry(f"m{n}", "default", regions=Regions(*case), theorems=BARE) for n, case in enumerate(CASES)]
    page = tmp_path / "pictures.html"
    page.write_text(as_html(machines).replace("</body>", MEASURE + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    run = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=100, check=False)
    measured = re.search(r'data-bad="([^"]*)"', run.stdout)
    assert measured is not None, run.stderr
    assert measured[1] == "none"


BARE = (("1", "holds"), ("3", "holds"), ("exact", "holds"))


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_that_a_machine_is_broken(broken: str, tmp_path: Path) -> None:
    run = popek("explain", "--gallery", SMALL, broken, "--pages", str(tmp_path / "library"), "-j", "1")
    assert run.returncode == BAD_INPUT
    assert "Traceback" not in run.stderr
    assert sorted(file.name for file in (tmp_path / "library").iterdir()) == ["index.html", "small-default.html"]
    index = (tmp_path / "library" / "index.html").read_text()
    assert 'href="small-default.html"' in index
    assert "broken" in index
    page = (tmp_path / "library" / "small-default.html").read_text()
    assert 'href="index.html"' in page


@pytest.mark.parametrize(
    "arguments", [("--pages", "d", PAPER), ("--gallery", "--pages", "d", "-o", "x"), ("--format", "html", PAPER, "ADD")]
)
def test_what_does_not_go_together(arguments: tuple[str, ...], tmp_path: Path) -> None:
    run = popek("explain", *arguments)
    assert run.returncode == BAD_INPUT
    assert not (tmp_path / "d").exists()
