"""The decoder: precedence, storage orders, variable lengths, and encode as its inverse."""

from __future__ import annotations

import random
import time

import pytest
import small_machines as small

from popek_grammar.assembly.decode import Decoded, Decoder, decoder_of, encode, from_cells, operand_parts, parcel_reader, to_cells
from popek_grammar.machine import Encoding, Instruction, Machine


def cells_of(text: str) -> list[int]:
    return list(bytes.fromhex(text))


def decode_hex(order: str, text: str) -> Decoded | None:
    machine = small.ALL[order]()
    return Decoder(machine).decode_cells(parcel_reader(cells_of(text), machine))


def name_and_operands(decoded: Decoded | None) -> tuple[str, dict[str, int]]:
    assert decoded is not None
    return decoded.instruction.name, {name: value for name, value in decoded.operands.items() if value}


@pytest.mark.parametrize(
    ("order", "text", "name", "operands"),
    [
        ("little", "93 05 c5 ff", "addi", {"rd": 11, "rs1": 10, "imm": 0xFFC}),
        ("little", "63 00 b5 fe", "beq", {"rs1": 10, "rs2": 11, "imm": 0x17E0}),
        ("little", "2e 85", "c_mv", {"rd": 10, "rs2": 11}),
        ("little", "82 80", "c_jr", {"rs1": 1}),
        ("little", "73 00 20 30", "mret", {}),
        ("little", "b7 57 34 12", "lui", {"rd": 15, "imm": 0x12345000}),
        ("stream", "8b c3", "mov_load", {"rm": 3}),
        ("stream", "8b 05 78 56 34 12", "mov_load", {"disp": 0x12345678}),
        ("stream", "8b 04 48", "mov_load", {"scale": 1, "index": 1}),
        ("stream", "c7 45 08 01 02 03 04", "mov_i", {"rm": 5, "short": 8, "imm": 0x04030201}),
        ("stream", "f4", "hlt", {}),
        ("big", "1a 12", "ar", {"r1": 1, "r2": 2}),
        ("big", "d2 07 10 00 20 08", "mvc", {"n": 7, "b1": 1, "b2": 2, "d2": 8}),
    ],
)
def test_bytes_decode(order: str, text: str, name: str, operands: dict[str, int]) -> None:
    assert name_and_operands(decode_hex(order, text)) == (name, operands)


def test_the_inner_encoding_wins_whatever_the_order_of_declaration() -> None:
    outer = small.instruction("outer", small.encoding("1 a:3 b:4", "outer"))
    inner = small.instruction("inner", small.encoding("1 a:3 0000", "inner"), over=("outer",))
    for instructions in ([outer, inner], [inner, outer]):
        decoder = Decoder(small.machine(instructions, parcel=8))
        assert name_and_operands(decoder.decode(0xF0, 8)) == ("inner", {"a": 7})
        assert name_and_operands(decoder.decode(0xF1, 8)) == ("outer", {"a": 7, "b": 1})


def test_over_may_name_a_clause() -> None:
    outer = small.instruction("member", small.encoding("1 a:7", "member"), clause="clause")
    inner = small.instruction("inner", small.encoding("1 a:6 1", "inner"), over=("clause",))
    assert name_and_operands(Decoder(small.machine([outer, inner], parcel=8)).decode(0x81, 8)) == ("inner", {})


def test_operands_that_an_encoding_lacks_are_zero() -> None:
    decoded = decode_hex("stream", "8b c3")
    assert decoded is not None
    assert decoded.operands == {"reg": 0, "rm": 3, "scale": 0, "index": 0, "base": 0, "disp": 0, "short": 0}
    assert decoded.constants == {"modrm.alt": 0}


def test_constants_hold_the_member_of_a_family() -> None:
    decoded = decode_hex("little", "93 25 05 00")
    assert decoded is not None
    assert (decoded.instruction.name, decoded.constants) == ("slt_i", {"op": 2})


def test_no_more_parcels_are_fetched_than_can_matter() -> None:
    machine = small.stream()
    decoder, asked = Decoder(machine), []
    data = cells_of("8b 05 78 56 34 12 f4")

    def read(number: int) -> int:
        asked.append(number)
        return data[number]

    assert decoder.decode_cells(read) is not None
    assert asked == [0, 1, 2, 3, 4, 5]
    asked.clear()
    data[0] = 0xFF
    assert decoder.decode_cells(read) is None
    assert asked == [0]


