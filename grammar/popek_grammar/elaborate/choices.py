"""The header, and what is chosen before anything else is read: extensions, parameters, the configuration, modes."""

from __future__ import annotations

from lark import Token, Tree

from popek_grammar import machine as m
from popek_grammar.elaborate.constants import exists, literal, number, truth
from popek_grammar.elaborate.context import names, text_of
from popek_grammar.elaborate.types import set_of
from popek_grammar.elaborate.work import Work
from popek_grammar.text.source import SourceSet


def configurations(sources: SourceSet) -> list[str]:
    """The names of the configurations, the default first."""
    return [str(d.tree.children[0]) for d in sources.declarations if d.tree.data == "config"] or ["default"]


def monitored(sources: SourceSet) -> list[str]:
    """The configurations that the monitors of a text are for, that of the first one first; those of a machine's text, all."""
    declared = configurations(sources)
    named = [d.tree.children[2] for d in sources.declarations if d.tree.data == "monitor"]
    return list(dict.fromkeys(str(name) if name is not None else declared[0] for name in named)) or declared


def headers(work: Work) -> None:
    """Name, title, manual, instruction order, and what executables are marked with."""
    for node in work.each("header"):
        with work.ctx.recover():
            _header(work, node)
    if not work.by_kind.get("header"):
        work.ctx.report("E0200", "a machine begins with `isa NAME { ... }`", work.start)


def _header(work: Work, node: Tree[Token]) -> None:
    work.draft.name = str(node.children[0])
    for line in (child for child in node.children if isinstance(child, Tree)):
        match line.data, line.children:
            case "title", [text]:
                work.draft.title = text_of(text)  # type: ignore[arg-type]
            case "manual", [text]:
                work.draft.manual = text_of(text)  # type: ignore[arg-type]
            case "encoding", [order, parcel]:
                if str(order) not in ("little", "big", "stream"):
                    work.ctx.unknown("instruction order", str(order), line, ["little", "big", "stream"])
                work.draft.order = str(order)
                work.draft.parcel = number(work.ctx, parcel, "the parcel", 1, 128)
            case "elf", [code]:
                work.draft.elf = number(work.ctx, code, "the machine's number in ELF files", 1, 0xFFFF)


def choices(work: Work) -> None:
    """Extensions, parameters, the configuration's settings, modes."""
    ctx, settings = work.ctx, _settings(work)
    for kind in ("extension", "param", "config"):
        _once(work, kind)
    for node in work.each("extension"):
        name, _, on = node.children
        ctx.extensions[str(name)] = on is None or (isinstance(on, Tree) and on.data == "true")
        ctx.choices[str(name)] = ((0, 1),)
    for node in work.each("param"):
        with ctx.recover(node.children[0]):
            name, choices, default = node.children
            chosen = settings.pop(str(name), None)
            ctx.choices[str(name)] = ranges = set_of(ctx, choices, 64)  # type: ignore[arg-type]
            given = number(ctx, default, "a default")
            found = given if chosen is None else chosen
            if not any(low <= given <= high for low, high in ranges):
                ctx.fail("E0214", f"parameter {name} cannot be {given}, its default", node)
            if not any(low <= found <= high for low, high in ranges):
                ctx.fail("E0214", f"parameter {name} cannot be {found}", node)
            ctx.parameters[str(name)] = found
    for switch in [key for key in settings if key in ctx.extensions]:
        chosen = settings.pop(switch)
        if chosen not in (0, 1):
            text = f"extension {switch} is on (1) or off (0), and cannot be {chosen}"
            ctx.report("E0214", text, work.start)
        ctx.extensions[switch] = bool(chosen)
    for unknown in settings:
        ctx.report("E0201", f"configuration {work.config} sets unknown parameter `{unknown}`", work.start)
    _implications(work)
    for node in work.each("modes"):
        with ctx.recover():
            _modes(work, node)


def _once(work: Work, kind: str) -> None:
    """E0203: two declarations of one kind and one name."""
    first: dict[str, m.Span] = {}
    for node in work.each(kind):
        name, span = str(node.children[0]), work.ctx.span(node)
        if name in first:
            work.ctx.report("E0203", f"{kind} `{name}` is declared twice", node, other=("first here", first[name]))
        first.setdefault(name, span)


def _settings(work: Work) -> dict[str, int]:
    """What the chosen configuration, and then the caller, set."""
    ctx, found = work.ctx, {}
    work.draft.configs = configurations(work.sources)
    chosen = work.config or monitored(work.sources)[0]
    work.config = chosen
    if chosen not in work.draft.configs:
        named = (node.children[2] for node in work.each("monitor") if node.children[2] == chosen)
        place = next((ctx.span(token) for token in named if isinstance(token, Token)), work.start)
        ctx.report("E0215", f"there is no configuration `{chosen}`", place, help=f"there are: {', '.join(work.draft.configs)}")
    for node in work.each("config"):
        if str(node.children[0]) == chosen:
            for setting in (child for child in node.children if isinstance(child, Tree)):
                name, expr = setting.children
                with ctx.recover():
                    known = truth(ctx, expr)
                    found[str(name)] = int(known) if known is not None else number(ctx, expr, "a setting")
    return {**found, **work.given}


def _implications(work: Work) -> None:
    ctx = work.ctx
    for node in work.each("extension"):
        name, implied, _ = node.children
        for other in names(implied):
            if other not in ctx.extensions:
                with ctx.recover():
                    ctx.unknown("extension", other, node, list(ctx.extensions))
            elif ctx.extensions[str(name)] and not ctx.extensions[other]:
                ctx.report("E0216", f"extension {name} implies {other}, which is off", node)
    for node in work.each("conflict"):
        one, other = (str(child) for child in node.children)
        for unknown in {one, other} - set(ctx.extensions):
            with ctx.recover():
                ctx.unknown("extension", unknown, node, list(ctx.extensions))
        if ctx.extensions.get(one) and ctx.extensions.get(other):
            ctx.report("E0217", f"extensions {one} and {other} conflict, and both are on", node)


def _modes(work: Work, node: Tree[Token]) -> None:
    ctx = work.ctx
    found: list[tuple[str, int]] = []
    for definition in (child for child in node.children if isinstance(child, Tree)):
        name, code, when = definition.children
        if not exists(ctx, when):
            ctx.absent[str(name)] = "this configuration has no such mode"
            continue
        encoding = literal(code)
        if encoding in [other for _, other in found]:
            ctx.report("E0206", f"mode {name} has the encoding of another mode", definition)
        found.append((str(name), encoding))
    width = max((code.bit_length() for _, code in found), default=1)
    ctx.modes = m.Modes(tuple(found), max(1, width))
