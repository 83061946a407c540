"""The passes of elaboration, in order."""

from __future__ import annotations

from collections.abc import Mapping

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate import causes, instructions, registers, state, translations, traps
from popek_grammar.elaborate.choices import choices, headers
from popek_grammar.elaborate.claims import claims
from popek_grammar.elaborate.constants import exists, literal
from popek_grammar.elaborate.context import names, text_of
from popek_grammar.elaborate.directions import check, value
from popek_grammar.elaborate.encodings import overlaps
from popek_grammar.elaborate.entries import check_entries
from popek_grammar.elaborate.functions import function, no_recursion, signature
from popek_grammar.elaborate.idle import idle
from popek_grammar.elaborate.monitors import monitors
from popek_grammar.elaborate.platform import platform
from popek_grammar.elaborate.statements import cause, guard
from popek_grammar.elaborate.types import bits_type
from popek_grammar.elaborate.work import Work
from popek_grammar.examine import examine, examine_text
from popek_grammar.text.diagnostics import Diagnostic, Diagnostics, SpecError
from popek_grammar.text.source import SourceSet


def elaborate(sources: SourceSet, config: str | None = None, parameters: Mapping[str, int] | None = None) -> m.Machine:
    """The machine, in a configuration (the first by default). Raises SpecError with every error found."""
    work = Work(sources, config, dict(parameters or {}))
    machine = _machine(work)
    errors = [problem for problem in _by_position(work.ctx.problems) if problem.severity == "error"]
    if errors or machine is None:
        raise SpecError(errors)
    return machine


def elaborate_with_problems(
    sources: SourceSet, config: str | None = None, parameters: Mapping[str, int] | None = None
) -> tuple[m.Machine | None, list[Diagnostic]]:
    """The machine if there is no error, and every error and warning by position."""
    work = Work(sources, config, dict(parameters or {}))
    machine = _machine(work)
    if machine is not None:
        work.ctx.problems.extend((*examine_text(sources.declarations), *idle(machine)))
    return machine, _by_position(work.ctx.problems)


def _by_position(problems: list[Diagnostic]) -> list[Diagnostic]:
    return sorted(problems, key=lambda p: (p.span.file, p.span.line, p.span.column))


def _machine(work: Work) -> m.Machine | None:
    """The passes: each reads what the ones before it declared."""
    headers(work)
    choices(work)
    declared_state(work)
    declared_names(work)
    meanings(work)
    overlaps(work.ctx, work.draft.instructions)
    if any(problem.severity == "error" for problem in work.ctx.problems):
        return None
    made = frozen(work)
    found = [*examine(made)]
    if all(problem.severity != "error" for problem in found):
        entries = Diagnostics()
        check_entries(made, entries)
        found += entries.sorted()
    work.ctx.problems.extend(found)
    return made if all(problem.severity != "error" for problem in found) else None


def declared_state(work: Work) -> None:
    """Layouts, state, registers and CSRs by name and width; their expressions wait in `work.pending`."""
    ctx = work.ctx
    pending: list[registers.Pending] = []
    for node in work.each("layout"):
        with ctx.recover(next((c for c in node.children if isinstance(c, Token) and c.type == "NAME"), None)):
            name, type_, *fields = (c for c in node.children if not isinstance(c, Token) or c.type == "NAME")
            width = bits_type(ctx, type_).width  # type: ignore[arg-type]
            listed = [f for f in fields if isinstance(f, Tree)]
            ctx.layouts[str(name)] = m.Layout(str(name), width, translations.layout_fields(ctx, listed, width))
    for node in work.each("state"):
        for line in (child for child in node.children if isinstance(child, Tree) and child.data == "state_line"):
            with ctx.recover(line.children[0]):
                state.declare_state(ctx, line)
    for node in work.each("register"):
        with ctx.recover(node.children[0]):
            registers.declare_register(ctx, node, pending)
    for node in work.each("csr_space"):
        with ctx.recover():
            ctx.csr_width = bits_type(ctx, node.children[1]).width  # type: ignore[arg-type]
    for node in work.each("csr"):
        with ctx.recover(node.children[0]):
            registers.declare_csr(ctx, node, pending)
    for node in work.each("csr_view"):
        with ctx.recover(node.children[0]):
            registers.declare_view(ctx, node, pending)
    for node in work.each("roles"):
        with ctx.recover():
            state.assign_role(ctx, node)
    work.pending = pending
    if ctx.pc not in ctx.scalars and ctx.pc not in ctx.broken:
        ctx.report("E0207", "the machine has no program counter", work.start, help="state { pc : bits(32) }")


def declared_names(work: Work) -> None:
    """Causes, fault kinds, stacks and functions by name, before any body is read."""
    ctx = work.ctx
    for node in work.each("causes"):
        with ctx.recover():
            work.draft.causes = causes.causes(ctx, node, work.draft.causes)
    ctx.fault_kinds = {str(node.children[0]) for node in work.each("fault_kind")}
    _stacks(work)
    for node in work.each("function"):
        with ctx.recover(node.children[0]):
            signature(work, node)


