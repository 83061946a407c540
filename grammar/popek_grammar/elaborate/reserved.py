"""Reserved encodings: those for which a guard over operands alone fails, as the decoder and the assembler ask it."""

from __future__ import annotations

from dataclasses import dataclass, field

from popek_grammar import machine as m
from popek_grammar.assembly.decode import Decoded
from popek_grammar.examine.effects import effects, followed, nodes
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import decoded as filled_in
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import State

OF_WORD = frozenset({"low", "popcount", "clz", "ctz", "parity", "min", "max", "repeat", "is_mode", "splice", "insn"})
"""Built-ins that an instruction word and its operands decide."""


@dataclass(frozen=True, eq=False)
class Guards:
    """The guards of a machine's instructions, as far as operands alone decide them. One object a machine: they are remembered."""

    machine: m.Machine
    decisive: dict[str, tuple[bool, ...]] = field(default_factory=dict)

    def __call__(self, decoded: Decoded, number: int) -> bool:
        """Whether guard `number` of a decoded instruction holds; True where that takes more than operands."""
        instruction = decoded.instruction
        if instruction.name not in self.decisive:
            self.decisive[instruction.name] = tuple(self._of_operands(instruction, guard) for guard in instruction.guards)
        if not self.decisive[instruction.name][number]:
            return True
        meant = filled_in(self.machine, instruction, decoded.encoding, decoded.operands)
        run = Run(self.machine, State({}, {}), Translated(), env=dict(meant.locals), special={"insn": meant.word})
        for let in self._lets(instruction, instruction.guards[number]):
            run.env[let.name] = run.value(let.value)
        return run.value(instruction.guards[number].condition) is not t.FALSE

    def _lets(self, instruction: m.Instruction, guard: m.Guard) -> list[m.Let]:
        """The bindings of fragments that a guard's condition is made of, in their order."""
        wanted, found = effects(self.machine, guard.condition).locals, list[m.Let]()
        for let in reversed(instruction.lets):
            if let.name in wanted:
                found.append(let)
                wanted |= effects(self.machine, let.value).locals
        return found[::-1]

    def _of_operands(self, instruction: m.Instruction, guard: m.Guard) -> bool:
        functions = {f.name: effects(self.machine, f.body) for f in self.machine.functions.values()}
        asked = [guard.condition, *(let.value for let in self._lets(instruction, guard))]
        used = followed(self.machine, effects(self.machine, asked), functions)
        more = used.reads | used.registers | used.writes | used.causes | used.faults | used.returns | used.builtins - OF_WORD
        open_values = any(isinstance(node, m.Unspecified) for node in nodes(asked))
        return not more and not open_values
