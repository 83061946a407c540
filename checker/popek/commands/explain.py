"""`popek explain`: a machine or an item of it, what becomes of a guest, a page, the gallery.

What decides is imported by those who decide: an explanation in text is there at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from popek.commands import options
from popek.library import load_any, shipped
from popek.output import emit
from popek.working import executor, progress

EXAMPLES = """
popek explain riscv mret
popek explain ia32 --virtual
popek explain hypervisor sret --causes
popek explain riscv --state
popek explain SPEC --format html -o machine.html
popek explain --gallery --pages DIR
"""


@click.command("explain", epilog=options.epilog(EXAMPLES, ""))
@click.argument("names", nargs=-1, metavar="SPEC [ITEM]...")
@options.instructions("Explain only these instructions; with --virtual, what becomes of them.")
@options.configuration()
@click.option("--gallery", is_flag=True, help="The whole library, or every SPEC named: a row and a picture a machine.")
@click.option(
    "--pages", type=click.Path(file_okay=False), metavar="DIR", help="The gallery in DIR/index.html, beside a page a machine."
)
@click.option("--virtual", is_flag=True, help="What becomes of a guest's instructions: executed, trapped on, or emulated.")
@click.option("--causes", is_flag=True, help="How instructions end, by mode and setting: the first cause that applies.")
@click.option("--state", is_flag=True, help="What a monitor must save of a guest, with the instructions that read and set it.")
@options.formats(("text", "json", "html"), "html: a page of the whole machine, or of the gallery.")
@options.output("Write here instead of standard output.")
@options.deciding
def command(
    names: tuple[str, ...], instructions: tuple[str, ...], config: str | None, gallery: bool, pages: str | None, virtual: bool,
    causes: bool, state: bool, format_: str, output: str | None, jobs: int, timeout: float, no_cache: bool,
) -> int:  # fmt: skip
    """Explain a machine, or an ITEM of it.

    An ITEM is an instruction, a CSR, a register or a translation; several are explained one after another.
    With --format html: one page with all of a machine, that needs no other file.
    """
    if pages is not None and (not gallery or output is not None):
        raise click.UsageError("--pages DIR goes with --gallery, and says where everything is written")
    if instructions and (gallery or format_ == "html"):
        raise click.UsageError("--instr is for explanations as text or JSON; a page and the gallery are of whole machines")
    if gallery:
        return _gallery(names, format_, output, pages, jobs, timeout, no_cache)
    if not names:
        raise click.UsageError("explain takes a SPEC, then ITEMs of it; --gallery takes any number of SPECs")
    spec, *items = names
    if causes and (virtual or format_ == "html"):
        raise click.UsageError("--causes gives a table of its own, as text or JSON")
    if causes:
        from popek.explaining import causes_of

        emit(causes_of(load_any(spec, config), (*items, *instructions), format_, timeout), output)
        return 0
    if items and (virtual or format_ == "html"):
        raise click.UsageError(f"ITEMs ({', '.join(items)}) are explained as text or JSON; --virtual takes --instr NAME,...")
    if state and (virtual or items or instructions or format_ == "html"):
        raise click.UsageError("--state is a view of its own, of a whole machine, as text or JSON")
    if state:
        from popek import explaining

        emit(explaining.state(load_any(spec, config), timeout, format_), output)
        return 0
    if virtual and format_ == "html":
        raise click.UsageError("--format html is for a whole machine, and for --gallery")
    if virtual or format_ == "html":
        return _derived(spec, config, instructions, format_, output, jobs, timeout, no_cache)
    from popek.explaining import explained

    emit(explained(load_any(spec, config), (*items, *instructions), format_), output)
    return 0


def _derived(
    spec: str, config: str | None, instructions: tuple[str, ...], format_: str, output: str | None, jobs: int, timeout: float,
    no_cache: bool,
) -> int:  # fmt: skip
    """The page of a machine, or the table of its virtual machine: what needs a report first."""
    from popek import explaining
    from popek.checking import Settings, only_target, whole_report
    from popek.deriving import Means
    from popek_checker.virtualizability.options import Options

    settings = Settings(Options(instructions=instructions, timeout=timeout))
    target = only_target(spec, config)
    with executor(jobs) as pool, progress() as tell:
        report = whole_report(target, settings, pool, not no_cache, tell)
        means = Means(pool, not no_cache, timeout, tell)
        if format_ == "html":
            text = explaining.whole(target, report, means)
        else:
            text = explaining.virtual(target, report, means, format_)
    emit(text, output)
    return 0


def _gallery(
    specs: tuple[str, ...], format_: str, output: str | None, pages: str | None, jobs: int, timeout: float, no_cache: bool
) -> int:  # fmt: skip
    from popek.checking import Settings
    from popek.codes import worst
    from popek.gallery import found
    from popek.reports.gallery_report import writer
    from popek_checker.virtualizability.options import Options

    settings = Settings(Options(timeout=timeout))
    with executor(jobs) as pool, progress() as tell:
        rows = list(found(specs or tuple(shipped().values()), settings, pool, not no_cache, tell))
        if pages is not None:
            from popek.deriving import Means
            from popek.publishing import write_pages

            write_pages(rows, Path(pages), Means(pool, not no_cache, timeout, tell))
    entries = [row.entry for row in rows]
    if pages is None:
        emit(writer(format_)(entries), output)
    return worst(each.code for each in entries)