def _stacks(work: Work) -> None:
    """The trap stacks of this configuration: none is an error where the text has some, for traps would go nowhere."""
    ctx = work.ctx
    stacks, absent = list[str](), list[str]()
    for node in work.each("trap_stack"):
        name = str(node.children[0])
        with ctx.recover(name):
            (stacks if exists(ctx, node.children[1]) else absent).append(name)
    ctx.absent |= dict.fromkeys(set(absent) - set(stacks), "its `when` does not hold in this configuration")
    ctx.stacks = m.EnumType("trap_stack", tuple(stacks))
    if absent and not stacks:
        node = next(work.each("trap_stack"))
        hint = f"there {'is' if len(absent) == 1 else 'are'} {', '.join(absent)}, whose `when` does not hold"
        ctx.report("E0419", f"configuration {work.config} has no trap stack: its traps lead nowhere", node, help=hint)


def meanings(work: Work) -> None:
    ctx, draft = work.ctx, work.draft
    for waiting in work.pending:
        with ctx.recover():
            registers.finish(ctx, waiting)
    memory = next((array for array in ctx.arrays.values() if array.memory), None)
    address = memory.index_width if memory is not None else ctx.pc_width()
    for node in work.each("fault_kind"):
        with ctx.recover():
            draft.faults[str(node.children[0])] = causes.fault(ctx, node, ctx.pc_width())
    for node in work.each("acting"):
        with ctx.recover(), ctx.scope(fresh=True, specials={"access": m.ACCESS}):
            draft.acting = check(ctx, node.children[0], m.Mode())
    for node in work.each("csr_space"):
        with ctx.recover():
            _csr_space(work, node)
    for node in work.each("function"):
        with ctx.recover():
            function(work, node)
    no_recursion(work)
    for node in work.each("translation"):
        with ctx.recover():
            made = translations.translation(ctx, node, address)
            if made is not None:
                draft.translations[made.name] = made
    for node in work.each("protection"):
        with ctx.recover():
            checked = translations.protection(ctx, node, address, ctx.pc_width())
            if checked is not None:
                draft.protections[checked.name] = checked
    _instructions(work)
    for node in work.each("trap_stack"):
        if str(node.children[0]) in ctx.stacks.members:
            with ctx.recover():
                draft.stacks[str(node.children[0])] = traps.trap_stack(ctx, node)
    for node in work.each("delegate"):
        with ctx.recover():
            draft.delegate = traps.delegate(ctx, node)
    for node in work.each("interrupts"):
        with ctx.recover():
            draft.interrupts = traps.interrupts(ctx, node)
    platform(work)
    claims(work)
    monitors(work)


def _csr_space(work: Work, node: Tree[Token]) -> None:
    ctx = work.ctx
    name, type_, *lines = node.children
    width = bits_type(ctx, type_)  # type: ignore[arg-type]
    rules, guards = [], []
    specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width())}
    with ctx.scope({"addr": width, "write": m.Bool()}, fresh=True, specials=specials):
        for line in (child for child in lines if isinstance(child, Tree) and child.data != "block_open"):
            with ctx.recover():
                if line.data == "guard":
                    guards.append(guard(ctx, line))
                else:
                    key, expr = line.children
                    made = value(ctx, expr)
                    rules.append((str(key), made))
                    ctx.locals = {**ctx.locals, str(key): made.type}
    read = len(guards) == sum(isinstance(line, Tree) and line.data == "guard" for line in lines)
    if read and not any("name='exists'" in repr(made.condition) for made in guards):
        hint = "guard exists(addr) else trap ..."
        ctx.report("E0453", f"csr_space {name} does not say what happens to an address that no CSR has", node, help=hint)
    work.draft.csr_space = m.CsrSpace(str(name), width.width, tuple(rules), tuple(guards))


