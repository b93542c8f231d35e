"""Sources: the files that are found, their order, and their exact text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import datasets, sources
from nextchar.text.sources import Source, find_sources, read_bytes, read_text

DEFAULT = TextSettings()
COMPRESSED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": sources.zstd.compress,
}
AWKWARD = "\ufeffone\r\ntwo\rthree\n\n\x00\x1a\x85\u2028 e\u0301 \U0001f600 end, no newline"

pieces_of = st.integers(1, 9)  # bytes read at once: most characters are cut somewhere


def text_of(path: object, **settings: str) -> str:
    how = TextSettings(**settings)
    return "".join(read_text(find_sources([str(path)], how), how))


def text_from(data: bytes, piece: int, **settings: str) -> str:
    """The text of bytes that are read `piece` bytes at once."""
    with mock.patch.object(sources, "PIECE", piece):
        return "".join(
            read_text([Source("a.txt", lambda: io.BytesIO(data))], TextSettings(**settings))
        )


def fails(path: object, **settings: str) -> str:
    """The one-line error of reading."""
    with pytest.raises(TextError) as caught:
        text_of(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def byte_of(message: str) -> int:
    found = re.search(r" at byte (\d+);", message)
    assert found, message
    return int(found[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nested, hidden and oddly named files, each holding its own path."""
    names = "b.txt a.txt a.md a/z.txt a/b/c.txt B.txt .hidden .git/config a/.cache/x.txt ä.txt"
    for name in names.split():
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<{name}>", encoding="utf-8")
    return tmp_path / "corpus"


# files


def test_a_text_is_kept_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(AWKWARD.encode())
    assert text_of(path) == AWKWARD


