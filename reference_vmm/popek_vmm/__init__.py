"""The generated machine. For now the oracle: one readable step function over numbers."""

from popek_vmm.oracle import Oracle, Stepped

__all__ = ["Oracle", "Stepped"]
