"""Popek: is this machine virtualizable, and is that hypervisor right? The public API and the command line.

`check(path)` gives the `Report` that `popek check` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from popek_checker.virtualizability.verdict import Report

__version__ = "0.1.0"
__all__ = ["__version__", "check"]


def check(path: str, config: str | None = None, **options: object) -> Report:
    """Checks the machine in the file `path`, in configuration `config` (its first by default).

    `options` are the fields of `popek_checker.virtualizability.options.Options`. Raises `SpecError` when the text is wrong.
    """
    from popek_checker.virtualizability.check import check
    from popek_checker.virtualizability.options import Options
    from popek_grammar.load import load_machine

    return check(load_machine(path, config), Options(**options))  # type: ignore[arg-type]
