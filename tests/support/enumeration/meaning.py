"""What machines mean: an instruction as one Python function over numbers.

A state is a tuple of numbers, a slot for each scalar and each element. An instruction goes from a state and operands to the state
after it, or to the trap that it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from enumeration.language import (
    FAULTS,
    PLACE,
    Element,
    Expr,
    Guard,
    Instruction,
    Let,
    Load,
    ModeCode,
    ModeCompare,
    Num,
    Op,
    Piece,
    Read,
    Return,
    Set,
    SetMode,
    Stack,
    Statement,
    Store,
    Toy,
    Trap,
    When,
    target,
)

State: TypeAlias = tuple[int, ...]
Raised: TypeAlias = tuple[str, int, bool]
"""A trap: its cause, its payload, whether an access to memory raised it."""
Result: TypeAlias = "tuple[State | None, Raised | None]"
"""The state after an instruction that completes, or the trap."""
Step: TypeAlias = Callable[..., Result]


@dataclass(frozen=True)
class _Names:
    """What names mean where code is: state in the list `n`, all else Python names."""

    toy: Toy
    state: str = "n"

    def value(self, expr: Expr) -> str:
        """The expression in Python; an address that faults never gets here."""
        match expr:
            case Num(_, value):
                return str(value)
            case Read(name) if name in self.toy.slots:
                return f"{self.state}[{self.toy.slots[name]}]"
            case Read(name):
                return "v_" + name.replace(".", "_")
            case Element(name, index):
                return f"{self.state}[{self.toy.slots[name]} + {self.value(index)}]"
            case ModeCode():
                return f"{self.state}[{self.toy.slots['mode']}]"
            case ModeCompare(op, _, code, _, what):
                return f"({self.state}[{self.toy.slots[what]}] {op} {code})"
            case Op("if", _, (condition, yes, no)):
                return f"({self.value(yes)} if {self.value(condition)} else {self.value(no)})"
            case Op(op, width, args):
                return _applied(op, width, [self.value(arg) for arg in args], [arg.width for arg in args])
        raise ValueError(expr)


def _applied(op: str, width: int, args: list[str], widths: list[int]) -> str:
    mask = (1 << width) - 1
    match op, args:
        case ("zext", [inner]):
            return f"int({inner})"
        case ("low", [inner]):
            return f"({inner} & {mask})"
        case ("not", [inner]):
            return f"(not {inner})"
        case ("~", [inner]):
            return f"({inner} ^ {mask})"
        case ("+" | "-" | "*", [left, right]):
            return f"(({left} {op} {right}) & {mask})"
        case ("@", [left, right]):
            return f"(({left} << {widths[1]}) | {right})"
        case ("<s", [left, right]):
            top = 1 << (widths[0] - 1)
            return f"(({left} ^ {top}) < ({right} ^ {top}))"
        case ("&" | "|" | "^" | "==" | "!=" | "<" | ">=" | "and" | "or", [left, right]):
            return f"({left} {op} {right})"
    raise ValueError(op)


class Meaning:
    """The machine as functions over numbers."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.steps = {instruction.name: self._step(instruction) for instruction in toy.instructions}
        self.enter = self._entry()

    def states(self, pieces: Sequence[Piece]) -> Iterator[State]:
        """Every state in which all but `pieces` is zero (of a mode: the least)."""
        codes = [code for _, code in self.toy.modes]
        ranges: list[Sequence[int]] = []
        for piece in self.toy.all_pieces:
            legal: Sequence[int] = codes if piece.modes else range(1 << piece.width)
            ranges += [legal if piece in pieces else legal[:1]] * max(1, piece.count)
        return product(*ranges)

    def predicate(self, exprs: Sequence[Expr]) -> Callable[[State], bool]:
        """Whether all of them hold of a state."""
        names = _Names(self.toy)
        holds = self.compiled(f"lambda n: {' and '.join(names.value(expr) for expr in exprs) or 'True'}")
        return lambda state: bool(holds(state))

    def function(self, expr: Expr, arguments: Sequence[str] = ()) -> Callable[..., int]:
        """An expression of a state, and of names that are no state."""
        return self.compiled(f"lambda n{''.join(f', v_{name}' for name in arguments)}: {_Names(self.toy).value(expr)}")

    @property
    def fault(self) -> Raised:
        """What an access that faults raises."""
        return self.toy.causes[0], 0, True

    @staticmethod
    def compiled(code: str) -> Callable[..., int]:
        made: Callable[..., int] = eval(code)
        return made

    def reach(self, address: str, kind: str, at: str = "n") -> tuple[str, str]:
        """Whether an address faults, and where it lies: as the relocation says, or as an opaque view does, of any kind."""
        assert self.toy.ram is not None
        if self.toy.memory != "translated":
            page = address if self.toy.memory == "view" else f"{at}[{self.toy.slots['mode']}] * {self.toy.ram.count} + {address}"
            place = f"{at}[{self.toy.slots[PLACE]} + {page}]" if self.toy.relocated else address
            return f"{at}[{self.toy.slots[FAULTS[kind]]} + {page}]", place
        if not self.toy.relocated:
            return "False", address
        low, bound = (f"{at}[{self.toy.slots[name]}]" for name in ("l", "b"))
        return f"({address} >= {bound} or {address} + {low} >= {self.toy.ram.count})", f"({address} + {low})"

    def _step(self, instruction: Instruction) -> Step:
        names, lines = _Names(self.toy), ["n = list(s)", "jumped = False"]
        for statement in (*instruction.guards, *instruction.body):
            lines += self._statement(statement, names)
        width = self.toy.by_name["pc"].width
        at = self.toy.slots["pc"]
        lines += [f"if not jumped: n[{at}] = (s[{at}] + {self.toy.length}) & {(1 << width) - 1}", "return tuple(n), None"]
        return self._defined("s" + "".join(f", v_{name}" for name, _ in instruction.operands), lines)

    def _statement(self, statement: Statement, names: _Names) -> list[str]:
        match statement:
            case Set(name, value, index):
                place = str(self.toy.slots[name]) + (f" + {names.value(index)}" if index is not None else "")
                return [f"n[{place}] = {names.value(value)}", *(["jumped = True"] if name == "pc" else [])]
            case SetMode(_, code):
                return [f"n[{self.toy.slots['mode']}] = {code}"]
            case Let(name, value):
                return [f"v_{name} = {names.value(value)}"]
            case Load(name, address, _):
                fault, place = self.reach("at", "load")
                assert self.toy.ram is not None
                begin = self.toy.slots[self.toy.ram.name]
                return [
                    f"at = {names.value(address)}",
                    f"if {fault}: return None, {self.fault!r}",
                    f"v_{name} = n[{begin} + {place}]",
                ]
            case Store(address, value):
                fault, place = self.reach("at", "store")
                assert self.toy.ram is not None
                begin = self.toy.slots[self.toy.ram.name]
                return [
                    f"at = {names.value(address)}",
                    f"put = {names.value(value)}",
                    f"if {fault}: return None, {self.fault!r}",
                    f"n[{begin} + {place}] = put",
                ]
            case Guard(condition, cause, payload):
                return [f"if not {names.value(condition)}: {self._trap(cause, payload, names)}"]
            case Trap(cause, payload):
                return [self._trap(cause, payload, names)]
            case When(condition, then, other):
                made = [f"if {names.value(condition)}:", *self._block(then, names)]
                return [*made, "else:", *self._block(other, names)] if other else made
            case Return(name):
                stack = next(stack for stack in self.toy.stacks if stack.name == name)
                slots = self.toy.slots
                reads = [f"r{number} = n[{slots[target]}]" for number, (_, target) in enumerate(stack.saves)]
                writes = [f"n[{slots[source]}] = r{number}" for number, (source, _) in enumerate(stack.saves)]
                leaves = [line for leave in stack.leaves for line in self._statement(leave, names)]
                return [*reads, *writes, "jumped = True", *leaves]
        raise ValueError(statement)

    def _block(self, statements: Sequence[Statement], names: _Names) -> list[str]:
        return [f"    {line}" for statement in statements for line in self._statement(statement, names)] or ["    pass"]

    def _trap(self, cause: str, payload: Expr | None, names: _Names) -> str:
        return f"return None, ({cause!r}, {names.value(payload) if payload is not None else 0}, False)"

    def _entry(self) -> Callable[[State, str, int], State]:
        """The state after the entry of a trap: all that is written is worked out in the state before."""
        names, lines = _Names(self.toy, "s"), ["n = list(s)"]
        lines += [f"v_cause_code = {list(self.toy.causes)!r}.index(cause)", "v_cause_p = payload"]
        one = self._entered(self.toy.stacks[0], names)
        if self.toy.delegate is None:
            lines += one
        else:
            condition, first, _ = self.toy.delegate
            pick = [self._entered(stack, names) for stack in self.toy.stacks]
            pick = pick if first == self.toy.stacks[0].name else pick[::-1]
            lines += [f"if {names.value(condition)}:", *(f"    {line}" for line in pick[0])]
            lines += ["else:", *(f"    {line}" for line in pick[1])]
        return self._defined("s, cause, payload", [*lines, "return tuple(n)"])  # type: ignore[return-value]

    def _entered(self, stack: Stack, names: _Names) -> list[str]:
        slots = self.toy.slots
        lines = [f"n[{slots[target]}] = s[{slots[source]}]" for source, target in stack.saves]
        for write in stack.writes:
            value = str(write.code) if isinstance(write, SetMode) else names.value(write.value)
            lines.append(f"n[{slots[target(write)]}] = {value}")
        return [*lines, f"n[{slots['pc']}] = {names.value(stack.vector)}"]

    @staticmethod
    def _defined(arguments: str, lines: Sequence[str]) -> Step:
        space: dict[str, Step] = {}
        exec(f"def made({arguments}):\n" + "\n".join(f"    {line}" for line in lines), space)
        return space["made"]
