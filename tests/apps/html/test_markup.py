"""Elements are well formed for any text."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nextchar.apps.html.markup import number, tag


def test_attributes_are_escaped_and_missing_ones_omitted() -> None:
    made = tag("g", "", class_="a&b", data_name='"<', x=1.239, y=None, hidden=True, open=False)
    assert made == '<g class="a&amp;b" data-name="&quot;&lt;" x="1.24" hidden></g>'
    assert ET.fromstring(made.replace(" hidden", "")).get("data-name") == '"<'


def test_elements_without_content_are_not_closed() -> None:
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize(("value", "text"), [(12.0, "12"), (1 / 3, "0.33"), (-0.001, "0")])
def test_coordinates_have_two_digits(value: float, text: str) -> None:
    assert number(value) == text