def test_a_fetch_that_fails_passes_through() -> None:
    machine = small.little()
    with pytest.raises(IndexError):
        Decoder(machine).decode_cells(parcel_reader(cells_of("93 05"), machine))


def test_a_word_that_always_goes_on_is_no_instruction() -> None:
    """`[esp]` and `[ebp]` have no short form: what follows would be taken for the rest."""
    decoder = Decoder(small.stream())
    assert decoder.decode(0x8B04, 16) is None
    assert decoder.decode(0x8B05, 16) is None
    assert decoder.decode(0x8B06, 16) is not None


@pytest.mark.parametrize("order", small.ALL)
def test_encode_is_the_inverse_of_decode(order: str) -> None:
    machine = small.ALL[order]()
    decoder, seen = Decoder(machine), 0
    for _, encoding in small.every_encoding(machine):
        for operands in small.corner_operands(encoding):
            word, width = encode(machine, encoding, operands)
            decoded = decoder.decode(word, width)
            assert encode_again(machine, decoded, word, width)
            if decoded is not None and decoded.encoding is encoding:
                seen += 1
                assert {name: decoded.operands[name] for name in operands} == operands
    assert seen > 50


def encode_again(machine: Machine, decoded: Decoded | None, word: int, width: int) -> bool:
    return decoded is None or encode(machine, decoded.encoding, decoded.operands) == (word, width)


def test_encode_refuses_bits_without_a_place() -> None:
    machine = small.little()
    (beq,) = machine.instructions["beq"].encodings
    with pytest.raises(ValueError, match="imm = 3"):
        encode(machine, beq, {"imm": 3})
    with pytest.raises(ValueError, match="nothing = 1"):
        encode(machine, beq, {"nothing": 1})


@pytest.mark.parametrize("order", small.ALL)
def test_cells_and_back(order: str) -> None:
    machine = small.ALL[order]()
    for word, width in [(0x1234, 16), (0x12345678, 32)]:
        assert from_cells(to_cells(word, width, machine), machine) == (word, width)
    assert to_cells(0x1234, 16, machine) == ([0x34, 0x12] if order == "little" else [0x12, 0x34])


def test_only_whole_unscattered_operands_are_swapped_in_a_stream() -> None:
    scattered = small.encoding("a[15:8] 00000000 a[7:0] b:16", "x")
    parts = {(part.operand, part.low): part.swap for part in operand_parts(small.stream(), scattered)}
    assert parts == {("a", 8): 0, ("a", 0): 0, ("b", 0): 2}


def test_reserved_asks_about_every_guard() -> None:
    machine = small.little()
    decoded = Decoder(machine).decode(0x852E, 16)
    assert decoded is not None
    assert not Decoder(machine).reserved(decoded)
    assert not Decoder(machine).reserved(decoded, lambda _, number: False)  # it has no guards


@pytest.mark.parametrize("order", small.ALL)
def test_the_tree_agrees_with_trying_every_encoding(order: str) -> None:
    machine = small.ALL[order]()
    decoder, rng = Decoder(machine), random.Random(1)
    pairs = small.every_encoding(machine)
    for _ in range(3000):
        _, encoding = rng.choice(pairs)
        word = encoding.value | rng.getrandbits(encoding.width) & ~encoding.mask
        decoded = decoder.decode(word, encoding.width)
        if decoded is not None:
            assert (decoded.instruction.name, decoded.encoding.mask) == slowly(pairs, word, encoding.width)


def slowly(pairs: list[tuple[Instruction, Encoding]], word: int, width: int) -> tuple[str, int]:
    matching = [(i, e) for i, e in pairs if e.width == width and word & e.mask == e.value]
    instruction, encoding = max(matching, key=lambda pair: pair[1].mask.bit_count())
    return instruction.name, encoding.mask


def test_a_machine_has_one_decoder() -> None:
    machine = small.little()
    assert decoder_of(machine) is decoder_of(machine)
    assert decoder_of(small.little()) is not decoder_of(machine)


def test_decoding_is_fast() -> None:
    machine = small.little()
    decoder = Decoder(machine)
    words = [random.Random(2).getrandbits(32) | 3 for _ in range(1000)] * 100
    start = time.perf_counter()
    for word in words:
        decoder.decode(word, 32)
    assert time.perf_counter() - start < 5
