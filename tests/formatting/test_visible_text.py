"""Every character and every code can be seen."""

from __future__ import annotations

import pytest

from nextchar.formatting.visible_text import code_label, code_name, visible
from nextchar.settings.groups import RESERVED
from nextchar.text.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("character", "seen"),
    [
        ("a", "a"), ("字", "字"), (" ", "␣"), ("\n", "↵"), ("\t", "⇥"), ("\x07", "U+0007"),
        ("\u00a0", "U+00A0"), ("\u0301", "◌\u0301"), ("\\xc8", "\\xc8"),
        ("\udcc8", "\\xc8"), ("\r", "␍"), (RESERVED, "■"), ("\ufe0f", "◌\ufe0f"),
    ],
)  # fmt: skip
def test_every_character_can_be_seen(character: str, seen: str) -> None:
    assert visible(character) == seen


@pytest.mark.parametrize(
    "vocabulary", [Vocabulary(map(ord, "ab"), has_unknown=True), Vocabulary(is_bytes=True)]
)
def test_codes_have_the_names_of_the_http_api(vocabulary: Vocabulary) -> None:
    names = [code_name(vocabulary, code) for code in range(len(vocabulary))]
    assert names == [each.removeprefix("bytes:") for each in vocabulary.symbols]


def test_codes_have_visible_labels() -> None:
    raw = Vocabulary(is_bytes=True)
    assert [code_label(raw, code) for code in (65, 10, 200)] == ["A", "↵", "\\xc8"]
