"""The machine that the tests of resolution start from: every construct of docs/language.md, on one page."""

from __future__ import annotations

RV = """
isa rv { title "Sample"; manual "20260701"; encoding little parcel 16 }
param XLEN in {32, 64} = 64
extension Zicsr
extension S implies Zicsr
extension C
config full { XLEN = 64 }
config small { XLEN = 32; S = false }
modes { U = 0 < S = 1 when S < M = 3 }

state {
  pc    : bits(XLEN)
  X[32] : bits(XLEN)  zero at 0  names "zero 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k l m n o p q r s t u v"
  mode  : mode        role mode   reset M
  ram   : mem(56 -> 8)
  mtime : bits(64)    role env
  mip   : bits(XLEN)  role env
}
layout pte : bits(64) { V[0]; R[1]; W[2]; X[3]; U[4]; G[5]; A[6]; D[7]; PPN[53:10]; rsvd[63:54] }

/// Machine status.
csr mstatus at 0x300 : bits(XLEN) min M {
  SIE  [1]      rw                        role control reset 0
  MIE  [3]      rw                        role control reset 0
  SPIE [5]      rw                        role control reset 0
  MPIE [7]      rw                        role control reset 0
  SPP  [8]      rw                        role control reset 0
  MPP  [12:11]  warl { U, S, M } else U   role control reset 0
  FS   [14:13]  rw
  MPRV [17]     rw                        role map     reset 0
  SUM  [18]     rw                        role map     reset 0
  TSR  [22]     rw                        role control reset 0 when S
  SD   [31]     ro = if FS_dirty() then 1 else 0
}
fn FS_dirty() -> bool = mstatus.FS == 3
csr sstatus at 0x100 views mstatus { SIE, SPIE, SPP, FS, SUM, SD }
csr satp at 0x180 : bits(XLEN) min S reset 0 when S {
  guard not (mode == S and mstatus.TSR == 1) else trap illegal_instruction(insn)
  PPN  [21:0]   rw                        role map
  MODE [31:28]  warl { 0, 8 } else satp.MODE  role map
}
csr mepc at 0x341 : bits(XLEN) rw role control
csr sepc at 0x141 : bits(XLEN) rw role control
csr mtvec at 0x305 : bits(XLEN) rw role control reset 0
csr mcause at 0x342 : bits(XLEN) rw role control
csr mtval at 0x343 : bits(XLEN) rw role control
csr mie at 0x304 : bits(XLEN) rw role control reset 0
csr medeleg at 0x302 : bits(XLEN) rw role control reset 0
csr mhpm[i in 3..6] at 0xB00 + i : bits(XLEN) ro = 0
register seg[6] : bits(48) { sel[15:0] rw; base[47:16] rw }

csr_space csr12 : bits(12) {
  min_mode  = mode_of(addr[9:8])
  read_only = addr[11:10] == 0b11
  guard exists(addr) else trap illegal_instruction(insn)
  guard mode >= min_mode else trap illegal_instruction(insn)
  guard not (write and read_only) else trap illegal_instruction(insn)
}
causes (tval: bits(XLEN)) {
  illegal_instruction = 2; breakpoint = 3; load_access_fault = 5; store_access_fault = 7
  instruction_page_fault = 12; load_page_fault = 13; store_page_fault = 15
  interrupt MTI = 7; interrupt MSI = 3
}
fault page { fetch => instruction_page_fault(va), load => load_page_fault(va), store, rmw => store_page_fault(va) }
fault access { fetch, load => load_access_fault(va), store, rmw => store_access_fault(va) }

operand rd, rs1, rs2 : X
operand csr : csr12
otherwise trap illegal_instruction(insn)
length 32 when insn[1:0] == 3
alias "mv {rd}, {rs1}" = "addi {rd}, {rs1}, 0"

fn vector_of(base: bits(XLEN), code: bits(4), async: bool) -> bits(XLEN) =
  if async and base[0] == 1 then (base & ~3) + (zext(code) << 2) else base & ~3
fn jump(to: bits(XLEN)) { pc = to & ~1 }

instr itype {
  enc   imm[11:0] rs1:5 op:3 rd:5 0010011
  ops   op { addi = 000, slti = 010, sltiu = 011, xori = 100, ori = 110, andi = 111 }
  asm   "{op} {rd}, {rs1}, {imm:s}"
  do {
    let a = X[rs1]
    let b = sext(imm, XLEN)
    X[rd] = match op with { addi => a + b, slti => zext(a <s b), sltiu => zext(a < b), xori => a ^ b, ori => a | b,
                              andi => a & b }
  }
}
instr rtype {
  enc  hi:7 rs2:5 rs1:5 lo:3 rd:5 0110011
  ops  hi lo { add = 0000000 000, sub = 0100000 000 }
  asm  "{op} {rd}, {rs1}, {rs2}"
  do   { X[rd] = if hi == add then X[rs1] + X[rs2] else X[rs1] - X[rs2] }
}
instr beq {
  enc  imm[12|10:5] rs2:5 rs1:5 000 imm[4:1|11] 1100011
  asm  "beq {rs1}, {rs2}, {imm:pcrel}"
  do { if X[rs1] == X[rs2] { jump(pc + sext(imm)) } }
}
instr lw { enc imm:12 rs1:5 010 rd:5 0000011; do { X[rd] = sext(load(X[rs1] + sext(imm), 32)) } }
instr sb { enc imm[11:5] rs2:5 rs1:5 000 imm[4:0] 0100011; do { store(X[rs1] + sext(imm), X[rs2][7:0]) } }
instr rev8 {
  enc 0110101 11000 rs1:5 101 rd:5 0010011
  do { for i in 0..3 { X[rd][8 * i + 7 : 8 * i] = X[rs1][8 * (3 - i) + 7 : 8 * (3 - i)] } }
  over srli_like
}
instr srli_like { enc 0 imm:11 rs1:5 101 rd:5 0010011; do { X[rd] = X[rs1] >> imm[5:0] } }
instr csrrw {
  enc   csr:12 rs1:5 001 rd:5 1110011
  asm   "csrrw {rd}, {csr:csr}, {rs1}"
  needs Zicsr
  do {
    let new = X[rs1]
    if rd != 0 { X[rd] = csr_read(csr) }
    csr_write(csr, new)
  }
}
instr mret {
  enc   0011000 00010 00000 000 00000 1110011
  guard mode == M else trap illegal_instruction(insn)
  do { return_from M }
}
instr sret {
  enc   0001000 00010 00000 000 00000 1110011
  needs S
  guard mode >= S                               else trap illegal_instruction(insn)
  guard not (mode == S and mstatus.TSR == 1)    else trap illegal_instruction(insn)
  do { return_from S }
}
instr ebreak { enc 0000000 00001 00000 000 00000 1110011; do { trap breakpoint(pc) } }
instr c_mv { enc 1000 rd:5 rs2:5 10; needs C; guard rd != 0 else trap illegal_instruction(insn); do { X[rd] = X[rs2] } }
instr c_jr {
  enc   1000 rs1:5 00000 10
  needs C
  over  c_mv
  guard rs1 != 0 else trap illegal_instruction(insn)
  do    { jump(X[rs1]) }
}
instr ldseg { enc 000000000000 rs1:5 000 i[2:0] 00 0001011; do { seg[i].base = X[rs1][31:0]; seg[i].sel = 0; seg[1] = seg[i] } }

trap_stack M {
  vector = vector_of(mtvec, cause.code, cause.interrupt)
  save   pc          -> mepc
  save   mode        -> mstatus.MPP
  save   mstatus.MIE -> mstatus.MPIE
  record mcause = zext(cause.code)
  record mtval  = cause.tval
  enter  mode = M
  enter  mstatus.MIE = 0
  leave  mstatus.MPIE = 1
  leave  mstatus.MPP = U
  leave  if mode != M { mstatus.MPRV = 0 }
}
trap_stack S when S {
  vector = mtvec
  save   pc          -> sepc
  save   mode        -> mstatus.SPP
  save   mstatus.SIE -> mstatus.SPIE
  enter  mode = S
  enter  mstatus.SIE = 0
  leave  mstatus.SPIE = 1
  leave  mstatus.SPP = U
}
delegate { if mode == M { yield M }; if S and medeleg[cause.code +: 1] == 1 { yield S }; yield M }
interrupts {
  pending mip & mie
  level M : MSI > MTI enable mstatus.MIE == 1
}
acting = if mstatus.MPRV == 1 and access != fetch then mode_of(mstatus.MPP) else mode
fn allowed(e: pte, k: access, a: mode) -> bool =
  (if a == U then e.U == 1 else e.U == 0 or mstatus.SUM == 1 and k != fetch)
  and (match k with { fetch => e.X == 1, load => e.R == 1, store | rmw => e.W == 1 })
translation Sv39 for S, U when S and satp.MODE == 8 {
  va    39 canonical else fault page
  page  12
  entry pte
  walk i from 2 to 0, base = zext(satp.PPN, 44) {
    let e = load(base @ va[9 * i + 12 +: 9] @ 0b000)
    if e.V == 0 or (e.R == 0 and e.W == 1) or e.rsvd != 0 { fault page }
    if e.R == 0 and e.X == 0 { next e.PPN }
    if low(e.PPN, 9 * i) != 0 { fault page }
    if not allowed(e, access, acting) { fault page }
    yield splice(e.PPN, va, 9 * i)
  }
}
protection pmp { if acting != M and pa[55] == 1 { fault access } }
placement { let l : bits(5); host pc = pc + zext(l); where pc != 0; memory ram at zext(l) size 10 }
theorem u_mode { config full; for S at U; assume medeleg == 0; show theorem1; expect fails { mret, csrrw(mstatus) } }
theorem m_mode { for U; config small; show theorem3; expect holds }
program { state X "li {name}, {value}"; csr "li t0, {value}" }
"""


def without(text: str, line: str) -> str:
    """The text with one piece of it taken out."""
    assert line in text, line
    return text.replace(line, "", 1)


def changed(text: str, old: str, new: str) -> str:
    """The text with one piece of it replaced."""
    assert old in text, old
    return text.replace(old, new, 1)
