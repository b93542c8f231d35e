"""The command line as a user meets it: standard output, standard error, exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nextchar import __version__
from nextchar.cli.main import COMMANDS, run
from nextchar.model.file import Model, load_model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import FIELDS, NetworkSettings, TextSettings, option_of
from nextchar.settings.presets import PRESETS
from nextchar.text.vocabulary import Vocabulary

Program = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ("--hidden-size", 12, "--num-layers", 1, "--batch-size", 4, "--steps", 12, "--threads", 1)


@pytest.fixture
def model_file(tmp_path: Path, small_model: Model) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, small_model)
    return path


def call(capfd: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    """Status, standard output and standard error of the program, in this process."""
    status = run([str(arg) for arg in args])
    out, err = capfd.readouterr()
    return status, out, err


def test_help_names_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capfd, "--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capfd, command, "--help")
    assert status == 0
    assert out.startswith(f"Usage: nextchar {command}")


def test_train_has_an_option_for_every_setting_and_preset(
    capfd: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capfd, "train", "--help")
    assert all(option_of(name) in out for name in FIELDS)
    assert all(name in out for name in PRESETS)


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, "--version")[1] == f"nextchar {__version__}\n"


def test_train_generate_eval_and_info_work_one_after_the_other(
    nextchar: Program, prose: Path
) -> None:
    trained = nextchar("train", prose, "--out", "runs/a", *SMALL, "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["steps"] == 12
    assert "validation" in trained.stderr
    written = nextchar("generate", "runs/a", "--length", 40, "--seed", 5, "--prompt", "it was")
    assert (written.returncode, len(written.stdout)) == (0, 41)
    assert written.stderr == "seed 5\n"
    evaluated = nextchar("eval", "runs/a", prose, "--json")
    assert json.loads(evaluated.stdout)["characters"] == len(prose.read_text()) - 1
    informed = nextchar("info", "runs/a", "--json")
    assert json.loads(informed.stdout)["network"]["hidden_size"] == 12


def test_train_names_its_run_after_the_text_and_takes_a_free_name(
    nextchar: Program, prose: Path, tmp_path: Path
) -> None:
    for name in ("prose", "prose-2"):
        assert nextchar("train", prose, *SMALL, "--quiet").returncode == 0
        assert (tmp_path / "runs" / name / "best.safetensors").exists()


def test_train_reads_standard_input(nextchar: Program, prose: Path, tmp_path: Path) -> None:
    done = nextchar("train", "-", *SMALL, "--quiet", input=prose.read_text())
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "stdin" / "best.safetensors").exists()


def test_the_second_training_of_the_same_is_the_same_to_the_bit(
    nextchar: Program, prose: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert nextchar("train", prose, "--out", name, *SMALL, "--quiet").returncode == 0
    a, b = (load_model(tmp_path / name).parameters.flat for name in ("a", "b"))
    assert a.tobytes() == b.tobytes()


def test_standard_output_holds_results_only(nextchar: Program, prose: Path) -> None:
    assert nextchar("train", prose, *SMALL).stdout == ""


def test_a_quiet_training_says_nothing(nextchar: Program, prose: Path) -> None:
    done = nextchar("train", prose, *SMALL, "--quiet")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["train"], 2, "a text file, a folder, - or a data set"),
        (["train", "no-such-file"], 1, "no such file or folder, nor a data set"),
        (["train", "x", "--hidden-size", "0"], 2, "hidden_size must be a whole number"),
        (["train", "x", "--hidden-size", "big"], 2, "--hidden-size"),
        (["train", "x", "--cell", "elman"], 2, "'elman' is not one of"),
        (["train", "x", "--epochs", "1", "--steps", "2"], 2, "one of epochs, steps and time"),
        (["train", "x", "--tied"], 2, "tied needs embedding_size equal to hidden_size"),
        (["train", "x", "--time", "soon"], 2, "time must be a duration"),
        (["train", "--resume"], 2, "resume needs the run to continue; add --out DIR"),
        (["train", "--resume", "--out", "nowhere"], 1, "no run"),
        (["generate", "nowhere"], 1, "no such file"),
        (["generate", "m", "--temperature", "-1"], 2, "temperature must be a number of at least 0"),
        (["trian"], 2, "No such command 'trian'"),
        (["eval", "nowhere", "x"], 1, "no such file"),
    ],
)
def test_a_mistake_is_reported_in_a_line_with_the_right_status(
    args: list[str],
    status: int,
    words: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, out, err = call(capfd, *args)
    assert (got, out) == (status, "")
    assert words in err
    assert "Traceback" not in err


def test_a_failed_start_leaves_no_run_behind(nextchar: Program, tmp_path: Path) -> None:
    assert nextchar("train", "no-such-file").returncode == 1
    assert not (tmp_path / "runs").exists()


def test_debug_shows_the_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    status, _, err = call(capfd, "info", "nowhere", "--debug")
    assert status == 1
    assert "Traceback" in err


def test_generate_prints_several_samples_apart(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = call(capfd, "generate", model_file, "--samples", 3, "--length", 10, "--seed", 1)
    assert out.count("\n" + "-" * 40 + "\n") == 2


def test_generate_writes_json_with_seed_and_settings(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = ("generate", model_file, "--samples", 2, "--length", 9, "--json", "--prompt", "it ")
    _, out, err = call(capfd, *args)
    made = json.loads(out)
    again = json.loads(call(capfd, *args, "--seed", made["seed"])[1])
    assert err == ""
    assert [len(sample["text"]) for sample in made["samples"]] == [9, 9]
    assert again == made


def test_generate_echoes_the_prompt_when_asked(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = ("generate", model_file, "--prompt", "it was", "--length", 5, "--seed", 1)
    plain, echoed = call(capfd, *args)[1], call(capfd, *args, "--echo")[1]
    assert echoed == "it was" + plain


def test_generate_stops_before_a_stop_text(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = call(capfd, "generate", model_file, "--seed", 1, "--length", 60)[1]
    args = ("generate", model_file, "--seed", 1, "--length", 60, "--stop", text[20:22])
    assert call(capfd, *args)[1] == text[: text.index(text[20:22])] + "\n"


def test_generate_writes_the_bytes_of_a_bytes_model_as_they_are(
    nextchar: Program, tmp_path: Path
) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 4)
    small = (*SMALL, "--alphabet", "bytes", "--quiet", "--out", "run")
    assert nextchar("train", "data.bin", *small).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "nextchar", "generate", "run", "--length", "64", "--seed", "1"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert len(done.stdout) == 64


def test_unknown_characters_of_a_prompt_are_named_or_skipped(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, _, err = call(capfd, "generate", model_file, "--prompt", "it 今")
    assert status == 1
    assert "'今' (U+4ECA) at position 3" in err
    args = ("generate", model_file, "--prompt", "it 今", "--unknown", "skip", "--seed", 1)
    assert call(capfd, *args)[0] == 0


def test_eval_prints_the_figures_under_their_names(
    model_file: Path, prose: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = call(capfd, "eval", model_file, prose)
    names = [line.split()[0] for line in out.splitlines()]
    assert names == ["characters", "nats_per_char", "bits_per_char", "perplexity", "accuracy"]


def test_eval_scores_standard_input(nextchar: Program, model_file: Path, prose: Path) -> None:
    piped = nextchar("eval", model_file, "-", "--json", input=prose.read_text())
    assert piped.stdout == nextchar("eval", model_file, prose, "--json").stdout


def test_eval_says_how_many_unknown_characters_it_left_out(
    model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.txt").write_text("it was 今 the best", encoding="utf-8")
    _, out, err = call(capfd, "eval", model_file, tmp_path / "odd.txt", "--unknown", "skip")
    assert "left_out       1" in out
    assert "1 unknown characters were left out" in err


def test_info_shows_what_the_model_holds(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = call(capfd, "info", model_file)
    assert "hidden_size      16" in out
    assert "parameters" in out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipe that breaks this way")
def test_a_reader_that_goes_away_is_no_error(nextchar: Program, model_file: Path) -> None:
    command = (
        f"{sys.executable} -m nextchar generate {model_file} --length 3000 --seed 1 | head -c 5"
    )
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, encoding="utf-8"
    )
    assert "Traceback" not in done.stderr
    assert len(done.stdout) == 5
    assert done.returncode == 0


def test_demo_trains_and_writes_without_a_network(nextchar: Program) -> None:
    done = nextchar("demo", "--time", "2s")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The ")
    assert "done:" in done.stderr


def test_an_internal_error_is_reported_in_a_line_and_shown_with_debug(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(path: object) -> None:
        raise ZeroDivisionError("no\ndivision")

    monkeypatch.setattr("nextchar.model.file.load_model", broken)
    status, out, err = call(capfd, "info", "x")
    assert (status, out) == (1, "")
    assert err == (
        "nextchar: internal error (ZeroDivisionError: no\\ndivision); please report it together "
        "with the traceback from --debug\n"
    )
    assert "Traceback" in call(capfd, "info", "x", "--debug")[2]


def test_a_name_that_would_move_the_cursor_is_shown_as_python_writes_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    name = "a\nb\x1b[2J\u2028\x9b"
    assert call(capfd, "info", name)[2] == ("nextchar: a\\nb\\x1b[2J\\u2028\\x9b: no such file\n")


def test_a_console_that_cannot_show_a_character_is_no_error(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of_text("床前明月光\ud800")
    network = NetworkSettings(hidden_size=2, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), 1)
    save_model(tmp_path / "m.safetensors", Model(parameters, vocabulary))
    done = subprocess.run(
        [sys.executable, "-m", "nextchar", "info", str(tmp_path / "m.safetensors")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u5e8a" in done.stdout


def test_the_program_alone_shows_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, err = call(capfd)
    assert "Commands:" in out + err


def test_records_are_trained_on_and_shown(nextchar: Program, tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_text("roses%%violets%%\nsugar\n" * 9, encoding="utf-8")
    done = nextchar("train", "poems.txt", "--records", "%%", "--out", "poems", *SMALL)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    printed = nextchar("info", "poems").stdout
    assert "end_of_record    'a separate symbol (U+FDD0)'" in printed
    assert "characters       '\\naegilorstuv'" in printed
    figures = json.loads(nextchar("info", "poems", "--json").stdout)
    assert figures["text"]["records"] == "%%"
    assert figures["vocabulary"]["size"] == len(figures["vocabulary"]["characters"]) + 1
    assert figures["training"]["source"]["inputs"] == [str(tmp_path / "poems.txt")]


@pytest.mark.parametrize(
    ("settings", "printed"),
    [
        (TextSettings(), "end_of_record    None"),
        (TextSettings(records="line"), "end_of_record    'a line break'"),
        (TextSettings(records=r"\0", alphabet="bytes"), "end_of_record    'the byte 0'"),
    ],
)
def test_info_names_what_a_record_ends_by(
    settings: TextSettings,
    printed: str,
    tmp_path: Path,
    small_model: Model,
    capfd: pytest.CaptureFixture[str],
) -> None:
    is_bytes = settings.alphabet == "bytes"
    vocabulary = Vocabulary(is_bytes=True) if is_bytes else small_model.vocabulary
    network = NetworkSettings(hidden_size=4, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), 1)
    save_model(tmp_path / "m", Model(parameters, vocabulary, settings))
    assert printed in call(capfd, "info", tmp_path / "m")[1]


def test_train_continues_from_a_model(nextchar: Program, prose: Path, tmp_path: Path) -> None:
    assert nextchar("train", prose, "--out", "first", *SMALL, "--quiet").returncode == 0
    (tmp_path / "new.txt").write_text("Voilà: c'est été.\n" * 50, encoding="utf-8")
    done = nextchar(
        "train", "new.txt", "--from", "first", "--out", "second", "--steps", 8, "--batch-size", 4
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert any(line.startswith("note: GRU 12×1") and "run starts from" in line for line in lines)
    assert "note: 5 characters are new to the model: ' : V à é; its vocabulary has" in done.stderr
    assert any(line.startswith("note: before training: validation") for line in lines)
    second = load_model(tmp_path / "second")
    assert second.architecture.settings.hidden_size == 12
    assert second.training["source"]["from"] == str(tmp_path / "first")
