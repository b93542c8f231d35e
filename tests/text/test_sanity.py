"""Warnings about binary and wrongly decoded texts, and none about real texts."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.settings.config import TextSettings
from nextchar.text.sanity import WINDOW, WINDOWS, decoding_warning
from nextchar.text.vocabulary import Vocabulary

CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n白日依山尽，黄河入海流。\n"
OTHER = "欲穷千里目，更上一层楼。学而时习之"
RUSSIAN = "Мороз и солнце; день чудесный! Ещё ты дремлешь, друг прелестный.\n"
FRENCH = "Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, déjà\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
SOURCE = Path(random.__file__).read_text(encoding="utf-8")
NOISE = random.Random(0).randbytes(20_000)


def doubted(text: str, encoding: str = "utf-8") -> str | None:
    vocabulary = Vocabulary.of_text(text)
    warning = decoding_warning(vocabulary, vocabulary.encode(text), TextSettings(encoding=encoding))
    assert warning is None or len(warning.splitlines()) == 1
    return warning


@pytest.mark.parametrize(
    "text",
    [
        CHINESE,
        "".join(map(chr, range(0x4E00, 0xA000))),  # each character once, as in a primer
        "".join(map(chr, range(0x20000, 0x323B0))),  # rare ones, some newer than this Python
        "".join(map(chr, [*range(0x1F300, 0x1F650), *range(0x1F680, 0x1FB00)])),
        "😀😂❤️👩‍👩‍👧‍👦🇩🇪🏴󠁧󠁢󠁷󠁬󠁳󠁿" * 50,
        JAPANESE,
        "모든 국민은 법 앞에 평등하다. 누구든지 성별에 의하여 차별을 받지 아니한다.",
        FRENCH * 40,
        RUSSIAN,
        "Trăm năm trong cõi người ta, chữ tài chữ mệnh khéo là ghét nhau. Trải qua một cuộc bể dâu",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता",
        "كان ما كان في قديم الزمان وسالف العصر والأوان",
        "Þat var snemma í ǫndverða byggð goðanna, þá er goðin hǫfðu sett Miðgarð ok gǫrt Valhǫll",
        "\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m\n" * 30,
        SOURCE + "\ue0b0\uf015" * 20,  # symbols of a terminal's font
        "e2e4 e7e5\r\ng1f3 b8c6\r\n\x1a",
        "ab\rcd\ref\r" * 30,
        "é" * 200,
        "ab",
    ],
    ids=lambda text: ascii(text[:4]),
)  # fmt: skip
def test_real_texts_are_left_in_peace(text: str) -> None:
    assert doubted(text) is None


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        (NOISE, "latin-1", "control, private or unassigned"),
        (NOISE, "cp437", "control, private or unassigned"),
        (Path(sys.executable).read_bytes()[:200_000], "latin-1", "% of the text are NUL"),
        (SOURCE.encode("utf-16-le"), "utf-8", "--encoding utf-16-le or utf-16-be"),
        (SOURCE.encode()[:30_000], "utf-16-le", "looks binary or wrongly decoded"),
        (
            (CHINESE + "欲穷千里目，更上一层楼。学而时习之").encode(),
            "gb18030",
            "looks binary or wrongly decoded",
        ),
        (CHINESE.encode(), "latin-1", "is valid utf-8 and was read as latin-1"),
        (FRENCH.encode(), "cp1252", "is valid utf-8 and was read as cp1252; give --encoding utf-8"),
        (RUSSIAN.encode(), "cp1251", "is valid utf-8 and was read as cp1251"),
        (CHINESE.encode("gbk"), "latin-1", "accents and signs, more than plain letters"),
        ((RUSSIAN * 2).encode("cp1251"), "latin-1", "accents and signs, more than plain letters"),
        (JAPANESE.encode("cp932"), "latin-1", "looks binary or wrongly decoded"),
        (("caf\ufffd " * 30).encode(), "utf-8", "U+FFFD"),
        (("\ufeff" + FRENCH).encode(), "utf-8", "--encoding utf-8-sig leaves it out"),
    ],
)
def test_a_binary_or_wrongly_decoded_text_is_reported(
    data: bytes, encoding: str, words: str
) -> None:
    warning = doubted(data.decode(encoding, "ignore"), encoding)
    assert warning is not None
    assert words in warning


def test_what_begins_late_is_noticed_all_the_same() -> None:
    text = FRENCH * 20_000 + NOISE.decode("latin-1") * 40
    assert "control" in str(doubted(text))


def test_a_long_text_costs_no_more_than_its_sample() -> None:
    class Counted:
        """Codes that count the ones that were read."""

        asked = 0

        def __len__(self) -> int:
            return 10**12

        def __getitem__(self, part: slice) -> np.ndarray:
            length = len(range(*part.indices(10**12)))
            self.asked += length
            return np.zeros(length, np.uint8)

    codes = Counted()
    assert decoding_warning(Vocabulary.of_text("ab"), codes, TextSettings()) is None  # type: ignore[arg-type]
    assert codes.asked <= (WINDOWS + 1) * WINDOW


def test_bytes_and_nothing_at_all_are_never_doubted() -> None:
    everything = Vocabulary(is_bytes=True)
    assert decoding_warning(everything, everything.encode(NOISE), TextSettings()) is None
    assert decoding_warning(Vocabulary.of_text("a"), np.empty(0, np.uint8), TextSettings()) is None


@given(st.text(st.characters(exclude_categories=())), st.sampled_from(["utf-8", "cp1252", "utf-7"]))
def test_any_text_can_be_judged(text: str, encoding: str) -> None:
    doubted(text, encoding)


def test_the_unknown_symbol_is_no_character() -> None:
    vocabulary = Vocabulary.of_text(FRENCH + "€", min_count=2)
    codes = vocabulary.encode(FRENCH + "€")
    assert vocabulary.unknown_code in codes
    assert decoding_warning(vocabulary, codes, TextSettings(encoding="cp1252")) is None
