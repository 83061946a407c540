"""Compiled terms give the values that the integer reading gives."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

pytest.importorskip("llvmlite")

from popek_vmm.engine.compiled import link, object_code
from popek_vmm.engine.lowering import PRELUDE, Emitter, type_of

WIDTHS = (1, 5, 8, 32, 36, 64, 80, 128)
BINARY = (t.add, t.mul, t.udiv, t.urem, t.sdiv, t.srem, t.bvand, t.bvor, t.bvxor, t.shl, t.lshr, t.ashr)


def widened(term: Term, width: int, signed: bool) -> Term:
    return t.sext(term, width) if signed and width > term.width else t.resize(term, width)


@st.composite
def bit_terms(draw: st.DrawFn, depth: int, width: int) -> Term:
    """A term of a width over the variables of all widths."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        if draw(st.booleans()):
            return t.const(draw(st.sampled_from([0, 1, -1, 1 << (width - 1), draw(st.integers(0, 1 << width))])), width)
        return t.var(f"x{width}.{draw(st.integers(0, 1))}", width)
    below = lambda: draw(bit_terms(depth - 1, width))  # noqa: E731
    match draw(st.integers(0, 6)):
        case 0 | 1 | 2:
            a, b = below(), below()
            return draw(st.sampled_from(BINARY))(a, b)
        case 3:
            return draw(st.sampled_from([t.neg, t.bvnot]))(below())
        case 4:
            other = draw(st.sampled_from(WIDTHS))
            return widened(draw(bit_terms(depth - 1, other)), width, draw(st.booleans()))
        case 5 if width > 1:
            a, at = below(), draw(st.integers(1, width - 1))
            return t.concat(t.extract(a, at - 1, 0), t.extract(a, width - 1, at))
        case _:
            a, b = below(), below()
            test = draw(st.sampled_from([t.eq, t.ult, t.slt, lambda x, y: t.or_(t.ult(x, y), t.not_(t.eq(x, y)))]))
            return t.ite(test(a, b), below(), below())


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_compiled_terms_agree_with_the_integers(data: st.DataObject) -> None:
    """Random terms of every operator and of widths up to 128, many in one module, on random and boundary values."""
    terms = [data.draw(bit_terms(3, data.draw(st.sampled_from(WIDTHS)))) for _ in range(12)]
    edge = lambda w: st.one_of(st.integers(0, (1 << w) - 1), st.sampled_from([0, 1, (1 << w) - 1, 1 << (w - 1)]))  # noqa: E731
    values = {f"x{w}.{i}": data.draw(edge(w)) for w in WIDTHS for i in range(2)}
    assert compiled_values(terms, values) == [folded(term, values) for term in terms]


def folded(term: Term, values: dict[str, int]) -> int:
    constant = {name: t.const(value, int(name[1:].split(".")[0])) for name, value in values.items()}
    return t.substitute([term], lambda node, args: constant[node.name] if node.op == "var" else None)[term].value


def compiled_values(terms: list[Term], values: dict[str, int]) -> list[int]:
    """What compiled code gives: variables lie 16 bytes apart in one block, results in another."""
    names = sorted(values)

    def leaf(emit: Emitter, term: Term, _: list[str]) -> str:
        at = emit.value(f"getelementptr i8, ptr %in, i64 {16 * names.index(term.name)}")
        whole = emit.value(f"load i128, ptr {at}")
        return emit.resized(whole, 128, term.width)

    emit = Emitter(leaf)
    for number, term in enumerate(terms):
        value = emit.resized(emit.term(term), term.width, 128)
        at = emit.value(f"getelementptr i8, ptr %out, i64 {16 * number}")
        emit.line(f"store {type_of(128)} {value}, ptr {at}")
    body = "\n".join(emit.lines)
    text = f"{PRELUDE}define void @terms(ptr %in, ptr %out) {{\n{body}\n  ret void\n}}\n!0 = !{{}}"
    library = link([object_code(text)], ["terms"])
    into = ctypes.create_string_buffer(b"".join(values[name].to_bytes(16, "little") for name in names))
    out = ctypes.create_string_buffer(16 * len(terms))
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(library.address("terms"))(
        ctypes.addressof(into), ctypes.addressof(out)
    )
    return [int.from_bytes(out.raw[16 * n : 16 * n + 16], "little") for n in range(len(terms))]
