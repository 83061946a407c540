"""The passes of elaboration, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.diagnostics import Diagnostic, SpecError
from popek_grammar.elaborate import instructions, state, theorems, traps
from popek_grammar.elaborate.constants import number, truth
from popek_grammar.elaborate.context import Context, names
from popek_grammar.elaborate.encodings import Alternative, overlaps
from popek_grammar.elaborate.expressions import check, condition, text_of, value
from popek_grammar.elaborate.statements import block, cause, guard
from popek_grammar.elaborate.types import bits_type, set_of, type_of
from popek_grammar.examine import examine
from popek_grammar.source import Declaration, SourceSet


@dataclass(slots=True)
class Draft:
    """What the passes make, to be frozen into a Machine."""

    name: str = ""
    title: str = ""
    manual: str = ""
    order: str = "little"
    parcel: int = 8
    configs: list[str] = field(default_factory=list)
    causes: m.Causes = m.Causes((), (), 1)
    faults: dict[str, m.FaultKind] = field(default_factory=dict)
    acting: m.Expr | None = None
    csr_space: m.CsrSpace | None = None
    fragments: dict[str, list[Alternative]] = field(default_factory=dict)
    instructions: dict[str, m.Instruction] = field(default_factory=dict)
    operand_kinds: dict[str, m.OperandKind] = field(default_factory=dict)
    aliases: list[m.Alias] = field(default_factory=list)
    otherwise: m.Cause | None = None
    stacks: dict[str, m.TrapStack] = field(default_factory=dict)
    delegate: tuple[m.Stmt, ...] | None = None
    interrupts: m.Interrupts | None = None
    translations: dict[str, m.Translation] = field(default_factory=dict)
    protections: dict[str, m.Protection] = field(default_factory=dict)
    placement: m.Placement | None = None
    regions: dict[str, m.Region] = field(default_factory=dict)
    program: tuple[tuple[str, str | None, str], ...] = ()
    theorems: dict[str, m.Theorem] = field(default_factory=dict)


def elaborate(sources: SourceSet, config: str | None = None, parameters: Mapping[str, int] | None = None) -> m.Machine:
    """The machine, in a configuration (the first by default). Raises SpecError with every error found."""
    machine, problems = elaborate_with_problems(sources, config, parameters)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or machine is None:
        raise SpecError(errors)
    return machine


def elaborate_with_problems(
    sources: SourceSet, config: str | None = None, parameters: Mapping[str, int] | None = None
) -> tuple[m.Machine | None, list[Diagnostic]]:
    """The machine if there is no error, and every error and warning by position."""
    work = _Work(sources, config, dict(parameters or {}))
    machine = work.machine()
    problems = sorted(work.ctx.problems, key=lambda p: (p.span.file, p.span.line, p.span.column))
    return machine, problems


def configurations(sources: SourceSet) -> list[str]:
    """The names of the configurations, the default first."""
    return [str(d.tree.children[0]) for d in sources.declarations if d.tree.data == "config"] or ["default"]


class _Work:
    """One elaboration under way."""

    def __init__(self, sources: SourceSet, config: str | None, parameters: dict[str, int]) -> None:
        self.sources = sources
        self.config = config
        self.given = parameters
        self.ctx = Context()
        self.draft = Draft()
        self.by_kind: dict[str, list[Declaration]] = {}
        self.calls: dict[str, set[str]] = {}
        self.pending: list[state.Pending] = []
        for declaration in _effective(sources.declarations, self.ctx):
            self.by_kind.setdefault(str(declaration.tree.data), []).append(declaration)

    def each(self, *kinds: str) -> Iterator[Tree[Token]]:
        """The declarations of these kinds, in order, with the context set to their file."""
        for kind in kinds:
            for declaration in self.by_kind.get(kind, []):
                self.ctx.file = declaration.file.source.name
                self.ctx.doc = declaration.docs
                yield declaration.tree

    def machine(self) -> m.Machine | None:
        self.headers()
        self.choices()
        self.state()
        self.declared_names()
        self.meanings()
        overlaps(self.ctx, self.draft.instructions)
        if any(problem.severity == "error" for problem in self.ctx.problems):
            return None
        made = self.frozen()
        found = examine(made)
        self.ctx.problems.extend(found)
        return made if all(problem.severity != "error" for problem in found) else None

    # -- header, parameters, modes -------------------------------------------------------------------------------------

    def headers(self) -> None:
        for node in self.each("header"):
            with self.ctx.recover():
                self._header(node)
        if not self.by_kind.get("header"):
            self.ctx.report("E0200", "a machine begins with `isa NAME { ... }`", m.Span(self._first_file(), 1, 1, 1, 2))

    def _first_file(self) -> str:
        return self.sources.files[0].source.name if self.sources.files else ""

    def _header(self, node: Tree[Token]) -> None:
        self.draft.name = str(node.children[0])
        for line in (child for child in node.children if isinstance(child, Tree)):
            match line.data, line.children:
                case "title", [text]:
                    self.draft.title = text_of(text)  # type: ignore[arg-type]
                case "manual", [text]:
                    self.draft.manual = text_of(text)  # type: ignore[arg-type]
                case "encoding", [order, parcel]:
                    if str(order) not in ("little", "big", "stream"):
                        self.ctx.unknown("instruction order", str(order), line, ["little", "big", "stream"])
                    self.draft.order = str(order)
                    self.draft.parcel = number(self.ctx, parcel, "the parcel", 1, 128)

    def choices(self) -> None:
        """Extensions, parameters, the configuration's settings, modes."""
        ctx, settings = self.ctx, self._settings()
        for kind in ("extension", "param", "config"):
            self._once(kind)
        for node in self.each("extension"):
            name, _, on = node.children
            ctx.extensions[str(name)] = on is None or (isinstance(on, Tree) and on.data == "true")
            ctx.choices[str(name)] = ((0, 1),)
        for node in self.each("param"):
            with ctx.recover():
                name, choices, default = node.children
                chosen = settings.pop(str(name), None)
                ctx.choices[str(name)] = ranges = set_of(ctx, choices, 64)  # type: ignore[arg-type]
                given = number(ctx, default, "a default")
                ctx.parameters[str(name)] = found = given if chosen is None else chosen
                if not any(low <= given <= high for low, high in ranges):
                    ctx.fail("E0214", f"parameter {name} cannot be {given}, its default", node)
                if not any(low <= found <= high for low, high in ranges):
                    ctx.fail("E0214", f"parameter {name} cannot be {found}", node)
        for switch in [key for key in settings if key in ctx.extensions]:
            chosen = settings.pop(switch)
            if chosen not in (0, 1):
                text = f"extension {switch} is on (1) or off (0), and cannot be {chosen}"
                ctx.report("E0214", text, m.Span(self._first_file(), 1, 1, 1, 2))
            ctx.extensions[switch] = bool(chosen)
        for unknown in settings:
            ctx.report(
                "E0201", f"configuration {self.config} sets unknown parameter `{unknown}`", m.Span(self._first_file(), 1, 1, 1, 2)
            )
        self._implications()
        for node in self.each("modes"):
            with ctx.recover():
                self._modes(node)

    def _once(self, kind: str) -> None:
        """E0203: two declarations of one kind and one name."""
        first: dict[str, m.Span] = {}
        for node in self.each(kind):
            name, span = str(node.children[0]), self.ctx.span(node)
            if name in first:
                self.ctx.report("E0203", f"{kind} `{name}` is declared twice", node, other=("first here", first[name]))
            first.setdefault(name, span)

    def _settings(self) -> dict[str, int]:
        """What the chosen configuration, and then the caller, set."""
        ctx, found = self.ctx, {}
        self.draft.configs = configurations(self.sources)
        chosen = self.config or self.draft.configs[0]
        self.config = chosen
        if chosen not in self.draft.configs:
            listed = ", ".join(self.draft.configs)
            ctx.report(
                "E0215",
                f"there is no configuration `{chosen}`",
                m.Span(self._first_file(), 1, 1, 1, 2),
                help=f"there are: {listed}",
            )
        for node in self.each("config"):
            if str(node.children[0]) == chosen:
                for setting in (child for child in node.children if isinstance(child, Tree)):
                    name, expr = setting.children
                    with ctx.recover():
                        known = truth(ctx, expr)
                        found[str(name)] = int(known) if known is not None else number(ctx, expr, "a setting")
        return {**found, **self.given}

    def _implications(self) -> None:
        ctx = self.ctx
        for node in self.each("extension"):
            name, implied, _ = node.children
            for other in names(implied):
                if other not in ctx.extensions:
                    with ctx.recover():
                        ctx.unknown("extension", other, node, list(ctx.extensions))
                elif ctx.extensions[str(name)] and not ctx.extensions[other]:
                    ctx.report("E0216", f"extension {name} implies {other}, which is off", node)
        for node in self.each("conflict"):
            one, other = (str(child) for child in node.children)
            for unknown in {one, other} - set(ctx.extensions):
                with ctx.recover():
                    ctx.unknown("extension", unknown, node, list(ctx.extensions))
            if ctx.extensions.get(one) and ctx.extensions.get(other):
                ctx.report("E0217", f"extensions {one} and {other} conflict, and both are on", node)

    def _modes(self, node: Tree[Token]) -> None:
        ctx = self.ctx
        found: list[tuple[str, int]] = []
        for definition in (child for child in node.children if isinstance(child, Tree)):
            name, code, when = definition.children
            if when is not None and truth(ctx, when) is False:
                ctx.absent[str(name)] = "this configuration has no such mode"
                continue
            if int(str(code)) in [other for _, other in found]:
                ctx.report("E0206", f"mode {name} has the encoding of another mode", definition)
            found.append((str(name), int(str(code))))
        width = max((code.bit_length() for _, code in found), default=1)
        ctx.modes = m.Modes(tuple(found), max(1, width))

    # -- state and names ---------------------------------------------------------------------------------------------

    def state(self) -> None:
        ctx = self.ctx
        pending: list[state.Pending] = []
        for node in self.each("layout"):
            with ctx.recover(next((c for c in node.children if isinstance(c, Token) and c.type == "NAME"), None)):
                name, type_, *fields = (c for c in node.children if not isinstance(c, Token) or c.type == "NAME")
                width = bits_type(ctx, type_).width  # type: ignore[arg-type]
                listed = [f for f in fields if isinstance(f, Tree)]
                ctx.layouts[str(name)] = m.Layout(str(name), width, traps.layout_fields(ctx, listed, width))
        for node in self.each("state"):
            for line in (child for child in node.children if isinstance(child, Tree) and child.data == "state_line"):
                with ctx.recover(line.children[0]):
                    state.declare_state(ctx, line)
        for node in self.each("register"):
            with ctx.recover(node.children[0]):
                state.declare_register(ctx, node, pending)
        for node in self.each("csr_space"):
            with ctx.recover():
                ctx.csr_width = bits_type(ctx, node.children[1]).width  # type: ignore[arg-type]
        for node in self.each("csr"):
            with ctx.recover(node.children[0]):
                state.declare_csr(ctx, node, pending)
        for node in self.each("csr_view"):
            with ctx.recover(node.children[0]):
                state.declare_view(ctx, node, pending)
        self.pending = pending
        if ctx.pc not in ctx.scalars and ctx.pc not in ctx.broken:
            ctx.report(
                "E0207",
                "the machine has no program counter",
                m.Span(self._first_file(), 1, 1, 1, 2),
                help="state { pc : bits(32) }",
            )

    def declared_names(self) -> None:
        """Causes, fault kinds, stacks and functions by name, before any body is read."""
        ctx = self.ctx
        for node in self.each("causes"):
            with ctx.recover():
                self.draft.causes = traps.causes(ctx, node)
        ctx.fault_kinds = {str(node.children[0]) for node in self.each("fault_kind")}
        stacks = []
        for node in self.each("trap_stack"):
            if node.children[1] is not None and truth(ctx, node.children[1]) is False:
                ctx.absent[str(node.children[0])] = "its `when` does not hold in this configuration"
            else:
                stacks.append(str(node.children[0]))
        ctx.stacks = m.EnumType("trap_stack", tuple(stacks))
        for node in self.each("function"):
            with ctx.recover(node.children[0]):
                self._signature(node)

    def _signature(self, node: Tree[Token]) -> None:
        ctx = self.ctx
        name, parameters, result, _ = node.children
        if str(name) in ctx.functions:
            ctx.report("E0203", f"function `{name}` is declared twice", node, other=("first here", ctx.functions[str(name)].span))
        listed = [child for child in parameters.children if isinstance(child, Tree)] if isinstance(parameters, Tree) else []
        made = tuple((str(p.children[0]), type_of(ctx, p.children[1])) for p in listed)  # type: ignore[arg-type]
        type_ = type_of(ctx, result) if isinstance(result, Tree) else m.Unit()
        ctx.functions[str(name)] = m.Function(str(name), made, type_, (), ctx.span(node))

    # -- meanings ----------------------------------------------------------------------------------------------------

    def meanings(self) -> None:
        ctx, draft = self.ctx, self.draft
        for waiting in self.pending:
            with ctx.recover():
                state.finish(ctx, waiting)
        memory = next((array for array in ctx.arrays.values() if array.memory), None)
        address = memory.index_width if memory is not None else ctx.pc_width()
        for node in self.each("fault_kind"):
            with ctx.recover():
                draft.faults[str(node.children[0])] = traps.fault(ctx, node, ctx.pc_width())
        for node in self.each("acting"):
            with ctx.recover(), ctx.scope(fresh=True, specials={"access": m.ACCESS}):
                draft.acting = check(ctx, node.children[0], m.Mode())
        for node in self.each("csr_space"):
            with ctx.recover():
                self._csr_space(node)
        for node in self.each("function"):
            with ctx.recover():
                self._function(node)
        self._no_recursion()
        for node in self.each("translation"):
            with ctx.recover():
                made = traps.translation(ctx, node, address)
                if made is not None:
                    draft.translations[made.name] = made
        for node in self.each("protection"):
            with ctx.recover():
                checked = traps.protection(ctx, node, address, ctx.pc_width())
                if checked is not None:
                    draft.protections[checked.name] = checked
        self._instructions()
        for node in self.each("trap_stack"):
            if str(node.children[0]) in ctx.stacks.members:
                with ctx.recover():
                    draft.stacks[str(node.children[0])] = traps.trap_stack(ctx, node)
        for node in self.each("delegate"):
            with ctx.recover():
                draft.delegate = traps.delegate(ctx, node)
        for node in self.each("interrupts"):
            with ctx.recover():
                draft.interrupts = traps.interrupts(ctx, node)
        self._claims()

    def _csr_space(self, node: Tree[Token]) -> None:
        ctx = self.ctx
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
        if not any("name='exists'" in repr(made.condition) for made in guards):
            hint = "guard exists(addr) else trap ..."
            ctx.report("E0453", f"csr_space {name} does not say what happens to an address that no CSR has", node, help=hint)
        self.draft.csr_space = m.CsrSpace(str(name), width.width, tuple(rules), tuple(guards))

    def _function(self, node: Tree[Token]) -> None:
        ctx = self.ctx
        name, _, _, body = node.children
        known = ctx.functions.get(str(name))
        if known is None:
            return  # its signature is wrong, and that has been reported
        assert isinstance(body, Tree)
        before, problems = set(ctx.names_used), len(ctx.problems)
        specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width()), "next_pc": m.Bits(ctx.pc_width())}
        specials |= traps.access_scope(ctx, ctx.pc_width())
        with ctx.scope(dict(known.parameters), fresh=True, specials=specials, returns=known.result):
            ctx.names_used = set()
            if body.data == "block":
                made = block(ctx, body)
            elif isinstance(known.result, m.Bool):
                made = (m.Return(condition(ctx, body)),)
            else:
                made = (m.Return(check(ctx, body, known.result)),)
        self.calls[str(name)] = {n[3:] for n in ctx.names_used if n.startswith("fn ")}
        ctx.names_used |= before
        if not isinstance(known.result, m.Unit) and not _returns(made) and len(ctx.problems) == problems:
            ctx.report("E0278", f"function `{name}` does not return on every path", node)
        ctx.functions[str(name)] = replace(known, body=made)

    def _no_recursion(self) -> None:
        calls = self.calls
        for name in calls:
            seen: set[str] = set()
            todo = list(calls[name])
            while todo:
                callee = todo.pop()
                if callee == name:
                    self.ctx.report(
                        "E0279", f"function `{name}` calls itself", self.ctx.functions[name].span, help="nothing may recurse"
                    )
                    break
                if callee not in seen:
                    seen.add(callee)
                    todo.extend(calls.get(callee, ()))

    def _instructions(self) -> None:
        ctx, draft = self.ctx, self.draft
        splitting = set()
        space = next((str(node.children[0]) for node in self.each("csr_space")), None)
        for node in self.each("operands"):
            with ctx.recover():
                listed, array, offset = node.children
                if str(array) not in ctx.arrays and str(array) != space and str(array) not in ctx.registers:
                    ctx.unknown("register file", str(array), node, [*ctx.arrays, *([space] if space else [])])
                for name in names(listed):
                    draft.operand_kinds[name] = m.OperandKind(name, str(array), int(str(offset)) if offset is not None else 0)
                    splitting |= {name} if str(array) == space else set()
        for node in self.each("operand_words"):
            with ctx.recover():
                listed, text = node.children
                words = tuple("" if word == "_" else word.lower() for word in text_of(text).split())  # type: ignore[arg-type]
                twice = next((word for word in words if words.count(word) > 1), None)
                if twice is not None:
                    ctx.fail("E0203", f"the word `{twice or '_'}` stands twice", node)
                draft.operand_kinds |= {name: m.OperandKind(name, "", 0, words) for name in names(listed)}
        for node in self.each("fragment"):
            with ctx.recover():
                draft.fragments[str(node.children[0])] = instructions.fragment(ctx, node)
        for node in self.each("instr"):
            with ctx.recover():
                for made in instructions.instruction(ctx, node, draft.fragments, draft.parcel, splitting):
                    known = draft.instructions.get(made.name)
                    if known is not None:
                        ctx.report(
                            "E0203", f"instruction `{made.name}` is declared twice", made.span, other=("first here", known.span)
                        )
                    draft.instructions[made.name] = made
        clauses = {i.clause for i in draft.instructions.values()} | set(draft.instructions) | set(ctx.absent)
        for made in draft.instructions.values():
            for over in made.over:
                if over not in clauses:
                    ctx.report("E0201", f"`over {over}`: there is no such instruction", made.span)
        for node in self.each("alias"):
            pattern, expansion = (text_of(child) for child in node.children)  # type: ignore[arg-type]
            draft.aliases.append(m.Alias(pattern, expansion, ctx.span(node)))
        specials: dict[str, m.Type] = {"insn": m.Bits(ctx.pc_width()), "next_pc": m.Bits(ctx.pc_width())}
        for node in self.each("otherwise"):
            with ctx.recover(), ctx.scope(fresh=True, specials=specials):
                draft.otherwise = cause(ctx, node.children[0])  # type: ignore[arg-type]

    def _claims(self) -> None:
        ctx, draft = self.ctx, self.draft
        texts = self.sources.texts
        for node in self.each("placement"):
            with ctx.recover():
                draft.placement = theorems.placement(ctx, node)
        for node in self.each("region"):
            with ctx.recover():
                theorems.region(ctx, node, draft.regions)
        for node in self.each("program"):
            draft.program = theorems.program(ctx, node)
        for node in self.each("theorem"):
            with ctx.recover():
                if theorems.elsewhere(ctx, node, self.config or ""):
                    ctx.absent[str(node.children[0])] = "it speaks of another configuration"
                    continue
                made = theorems.theorem(ctx, node, tuple(draft.configs), texts[ctx.file])
                for name in made.expect.names if not made.configs or self.config in made.configs else ():
                    self._known_instruction(made, name)
                if made.name in draft.theorems:
                    ctx.report("E0203", f"theorem `{made.name}` is declared twice", made.span)
                draft.theorems[made.name] = made

    def _known_instruction(self, made: m.Theorem, name: str) -> None:
        base, _, part = name.partition("(")
        if base not in self.draft.instructions and base not in self.ctx.absent:
            with self.ctx.recover():
                self.ctx.unknown("instruction", base, made.span, list(self.draft.instructions))  # type: ignore[arg-type]
        register = part.rstrip(")")
        if register and register not in self.ctx.registers and register not in self.ctx.absent and register != "other":
            with self.ctx.recover():
                self.ctx.unknown("CSR", register, made.span, list(self.ctx.registers))  # type: ignore[arg-type]

    # -- the result --------------------------------------------------------------------------------------------------

    def frozen(self) -> m.Machine:
        ctx, draft = self.ctx, self.draft
        mode = next((s.name for s in ctx.scalars.values() if s.role is m.Role.MODE), None)
        memory = next((array.name for array in ctx.arrays.values() if array.memory), None)
        csrs = {r.address: r.name for r in ctx.registers.values() if r.address is not None}
        fragments = {
            name: m.FragmentInfo(name, tuple(m.FragmentAlternative(a.name, sum(p.width for p in a.pieces)) for a in found))
            for name, found in draft.fragments.items()
        }
        return m.Machine(
            name=draft.name, config=self.config or "", title=draft.title, manual=draft.manual,
            files=tuple(file.source.name for file in self.sources.files), parameters=ctx.parameters,
            extensions=ctx.extensions, configs=tuple(draft.configs), order=draft.order, parcel=draft.parcel,
            modes=ctx.modes, pc=ctx.pc, mode=mode, main_memory=memory, scalars=ctx.scalars, arrays=ctx.arrays,
            registers=ctx.registers, csrs=csrs, csr_space=draft.csr_space, causes=draft.causes, faults=draft.faults,
            acting=draft.acting, layouts=ctx.layouts, functions=ctx.functions, fragments=fragments,
            instructions=draft.instructions, operand_kinds=draft.operand_kinds, aliases=tuple(draft.aliases),
            otherwise=draft.otherwise, trap_stacks=draft.stacks, delegate=draft.delegate, interrupts=draft.interrupts,
            translations=draft.translations, protections=draft.protections, placement=draft.placement,
            program=draft.program, theorems=draft.theorems, choices=ctx.choices, given=self.given,
            regions=draft.regions,
        )  # fmt: skip


