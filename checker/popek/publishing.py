"""Pages of machines: made, and written beside a gallery that links them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from popek.checking import Target
from popek.deriving import Means, access, virtual_cases
from popek.gallery import Found, telling
from popek.output import write_file
from popek.pages import Page, page
from popek.reports import gallery_report, page_report
from popek.reports.html import anchor
from popek_checker.virtualizability.verdict import Report
from popek_grammar.text.source import load_file

INDEX = "index.html"


def machine_page(target: Target, report: Report, means: Means) -> Page:
    """The page of a machine that was reported on."""
    return page(target.machine, load_file(target.path), report, access(target, means), virtual_cases(target, report, means))


def write_pages(rows: Sequence[Found], folder: Path, means: Means) -> None:
    """A page for each machine that is one, and the gallery that links them all, which is written last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot make {folder}: {error.strerror}") from None
    names = file_names(rows)
    for row, name in zip(rows, names, strict=True):
        if row.target is not None and row.report is not None:
            made = machine_page(row.target, row.report, means.telling(telling(row.target, means.tell)))
            text = page_report.as_html(made, INDEX, _siblings(row.target, rows, names))
            write_file(folder / name, text.encode())
    write_file(folder / INDEX, gallery_report.as_html([row.entry for row in rows], names).encode())


def file_names(rows: Sequence[Found]) -> list[str]:
    """The file of each row's page, no two alike; none for a broken machine."""
    taken: dict[str, None] = {}
    names = []
    for row in rows:
        stem = anchor(f"{row.entry.name}-{row.entry.config}")
        name = next(name for number in range(1, len(rows) + 2) if (name := _numbered(stem, number)) not in taken)
        taken |= {name: None} if row.target is not None else {}
        names.append(name if row.target is not None else "")
    return names


def _numbered(stem: str, number: int) -> str:
    return f"{stem}.html" if number == 1 else f"{stem}-{number}.html"


def _siblings(target: Target, rows: Sequence[Found], names: Sequence[str]) -> Mapping[str, str]:
    """The pages of the same file's other configurations."""
    return {
        row.entry.config: name
        for row, name in zip(rows, names, strict=True)
        if row.target is not None and row.target.path == target.path and row.target != target
    }
