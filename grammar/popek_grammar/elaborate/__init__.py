"""Elaboration: the declarations of a specification, resolved and typed for one configuration, as a `Machine`.

Passes, each reading what the ones before it declared: parameters and modes; state and registers; names of causes,
stacks and functions; then every expression and body. All errors are gathered; the machine exists when there are none.
"""

from __future__ import annotations

from popek_grammar.elaborate.choices import configurations, monitored
from popek_grammar.elaborate.passes import elaborate, elaborate_with_problems

__all__ = ["configurations", "elaborate", "elaborate_with_problems", "monitored"]
