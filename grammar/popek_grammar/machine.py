"""The resolved, typed machine: frozen data, the meeting point of every other package.

The resolver (`resolve.py`) builds a `Machine` for one configuration: parameters are numbers, extensions are decided,
every width is an `int`, every name is resolved. Nothing here has behaviour beyond trivial look-ups, and nothing here
knows any particular instruction set. Classes without slots, since a pickle of so many objects is read in half the time so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from popek_grammar.records import record


@record
class Span:
    """A stretch of source text: file name as given, 1-based line and column, and where it ends."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


# -- types -----------------------------------------------------------------------------------------------------------


@record
class Bits:
    """A bit vector of `width` bits (at least 1). `layout` names its fields, when it has a layout."""

    width: int
    layout: str | None = None


@record
class Bool:
    """Truth values; not interchangeable with `Bits(1)`."""


@record
class Mode:
    """A processor mode, represented by its encoding (`Modes.width` bits)."""


@record
class EnumType:
    """A closed set of names: `access`, an operand family's `op`, the trap stacks. Represented by its ordinal."""

    name: str
    members: tuple[str, ...]


@record
class Unit:
    """The type of a function that returns nothing."""


Type: TypeAlias = Bits | Bool | Mode | EnumType | Unit

ACCESS = EnumType("access", ("fetch", "load", "store", "rmw"))
"""Kinds of memory access. `rmw` needs the rights of both load and store."""


# -- expressions -----------------------------------------------------------------------------------------------------


@record
class Literal:
    """A constant: bits, bool (0/1), mode encoding or enum ordinal."""

    value: int
    type: Type


@record
class Local:
    """A let-bound name, function parameter, loop variable, or instruction operand."""

    name: str
    type: Type


@record
class ReadScalar:
    """The value of scalar state `name` (a plain variable or a stored register field such as `mstatus.MIE`)."""

    name: str
    type: Type


@record
class ReadElement:
    """Element `index` of an array of state: a register file or a memory cell (`ram[a]`: physical, untranslated)."""

    array: str
    index: Expr
    type: Type


@record
class ReadRegister:
    """The whole of a register with fields, composed by its field rules and its `read` clause.

    `index` is given for an element of an array of registers.
    """

    register: str
    index: Expr | None
    type: Type


@record
class Unary:
    """`op` is `-`, `~` (bits) or `not` (bool)."""

    op: str
    operand: Expr
    type: Type


@record
class Binary:
    """Both operands have one width (`@`, concatenation, excepted; shifts take the left operand's width).

    `op`: `+ - * / % /s %s & | ^ << >> >>s @` give bits; `== != < <= > >= <s <=s >s >=s and or` give bool.
    `and` and `or` evaluate their right operand only when it matters. Modes compare by declared order.
    """

    op: str
    left: Expr
    right: Expr
    type: Type


@record
class Cond:
    """`if condition then yes else no`."""

    condition: Expr
    yes: Expr
    no: Expr
    type: Type


@record
class Match:
    """First arm whose value list holds the subject; an arm of `()` matches anything. Exhaustive by construction."""

    subject: Expr
    arms: tuple[tuple[tuple[int, ...], Expr], ...]
    type: Type


@record
class Slice:
    """Bits `hi` down to `lo`, constants."""

    operand: Expr
    hi: int
    lo: int
    type: Type


@record
class SliceFrom:
    """`operand[start +: width]`: `width` bits whose lowest is number `start`; bits beyond the top are zero."""

    operand: Expr
    start: Expr
    type: Type


@record
class Resize:
    """`kind` is `zext`, `sext` or `trunc`, to the width of `type`; `bits`/`mode` re-read a mode's encoding."""

    kind: str
    operand: Expr
    type: Type


@record
class Member:
    """`operand in { a, b..c }`: constants and inclusive unsigned ranges."""

    operand: Expr
    ranges: tuple[tuple[int, int], ...]
    type: Type


@record
class Call:
    """A call of a declared function; arguments are evaluated left to right. It may write state and may trap."""

    function: str
    arguments: tuple[Expr, ...]
    type: Type


