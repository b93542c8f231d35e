"""Detected encodings, which appear in messages and are never used."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text.detect_encoding import SAMPLE, suggest_encoding
from nextchar.text.sources import PIECE, find_sources, read_text

CHINESE = """学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？
其为人也孝弟，而好犯上者，鲜矣；不好犯上，而好作乱者，未之有也。君子务本，本立而道生。
床前明月光，疑是地上霜。举头望明月，低头思故乡。
白日依山尽，黄河入海流。欲穷千里目，更上一层楼。
"""
TRADITIONAL = """學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？
床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。
"""
JAPANESE = """吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。
何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。
"""
KOREAN = "모든 국민은 법 앞에 평등하다. 누구든지 성별에 의하여 차별을 받지 아니한다.\n"
FRENCH = """Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes
yeux se fermaient si vite que je n’avais pas le temps de me dire : « Je m’endors. » Et, une
demi-heure après, la pensée qu’il était temps de chercher le sommeil m’éveillait.
"""
GERMAN = """Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem
Bett zu einem ungeheueren Ungeziefer verwandelt. Er lag auf seinem panzerartig harten Rücken und
sah, wenn er den Kopf ein wenig hob, seinen gewölbten, braunen, geteilten Bauch.
"""
RUSSIAN = """Мороз и солнце; день чудесный! Ещё ты дремлешь, друг прелестный. Пора, красавица,
проснись: открой сомкнуты негой взоры.
"""
POLISH = """Litwo! Ojczyzno moja! ty jesteś jak zdrowie. Ile cię trzeba cenić, ten tylko się dowie,
kto cię stracił. Dziś piękność twą w całej ozdobie widzę i opisuję, bo tęsknię po tobie.
"""
CZECH = """Příliš žluťoučký kůň úpěl ďábelské ódy. Všichni lidé rodí se svobodní a sobě rovní co do
důstojnosti a práv.
"""
HUNGARIAN = (
    "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Árvíztűrő fúró.\n"
)
ITALIAN = "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura, ché la via è più\n"
SPANISH = (
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, vivía un hidalgo. ¿Qué año?\n"
)
PORTUGUESE = "Não há nada mais; coração, ação, às vezes você é. Todos nascem livres e iguais.\n"
SWEDISH = "Alla människor är födda fria och lika i värde och rättigheter. Åtta älgar på ön.\n"
ENGLISH = "It was the best of times, it was the worst of times, it was the age of wisdom.\n"

WRITTEN = [  # a text, its encoding, the suggested name
    (CHINESE, "gb18030", "gb18030"),
    (CHINESE, "gbk", "gb18030"),
    (CHINESE, "utf-16", "utf-16"),
    (CHINESE, "utf-16-le", "utf-16-le"),
    (CHINESE, "utf-16-be", "utf-16-be"),
    (TRADITIONAL, "big5", "big5"),
    (TRADITIONAL, "gb18030", "gb18030"),
    (JAPANESE, "shift_jis", "cp932"),
    (JAPANESE, "cp932", "cp932"),
    (JAPANESE, "euc_jp", "euc-jp"),
    (KOREAN, "cp949", "cp949"),
    (FRENCH, "cp1252", "cp1252"),
    (FRENCH.replace("’", "'"), "latin-1", "cp1252"),
    (FRENCH, "utf-16", "utf-16"),
    (FRENCH, "utf-32", "utf-32"),
    (GERMAN, "cp1252", "cp1252"),
    (GERMAN, "latin-1", "cp1252"),
    (ITALIAN, "cp1252", "cp1252"),
    (SPANISH, "cp1252", "cp1252"),
    (PORTUGUESE, "latin-1", "cp1252"),
    (SWEDISH, "latin-1", "cp1252"),
    (CZECH, "cp1250", "cp1250"),
    (RUSSIAN, "cp1251", "cp1251"),
    (RUSSIAN, "koi8-r", "koi8-r"),
    (POLISH, "cp1250", "cp1250"),
    (POLISH, "iso8859-2", "iso8859-2"),
]


def refusal(path: Path, encoding: str = "utf-8") -> str:
    """The one-line error of a file."""
    settings = TextSettings(encoding=encoding)
    with pytest.raises(TextError) as caught:
        list(read_text(find_sources([path], settings), settings))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: not {encoding}: ")


def advised(data: bytes) -> str:
    """The remedy for bytes that are not UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return suggest_encoding(data, error.start, "utf-8")
    raise AssertionError("these bytes are UTF-8")


