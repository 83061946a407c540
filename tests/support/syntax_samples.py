"""A text with every construct of docs/language.md, for the tests of the syntax."""

EVERYTHING = r"""// Every construct of docs/language.md.
isa rv64 { title "RV64IMAC"; manual "20260701"; encoding little parcel 16; elf 243 }
include "pmp.isa"
param XLEN in {32, 64} = 64
extension S implies Zicsr
extension Zicsr = false
extension Zcmp conflicts Zcd
config rv32 { XLEN = 32 }
config both {
  XLEN = 64, S = 1
}
modes { U = 0 < S = 1 when S < M = 3 }
state {
  pc    : bits(XLEN)      // the program counter
  X[32] : bits(XLEN)  zero at 0  names "zero ra sp ..."
  mode  : mode        role mode   reset M
  ram   : mem(56 -> 8) big
  mtime : bits(64)    role env
}
layout pte : bits(64) { V[0]; R[1]; PPN[53:10] }
layout pte2 : bits(64) { V[0] R[1] PPN[53:10] }
layout pte3 : bits(64) {
  V[0]   // valid
  R[1]
}
register eflags : bits(32) reset 2 { CF[0] rw; IF[9] rw role control; IOPL[13:12] rw role control; R1[1] ro = 1 }
register seg[6] : bits(80) { sel[15:0] rw; base[47:16] rw role map }
/// Machine status.
/// Priv 3.1.6.
csr mstatus at 0x300 : bits(XLEN) min M {
  SIE  [1]      rw                        role control
  /// previous mode
  MPP  [12:11]  warl { U, S, M } else U   role control
  FS   [14:13]  wlrl {0, 1..3}
  WP   [20:16]  wpri
  TVM  [20]     rw                        role control  when S
  SD   [63]     ro = FS == 3
  guard mode == M else trap illegal_instruction(insn)
  read = zext(x)
  write v { SIE = v[1]; MPP = mode_of(v[12:11]) }
}
csr mhpm[i in 3..31] at 0xB00 + i : bits(XLEN) ro = 0
csr sstatus at 0x100 views mstatus { SIE, SPP }
csr mscratch at 0x340 : bits(XLEN) rw role control
csr_space csr12 : bits(12) {
  min_mode  = mode_of(addr[9:8])
  read_only = addr[11:10] == 0b11
  guard exists(addr) else trap illegal_instruction(insn)
  guard not (write and read_only) else trap illegal_instruction(insn)
}
instr itype {
  enc   imm[11:0] rs1:5 op:3 rd:5 0010011
  ops   op { addi = 000, slti = 010, xori = 100,
             ori = 110 }
  asm   "{op} {rd}, {rs1}, {imm:s}"
  needs Zicsr
  when XLEN == 64
  over  c_mv
  guard rs1 != 0
        else trap illegal_instruction(insn)
  do    {
    let a = X[rs1]
    let b : bits(32) = sext(imm)
    X[rd] = match op with { addi => a + b, slti => zext(a <s b),
      xori => a ^ b
      ori => a | b }
    // a comment

    match op { addi => { pc = 1 }, _ => { return } }
    match op {
      addi | slti => { pc = low(e.PPN, 9 * i) }
      0b1 => { a @ b = unspecified }
    }
    for i in 0..3 { X[i] = -1 }
    for i in 3..0 { f(i); g() }
    if a <s b or not (a == b)
       and c in { 1, 2..3 } { trap foo(1, 2) } else if x { return x }
    else { return_from M }
    R[i].f = ~e >>s 3 / 2 /s 3 % 4 %s 5 - -4
    eflags.{CF, PF} = v
    x .{A, B} = v
    x[7:0] = if a then b else c
    let q = va[9 * i + 12 +: 9] @ 0b11
    y = choose x in {1, 2}
    store(addr, value, rmw)
    let z = load_as(m, addr, 32) - 1
  }
}
instr add { enc funct:7 rs2:5 rs1:5 f:3 rd:5 0110011; ops funct f { add = 0000000 000, sub = 0100000 000 }; do { } }
instr beq { enc imm[12|10:5] rs2:5 rs1:5 000 imm[4:1|11] 1100011; asm "beq" }
operand rd, rs1, rs2 : X
operand rdp, rs1p : X at 8
otherwise trap illegal_instruction(insn)
length 32 when insn[1:0] == 3
alias "mv {rd}, {rs1}" = "addi {rd}, {rs1}, 0"
fragment modrm {
  alt direct asm "{rm}"          enc 11 reg:3 rm:3                 let is_reg = true  let ea = 0
  alt disp32 asm "[{disp:x}]"    enc 00 reg:3 101 disp:32          let is_reg = false let ea = disp
}
instr m { enc 10001011 modrm; do { x = 1 } }
causes (tval: bits(XLEN)) { illegal_instruction = 2; interrupt MTI = 7 }
fault page { fetch => instruction_page_fault(va), load => load_page_fault(va), store, rmw => store_page_fault(va) }
trap_stack M when E {
  before { let l = 1 }
  vector = vector_of(cause.code)
  save   pc -> mepc
  save   mode @ pc @ l -> ram[0]
  record mcause = cause.code
  enter  mode = M
  leave  mstatus.MPIE = 1
  leave  if mode != M { mstatus.MPRV = 0 }
  clobber mtval, mstatus.MIE
}
delegate { if mode == M { yield M } ; yield if medeleg[cause.code +: 1] == 1 then S else M }
interrupts {
  pending mip & mie
  level M : MEI > MSI > MTI enable mstatus.MIE == 1
  level S : SEI > SSI when mode < S
}
acting = if mstatus.MPRV == 1 and access != fetch then mode_of(mstatus.MPP) else mode
translation Sv39 for S, U when satp.MODE == 8 {
  va 39 canonical else fault page
  page 12
  entry bits(64) { V[0]; R[1]; PPN[53:10] }
  walk i from 2 to 0, base = satp.PPN {
    let e = load(base @ va[9 * i + 12 +: 9] @ 0b000)      // one argument
    if e.V == 0 { fault page }
    if e.R == 0 and e.X == 0 { next e.PPN }
    if low(e.PPN, 9 * i) != 0 { fault page }
    yield splice(e.PPN, va, 9 * i)
  }
}
translation Sv39x4 over Sv39 when hgatp.MODE == 8 { entry pte; yield zext(va) + l }
protection pmp { if pa > 3 { fault access } }
fn allowed(e: pte, k: access, m: mode) -> bool =
  (if m == U then e.U == 1 else e.U == 0 or mstatus.SUM == 1 and k != fetch)
  and (match k with { fetch => e.X == 1, load => e.R == 1 or (mstatus.MXR == 1 and e.X == 1), store => e.W == 1 })
fn jump(t: bits(64)) { pc = t }
fn none() -> bits(3) { return 1 }
region main at 0x80000000 size 1 << 20 : ram
region uart at UART size 0x100 : io uart16550 when XLEN == 64
placement { let k : bits(5); host l = l + k; host b = b; where l + b <= 10; memory ram at k size 10 }
invariant mprv once when S { mode == M or mstatus.MPRV == 0; expect fails { mret, entry(svc) } }
invariant parts(i: bits(4), m: mode) { seg[i].P == 1; m != U }
invariant returned after mret, csrrw(satp), entry when S { mstatus.MPIE == old(mstatus.MIE) }
invariant refused of lmsw, Sv39(load) {
  raises illegal_instruction(insn) when mode != M
  traps when mode == U; completes when mode == M
}
theorem u_mode {
  for S at U
  config rv32, both
  memory translated
  reading amended
  assume mcounteren == 0
  show theorem1
  expect fails { popf, csrrs(cycle) }
}
theorem x { for U; show exact; expect holds }
theorem y { expect exactly {
  a
  b(c)
  } }
override theorem x { expect fails }
program {
  state X "li {name}, {value}"
  csr   "li t0, {value}"
}
"""
