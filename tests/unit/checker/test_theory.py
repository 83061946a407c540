"""docs/theory.md says what is so: its table is the paper's machine, its questions are those asked, and what is cited is there."""

from __future__ import annotations

import re
from pathlib import Path

from machines import SPEC
from popek_checker.virtualizability.theorems import SHOWS
from popek_grammar.load import load_machine

ROOT = SPEC.parent
TEXT = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
COLUMNS = {
    "privileged": ("privileged_amended",),
    "control lit/amd": ("control_literal", "control_amended"),
    "mode lit/amd": ("mode_literal", "mode_amended"),
    "location": ("location_sensitive",),
    "inclusion lit/amd": ("theorem1_literal", "inclusion_amended"),
    "Theorem 1": ("theorem1",),
    "Theorem 3": ("theorem3",),
    "exact": ("exact",),
    "exact, user": ("exact_for_virtual_user_mode",),
}
"""The columns of the table, and the theorems of the paper's machine that they are."""


def rows() -> list[list[str]]:
    """The cells of the table in 1.5, marks of emphasis left out."""
    section = TEXT.partition("### 1.5")[2].partition("## 2.")[0]
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.replace("**", "").strip("|").split("|")] for line in lines]


def test_the_table_is_what_the_machine_of_the_paper_expects() -> None:
    """Which is what is found: the machine's own theorems are checked elsewhere."""
    machine = load_machine(str(SPEC / "pg1974.isa"))
    (_, *headings), *told = rows()
    assert headings == list(COLUMNS)
    found: dict[str, set[str]] = {theorem: set() for theorems in COLUMNS.values() for theorem in theorems}
    listed = []
    for title, *cells in told:
        names = [name for name in re.split(r"\W+", title) if name in machine.instructions]
        listed += names[: 1 if "privileged" in title else None]
        for heading, cell in zip(headings, cells, strict=True):
            for theorem, word in zip(COLUMNS[heading], cell.split("/"), strict=True):
                members = "no" if "exact" in heading else "yes"
                if word in (members, "fails"):
                    found[theorem] |= set(names[: 1 if "privileged" in title else None])
    assert sorted(listed) == sorted(machine.instructions)
    assert found == {theorem: set(machine.theorems[theorem].expect.names) for theorem in found}


def test_every_question_is_explained() -> None:
    section = TEXT.partition("## 3.")[2].partition("## 4.")[0]
    explained = {
        name for line in section.splitlines() if line.startswith("|") for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    synonyms = {"sensitive_implies_privileged", "user_sensitive_implies_privileged"}
    assert explained - {"show"} == set(SHOWS) - synonyms


def test_what_is_cited_is_there() -> None:
    """Section numbers after `docs/theory.md`, in sources, specifications and pages; no citation of a text that is not here."""
    numbered = set(re.findall(r"^#+ (\d+(?:\.\d+)?)", TEXT, re.M))
    numbered |= {
        f"1.4.{number}" for number in re.findall(r"^(\d+)\. ", TEXT.partition("### 1.4")[2].partition("### 1.5")[0], re.M)
    }
    files = [file for folder in ("checker", "grammar", "spec", "docs") for file in (ROOT / folder).rglob("*")]
    cited: dict[str, Path] = {}
    for file in [*files, ROOT / "ARCHITECTURE.md", ROOT / "README.md"]:
        if file.suffix in (".py", ".isa", ".md") and file.name != "theory.md":
            text = file.read_text(encoding="utf-8")
            cited |= dict.fromkeys(re.findall(r"docs/theory\.md,? (\d+(?:\.\d+)*)", text), file)
            assert not re.search(r"(?<!docs/)(?<!\()theory\.md \d", text), file
    assert cited
    assert set(cited) <= numbered
