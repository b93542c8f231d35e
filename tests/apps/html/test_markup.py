"""Elements are well formed whatever text goes in, and every character can be seen."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nextchar.apps.html.markup import number, shown, tag
from nextchar.apps.html.template import page


def test_attributes_are_escaped_and_what_is_not_given_is_left_out() -> None:
    made = tag("g", "", class_="a&b", data_name='"<', x=1.239, y=None, hidden=True, open=False)
    assert made == '<g class="a&amp;b" data-name="&quot;&lt;" x="1.24" hidden></g>'
    assert ET.fromstring(made.replace(" hidden", "")).get("data-name") == '"<'


def test_elements_without_content_are_not_closed() -> None:
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize(("value", "text"), [(12.0, "12"), (1 / 3, "0.33"), (-0.001, "0")])
def test_coordinates_have_two_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("character", "seen"),
    [
        ("a", "a"), ("字", "字"), (" ", "␣"), ("\n", "⏎"), ("\t", "⇥"), ("\x07", "U+0007"),
        ("\u00a0", "U+00A0"), ("\u0301", "◌\u0301"), ("0xC8", "0xC8"),
    ],
)  # fmt: skip
def test_every_character_can_be_seen(character: str, seen: str) -> None:
    assert shown(character) == seen


def test_a_page_asks_for_nothing_beside_itself() -> None:
    made = page("a <title>", "<p>b</p>", refresh=5)
    assert "<title>a &lt;title&gt;</title>" in made
    assert 'http-equiv="refresh" content="5"' in made
    for outside in ("http://", "https://", "src=", "@import", "url("):
        assert outside not in made
    assert "refresh" not in page("a", "b").split("<style>")[0]