@record
class Builtin:
    """A built-in operation; see docs/language.md, "Built-in names".

    `load(address[, kind])`, `load_as(mode, address)`: translated access of `type.width` bits; may fault.
    `phys_load(address)` : inside a translation or protection: a physical access made by the walk.
    `csr_read(number)`, `exists(number)`, `read_legal(register number)`;
    `splice(frame, va, n)` (type gives the width), `insn`, `va`, `pa`, `size`, `access`, `acting`,
    `cause.code`, `cause.interrupt`, `cause.PAYLOAD`, `csr.addr`, `csr.write`, `vector_index`...
    """

    name: str
    arguments: tuple[Expr, ...]
    type: Type


@record
class Unspecified:
    """A value that the manual leaves open; `ranges` restricts it (`choose`). `site` names it in reports."""

    site: str
    ranges: tuple[tuple[int, int], ...] | None
    type: Type


Expr: TypeAlias = (
    Literal
    | Local
    | ReadScalar
    | ReadElement
    | ReadRegister
    | Unary
    | Binary
    | Cond
    | Match
    | Slice
    | SliceFrom
    | Resize
    | Member
    | Call
    | Builtin
    | Unspecified
)


# -- statements ------------------------------------------------------------------------------------------------------


@record
class ScalarPlace:
    """Scalar state, or a stored register field written raw."""

    name: str
    width: int


@record
class ElementPlace:
    """An element of an array of state; physical when the array is memory."""

    array: str
    index: Expr
    width: int


@record
class RegisterPlace:
    """A whole register, written through its field rules and its `write` clause."""

    register: str
    index: Expr | None
    width: int


@record
class SlicePlace:
    """Bits `hi` down to `lo` of another place; the rest keeps its value."""

    place: Place
    hi: int
    lo: int
    width: int


@record
class ConcatPlace:
    """`a @ b = v`: the first part takes the highest bits."""

    parts: tuple[Place, ...]
    width: int


Place: TypeAlias = ScalarPlace | ElementPlace | RegisterPlace | SlicePlace | ConcatPlace


@record
class Cause:
    """A trap to raise: the cause's name and its payload (missing payloads are zero)."""

    name: str
    payload: tuple[Expr, ...]
    span: Span


@record
class Length:
    """An instruction is `width` bits long where its first parcels, `insn`, satisfy `when`, whether it decodes or not."""

    width: int
    when: Expr
    span: Span


@record
class Let:
    name: str
    value: Expr


@record
class Assign:
    place: Place
    value: Expr
    span: Span


@record
class If:
    condition: Expr
    yes: tuple[Stmt, ...]
    no: tuple[Stmt, ...]


@record
class MatchStmt:
    subject: Expr
    arms: tuple[tuple[tuple[int, ...], tuple[Stmt, ...]], ...]


@record
class For:
    """`for name in first .. last`, both constants, inclusive, counting down when first > last. Unrolled.

    In the body `Local(name)` is bits of the loop variable's declared type.
    """

    name: str
    first: int
    last: int
    type: Bits
    body: tuple[Stmt, ...]


@record
class Guard:
    """`guard condition else trap cause`, in a clause or in a body. A failing guard discards the instruction."""

    condition: Expr
    cause: Cause
    span: Span


@record
class Trap:
    cause: Cause


@record
class Return:
    """Ends a function (`return`) or yields the result of a translation or of `delegate` (`yield`)."""

    value: Expr | None


@record
class Next:
    """Goes to the next level of a walk with this base."""

    base: Expr


@record
class Fault:
    """Raises the declared fault kind, for the access under way."""

    kind: str
    span: Span


@record
class ReturnFrom:
    """Undoes the entry of a trap stack: saved places are restored, then its `leave` lines run."""

    stack: str


@record
class Do:
    """An expression run for its effect: a call, or the built-ins `store`, `store_as`, `csr_write`, `phys_store`."""

    call: Call | Builtin


@record
class Walk:
    """A page walk: the bodies of its levels in order, each resolved for its level number.

    `Local(base)` starts as `start` and is replaced by `next`; falling past the last level raises `fault`.
    """

    name: str
    base: str
    start: Expr
    levels: tuple[tuple[int, tuple[Stmt, ...]], ...]
    fault: str


Stmt: TypeAlias = Let | Assign | If | MatchStmt | For | Guard | Trap | Return | Next | Fault | ReturnFrom | Do | Walk


# -- declarations ----------------------------------------------------------------------------------------------------


