"""What the parser's refusals mean to the author: what was expected, what was found, and the likeliest slip."""

# ruff: noqa: SIM905 - lists of words are easier to read and to search as text
from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from lark import Lark
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr

from popek_grammar.machine import Span
from popek_grammar.text.diagnostics import Diagnostic, Note, Source, suggest
from popek_grammar.text.layout import CLOSING, OPENING

# What stands for many terminals at once, most telling first: all of the first set must be acceptable for the words to
# be used, and then the words replace both sets.
GROUPS: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("a declaration", frozenset({"INSTR", "CSR", "FN", "THEOREM"}), frozenset(
        "ISA INCLUDE PARAM EXTENSION CONFIG MODES STATE REGISTER CSR_SPACE CAUSES FAULT ACTING LAYOUT FRAGMENT OPERAND "
        "TRANSLATION PROTECTION ALIAS OTHERWISE TRAP_STACK DELEGATE INTERRUPTS PLACEMENT PROGRAM OVERRIDE INVARIANT "
        "VMM".split())),
    ("a line of a monitor", frozenset({"RUN", "INTERPRET", "HYPERCALL"}), frozenset(
        "REWRITE HOST BANK THROUGH VIRTUAL LET WHERE MEMORY PLACEMENT SLICE WEIGHT EXPECT".split())),
    ("a statement", frozenset({"LET", "YIELD", "NAME", "TRAP", "RETURN"}), frozenset(
        "IF MATCH FOR GUARD NEXT FAULT RETURN_FROM INT HEX OCT BIN TRUE FALSE UNSPECIFIED LPAR".split())),
    ("an expression", frozenset({"INT", "HEX", "NAME", "LPAR"}), frozenset(
        "OCT BIN TRUE FALSE UNSPECIFIED NOT MINUS TILDE IF MATCH CHOOSE".split())),
    ("an operator", frozenset({"COMPARE", "PLUS", "AND"}), frozenset(
        "MINUS STAR DIVIDE SHIFT BAR XOR AMP OR IN DOT LPAR LSQB CONCAT".split())),
    ("an operator", frozenset({"PLUS", "STAR"}), frozenset(
        "MINUS DIVIDE SHIFT BAR XOR AMP DOT LPAR LSQB CONCAT".split())),
)  # fmt: skip
WORDS = {
    "NAME": "a name", "INT": "a number", "HEX": "a number", "OCT": "a number", "BIN": "a number", "BITS": "bits",
    "STRING": "a text in quotes", "_SEP": "a new line", "$END": "the end of the file", "COMPARE": "a comparison",
    "SHIFT": "a shift", "DIVIDE": "`/`", "ABOUT": "`after`", "ONCE": "`once`", "ENDS": "`traps`",
}  # fmt: skip
SHOWN = 6
"""More alternatives than this tell nothing."""

TOKEN = re.compile(r'"[^"\n]*"|//[^\n]*|#[^\n]*|\.\{|\w+|.', re.DOTALL)
FOREIGN_OPERATOR = re.compile(r"==|&&|\|\||:=|\+\+|::|->|/\*")
WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Found:
    """The place where the parser stopped: the offending text and what would have been accepted."""

    text: str
    start: int
    span: Span
    accepts: Set[str]
    literals: Set[str]
    keyword: bool

    @property
    def ended(self) -> bool:
        """Whether it stopped at the end of the file."""
        return not self.text

    @property
    def described(self) -> str:
        """The offending text, in the author's words."""
        if self.ended:
            return "the end of the file"
        if self.text == "\n":
            return "the end of the line"
        return f"`{self.text if len(self.text) <= 40 else self.text[:37] + '...'}`"


