"""Truth values and selection, folded."""

from __future__ import annotations

from collections.abc import Iterable

from popek_grammar.meaning.terms.nodes import BOOL, FALSE, TRUE, Term, make


def not_(a: Term) -> Term:
    if a.op == "const":
        return FALSE if a.payload else TRUE
    if a.op == "not":
        return a.args[0]
    return make("not", BOOL, (a,))


def and_(*terms: Term) -> Term:
    return _junction("and", TRUE, FALSE, terms)


def or_(*terms: Term) -> Term:
    return _junction("or", FALSE, TRUE, terms)


def implies(a: Term, b: Term) -> Term:
    return or_(not_(a), b)


def _junction(op: str, unit: Term, zero: Term, terms: Iterable[Term]) -> Term:
    flat: dict[Term, None] = {}
    for term in terms:
        if term is zero:
            return zero
        for part in term.args if term.op == op else (term,):
            flat[part] = None
    flat.pop(unit, None)
    if any((part.args[0] if part.op == "not" else not_(part)) in flat for part in flat if part.op == "not"):
        return zero
    match tuple(flat):
        case ():
            return unit
        case (single,):
            return single
        case parts:
            return make(op, BOOL, parts)


def ite(condition: Term, yes: Term, no: Term) -> Term:
    if condition.op == "const":
        return yes if condition.payload else no
    if yes is no:
        return yes
    if condition.op == "not":
        return ite(condition.args[0], no, yes)
    if yes.width == BOOL:
        if yes is TRUE:
            return or_(condition, no)
        if yes is FALSE:
            return and_(not_(condition), no)
        if no is TRUE:
            return or_(not_(condition), yes)
        if no is FALSE:
            return and_(condition, yes)
    if yes.op == "ite" and yes.args[0] is condition:
        yes = yes.args[1]
    if no.op == "ite" and no.args[0] is condition:
        no = no.args[2]
    if yes is no:
        return yes
    return make("ite", yes.width, (condition, yes, no))
