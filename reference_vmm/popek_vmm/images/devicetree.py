"""The devicetree that a guest is handed: the author's text, compiled (Devicetree Specification 0.4, chapters 5 and 6)."""

from __future__ import annotations

from pathlib import Path

from popek_grammar.machine import Machine
from popek_vmm.engine.core import Core
from popek_vmm.images.images import BadImage


def place_devicetree(machine: Machine, core: Core) -> None:
    """Puts the machine's devicetree into memory, and its address where the machine says. Raises BadImage."""
    tree = machine.devicetree
    if tree is None:
        return
    try:
        core.put(tree.at, compiled(Path(tree.span.file).parent / tree.file))
    except IndexError as error:
        raise BadImage(f"the devicetree does not fit the memory: {error}") from None
    core.set(tree.holder, tree.at, tree.index)


def compiled(path: Path) -> bytes:
    """A text in devicetree source form as a flattened tree. Raises BadImage."""
    import fdt

    try:
        return bytes(fdt.parse_dts(path.read_text()).to_dtb(version=17))
    except OSError as error:
        raise BadImage(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # whatever a text that is no devicetree makes of the library
        raise BadImage(f"{path} is no devicetree source: {error}") from None