@pytest.mark.parametrize("times", [1, 2000], ids=["short", "long"])
@pytest.mark.parametrize(
    ("text", "encoding", "named"), WRITTEN, ids=[f"{t[:4]}-{e}" for t, e, _ in WRITTEN]
)
def test_the_encoding_of_a_text_is_named_with_its_option(
    text: str, encoding: str, named: str, times: int, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes((text * times).encode(encoding, "ignore"))
    assert f"give --encoding {named} if that is what it is" in refusal(tmp_path / "a.txt")


@pytest.mark.parametrize("before", [1, SAMPLE - 1, PIECE - 1, 3 * PIECE + 77])
def test_the_place_of_the_first_foreign_byte_does_not_matter(before: int, tmp_path: Path) -> None:
    start = (ENGLISH * (before // len(ENGLISH) + 1))[:before].encode()
    (tmp_path / "a.txt").write_bytes(start + ("！" + CHINESE * 1000).encode("gb18030"))
    message = refusal(tmp_path / "a.txt")
    assert f"at byte {before};" in message
    assert "--encoding gb18030" in message


def test_a_text_without_line_ends_is_recognised_where_the_sample_cuts_a_character() -> None:
    for text, encoding, named in ((CHINESE, "gb18030", "gb18030"), (JAPANESE, "cp932", "cp932")):
        for skip in range(2):
            line = "あ" * skip + text.replace("\n", "") * 2000
            assert f"--encoding {named}" in advised(line.encode(encoding))


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (HUNGARIAN, "cp1250", "cp1252"),  # ő and ű are õ and û there
        (GERMAN, "cp437", "cp1251"),
        (GERMAN, "mac_roman", "cp1250"),
    ],
)
def test_where_the_guess_is_known_to_be_wrong(text: str, encoding: str, named: str) -> None:
    """Change this test if a way is found to distinguish them."""
    assert f"--encoding {named} if that is what it is" in advised((text * 50).encode(encoding))


def test_utf_8_read_as_something_else_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CHINESE, encoding="utf-8")
    assert "--encoding utf-8" in refusal(tmp_path / "a.txt", "ascii")


def test_a_few_bytes_may_be_something_and_do_not_look_like_it() -> None:
    assert advised("naïve".encode("latin-1")).startswith("it may be cp1252")
    assert advised((FRENCH * 9).encode("cp1252")).startswith("it looks like cp1252")


def test_what_is_no_text_is_given_no_encoding() -> None:
    noise = random.Random(0).randbytes(5000)
    for data in (noise, noise[:200], zlib.compress((CHINESE * 100).encode()), b"\x89PNG\r\n\0\0\1"):
        assert "--alphabet bytes" in advised(data)
        assert not re.search("--encoding (?!NAME)", advised(data))
    assert "contains NUL bytes and does not look like text" in advised(noise)


def test_an_encoding_that_nobody_named_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CHINESE.encode("gb18030"))
    refusal(tmp_path / "a.txt")  # an error, although the guess is certain
    settings = TextSettings(encoding="gb18030")
    assert "".join(read_text(find_sources([tmp_path / "a.txt"], settings), settings)) == CHINESE


@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["utf-8", "utf-16", "cp932"]))
def test_any_bytes_get_an_advice_in_one_line(data: bytes, place: int, encoding: str) -> None:
    assert len(suggest_encoding(data, min(place, len(data)), encoding).splitlines()) == 1


def test_the_detector_is_loaded_on_failure_only() -> None:
    program = "import nextchar.text.sources, sys; print('charset_normalizer' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "False\n"
