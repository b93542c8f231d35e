"""The encoder: codes in order of appearance, the smallest type, the digest of the text."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.text.encoder import Encoder


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=20), max_size=8))
def test_codes_stand_for_the_text(pieces: list[str]) -> None:
    encoder = Encoder()
    codes = [encoder.encode(piece) for piece in pieces]
    points = encoder.points
    assert ["".join(map(chr, points[part])) for part in codes] == pieces
    whole = "".join(pieces)
    assert len(points) == len(set(whole))
    digest = hashlib.sha256(b"".join(p.encode("utf-8", "surrogatepass") for p in pieces))
    assert encoder.sha256 == digest.hexdigest()


def test_a_symbol_keeps_its_code_when_others_come() -> None:
    encoder = Encoder()
    assert encoder.encode("ba").tolist() == [1, 0]
    assert encoder.encode("éa中").tolist() == [2, 0, 3]
    assert encoder.encode("abé").tolist() == [0, 1, 2]
    assert encoder.points.tolist() == [ord(c) for c in "abé中"]


@pytest.mark.parametrize(("symbols", "dtype"), [(256, "u1"), (257, "u2"), (65_537, "u4")])
def test_codes_take_the_fewest_bytes(symbols: int, dtype: str) -> None:
    encoder = Encoder()
    encoder.encode("".join(map(chr, range(symbols))))
    assert encoder.encode("abc").dtype == np.dtype(dtype)


def test_bytes_are_symbols_themselves() -> None:
    encoder = Encoder()
    codes = encoder.encode(b"\xff\x00\xff")
    assert encoder.points[codes].tolist() == [255, 0, 255]
    assert encoder.sha256 == hashlib.sha256(b"\xff\x00\xff").hexdigest()
