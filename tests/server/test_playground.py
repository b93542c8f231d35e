"""The playground: it shows the texts of the library, with the model's probabilities."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nextchar.model.file import save_model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from playground import MODEL, Playground
from serving import Server, character_model, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIMITS = (0.9, 0.5, 0.2, 0.05, 0.01)  # between the shades of the page
ENDLESS = 1_000_000  # characters: at least a minute


@pytest.fixture
def playground(page: Page, server: Server) -> Playground:
    return Playground(page, server)


@pytest.fixture(scope="module")
def patient(
    served_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with a slow model and no limit on the length of a text."""
    path = tmp_path_factory.mktemp("patient") / f"{MODEL}.safetensors"
    save_model(path, character_model(hidden_size=500))
    with served({**served_models, MODEL: path}, max_tokens=ENDLESS) as server:
        yield server


def assert_is_idle(server: Server) -> None:
    """Check that the server has stopped: its lanes are free long before a text could end."""
    while server.metric("nextchar_requests_in_progress"):
        time.sleep(0.005)
    assert server.metric("nextchar_generated_tokens_total") < ENDLESS


def known(server: Server, text: str) -> np.ndarray:
    """Log-probabilities (T, V) after each character of a text."""
    model = server.model(MODEL)
    codes = np.asarray(model.vocabulary.encode(text), int)
    logits, _, _ = forward(model.parameters, codes[:, None], model.parameters.zero_state(1))
    return log_softmax(logits[:, 0].astype(np.float64))


def test_what_is_written_is_what_the_library_writes(playground: Playground) -> None:
    rules = {"temperature": 0.7, "top_p": 0.9, "top_k": 12}
    text = playground.write("It was", max_tokens=5000, seed=7, **rules)
    (wanted,) = playground.server.written("It was", 5000, 7, **rules)
    assert text == "It was" + wanted
    assert playground.page.locator("#count").inner_text().startswith("5,000 characters · ")


def test_an_empty_prompt_is_one(playground: Playground) -> None:
    text = playground.write("", max_tokens=50, seed=3, temperature=1)
    assert [text] == playground.server.written("", 50, 3)


def test_text_is_seen_as_it_comes_until_it_is_stopped(page: Page, patient: Server) -> None:
    playground = Playground(page, patient)
    playground.set(max_tokens=ENDLESS, seed=1, temperature=1)
    playground.button("Write").click()
    playground.character(200).wait_for()
    playground.button("Stop").click()
    text = playground.finished()
    assert 200 < len(text) < ENDLESS
    assert "stopped" in page.locator("#count").inner_text()
    assert [text] == patient.written("", len(text), 1)
    assert_is_idle(patient)


def test_escape_stops_too(page: Page, patient: Server) -> None:
    playground = Playground(page, patient)
    playground.set(max_tokens=ENDLESS)
    page.keyboard.press("Control+Enter")
    playground.character(0).wait_for()
    page.keyboard.press("Escape")
    assert 0 < len(playground.finished()) < ENDLESS
    assert_is_idle(patient)


def test_each_character_is_shaded_by_the_probability_that_the_model_gave_it(
    playground: Playground,
) -> None:
    prompt = "It was"
    text = playground.write(prompt, max_tokens=200, seed=5, temperature=1.5)
    rows = known(playground.server, text)[len(prompt) - 1 : -1]
    codes = playground.server.model(MODEL).vocabulary.encode(text)[len(prompt) :]
    p = np.exp(rows[np.arange(len(codes)), codes])
    clear = (
        np.min(np.abs(p[:, None] / LIMITS - 1), axis=1) > 1e-4
    )  # the others depend on rounding in float32
    wanted = np.sum(p[:, None] < LIMITS, axis=1)
    shades = playground.page.locator("#text .c").evaluate_all(
        "all => all.map(({ className }) => className.match(/s(.)/)[1])"
    )
    assert clear.sum() > 190
    assert np.array_equal(np.array(shades, int)[clear], wanted[clear])
    assert len(set(shades)) > 1


def test_pointing_at_a_character_shows_what_else_it_could_have_been(
    playground: Playground,
) -> None:
    text = playground.write("It was", max_tokens=60, seed=5)
    playground.character(20).hover()
    playground.card.wait_for()
    row = known(playground.server, text[: 6 + 20])[-1]
    best = np.argsort(-row)[:5]
    shown = [each.locator(".share").inner_text() for each in playground.alternatives.all()]
    assert [float(each.removesuffix(" %")) for each in shown[:5]] == pytest.approx(
        100 * np.exp(row[best]), abs=0.51
    )
    widths = playground.card.locator(".bar-of i").evaluate_all(
        "all => all.map(({ style }) => parseFloat(style.width))"
    )
    assert widths[:5] == pytest.approx(100 * np.exp(row[best]), rel=1e-3)
    playground.page.mouse.move(5, 5)
    playground.card.wait_for(state="hidden")


