"""A build hook: the parser's tables are made once, when the package is built or installed, and not by every first run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Tables(BuildHookInterface[Any]):
    """Writes `popek_grammar/isa.tables`; a stale file does no harm, for it says what it was made from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        grammar = Path(self.root, "grammar")
        sys.path.insert(0, str(grammar))
        from popek_grammar.text.parser import TABLES, write_tables

        write_tables(grammar / "popek_grammar" / TABLES)
        build_data["artifacts"].append(f"grammar/popek_grammar/{TABLES}")
