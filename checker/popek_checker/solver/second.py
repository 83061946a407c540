"""A second solver (bitwuzla), asked the same goals as SMT-LIB text."""

from __future__ import annotations

from collections.abc import Callable


class Unavailable(Exception):
    """The second solver is not installed."""


def second_solver() -> Callable[[str], str]:
    """A function from SMT-LIB text to `sat`, `unsat` or `unknown`. Raises Unavailable without bitwuzla."""
    try:
        import bitwuzla  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise Unavailable("--cross-check needs the extra: pip install 'popek[cross]'") from None

    def solve(text: str) -> str:
        options = bitwuzla.Options()
        manager = bitwuzla.TermManager()
        parser = bitwuzla.Parser(manager, options)
        parser.parse(text.replace("(check-sat)", ""), True, False)
        return str(parser.bitwuzla().check_sat()).rsplit(".", 1)[-1].lower()

    return solve