class Role(Enum):
    """What a piece of state is to a virtual machine monitor (Popek and Goldberg's resource state, refined)."""

    GUEST = "guest"  # visible state: belongs to the running program
    MODE = "mode"  # M
    MAP = "map"  # R: relocation, protection
    CONTROL = "control"  # the rest of the resource state
    ENV = "env"  # inputs: time, pending lines
    HIDDEN = "hidden"  # must never reach guest state


@record
class Modes:
    """The modes in increasing privilege: (name, encoding) pairs; `width` bits hold any encoding."""

    members: tuple[tuple[str, int], ...]
    width: int

    def rank(self, encoding: int) -> int:
        """Position in the order of privilege, or -1 for an encoding that no mode has."""
        return next((rank for rank, (_, code) in enumerate(self.members) if code == encoding), -1)

    def code(self, name: str) -> int:
        """The encoding of a mode; KeyError when there is none of that name."""
        return dict(self.members)[name]

    def name(self, encoding: int) -> str:
        """The name of an encoding, or `?n`."""
        return next((name for name, code in self.members if code == encoding), f"?{encoding}")


@record
class Scalar:
    """One flat piece of state: a variable, or a stored field `register.FIELD`.

    `legal` lists the only values it ever holds (WARL sets, mode-typed state), as inclusive ranges; None means all.
    """

    name: str
    type: Type
    width: int
    role: Role
    reset: int | None
    legal: tuple[tuple[int, int], ...] | None
    doc: str
    span: Span

    @property
    def initial(self) -> int:
        """The declared reset value, else the lowest legal one."""
        if self.reset is not None:
            return self.reset
        return self.legal[0][0] if self.legal else 0


@record
class Array:
    """Indexed state: a register file (`memory` False) or a memory.

    `count` elements when a register file; `zero_at` is the index that always reads zero. `legal` as in Scalar.
    """

    name: str
    index_width: int
    width: int
    count: int
    memory: bool
    big_endian: bool
    role: Role
    zero_at: int | None
    names: tuple[str, ...]
    doc: str
    span: Span


class FieldKind(Enum):
    RW = "rw"
    RO = "ro"
    WARL = "warl"
    WLRL = "wlrl"
    WPRI = "wpri"


@record
class Field:
    """Bits `hi..lo` of a register.

    `state` is the scalar (or array, in an array of registers) that stores it, None when nothing is stored.
    `value` is what an RO field reads (None: its stored state); `legal` the WARL/WLRL ranges;
    `otherwise` what a WARL field takes when the written value is illegal.
    """

    name: str
    hi: int
    lo: int
    kind: FieldKind
    state: str | None
    value: Expr | None
    legal: tuple[tuple[int, int], ...] | None
    otherwise: Expr | None
    role: Role
    doc: str
    span: Span


@record
class Register:
    """A register with fields, perhaps a CSR (`address`), perhaps an array element family (`count` > 1).

    `guards` run on every CSR access before the read or write. `read` replaces composition by fields;
    `write` is (parameter, body) and replaces the field rules. Bits that no field covers read as zero.
    `names` are those of the elements of an array, in assembly text.
    `index` is the constant bound to the declaration's index name for one member of a CSR array.
    """

    name: str
    width: int
    count: int
    fields: tuple[Field, ...]
    address: int | None
    min_mode: int | None
    guards: tuple[Guard, ...]
    read: Expr | None
    write: tuple[str, tuple[Stmt, ...]] | None
    doc: str
    span: Span
    names: tuple[str, ...] = ()


@record
class CsrSpace:
    """The rule of access for all CSRs: guards over `addr`, `write` (bool) and the derived expressions."""

    name: str
    width: int
    rules: tuple[tuple[str, Expr], ...]
    guards: tuple[Guard, ...]


@record
class CauseDef:
    name: str
    code: int
    interrupt: bool
    span: Span


@record
class Causes:
    """All trap causes and the payload they carry, as (name, width) pairs."""

    payload: tuple[tuple[str, int], ...]
    members: tuple[CauseDef, ...]
    code_width: int

    def find(self, name: str) -> CauseDef:
        """The cause of that name; KeyError when there is none."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)


@record
class FaultKind:
    """What `fault NAME` raises for each kind of access; payload expressions may use `va`."""

    name: str
    causes: tuple[tuple[str, Cause], ...]


@record
class Function:
    """`parameters` are (name, type) pairs. `body` ends in Return on every path unless `result` is Unit."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    result: Type
    body: tuple[Stmt, ...]
    span: Span


