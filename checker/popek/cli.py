"""The command line: `popek check`, `diff`, `explain`, `asm`, `disasm`, `run`, `fmt`. Heavy imports wait inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from popek import __version__
from popek.output import emit

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from popek_checker.virtualizability.verdict import Report
    from popek_grammar.machine import Machine

EXIT_CODES = """\b
Exit codes: 0 as expected, 1 refuted, 2 bad specification or usage, 3 unknown,
70 a bug in popek, 130 interrupted."""

FORMATS = click.Choice(["text", "json", "sarif", "markdown", "junit"])
DELTA_CODES = EXIT_CODES.replace("0 as expected, 1 refuted", "0 no difference, 1 differences")
DELTA_FORMATS = click.Choice(["text", "json", "markdown"])


def main() -> None:
    """The console entry point: maps every way to end to its exit code."""
    try:
        result = popek.main(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _leave_now(130)
    except BrokenPipeError:
        _leave_now(141)
    except Exception as error:
        _guilty(error)


def _leave_now(code: int) -> None:
    """Ends without waiting for workers."""
    os._exit(code)


def _guilty(error: Exception) -> None:
    """Wrong input is shown with its place; anything else is our bug."""
    from popek.reports.terminal import colours
    from popek_grammar.text.diagnostics import SpecError, render_all

    if isinstance(error, SpecError):
        click.echo(render_all(error.diagnostics, _texts(error), colours(sys.stderr)), err=True)
        sys.exit(2)
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo("popek: this is a bug in popek, not in your text", err=True)
    sys.exit(70)


def _texts(error: Any) -> dict[str, str]:
    """The texts of the files that diagnostics point into, as far as they can be read."""
    texts: dict[str, str] = {}
    for diagnostic in error.diagnostics:
        for span in (diagnostic.span, *(note.span for note in diagnostic.notes)):
            if span is not None and span.file not in texts and Path(span.file).is_file():
                texts[span.file] = Path(span.file).read_text(errors="replace")
    return texts


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="popek")
def popek() -> None:
    """Is this machine virtualizable, and is that hypervisor right?"""


@popek.command(epilog=EXIT_CODES)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--config", "configs", multiple=True, help="Configuration to check (repeat for several; default: the first; `all`)."
)
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Set a parameter; NAME=* tries every value.")
@click.option(
    "--for", "mode", metavar="MODE", help="Real mode that the guest runs in; `GUEST@MODE` names the guest's top mode too."
)
@click.option("--instr", "instructions", multiple=True, metavar="NAME", help="Decide only this instruction (repeatable).")
@click.option("--theorem", "theorems", multiple=True, metavar="NAME", help="Check only this theorem (repeatable).")
@click.option("--reading", type=click.Choice(["literal", "amended"]), help="The 1974 text, or with all traps excluded.")
@click.option("--memory", type=click.Choice(["view", "per_mode", "translated"]), help="Memory model.")
@click.option("--jobs", "-j", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores", help="Processes.")
@click.option("--timeout", type=click.FloatRange(0.01), default=30.0, show_default=True, help="Seconds for one question.")
@click.option("--format", "format_", type=FORMATS, default="text", show_default=True, help="Output format.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write the report here instead of standard output.")
@click.option("--no-cache", is_flag=True, help="Decide everything anew.")
@click.option("--cross-check", is_flag=True, help="Ask a second solver (bitwuzla) too; needs popek[cross].")
def check(
    specs: tuple[str, ...], configs: tuple[str, ...], parameters: tuple[str, ...], mode: str | None,
    instructions: tuple[str, ...], theorems: tuple[str, ...], reading: str | None, memory: str | None, jobs: int,
    timeout: float, format_: str, output: str | None, no_cache: bool, cross_check: bool,
) -> int:  # fmt: skip
    """Decide whether machines are virtualizable, instruction by instruction, and whether their theorems hold."""
    from popek.checking import Settings, targets, whole_report
    from popek.codes import exit_code, worst
    from popek.reports import writer

    guest, _, host = mode.rpartition("@") if mode else ("", "", "")
    options = Settings(timeout, guest or None, host or None, memory, reading, instructions, theorems, cross_check)
    reports: list[Report] = []
    with executor(jobs) as pool, progress() as tell:
        for target in targets(specs, configs, parameters):
            reports.append(whole_report(target, options, pool, not no_cache, tell))
    emit(writer(format_)(reports), output)
    return worst(exit_code(report) for report in reports)


@popek.command(epilog=DELTA_CODES)
@click.argument("spec_a", metavar="A.isa")
@click.argument("spec_b", metavar="B.isa")
@click.option("--config", help="Configuration of both (default: the first of each).")
@click.option("--config-a", help="Configuration of A.")
@click.option("--config-b", help="Configuration of B.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Set a parameter of both.")
@click.option("--param-a", "parameters_a", multiple=True, metavar="NAME=VALUE", help="Set a parameter of A.")
@click.option("--param-b", "parameters_b", multiple=True, metavar="NAME=VALUE", help="Set a parameter of B.")
@click.option("--instr", "instructions", multiple=True, metavar="NAME,...", help="Compare only these instructions (repeatable).")
@click.option("--jobs", "-j", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores", help="Processes.")
@click.option("--timeout", type=click.FloatRange(0.01), default=30.0, show_default=True, help="Seconds for one question.")
@click.option("--format", "format_", type=DELTA_FORMATS, default="text", show_default=True, help="Output format.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write the report here instead of standard output.")
@click.option("--no-cache", is_flag=True, help="Decide everything anew.")
def diff(
    spec_a: str, spec_b: str, config: str | None, config_a: str | None, config_b: str | None, parameters: tuple[str, ...],
    parameters_a: tuple[str, ...], parameters_b: tuple[str, ...], instructions: tuple[str, ...], jobs: int, timeout: float,
    format_: str, output: str | None, no_cache: bool,
) -> int:  # fmt: skip
    """Compare what two machines mean, instruction by instruction, with a state that shows each difference."""
    from popek.codes import delta_code
    from popek.diffing import Chosen, whole_delta
    from popek.reports import delta_writer

    a = Chosen(spec_a, config_a or config, (*parameters, *parameters_a))
    b = Chosen(spec_b, config_b or config, (*parameters, *parameters_b))
    with executor(jobs) as pool, progress() as tell:
        delta = whole_delta(a, b, instructions, timeout, pool, not no_cache, tell)
    emit(delta_writer(format_)(delta), output)
    return delta_code(delta)


@popek.command()
@click.argument("names", nargs=-1, metavar="SPEC [ITEM]")
@click.option("--config", help="Configuration (default: the first).")
@click.option("--gallery", is_flag=True, help="The whole library, or every SPEC named: a row and a picture a machine.")
@click.option(
    "--pages", type=click.Path(file_okay=False), metavar="DIR", help="The gallery in DIR/index.html, beside a page a machine."
)
@click.option("--virtual", is_flag=True, help="What becomes of a guest's instructions: executed, trapped on, or emulated.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="html: a page of the whole machine, or of the gallery.",
)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write here instead of standard output.")
@click.option("--jobs", "-j", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="all cores", help="Processes.")
@click.option("--timeout", type=click.FloatRange(0.01), default=30.0, show_default=True, help="Seconds for one question.")
@click.option("--no-cache", is_flag=True, help="Decide everything anew (with --gallery).")
def explain(
    names: tuple[str, ...], config: str | None, gallery: bool, pages: str | None, virtual: bool, format_: str,
    output: str | None, jobs: int, timeout: float, no_cache: bool,
) -> int:  # fmt: skip
    """Explain a machine, or an ITEM of it: an instruction, a CSR, a register or a translation.

    With --format html: one page with all of a machine, that needs no other file.
    """
    if pages is not None and (not gallery or output is not None):
        raise click.UsageError("--pages DIR goes with --gallery, and says where everything is written")
    if gallery:
        return _gallery(names, format_, output, pages, jobs, timeout, no_cache)
    if not 1 <= len(names) <= 2:
        raise click.UsageError("explain takes a SPEC and at most one ITEM of it; --gallery takes any number of SPECs")
    spec, *items = names
    if format_ == "html" and (virtual or items):
        raise click.UsageError("--format html is for a whole machine, and for --gallery")
    if virtual or format_ == "html":
        return _derived(spec, config, format_, output, jobs, timeout, no_cache)
    from popek.explaining import explained

    emit(explained(load(spec, config), items[0] if items else None, format_), output)
    return 0


def _derived(
    spec: str, config: str | None, format_: str, output: str | None, jobs: int, timeout: float, no_cache: bool
) -> int:  # fmt: skip
    """The page of a machine, or the table of its virtual machine: what needs a report first."""
    from popek.checking import Settings, only_target, whole_report
    from popek.deriving import Means
    from popek.explaining import virtual, whole

    options = Settings(timeout)
    target = only_target(spec, config)
    with executor(jobs) as pool, progress() as tell:
        report = whole_report(target, options, pool, not no_cache, tell)
        means = Means(pool, not no_cache, timeout, tell)
        text = whole(target, report, means) if format_ == "html" else virtual(target, report, means, format_)
    emit(text, output)
    return 0


def _gallery(
    specs: tuple[str, ...], format_: str, output: str | None, pages: str | None, jobs: int, timeout: float, no_cache: bool
) -> int:  # fmt: skip
    from popek.checking import Settings
    from popek.codes import worst
    from popek.gallery import found
    from popek.library import shipped
    from popek.reports.gallery_report import writer

    options = Settings(timeout)
    with executor(jobs) as pool, progress() as tell:
        rows = list(found(specs or tuple(shipped().values()), options, pool, not no_cache, tell))
        if pages is not None:
            from popek.deriving import Means
            from popek.publishing import write_pages

            write_pages(rows, Path(pages), Means(pool, not no_cache, timeout, tell))
    entries = [row.entry for row in rows]
    if pages is None:
        emit(writer(format_)(entries), output)
    return worst(each.code for each in entries)


@popek.command()
@click.argument("spec")
@click.argument("source", type=click.Path())
@click.option("--config", help="Configuration (default: the first).")
@click.option("--origin", default="0", help="Address of the first cell.", show_default=True)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write the cells as bytes here; default: a listing.")
def asm(spec: str, source: str, config: str | None, origin: str, output: str | None) -> None:
    """Assemble SOURCE (`-` for standard input) for a machine."""
    from popek.assembling import assembled

    text = read_text(source)
    emit(*assembled(load(spec, config), text, source, number(origin, "--origin"), output))


@popek.command()
@click.argument("spec")
@click.argument("image", type=click.Path(dir_okay=False))
@click.option("--config", help="Configuration (default: the first).")
@click.option("--origin", default="0", help="Address of the first cell.", show_default=True)
def disasm(spec: str, image: str, config: str | None, origin: str) -> None:
    """Disassemble the bytes of IMAGE (`-` for standard input), or a hexadecimal WORD."""
    from popek.assembling import disassembled

    emit(disassembled(load(spec, config), image, number(origin, "--origin")), None)


@popek.command()
@click.argument("spec")
@click.argument("image", type=click.Path(dir_okay=False))
@click.option("--config", help="Configuration (default: the first).")
@click.option("--engine", type=click.Choice(["oracle", "interpreter"]), default="interpreter", show_default=True)
@click.option("--origin", default=None, help="Address of the first cell of a flat binary; default: where memory starts.")
@click.option("--max-instructions", type=click.IntRange(0), default=None, help="Stop after so many steps.")
@click.option("--stats", is_flag=True, help="Print steps and speed at the end, to standard error.")
@click.option("--trace", is_flag=True, help="Print every step, to standard error; slow.")
@click.option("--console", is_flag=True, help="Give the guest's console standard input too; Ctrl-A X leaves.")
@click.option("--disk", type=click.Path(dir_okay=False), help="A file that is the guest's disk, for machines with one.")
@click.option("--read-only", is_flag=True, help="The disk takes no writes.")
def run(
    spec: str, image: str, config: str | None, engine: str, origin: str | None, max_instructions: int | None, stats: bool,
    trace: bool, console: bool, disk: str | None, read_only: bool,
) -> int:  # fmt: skip
    """Run a program, an ELF executable or a flat binary, on a machine. The exit code is the program's own.

    \b
    124: --max-instructions reached. 125: the machine cannot go on. 2: bad specification, image or usage.
    """
    from popek.library import locate
    from popek.running import Wanted, run_image

    start = None if origin is None else number(origin, "--origin")
    wanted = Wanted(config, engine == "oracle", start, max_instructions, stats, trace, console, disk, read_only)
    return run_image(locate(spec), image, wanted)


@popek.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a file is not formatted.")
def fmt(files: tuple[str, ...], only_check: bool) -> int:
    """Format .isa files in place (`-`: standard input to standard output)."""
    from popek.formatting import format_files

    return format_files(files, only_check)


@popek.command()
@click.argument("spec")
@click.option("--config", help="Configuration (default: the first).")
def lint(spec: str, config: str | None) -> int:
    """Errors and warnings of a specification, without deciding anything."""
    from popek.library import locate
    from popek.reports.terminal import colours
    from popek_grammar.load import lint_machine
    from popek_grammar.text.diagnostics import render_all

    problems, sources = lint_machine(locate(spec), config)
    if problems:
        click.echo(render_all(problems, sources.texts, colours(sys.stdout)))
    return 2 if any(problem.severity == "error" for problem in problems) else 0


# -- shared ----------------------------------------------------------------------------------------------------------


def load(spec: str, config: str | None) -> Machine:
    from popek.library import locate
    from popek_grammar.load import load_machine

    return load_machine(locate(spec), config)


def number(text: str, what: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number", param_hint=what) from None


def read_text(path: str) -> str:
    """A text file, or standard input for `-`; complains as a bad specification does."""
    if path == "-":
        return sys.stdin.read()
    from popek_grammar.text.reading import read_source

    return read_source(path).text


@contextmanager
def executor(jobs: int) -> Iterator[Executor | None]:
    """A pool of processes, or none for one job; killed at once when interrupted."""
    if jobs == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(jobs, initializer=_quiet_worker)
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    pool.shutdown(wait=False, cancel_futures=True)


def _quiet_worker() -> None:
    """Ctrl-C is the parent's to handle."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar on standard error when it is a terminal; nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda done, total, name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("deciding {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name)
