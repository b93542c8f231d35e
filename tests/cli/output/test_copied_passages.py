"""Copied passages: shades and summary."""

from __future__ import annotations

from nextchar.apps.memorisation.passages import Passages
from nextchar.cli.output.colours import RESET
from nextchar.cli.output.copied_passages import copied_summary, mark_copied


def test_copied_passages_are_shaded_and_the_rest_is_as_it_was() -> None:
    shown = mark_copied("ab cd\nef", [(3, 7)], 256)
    before, inside = shown.split("\x1b[38", 1)
    assert before == "ab "
    assert inside.endswith(f"e{RESET}f")
    assert f"cd{RESET}\n" in inside  # a line's end is not shaded
    assert mark_copied("ab", [], 256) == "ab"


def test_one_line_says_how_much_was_copied() -> None:
    assert copied_summary(Passages([[], []], "", 0.0)) == (
        "note: no passage of 30 characters or more occurs in the training text"
    )
    one = copied_summary(Passages([[(0, 40)], []], 'to "be"\n', 0.25))
    assert one == (
        "note: 25% of the generated text occurs in the training text, in 1 passage of 30 "
        "characters or more; "
        r'the longest has 8: "to \"be\"\n"'
    )
    many = copied_summary(Passages([[(0, 200)], [(1, 31)]], "x" * 200, 0.5))
    assert "in 2 passages of 30 characters or more;" in many
    assert "the longest has 200: " in many
    assert "\n" not in many
    assert many.endswith(f'"{"x" * 119}…"')