@record
class Piece:
    """Bits of an operand inside an encoding: operand bits `hi..lo` stand at encoding bits `at + (hi-lo) .. at`."""

    operand: str
    hi: int
    lo: int
    at: int


@record
class Encoding:
    """One bit pattern: instruction word `w` (as an integer of `width` bits) matches iff `w & mask == value`.

    `choices` records which alternative of each fragment, and `constants` which value each family field, this
    pattern stands for (name -> ordinal or bits). Operands not covered by pieces are zero there.
    """

    width: int
    mask: int
    value: int
    pieces: tuple[Piece, ...]
    choices: tuple[tuple[str, int], ...]
    constants: tuple[tuple[str, int], ...]
    asm: str


@record
class Operand:
    """An operand field: total width, and the bits that the encodings give (others are zero)."""

    name: str
    width: int
    present: int
    span: Span


@record
class Instruction:
    """One mnemonic. A family (`ops`) becomes one Instruction each, sharing `clause`.

    `lets` are computed before guards and body (fragment bindings; `Local("NAME.alt")` is the alternative's ordinal).
    `split` names the operands that pick a CSR, on which queries are split.
    """

    name: str
    clause: str
    encodings: tuple[Encoding, ...]
    operands: tuple[Operand, ...]
    constants: tuple[tuple[str, int, Type], ...]
    lets: tuple[Let, ...]
    guards: tuple[Guard, ...]
    body: tuple[Stmt, ...]
    over: tuple[str, ...]
    needs: tuple[str, ...]
    split: tuple[str, ...]
    doc: str
    span: Span


@record
class OperandKind:
    """How an operand is written: an element of register file `array` numbered from `offset`, a CSR, a word, or a number.

    `words` spell the values from 0 on; one of them may be empty.
    """

    operand: str
    array: str
    offset: int
    words: tuple[str, ...] = ()


@record
class Alias:
    """Assembler-only: text of the form `pattern` stands for `expansion`."""

    pattern: str
    expansion: str
    span: Span


@record
class Save:
    """On entry `source` goes to `target`; `return_from` restores it."""

    source: Expr
    restore: Place | None
    target: Place
    span: Span


@record
class TrapStack:
    """Entry and return of one kind of trap.

    Entry: `before`, then all `saves` (old values), `records`, `enters`, then pc := vector (when given). Right-hand
    sides of records and enters see the state after `before`. Return: restores, then `leaves`.
    """

    name: str
    vector: Expr | None
    before: tuple[Stmt, ...]
    saves: tuple[Save, ...]
    records: tuple[Assign, ...]
    enters: tuple[Assign, ...]
    leaves: tuple[Stmt, ...]
    clobbers: tuple[str, ...]
    span: Span


@record
class Level:
    """Interrupts taken to stack `stack`, highest priority first, by cause name.

    Taken when the mode is below the stack's mode, or equal to it and `enable` holds; `when` replaces that rule.
    """

    stack: str
    order: tuple[str, ...]
    enable: Expr | None
    when: Expr | None
    span: Span


@record
class Interrupts:
    """`pending`: bits numbered by cause code."""

    pending: Expr
    levels: tuple[Level, ...]


@record
class Translation:
    """A declared address translation, applied when `acting` is one of `modes` (all, when empty) and `when` holds.

    `body` sees `va` (Bits(va_width)), `access`, `acting`, `size` and ends in Return(physical address), `fault` or a
    Walk. `canonical` names the fault for a `va` whose higher bits are not copies of its top bit; None truncates only
    when va is as wide as the address. `over` names the first stage of a second-stage translation.
    """

    name: str
    modes: tuple[int, ...]
    over: str | None
    when: Expr | None
    va_width: int
    canonical: str | None
    page_bits: int
    entry: Bits | None
    body: tuple[Stmt, ...]
    span: Span


@record
class Protection:
    """Checks every physical access: `pa`, `access`, `acting`, `size` (bytes) are in scope."""

    name: str
    when: Expr | None
    body: tuple[Stmt, ...]
    span: Span


@record
class Placement:
    """Popek and Goldberg's f: where a guest lies in the host.

    `parameters` are the monitor's constants; `host` pairs (scalar, expression over the guest's state and the
    parameters); `where` must hold of the guest; `memory` = (array, base, size): guest cell a is host cell base + a.
    """

    parameters: tuple[tuple[str, int], ...]
    host: tuple[tuple[str, Expr], ...]
    where: tuple[Expr, ...]
    memory: tuple[str, Expr, Expr] | None