def _returns(statements: tuple[m.Stmt, ...]) -> bool:
    """Whether every path through the statements ends in a return or a trap."""
    for statement in statements:
        match statement:
            case m.Return() | m.Trap() | m.Fault() | m.Next() | m.Walk():
                return True
            case m.If(_, yes, no) if _returns(yes) and (_returns(no) or statement.condition == m.Literal(1, m.Bool())):
                return True
            case m.MatchStmt(_, arms) if all(_returns(body) for _, body in arms):
                return True
    return False


_NAMED = (
    "csr", "csr_view", "csr_space", "register", "fault_kind", "function", "translation", "protection", "instr", "trap_stack",
    "theorem", "fragment",
)  # fmt: skip


def _effective(declarations: tuple[Declaration, ...], ctx: Context) -> list[Declaration]:
    """The declarations that stand: an `override` replaces what it names, in its place."""
    standing: list[Declaration] = []
    for declaration in declarations:
        tree = declaration.tree
        if tree.data == "header":
            standing = [d for d in standing if d.tree.data != "header"]
        if tree.data != "override":
            standing.append(declaration)
            continue
        inner = tree.children[0]
        assert isinstance(inner, Tree)
        ctx.file = declaration.file.source.name
        place = next((i for i, d in enumerate(standing) if _same(d.tree, inner)), None)
        if place is None:
            ctx.report("E0208", "this overrides nothing", inner, help="there is no earlier declaration of that name")
        else:
            standing[place] = Declaration(inner, declaration.file)
    return standing


def _same(one: Tree[Token], other: Tree[Token]) -> bool:
    """Whether they declare the same thing. A view of a CSR may become a CSR of its own, and the other way round."""
    kinds = {str(one.data), str(other.data)}
    if len(kinds) > 1 and kinds != {"csr", "csr_view"}:
        return False
    return one.data not in _NAMED or str(one.children[0]) == str(other.children[0])