def test_another_character_is_written_instead_and_the_text_continues_from_it(
    playground: Playground,
) -> None:
    text = playground.write("It was", max_tokens=60, seed=5, temperature=1)
    playground.character(20).click()
    other = playground.alternatives.filter(has_not=playground.page.locator(".mark", has_text="✓"))
    char = other.first.locator(".glyph").inner_text().replace("␣", " ").replace("↵", "\n")
    other.first.click()
    kept = text[: 6 + 20] + char
    (wanted,) = playground.server.written(kept, 60, 5)
    assert playground.finished() == kept + wanted
    assert "picked" in str(playground.character(20).get_attribute("class"))
    playground.button("Undo").click()
    assert playground.text == text


def test_a_text_continues_from_its_end_and_from_any_character(playground: Playground) -> None:
    text = playground.write("It was", max_tokens=40, seed=5, temperature=1)
    playground.button("Continue").click()
    assert playground.finished() == text + playground.server.written(text, 40, 5)[0]
    playground.character(9).click()
    playground.button("Continue from here").click()
    kept = text[: 6 + 10]
    assert playground.finished() == kept + playground.server.written(kept, 40, 5)[0]


def test_the_seed_is_shown_and_gives_the_same_text_again(playground: Playground) -> None:
    text = playground.write("It was", max_tokens=80)
    seed = playground.page.locator("#reuse").inner_text().removeprefix("seed ")
    assert text == "It was" + playground.server.written("It was", 80, int(seed), temperature=0.8)[0]
    playground.page.click("#reuse")
    assert playground.page.input_value("#seed") == seed
    assert playground.write("It was") == text


def test_the_text_is_copied_with_its_prompt(playground: Playground) -> None:
    playground.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = playground.write("It was", max_tokens=80)
    playground.button("Copy").click()
    playground.button("Copied").wait_for()
    assert playground.page.evaluate("navigator.clipboard.readText()") == text


def test_settings_are_remembered(playground: Playground) -> None:
    playground.set(temperature=0.35, max_tokens=123)
    playground.page.locator("#temperature").blur()
    again = Playground(playground.page, playground.server)
    assert again.page.input_value("#temperature") == "0.35"
    assert again.page.input_value("#temperature-slider") == "0.35"
    assert again.page.input_value("#max_tokens") == "123"


ALIGNED = """async (pieces) => {
    const { Aligner } = await import("/playground/tokens.js");
    const aligner = new Aligner();
    return pieces.flatMap(([text, tokens]) => aligner.add(text, tokens && {
        tokens,
        token_logprobs: tokens.map((_, i) => -1 - i),
        top_logprobs: tokens.map((token) => ({ [token]: -1, 7: -2, z: -0.5 })),
    })).map(({ char, logprob, parts }) => [char, logprob, parts]);
}"""
PIECES: list[tuple[list[Any], list[Any]]] = [
    ([("ab", ["a", "b"])], [["a", -1, 1], ["b", -2, 1]]),
    ([("", ["a"]), ("a", [])], [["a", -1, 1]]),  # the text may arrive later
    ([("é", ["bytes:\\xc3", "bytes:\\xa9"])], [["é", -3, 2]]),
    ([("", ["\\xc3"]), ("é", ["\\xa9"])], [["é", -2, 2]]),
    ([("\ufeff", ["\\xef", "\\xbb", "\\xbf"])], [["\ufeff", -6, 3]]),
    # invalid bytes: before a character, before a first byte, at the end
    ([("\ufffda", ["\\xc3", "a"])], [["\ufffd", -1, 1], ["a", -2, 1]]),
    ([("\ufffdé", ["\\xe4", "\\xc3", "\\xa9"])], [["\ufffd", -1, 1], ["é", -5, 2]]),
    ([("", ["\\xe4", "\\xbd"]), ("\ufffd", None)], [["\ufffd", -3, 2]]),
    ([("x", ["a"])], [["x", None, 1]]),  # the text is right, whatever its tokens say
    ([("x", None)], [["x", None, 1]]),
]


def test_tokens_find_their_characters(playground: Playground) -> None:
    for pieces, wanted in PIECES:
        assert playground.page.evaluate(ALIGNED, pieces) == wanted


def test_a_byte_model_writes_whole_characters(page: Page, server: Server) -> None:
    playground = Playground(page, server, "bytes")
    text = playground.write("春眠不觉", max_tokens=300, seed=2, temperature=1)
    assert [text.removeprefix("春眠不觉")] == server.written("春眠不觉", 300, 2, model="bytes")
    assert page.locator("#text .sx").count() == 0  # each has its probability
