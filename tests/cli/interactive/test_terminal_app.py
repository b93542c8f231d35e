"""`nextchar generate --interactive` in a terminal, driven by keys."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import PROSE
from nextchar.cli.main import run
from nextchar.model.file import Model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal wants Unix", allow_module_level=True)

from terminal import Terminal

HOW = ("--interactive", "--seed", 7)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """An untrained model with some Chinese characters, for which a comma is improbable."""
    vocabulary = Vocabulary.of_text(PROSE + "今日は")
    network = NetworkSettings(hidden_size=16, num_layers=1)
    model = Model(initialise(Architecture(network, len(vocabulary)), 1), vocabulary)
    model.parameters["b_out"][vocabulary.encode(",")] = -3
    save_model(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"


@pytest.fixture
def terminal(model_file: Path, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal("generate", model_file, *HOW, cwd=tmp_path) as terminal:
        terminal.see("next character")
        yield terminal


def printed(terminal: Terminal) -> str:
    """The output after the screen was restored."""
    text = terminal.sent.decode().rpartition("\x1b[?1049l")[2]
    return text.rpartition("\x1b[?2004l")[2].replace("\r\n", "\n")


def test_what_is_typed_is_shown_and_printed_when_the_person_leaves(terminal: Terminal) -> None:
    terminal.type("It was", "<enter>", "the")
    lines = terminal.see("10 characters")
    assert lines[1:3] == ["It was↵", "the"]
    terminal.type("^d")
    assert terminal.status() == 0
    assert printed(terminal) == "It was\nthe\n"


def test_candidates_are_chosen_with_arrows_and_taken_with_tab_or_by_number(
    terminal: Terminal,
) -> None:
    terminal.type("It wa", "<down>", "<down>", "<up>")
    lines = terminal.see("›2")
    second = next(line for line in lines if line.startswith("›2")).split()[1]
    terminal.type("<tab>")
    lines = terminal.see("6 characters")
    shown = {"␣": " ", "↵": "↵"}.get(second, second)
    assert lines[1] == ("It wa" + shown).rstrip()
    third = next(line for line in lines if line.startswith(" 3")).split()[1]
    terminal.type("\x1b3")
    lines = terminal.see("7 characters")
    assert lines[1].endswith({"␣": " "}.get(third, third).strip())
    assert any(line.startswith("›1") for line in lines)


def test_the_model_writes_on_as_generate_does_and_undo_takes_it_back(
    terminal: Terminal, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(model_file), "--seed", "7", "--length", "120"]) == 0
    wanted = capfd.readouterr().out
    terminal.type("<right>", "^w", "<ctrl-right>")
    terminal.see(lambda lines: " 0 characters" not in lines[0])
    terminal.type("^l")
    terminal.see("↵")
    terminal.type("^g")
    terminal.see("any key stops")
    terminal.see(lambda lines: int(lines[0].split(" characters")[0].split()[-1]) >= 60)
    terminal.type("x")  # stops, and is not typed
    lines = terminal.see("F1 help")
    count = int(lines[0].split(" characters")[0].split()[-1])
    terminal.type("<left>", "^y", "^d")
    assert terminal.status() == 0
    assert count >= 60
    assert printed(terminal) == wanted[:count] + "\n"


def test_undo_and_redo_go_through_what_was_done_and_not_what_was_refused(
    terminal: Terminal,
) -> None:
    terminal.type("<left>")
    terminal.see("nothing to undo")
    terminal.type("ß")
    terminal.see("the model does not know 'ß'")
    terminal.type("age", "<backspace>", "<left>", "<left>", "<left>")
    terminal.see(lambda lines: lines[1] == "a")
    terminal.type("<left>", "^y", "^z", "<left>")
    terminal.see("nothing to undo")
    assert terminal.lines[1] == ""
    terminal.type("^y", "^y", "^y", "^y")
    terminal.see(lambda lines: lines[1] == "ag")
    terminal.type("^y")
    terminal.see("nothing to redo")


def test_settings_are_changed_while_writing(terminal: Terminal) -> None:
    terminal.type("<f3>", "<f3>", "<f2>")
    terminal.see("temperature 1.1")
    terminal.type("^t", "0.5x", "<backspace>", "<enter>")
    terminal.see("temperature 0.5")
    terminal.type("^k", "3", "<enter>")
    terminal.see("top-k 3")
    terminal.type("^p", "0.9", "<enter>")
    terminal.see("top-p 0.9")
    terminal.type("^r", "11", "<enter>")
    terminal.see("seed 11")
    terminal.type("^t", "-1", "<enter>")
    terminal.see("temperature must be a number of at least 0, got -1.0")
    terminal.type("^k", "many", "<enter>")
    terminal.see("top_k must be a number, got 'many'")
    terminal.type("^r", "<enter>")
    terminal.see(lambda lines: "seed 11" not in lines[0])
    terminal.type("^k", "9", "<escape>")
    terminal.see("F1 help")
    assert "top-k 3" in terminal.lines[0]


def test_the_text_is_saved_and_nothing_replaced_unasked(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("mine")
    terminal.type("It", "^s", "new.txt", "<enter>")
    terminal.see("saved as new.txt")
    assert (tmp_path / "new.txt").read_text() == "It"
    terminal.type("^s", "there.txt", "<enter>")
    terminal.see("replace it?")
    terminal.type("n", "<enter>")
    terminal.see("F1 help")
    assert (tmp_path / "there.txt").read_text() == "mine"
    terminal.type("^s", "there.txt", "<enter>", "y", "<enter>")
    terminal.see("saved as there.txt")
    assert (tmp_path / "there.txt").read_text() == "It"
    terminal.type("^s", "no/folder/x", "<enter>")
    terminal.see("No such file")


def test_a_terminal_may_be_small_or_resized_and_the_help_fits(terminal: Terminal) -> None:
    terminal.type("今日は" * 8)
    terminal.see("24 characters")
    terminal.resize(12, 40)
    lines = terminal.see(lambda lines: lines[0].startswith(" T 1  k off") and lines[11] != "")
    assert lines[1].replace(" ", "") == ("今日は" * 8)[:20]  # 40 columns, two each
    assert lines[2].replace(" ", "") == ("今日は" * 8)[20:]
    assert [line[:2] for line in lines[7:11]] == ["›1", " 2", " 3", " 4"]
    terminal.type("<f1>")
    terminal.see("letters, line breaks")
    terminal.type("<down>", "<down>")
    terminal.see(lambda lines: lines[1].startswith("Alt"))
    terminal.type("<escape>")
    terminal.see("next character")
    terminal.resize(5, 12)
    terminal.see(lambda lines: lines[4].startswith(" F1"))
    terminal.type("<f1>")
    terminal.see("type")
    terminal.resize(24, 80)
    terminal.see("this help")


def test_what_surprised_the_model_is_shaded(terminal: Terminal) -> None:
    terminal.type("It ,,.")
    terminal.see("6 characters")
    cells = [terminal.cells[1][column] for column in range(6)]
    assert any((cell.bg, cell.fg) == ("ff8787", "000000") for cell in cells)


def test_without_colours_it_is_underlined_or_reversed(model_file: Path, tmp_path: Path) -> None:
    with Terminal("generate", model_file, *HOW, cwd=tmp_path, env={"NO_COLOR": "1"}) as terminal:
        terminal.see("next character")
        terminal.type("It ,,.")
        terminal.see("6 characters")
        cells = [terminal.cells[row][column] for row in range(24) for column in range(80)]
        assert {cell.bg for cell in cells} == {"default"} == {cell.fg for cell in cells}
        assert any(
            terminal.cells[1][n].underscore or terminal.cells[1][n].reverse for n in range(6)
        )


def test_ctrl_c_leaves_with_130_and_the_text(terminal: Terminal) -> None:
    terminal.type("It was", "^c")
    assert terminal.status() == 130
    assert printed(terminal) == "It was\nnextchar: interrupted\n"


def test_a_terminated_session_gives_back_the_terminal_and_the_text(terminal: Terminal) -> None:
    terminal.type("It was")
    terminal.see("6 characters")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert printed(terminal) == "It was\nnextchar: stopped; the text was printed\n"


def test_the_text_may_go_into_a_file(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    how = (*HOW, "--prompt", "the ")
    with (
        path.open("wb") as file,
        Terminal("generate", model_file, *how, cwd=tmp_path, stdout=file) as terminal,
    ):
        terminal.see("next character")
        terminal.type("age", "<backspace>", "^d")
        assert terminal.status() == 0
    assert path.read_text() == "the ag\n"


def test_earlier_text_is_scrolled_to(terminal: Terminal) -> None:
    for n in range(12):
        terminal.type("It was the"[: n % 9 + 1], "<enter>")
    terminal.see(lambda lines: lines[1] != "I↵")
    terminal.type("<pageup>")
    terminal.see(lambda lines: lines[1] == "I↵")
    terminal.type("a")
    terminal.see(lambda lines: lines[1] != "I↵")


def test_a_model_of_bytes_is_typed_with_in_characters(tmp_path: Path, bytes_model: Model) -> None:
    path = tmp_path / "bytes.safetensors"
    save_model(path, bytes_model)
    with Terminal("generate", path, *HOW, cwd=tmp_path) as terminal:
        terminal.see("next character")
        terminal.type("é今")
        assert terminal.see("5 bytes")[1].startswith("é今")
        terminal.type("<backspace>")
        assert terminal.see("2 bytes")[1] == "é"
        terminal.type("^d")
        assert terminal.status() == 0
        assert printed(terminal) == "é"


def test_without_a_terminal_it_is_refused_in_one_line(nextchar: Any, model_file: Path) -> None:
    done = nextchar("generate", model_file, "--interactive", input="")
    assert done.returncode == 2
    assert done.stderr == ("nextchar: interactive needs a terminal; leave it out\n")


@pytest.mark.parametrize("option", ["--samples 2", "--num-beams 2", "--json", "--prompts x"])
def test_what_it_cannot_do_is_refused(
    model_file: Path, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(model_file), "--interactive", *option.split()]) == 2
    assert "interactive" in capfd.readouterr().err


def test_without_the_library_the_message_says_what_to_install(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    assert run(["generate", str(model_file), "--interactive"]) == 1
    message = "--interactive needs prompt_toolkit; install it with: pip install"
    assert f'{message} "prompt-toolkit>=' in capfd.readouterr().err
