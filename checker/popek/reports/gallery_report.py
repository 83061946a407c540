"""The gallery as text, as JSON (`popek/gallery/1`) and as one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from popek.codes import AS_EXPECTED, UNKNOWN
from popek.gallery import Entry
from popek.reports.euler import euler
from popek.reports.html import render
from popek.reports.terminal import paper, written

FORMATS = ("text", "json", "html")
STYLE = {"holds": "green", "fails": "red", "unknown": "yellow"}


def writer(name: str) -> Callable[[Sequence[Entry]], str]:
    """The function that writes a gallery in a format."""
    return {"text": as_text, "json": as_json, "html": as_html}[name]


def as_text(entries: Sequence[Entry]) -> str:
    """A table, one row a machine and configuration."""
    console = paper(200)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("machine", "config", "guest", "instr", "priv", "sens", "violations", "T1", "T3", "exact", "time"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("instr", "priv", "sens", "time") else "left")
    table.add_column("condition")
    before = ""
    for each in entries:
        name, before = "" if each.name == before else each.name, each.name
        if each.problem:
            table.add_row(each.name, each.config, Text("broken", style="bold red"), *[""] * 8, each.problem)
            continue
        kinds = ", ".join(f"{count} {kind}" for kind, count in each.violations)
        total, undecided = len(each.regions.holes), len(each.regions.open)
        told = f"{total} ({kinds})" if total else "0"
        told += f", {undecided} undecided" if undecided else ""
        found = dict(each.theorems)
        table.add_row(
            name, each.config, f"{each.guest} at {each.host}", str(each.instructions), str(each.privileged), str(each.sensitive),
            told, *(Text(found[n], style=STYLE[found[n]]) for n in ("1", "3", "exact")),
            f"{each.seconds:.1f} s", "; ".join(each.condition),
        )  # fmt: skip
    console.print(table)
    return written(console)


def as_json(entries: Sequence[Entry]) -> str:
    return json.dumps({"schema": "popek/gallery/1", "machines": [_object(each) for each in entries]}, indent=2) + "\n"


def _object(each: Entry) -> dict[str, Any]:
    if each.problem:
        return {"machine": each.name, "config": each.config, "broken": each.problem}
    sets = each.regions
    return {
        "machine": each.name,
        "config": each.config,
        "title": each.title,
        "guest": each.guest,
        "mode": each.host,
        "host_invariant": list(each.invariant),
        "instructions": each.instructions,
        "privileged": list(sets.all_privileged),
        "sensitive": list(sets.sensitive),
        "violations": {"instructions": list(sets.holes), "by_kind": dict(each.violations)},
        "unknown": list(sets.open),
        "theorems": dict(each.theorems),
        "condition": list(each.condition),
        "as_expected": None if each.code == UNKNOWN else each.code == AS_EXPECTED,
        "seconds": round(each.seconds, 3),
    }


def as_html(entries: Sequence[Entry], links: Sequence[str] = ()) -> str:
    """One page: the table, then a picture for each machine. `links` are the pages of the machines, one an entry."""
    from markupsafe import Markup

    pictures = [
        None if each.problem else Markup(euler(each.regions.privileged, each.regions.both, each.regions.holes, each.name))
        for each in entries
    ]
    pages = links or [""] * len(entries)
    return render("gallery.html.jinja", entries=list(zip(entries, pictures, pages, strict=True)))
