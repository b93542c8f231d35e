"""`nextchar explain` as people run it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from nextchar.cli.main import run
from nextchar.cli.output.colours import RESET, depth, is_wanted, shaded
from nextchar.model.file import Model, save_model

Nextchar = Callable[..., CompletedProcess[str]]


@pytest.fixture
def model(small_model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_model(path, small_model)
    return path


def test_it_writes_a_page_and_says_the_same_in_short(
    nextchar: Nextchar, model: Path, prose: Path, tmp_path: Path
) -> None:
    done = nextchar("explain", model, prose, "--worst", 3)
    assert (done.returncode, done.stderr) == (0, "the page: explain.html\n")
    page = (tmp_path / "explain.html").read_text(encoding="utf-8")
    assert "<h1>Explanation of small on prose.txt</h1>" in page
    assert "\x1b" not in done.stdout  # no colour where nobody asked and no terminal is there
    assert len(re.findall(r"^ +\d+:\d+ +\d+\.\d bits", done.stdout, re.MULTILINE)) == 3
    bits = re.search(r"([\d.]+) bits each", done.stdout)
    expected = json.loads(nextchar("eval", model, prose, "--json").stdout)["bits_per_char"]
    assert bits
    assert float(bits[1]) == pytest.approx(expected, abs=5e-5)


def test_json_is_all_there_is_and_agrees_with_eval(
    model: Path, prose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(["explain", str(model), str(prose), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "explain.html").exists()
    assert run(["eval", str(model), str(prose), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert {name: figures[name] for name in evaluated} == evaluated


def test_the_curves_come_as_images_too(
    model: Path, prose: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["explain", str(model), str(prose), "--png", "images", "--out", "p.html"]) == 0
    for name in ("influence", "context"):
        assert (tmp_path / f"images/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_characters_are_skipped_with_a_note(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strange.txt").write_text("It was the Ж best\n" * 3, encoding="utf-8", newline="")
    assert run(["explain", str(model), "strange.txt"]) == 1
    assert "the character 'Ж'" in capsys.readouterr().err
    assert run(["explain", str(model), "strange.txt", "--unknown", "skip", "--at", "2:12"]) == 0
    printed = capsys.readouterr()
    assert "note: 3 unknown characters were left out" in printed.err
    assert "Influence on 2:13" in (tmp_path / "explain.html").read_text(encoding="utf-8")


def test_the_text_is_shaded_in_the_colours_of_the_terminal(
    model: Path, prose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert run(["explain", str(model), str(prose), "--color", "always"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[38;2;0;0;0;48;2;" in shown
    assert "It was the best of times" in re.sub(r"\x1b\[[\d;]*m", "", shown)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("asked", "stream", "variables", "wanted"),
    [
        ("auto", Terminal(), {}, True),
        ("auto", io.StringIO(), {}, False),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", Terminal(), {}, False),
    ],
)
def test_colour_is_for_terminals_unless_asked_or_forbidden(
    asked: str, stream: Any, variables: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(asked, stream, variables) is wanted


def test_a_terminal_says_how_many_colours_it_has() -> None:
    assert depth({"COLORTERM": "truecolor", "TERM": "vt220"}) == 1 << 24
    assert depth({"WT_SESSION": "x"}) == 1 << 24
    assert depth({"TERM": "xterm-256color"}) == 256
    assert depth({"TERM": "vt220"}) == 16
    assert depth({}) == 16


@pytest.mark.parametrize("colours", [16, 256, 1 << 24])
def test_shades_begin_and_end_and_never_cross_a_lines_end(colours: int) -> None:
    text = shaded(["a", "b", "\n", "c", "d"], [9, 9, 9, 9, 0], colours)
    assert re.sub(r"\x1b\[[\d;]*m", "", text) == "ab\ncd"
    assert re.fullmatch(r"(\x1b\[[\d;]+m)ab\x1b\[0m\n\1c\x1b\[0md", text)
    assert shaded(["a"], [0], colours) == "a"
    every = shaded([str(n) for n in range(10)], range(10), colours)
    assert every.endswith(RESET)