def explain(error: UnexpectedInput, source: Source, parser: Lark) -> Diagnostic:
    """The diagnostic for a text that the parser refused."""
    found = _find(error, source, parser)
    expected = _expected(found.accepts, parser)
    slip = _slip(found, source)
    notes = _unclosed_note(found, source)
    if not isinstance(error, UnexpectedToken) and not expected:
        return Diagnostic("E0002", "error", f"unexpected {found.described}", found.span, "", notes, slip)
    known = isinstance(error, UnexpectedToken)
    code, label = ("E0001", "") if known else ("E0002", "" if slip else "this is no part of the language")
    return Diagnostic(code, "error", f"expected {expected}, found {found.described}", found.span, label, notes, slip)


def _find(error: UnexpectedInput, source: Source, parser: Lark) -> Found:
    interactive = getattr(error, "interactive_parser", None)
    accepts = frozenset(interactive.accepts()) if interactive else frozenset()
    literals = frozenset(text for name in accepts if (text := _literal(name, parser)) and WORD.fullmatch(text))
    start = min(error.pos_in_stream or 0, len(source.text))
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        start, text = len(source.text.rstrip()), ""
    elif token is not None and token.type == "_SEP":
        text = ";" if token.value.strip(" \t").startswith(";") else "\n"
        start += len(token.value) - len(token.value.lstrip(" \t"))
    else:
        start, text = _offending(source.text, start)
    keyword = bool(WORD.fullmatch(text)) and any(_literal(t.name, parser) == text for t in parser.terminals)
    return Found(text, start, _span(source, start, max(1, len(text))), accepts, literals, keyword)


def _offending(text: str, start: int) -> tuple[int, str]:
    """The word or operator at `start`, and where it begins: an operator of other languages may have begun before."""
    if start and text[start - 1 : start + 1] in ("==", "&&", "||"):
        start -= 1
    match = FOREIGN_OPERATOR.match(text, start) or TOKEN.match(text, start)
    return start, match.group() if match else ""


def _span(source: Source, start: int, length: int) -> Span:
    line = source.text.count("\n", 0, start) + 1
    column = start - source.text.rfind("\n", 0, start)
    return Span(source.name, line, column, line, column + length)


# -- what was expected -----------------------------------------------------------------------------------------------


def _expected(accepts: Set[str], parser: Lark) -> str:
    """What would have been accepted, in few words: `a`, `b` or `c`."""
    left = set(accepts)
    words = list(_grouped(left))
    words += sorted({_words(name, parser) for name in left}, key=_importance)
    words = list(dict.fromkeys(words))
    if len(words) > SHOWN:
        words = [*words[: SHOWN - 1], "something else that fits here"]
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _grouped(left: set[str]) -> Iterator[str]:
    for words, telling, others in GROUPS:
        if telling <= left:
            left -= telling | others
            yield words


def _importance(words: str) -> tuple[int, str]:
    rank = 2 if words in ("a new line", "the end of the file") else 0 if not words[1:2].isalpha() else 1
    return rank, words


def _words(name: str, parser: Lark) -> str:
    return WORDS.get(name) or f"`{_literal(name, parser) or name}`"


def _literal(name: str, parser: Lark) -> str | None:
    """The text of a terminal that has only one."""
    if name == "$END":
        return None
    pattern = parser.get_terminal(name).pattern
    return pattern.value if isinstance(pattern, PatternStr) else None


# -- what was meant --------------------------------------------------------------------------------------------------

FOREIGN = {
    "&&": "`and` joins conditions", "||": "`or` joins conditions", "!": "`not` negates a condition, `~` bits",
    "&": "`and` joins conditions, `&` bits", "|": "`or` joins conditions, `|` bits", "elif": "write `else if`",
    "elsif": "write `else if`", ":=": "`=` assigns", "++": "`@` concatenates", "::": "`@` concatenates",
    "'": "texts stand in double quotes, bits are written `0b0101`", "?": "write `if a then b else c`",
    "/*": "comments start with `//` or `#`", "==": "`=` binds and assigns, `==` compares",
    "return": "`=` before an expression, or a body in `{ }` with `return` in it", "xor": "`^` is exclusive or",
}  # fmt: skip