@record
class Region:
    """A stretch of physical addresses, in cells: memory that programs run from, or a device of a kind."""

    name: str
    at: int
    size: int
    device: str | None
    span: Span
    wires: tuple[Wire, ...] = ()


@record
class Wire:
    """A device's pin and what it is connected to: a scalar, or a numbered line of another region's device."""

    pin: str
    target: str
    line: int | None
    span: Span


CLOCK_MASK = (1 << 64) - 1
"""A clock has 64 bits."""


@record
class Clock:
    """64 bits that advance by one with every step, or with every instruction that completes."""

    name: str
    completed: bool
    span: Span


@record
class Devicetree:
    """The file that describes the platform to guests, beside the machine's own; where it is put; what holds that address."""

    file: str
    at: int
    holder: str
    index: int
    span: Span


@record
class Expectation:
    """`kind` is `holds`, `fails` or `exactly`; names are `instr` or `instr(csr)`, empty: any."""

    kind: str
    names: tuple[str, ...]


@record
class Theorem:
    """A claim about the machine: see docs/language.md, "Theorems".

    `guest` is the most privileged mode of the guest, `host` the mode it really runs in (None: per command line).
    `alone`: the guest's machine has the mode `guest` and no other.
    """

    name: str
    guest: int | None
    host: int | None
    configs: tuple[str, ...]
    memory: str
    reading: str
    assume: tuple[tuple[Expr, str], ...]
    show: str
    expect: Expectation
    span: Span
    alone: bool = False


@record
class Layout:
    """Named bit fields of a value: (name, hi, lo)."""

    name: str
    width: int
    fields: tuple[tuple[str, int, int], ...]


@record
class FragmentAlternative:
    name: str
    width: int


@record
class FragmentInfo:
    """For reports: the alternatives of an encoding fragment."""

    name: str
    alternatives: tuple[FragmentAlternative, ...]


@record
class Machine:
    """One machine in one configuration. Mappings keep declaration order.

    `order`: `little` (the instruction is one integer, stored little-endian), `big` (the bit string as stored), or
    `stream` (bytes in storage order, operands wider than a byte little-endian). `parcel`: bits fetched at a time.
    `main_memory` is the array that loads, stores and fetches reach; `pc` and `mode` the scalars that play those parts.
    `choices` are the ranges that each parameter may be in, `given` the settings that are not the configuration's. `elf` is
    what executables for the machine are marked with (System V ABI 4.1, `e_machine`).
    """

    name: str
    config: str
    title: str
    manual: str
    files: tuple[str, ...]
    parameters: Mapping[str, int]
    extensions: Mapping[str, bool]
    configs: tuple[str, ...]
    order: str
    parcel: int
    modes: Modes
    pc: str
    mode: str | None
    main_memory: str | None
    scalars: Mapping[str, Scalar]
    arrays: Mapping[str, Array]
    registers: Mapping[str, Register]
    csrs: Mapping[int, str]
    csr_space: CsrSpace | None
    causes: Causes
    faults: Mapping[str, FaultKind]
    acting: Expr | None
    layouts: Mapping[str, Layout]
    functions: Mapping[str, Function]
    fragments: Mapping[str, FragmentInfo]
    instructions: Mapping[str, Instruction]
    operand_kinds: Mapping[str, OperandKind]
    aliases: tuple[Alias, ...]
    otherwise: Cause | None
    trap_stacks: Mapping[str, TrapStack]
    delegate: tuple[Stmt, ...] | None
    interrupts: Interrupts | None
    translations: Mapping[str, Translation]
    protections: Mapping[str, Protection]
    placement: Placement | None
    program: tuple[tuple[str, str | None, str], ...]
    theorems: Mapping[str, Theorem]
    lengths: tuple[Length, ...] = ()
    choices: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    given: Mapping[str, int] = field(default_factory=dict)
    regions: Mapping[str, Region] = field(default_factory=dict)
    clocks: tuple[Clock, ...] = ()
    devicetree: Devicetree | None = None
    elf: int | None = None

    @property
    def setting(self) -> str:
        """The configuration and what was set beside it, for headings: `base, UMIP = 1`."""
        return ", ".join([self.config, *(f"{name} = {value}" for name, value in self.given.items())])
