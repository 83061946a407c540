"""Encoder, decoder, assembler and disassembler, from the same clauses."""
