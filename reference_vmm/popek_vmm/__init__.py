"""The generated machine: the oracle, one readable step function over numbers, and `Machine`, the same at native speed.

Names are imported when they are asked for: the oracle needs nothing of the engine, and a program that is kept no oracle.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from popek_vmm.interpreter import Exit, Machine, Reason
    from popek_vmm.oracle import Oracle, Stepped

__all__ = ["Exit", "Machine", "Oracle", "Reason", "Stepped"]

_PLACES: Final = {
    "Oracle": "oracle",
    "Stepped": "oracle",
    "Machine": "interpreter",
    "Exit": "interpreter",
    "Reason": "interpreter",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