@given(st.text(), pieces_of, st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-7", "gb18030"]))
@example(AWKWARD, 1, "utf-8")
@example(AWKWARD, 3, "utf-16")
def test_a_character_that_two_pieces_cut_is_whole(text: str, piece: int, encoding: str) -> None:
    data = text.encode(encoding)
    assert text_from(data, piece, encoding=encoding) == data.decode(encoding) == text


def test_the_byte_order_mark_stays_in_utf_8_and_goes_with_utf_8_sig(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert text_of(path) == "\ufeffabc"
    assert text_of(path, encoding="utf-8-sig") == "abc"


def test_the_encoding_is_the_one_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("naïve".encode("latin-1"))
    assert text_of(path, encoding="latin-1") == "naïve"


def test_files_follow_each_other_without_a_seam(tmp_path: Path) -> None:
    for name, text in ("b", "one"), ("a", "two"), ("empty", ""):
        (tmp_path / name).write_text(text)
    found = find_sources([tmp_path / "b", tmp_path / "empty", str(tmp_path / "a")], DEFAULT)
    assert "".join(read_text(found, DEFAULT)) == "onetwo"
    assert b"".join(read_bytes(found)) == b"onetwo"


def test_a_file_named_twice_is_read_twice(prose: Path) -> None:
    found = find_sources([prose, prose], DEFAULT)
    assert "".join(read_text(found, DEFAULT)) == 2 * prose.read_text()


def test_pieces_are_bounded(prose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PIECE", 100)
    found = find_sources([prose], DEFAULT)
    assert {len(piece) for piece in list(read_bytes(found))[:-1]} == {100}
    assert max(map(len, read_text(found, DEFAULT))) <= 100


def test_nothing_is_opened_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    found = find_sources([path], DEFAULT)
    path.write_text("new")
    assert "".join(read_text(found, DEFAULT)) == "new"


# folders


def test_a_folder_is_read_in_path_order(folder: Path) -> None:
    in_order = "<B.txt><a/b/c.txt><a/z.txt><a.md><a.txt><b.txt><ä.txt>"
    assert text_of(folder) == in_order


def test_hidden_names_in_a_folder_are_passed_over(folder: Path) -> None:
    text = text_of(folder)
    assert ".hidden" not in text
    assert ".git" not in text
    assert ".cache" not in text


def test_a_hidden_folder_is_read_where_it_is_named(folder: Path) -> None:
    assert text_of(folder / ".git") == "<.git/config>"


def test_a_pattern_chooses_the_files_of_a_folder(folder: Path) -> None:
    assert text_of(folder, pattern="*.md") == "<a.md>"
    assert text_of(folder, pattern="[ab].txt") == "<a.txt><b.txt>"


def test_a_pattern_does_not_concern_files_that_are_named(folder: Path) -> None:
    assert text_of(folder / "a.txt", pattern="*.md") == "<a.txt>"


def test_compressed_files_in_a_folder_are_read_too(tmp_path: Path) -> None:
    for suffix, compress in COMPRESSED.items():
        (tmp_path / f"a{suffix}").write_bytes(compress(suffix.encode()))
    assert text_of(tmp_path) == ".bz2.gz.xz.zst"


@pytest.mark.parametrize("pattern", ["*.rst", "", "..", "[", "../*"])
def test_a_folder_without_a_matching_file_is_an_error(folder: Path, pattern: str) -> None:
    message = fails(folder, pattern=pattern)
    assert str(folder) in message or message.startswith("pattern: ")
    assert repr(pattern) in message


def test_a_pattern_that_leads_out_of_the_folder_is_an_error(folder: Path) -> None:
    pattern = folder.anchor + "*"
    assert fails(folder, pattern=pattern).startswith("pattern must match names inside")


# standard input


def test_a_dash_is_standard_input() -> None:
    program = (
        "from nextchar.settings.config import TextSettings as S\n"
        "from nextchar.text.sources import *\n"
        "print(ascii(''.join(read_text(find_sources(['-'], S()), S()))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=AWKWARD.encode(),
        capture_output=True,
        # the terminal's encoding is not used
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
        check=True,
        timeout=60,
    )
    assert done.stdout.decode().strip() == ascii(AWKWARD)


def test_standard_input_may_be_named_twice_and_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("file")
    stdin = io.TextIOWrapper(io.BytesIO(b"typed"))
    monkeypatch.setattr(sys, "stdin", stdin)
    found = find_sources(["-", tmp_path / "a", "-"], DEFAULT)
    assert "".join(read_text(found, DEFAULT)) == "typedfile"
    assert not stdin.closed


def test_a_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert fails("-") == "standard input: is closed; give a file"


# missing files


def test_a_name_that_is_nothing_is_an_error_that_lists_the_data_sets() -> None:
    message = fails("no-such-thing")
    assert message.startswith("no-such-thing: no such file or folder")
    assert all(name in message for name in datasets.NAMES)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_name_that_no_file_can_have_is_an_error(name: str) -> None:
    fails(name)


def test_an_empty_name_is_not_the_working_folder(
    prose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prose.parent)
    assert fails("") == "a file's name is empty"
    assert text_of(".") == prose.read_text()


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abc")
    found = find_sources([path], DEFAULT)
    path.unlink()
    with pytest.raises(TextError, match=r"a\.txt: cannot be read \(No such file"):
        list(read_text(found, DEFAULT))


def test_a_path_wins_over_a_data_set_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(text_of("pydoc")) > 100_000
    Path("pydoc").write_text("mine")
    assert text_of("pydoc") == "mine"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_the_encoding_of_files_does_not_concern_a_data_set(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Abc".encode(encoding))
    how = TextSettings(encoding=encoding)
    text = "".join(read_text(find_sources(["pydoc", tmp_path / "a"], how), how))
    assert text == datasets.load("pydoc").decode() + "Abc"


def test_a_data_set_whose_files_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(datasets._LOADERS, "stdlib", unreadable)
    assert fails("stdlib") == "stdlib: cannot be read (Permission denied)"


# compressed files


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_compressed_file_is_read_as_what_is_in_it(suffix: str, tmp_path: Path) -> None:
    for name in "a.txt" + suffix, "B" + suffix.upper():
        (tmp_path / name).write_bytes(COMPRESSED[suffix](AWKWARD.encode()))
        assert text_of(tmp_path / name) == AWKWARD


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_compressed_file_of_several_parts_is_read_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("a" + suffix)
    path.write_bytes(COMPRESSED[suffix](b"one, ") + COMPRESSED[suffix](b"two"))
    assert text_of(path) == "one, two"


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_compressed_file_that_ends_early_is_an_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("a" + suffix)
    whole = COMPRESSED[suffix](os.urandom(300))
    path.write_bytes(whole[: len(whole) // 2])
    assert f"{path}: damaged compressed file" in fails(path, encoding="latin-1")


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_plain_text_under_a_compressed_name_is_an_error(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("a" + suffix)
    path.write_text("this was never compressed")
    assert fails(path).startswith(f"{path}: ")


def damaged(whole: bytes) -> Iterator[bytes]:
    """Every cut, and every byte changed in three ways."""
    for index in range(len(whole)):
        yield whole[:index]
        for change in 0x01, 0x80, 0xFF:
            yield whole[:index] + bytes([whole[index] ^ change]) + whole[index + 1 :]


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_no_damage_leaks_another_error(suffix: str, tmp_path: Path) -> None:
    text = "hello wörld " * 20
    path = tmp_path / ("a" + suffix)
    noticed = 0
    for data in damaged(COMPRESSED[suffix](text.encode())):
        path.write_bytes(data)
        try:
            text_of(path)
        except TextError:
            noticed += 1
    assert noticed > 50  # not all: some bytes mean nothing, and .zst has no checksum by default


# decoding errors


def test_bytes_of_another_encoding_name_file_byte_and_option(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("naïve".encode("latin-1"))
    message = fails(path)
    assert message.startswith(f"{path}: not utf-8: invalid continuation byte at byte 2;")
    assert message.endswith("give --encoding cp1252 if that is what it is")


def test_bytes_of_no_encoding_name_the_ways_out(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\xff\x81\x9d\x00\x01\x02\xfe" * 9)
    message = fails(path)
    assert message.startswith(f"{path}: not utf-8: invalid start byte at byte 2;")
    assert "--alphabet bytes" in message


def test_the_name_in_a_decoding_error_is_that_of_the_guilty_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"12345")
    (tmp_path / "b.txt").write_bytes(b"ab\xff")
    message = fails(tmp_path)
    assert str(tmp_path / "b.txt") in message
    assert byte_of(message) == 2


@given(st.text(), st.binary(max_size=5), pieces_of)
@example("a", b"", 1)
@example("é" * 9, b"x", 4)
@example("\ufeff", b"", 9)
def test_the_byte_of_a_decoding_error_is_exact(prefix: str, after: bytes, piece: int) -> None:
    head = prefix.encode()
    for encoding in "utf-8", "utf-8-sig":
        with pytest.raises(TextError) as caught:
            text_from(head + b"\xff" + after, piece, encoding=encoding)
        assert byte_of(str(caught.value)) == len(head)


@given(st.text(), st.sampled_from("é中😀"), pieces_of)
def test_a_character_cut_by_the_end_is_reported_where_it_begins(
    prefix: str, last: str, piece: int
) -> None:
    with pytest.raises(TextError) as caught:
        text_from((prefix + last).encode()[:-1], piece)
    assert byte_of(str(caught.value)) == len(prefix.encode())


@pytest.mark.parametrize(
    ("encoding", "data", "at"),
    [
        ("ascii", b"abc\x80", 3),
        ("cp1252", b"abcd\x81", 4),
        ("utf-16-le", "abc".encode("utf-16-le") + b"\x00", 6),
        ("utf-16", "abc".encode("utf-16") + b"\x00\xdc", 8),
        ("utf-32-le", "ab".encode("utf-32-le") + b"\x00\x00\x11\x00", 8),
        ("shift_jis", "日本".encode("shift_jis") + b"\xff", 4),
        ("gb18030", "日本".encode("gb18030") + b"\xff", 4),
        ("euc_kr", "한국".encode("euc_kr") + b"\xff", 4),
    ],
)
def test_the_byte_is_exact_in_other_encodings(encoding: str, data: bytes, at: int) -> None:
    for piece in 1, 2, 3, 5, 1 << 20:
        with pytest.raises(TextError) as caught:
            text_from(data, piece, encoding=encoding)
        assert byte_of(str(caught.value)) == at


def test_the_byte_is_exact_beyond_the_first_piece_of_a_real_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    head = b"x" + "é".encode() * sources.PIECE  # every piece's end cuts a character
    path.write_bytes(head + b"\xff")
    assert byte_of(fails(path)) == len(head)


def test_utf_16_without_its_mark_says_so() -> None:
    # Python 3.11 says "UTF-16 stream does not …", 3.13 "Stream does not …" and names byte 0
    with pytest.raises(TextError, match=r"not utf-16: .*[Ss]tream does not start with BOM"):
        text_from("abc".encode("utf-16-le"), 100, encoding="utf-16")


@pytest.mark.parametrize("encoding", ["klingon", "", "a\0b", "ü", "\ud800"])
def test_an_encoding_that_python_lacks_is_an_error(encoding: str) -> None:
    for name in "-", "pydoc":
        message = fails(name, encoding=encoding)
        assert message == (
            "encoding must be an encoding that Python knows, such as utf-8 or gb18030, "
            f"got {encoding!r}"
        )


@pytest.mark.parametrize("encoding", ["rot13", "hex", "zlib"])
def test_a_codec_that_is_not_of_text_is_an_error(encoding: str, prose: Path) -> None:
    assert fails(prose, encoding=encoding) == (
        f"encoding must be an encoding of text, got {encoding!r}"
    )


# normalisation

# letters, marks of several classes, Hangul jamo, compatibility characters, and ASCII to cut at
COMBINING = "ae \n\u0301\u0323\u0327\u0345é가각각ﬁ½Å\u0f71\u0f72\U0001d15e\U0001d165ཱི"


@given(
    st.one_of(st.text(), st.text(COMBINING, max_size=40)),
    pieces_of,
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
)
@example("e\u0301", 1, "NFC")
@example("\u1100\u1161\u11a8", 3, "NFC")
def test_normalising_in_pieces_is_normalising_the_whole(text: str, piece: int, form: str) -> None:
    whole = unicodedata.normalize(form, text)  # type: ignore[arg-type]
    assert text_from(text.encode(), piece, normalize=form) == whole


def test_a_mark_at_the_start_of_a_file_joins_the_letter_before(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("cafe", encoding="utf-8")
    (tmp_path / "2").write_text("\u0301s", encoding="utf-8")
    assert text_of(tmp_path, normalize="NFC") == "cafés"


def test_nothing_is_normalised_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("e\u0301Å", encoding="utf-8")
    assert text_of(path) == "e\u0301Å"


# unreadable files in a folder


@pytest.mark.skipif(os.name == "nt", reason="links want privileges on Windows")
@pytest.mark.parametrize("target", ["nowhere", "link.txt"], ids=["broken", "to itself"])
def test_a_link_that_leads_nowhere_is_named(target: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "link.txt").symlink_to(target)
    with pytest.raises(TextError, match=r"link\.txt: cannot be read \(broken symbolic link"):
        find_sources([tmp_path], TextSettings())
    (tmp_path / "link.txt").rename(tmp_path / ".link.txt")  # hidden files are skipped
    assert len(find_sources([tmp_path], TextSettings())) == 1


def test_a_file_of_a_folder_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("a")
    opened = Path.open

    def refusing(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.name == "b.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(TextError, match=r"b\.txt: cannot be read \(Permission denied\)"):
        find_sources([tmp_path], TextSettings())
    with pytest.raises(TextError, match=r"b\.txt: cannot be read \(Permission denied\)"):
        list(read_bytes(find_sources([tmp_path], TextSettings(pattern="*.txt"))))


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.txt").write_text("a")
    listed = os.scandir

    def refusing(path: Any = ".") -> Any:
        if Path(path).name == "inner":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(TextError, match=r"inner: cannot be read \(Permission denied\)"):
        find_sources([tmp_path], TextSettings())