def _instructions(work: Work) -> None:
    ctx, draft = work.ctx, work.draft
    splitting = set()
    space = next((str(node.children[0]) for node in work.each("csr_space")), None)
    for node in work.each("operands"):
        with ctx.recover():
            listed, array, offset = node.children
            if str(array) not in ctx.arrays and str(array) != space and str(array) not in ctx.registers:
                ctx.unknown("register file", str(array), node, [*ctx.arrays, *([space] if space else [])])
            for name in names(listed):
                draft.operand_kinds[name] = m.OperandKind(name, str(array), literal(offset) if offset is not None else 0)
                splitting |= {name} if str(array) == space else set()
    for node in work.each("operand_words"):
        with ctx.recover():
            listed, text = node.children
            words = tuple("" if word == "_" else word.lower() for word in text_of(text).split())  # type: ignore[arg-type]
            twice = next((word for word in words if words.count(word) > 1), None)
            if twice is not None:
                ctx.fail("E0203", f"the word `{twice or '_'}` stands twice", node)
            draft.operand_kinds |= {name: m.OperandKind(name, "", 0, words) for name in names(listed)}
    for node in work.each("fragment"):
        with ctx.recover(node.children[0]):
            draft.fragments[str(node.children[0])] = instructions.fragment(ctx, node)
    added = _added_guards(work)
    for node in work.each("instr"):
        with ctx.recover(node.children[0], *(op.children[0] for op in node.find_data("op"))):
            more = added.get(str(node.children[0]), ())
            for made in instructions.instruction(ctx, node, draft.fragments, draft.parcel, splitting, more):
                known = draft.instructions.get(made.name)
                if known is not None:
                    ctx.report(
                        "E0203", f"instruction `{made.name}` is declared twice", made.span, other=("first here", known.span)
                    )
                draft.instructions[made.name] = made
    clauses = {i.clause for i in draft.instructions.values()} | set(draft.instructions) | set(ctx.absent) | ctx.broken
    for made in draft.instructions.values():
        for over in made.over:
            if over not in clauses:
                ctx.report("E0201", f"`over {over}`: there is no such instruction", made.span)
    for node in work.each("alias"):
        pattern, expansion = (text_of(child) for child in node.children)  # type: ignore[arg-type]
        draft.aliases.append(m.Alias(pattern, expansion, ctx.span(node)))
    specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width()), "next_pc": m.Bits(ctx.pc_width())}
    for node in work.each("otherwise"):
        with ctx.recover(), ctx.scope(fresh=True, specials=specials):
            draft.otherwise = cause(ctx, node.children[0])  # type: ignore[arg-type]
    for node in work.each("length"):
        with ctx.recover(), ctx.scope(fresh=True, specials={"insn": specials["insn"]}):
            draft.lengths.append(_length(work, node))


def _length(work: Work, node: Tree[Token]) -> m.Length:
    """`length N when COND`: a number of whole parcels."""
    ctx, parcel = work.ctx, work.draft.parcel
    number, condition = node.children
    width = literal(number)
    if width % parcel or not 0 < width <= ctx.pc_width():
        ctx.fail(
            "E0291",
            f"{width} bits are not a number of {parcel}-bit parcels that `insn`, {ctx.pc_width()} bits, has room for",
            node,
        )
    return m.Length(width, check(ctx, condition, m.Bool()), ctx.span(node))


def _added_guards(work: Work) -> dict[str, list[tuple[str, Tree[Token]]]]:
    """The guards that `extend` adds to each instruction clause, with the files that they stand in."""
    clauses = {str(node.children[0]) for node in work.each("instr")}
    found: dict[str, list[tuple[str, Tree[Token]]]] = {}
    for node in work.each("extend"):
        listed, *guards = node.children
        for name in names(listed):
            if name not in clauses:
                with work.ctx.recover():
                    work.ctx.unknown("instruction", name, node, clauses)
            found.setdefault(name, []).extend(
                (work.ctx.file, part) for part in guards if isinstance(part, Tree) and part.data == "guard"
            )
    return found


def frozen(work: Work) -> m.Machine:
    ctx, draft = work.ctx, work.draft
    mode = next((s.name for s in ctx.scalars.values() if s.role is m.Role.MODE), None)
    memory = next((array.name for array in ctx.arrays.values() if array.memory), None)
    csrs = {r.address: r.name for r in ctx.registers.values() if r.address is not None}
    fragments = {
        name: m.FragmentInfo(name, tuple(m.FragmentAlternative(a.name, sum(p.width for p in a.pieces)) for a in found))
        for name, found in draft.fragments.items()
    }
    return m.Machine(
        name=draft.name, config=work.config or "", title=draft.title, manual=draft.manual,
        files=tuple(file.source.name for file in work.sources.files), parameters=ctx.parameters,
        extensions=ctx.extensions, configs=tuple(draft.configs), order=draft.order, parcel=draft.parcel,
        modes=ctx.modes, pc=ctx.pc, mode=mode, main_memory=memory, scalars=ctx.scalars, arrays=ctx.arrays,
        registers=ctx.registers, csrs=csrs, csr_space=draft.csr_space, causes=draft.causes, faults=draft.faults,
        acting=draft.acting, layouts=ctx.layouts, functions=ctx.functions, fragments=fragments,
        instructions=draft.instructions, operand_kinds=draft.operand_kinds, aliases=tuple(draft.aliases),
        otherwise=draft.otherwise, lengths=tuple(draft.lengths), trap_stacks=draft.stacks, delegate=draft.delegate,
        interrupts=draft.interrupts,
        translations=draft.translations, protections=draft.protections, placements=draft.placements,
        program=draft.program, theorems=draft.theorems, choices=ctx.choices, given=work.given, regions=draft.regions,
        clocks=tuple(draft.clocks), devicetree=draft.devicetree, elf=draft.elf, mapped=tuple(draft.mapped),
        invariants=draft.invariants, monitors=draft.monitors,
    )  # fmt: skip