def _slip(found: Found, source: Source) -> str:
    """One suggestion, or nothing."""
    if found.text == "=" and "COMPARE" in found.accepts:
        return "`==` compares; `=` binds and assigns"
    if found.text == '"':
        return 'a text ends with `"` on the same line'
    if found.ended or found.text == "\n":
        return _unfinished(found)
    if re.match(r"0b|0o|0x|\d", found.text):
        return _bad_number(found)
    if found.text == "->" and "GIVES" in found.accepts:
        return "an arm is written `pattern => result`"
    if found.text == "-" and not source.line(found.span.line)[: found.span.column - 1].strip():
        return "a line that starts with `-` does not go on with the one before: put the `-` at the end of that line"
    if found.text in FOREIGN:
        return FOREIGN[found.text]
    if WORD.fullmatch(found.text):
        return _bad_word(found, source)
    return "close what is open, or delete this" if found.text in CLOSING else ""


def _bad_word(found: Found, source: Source) -> str:
    close = suggest(found.text, found.literals)
    if close:
        return f"did you mean `{close}`?"
    if found.keyword and found.span.column == 1 and "RBRACE" in found.accepts:
        return "a `}` is missing above"
    if found.keyword and "NAME" in found.accepts:
        return f"`{found.text}` is a word of the language and cannot be a name; `{found.text}_` could"
    previous = _word_before(source.text, found.start)
    close = suggest(previous, KEYWORDS_BEFORE_NAMES) if previous not in KEYWORDS_BEFORE_NAMES else None
    return f"did you mean `{close} {found.text}`?" if close else ""


KEYWORDS_BEFORE_NAMES = frozenset("let trap fault return yield next guard match for choose return_from".split())


def _word_before(text: str, start: int) -> str:
    match = re.search(r"(\w+)[ \t]*$", text[max(0, start - 60) : start])
    return match.group(1) if match else ""


def _bad_number(found: Found) -> str:
    if "BITS" in found.accepts:
        return "bits of an encoding are bare: `0010011`; an operand is `name:width`"
    if found.text.startswith("0b"):
        return "after `0b` only 0, 1 and `_` may stand"
    if found.text.startswith("0o"):
        return "after `0o` only 0 to 7 and `_` may stand"
    if found.text.startswith("0x"):
        return "after `0x` only hexadecimal digits and `_` may stand"
    if WORD.search(found.text):
        return "a name does not start with a digit; hexadecimal is written `0x1f`, octal `0o17`, binary `0b11`"
    return ""


def _unfinished(found: Found) -> str:
    if found.ended and "RBRACE" in found.accepts:
        return "a `}` is missing"
    if found.ended and "RPAR" in found.accepts:
        return "a `)` is missing"
    if found.text == "\n" and found.accepts & {"INT", "NAME"}:
        return "the line is not complete; it goes on after an operator, `=`, `,`, `then` or `else`"
    if found.text == "\n" and "LBRACE" in found.accepts:
        return "`{` stands on the same line"
    return ""


def _unclosed_note(found: Found, source: Source) -> tuple[Note, ...]:
    """Points to the bracket that is still open at the end, or at what looks like a new declaration."""
    if not (found.ended or (found.span.column == 1 and found.keyword) or found.text in CLOSING):
        return ()
    opened = _open_brackets(source.text, found.start)
    if not opened or OPENING[opened[-1][0]] == found.text:
        return ()
    bracket, start = opened[-1]
    return (Note(f"this `{bracket}` is still open", _span(source, start, len(bracket))),)


def _open_brackets(text: str, end: int) -> list[tuple[str, int]]:
    opened: list[tuple[str, int]] = []
    for match in TOKEN.finditer(text, 0, end):
        if match.group() in OPENING:
            opened.append((match.group(), match.start()))
        elif opened and match.group() == OPENING[opened[-1][0]]:
            opened.pop()
    return opened
