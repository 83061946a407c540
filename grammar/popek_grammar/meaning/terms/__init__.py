"""Terms: the one value domain that guards and bodies are evaluated over.

Immutable, hash-consed, constant-folding bit-vector terms. A concrete state folds to constants at once, so evaluating an
instruction on numbers is evaluating it on constant terms; the Z3 and LLVM readings are lowerings of the same nodes.
Two terms are equal exactly when they are the same object.
"""

from __future__ import annotations

from popek_grammar.meaning.terms.arithmetic import add, mul, neg, sdiv, srem, sub, udiv, urem
from popek_grammar.meaning.terms.bits import (
    ashr,
    bounds,
    bvand,
    bvnot,
    bvor,
    bvxor,
    concat,
    concat_all,
    extract,
    from_bool,
    lshr,
    resize,
    sext,
    shl,
    zext,
)
from popek_grammar.meaning.terms.comparison import eq, ne, signed, sle, slt, ule, ult
from popek_grammar.meaning.terms.nodes import BOOL, FALSE, TRUE, Term, apply, boolean, const, make, render, var
from popek_grammar.meaning.terms.truth import and_, implies, ite, not_, or_
from popek_grammar.meaning.terms.walking import OPERATIONS, free, postorder, rebuild, substitute

__all__ = [
    "BOOL",
    "FALSE",
    "OPERATIONS",
    "TRUE",
    "Term",
    "add",
    "and_",
    "apply",
    "ashr",
    "boolean",
    "bounds",
    "bvand",
    "bvnot",
    "bvor",
    "bvxor",
    "concat",
    "concat_all",
    "const",
    "eq",
    "extract",
    "free",
    "from_bool",
    "implies",
    "ite",
    "lshr",
    "make",
    "mul",
    "ne",
    "neg",
    "not_",
    "or_",
    "postorder",
    "rebuild",
    "render",
    "resize",
    "sdiv",
    "sext",
    "shl",
    "signed",
    "sle",
    "slt",
    "srem",
    "sub",
    "substitute",
    "udiv",
    "ule",
    "ult",
    "urem",
    "var",
    "zext",
]
