"""Controller of interactive writing, without a terminal."""

from __future__ import annotations

import dataclasses

from nextchar.cli.interactive.controller import AT_ONCE, Controller
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.writing_session import WritingSession
from nextchar.generation.requests import RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.settings.config import TextSettings


def test_a_long_line_is_continued_by_ticks(small_model: Model) -> None:
    options = RequestOptions(logit_bias={"\n": -100})
    settings = GenerationSettings(length=AT_ONCE + 9)
    request = make_request(small_model, "", settings, options, seed=1)
    with WritingSession(small_model, request) as session:
        controller = Controller(session, "x")
        controller.start_generating("line")
        assert (len(session.text), controller.generating is not None) == (AT_ONCE, True)
        for _ in range(10):
            controller.tick()
        assert (len(session.text), controller.generating is not None) == (AT_ONCE + 9, False)
        controller.tick()
        assert len(session.text) == AT_ONCE + 9


def test_a_message_says_that_nothing_can_be_generated(small_model: Model) -> None:
    request = make_request(small_model, "It", GenerationSettings(length=0), seed=1)
    with WritingSession(small_model, request) as session:
        controller = Controller(session, "x")
        controller.start_generating("word")
        assert controller.message == "nothing can be generated here"
        session.model = dataclasses.replace(small_model, text=TextSettings(records="line"))
        controller.start_generating("word")
        assert controller.message.startswith("the record ends here")


def test_any_key_stops_generation_and_does_nothing_else(small_model: Model) -> None:
    request = make_request(small_model, "It", GenerationSettings(), seed=1)
    with WritingSession(small_model, request) as session:
        controller = Controller(session, "x")
        controller.press(lambda: controller.start_generating("text"))
        assert controller.generating is not None
        length = len(session)
        controller.press(lambda: controller.type("x"))
        assert (controller.generating, len(session)) == (None, length)
        controller.scroll(5)
        controller.press(lambda: controller.type("t"))
        assert controller.scrolled == 0  # the end of the text is shown
