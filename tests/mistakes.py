"""Mistakes of users, each with the command that makes it and the message that answers it.

`python tests/mistakes.py > docs/errors.md` generates the page of error messages from this list, and
tests/contracts/test_errors_page.py runs each command.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from nextchar.cli.main import run

SMALL = "--hidden-size 8 --num-layers 1 --batch-size 4 --steps 2 --threads 1"
PROSE = "It was the best of times, it was the worst of times, it was the age of wisdom.\n" * 20
CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n" * 20
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 20
FRENCH = "Longtemps, je me suis couché de bonne heure, à peine ma bougie éteinte.\n" * 20
NOISE = random.Random(0).randbytes(4000)


@dataclass(frozen=True)
class Mistake:
    """A mistake and its message.

    what: the mistake in words. command: the arguments of `nextchar`, run in a folder of
    `make_folder`.
    message: the line that is printed; `…` stands for words of the system or of a library. Empty
    for no message, since nothing is wrong.
    status: exit status of the program; 0 if the run continues after a note.
    prepare: a change to the folder before the command. stdin: content of standard input.
    """

    what: str
    command: str
    message: str
    status: int = 1
    prepare: Callable[[Path], object] | None = None
    stdin: bytes | None = None


def make_folder(folder: Path) -> None:
    """Write texts, a model, a run, and files of other programs."""
    files = {
        "prose.txt": PROSE.encode(),
        "other.txt": FRENCH.encode(),
        "empty.txt": b"",
        "one.txt": b"x",
        "blank.txt": b"\n\r\n\n",
        "reserved.txt": PROSE.encode() + "\ufdd0".encode(),
        "gb18030.txt": CHINESE.encode("gb18030"),
        "shift-jis.txt": JAPANESE.encode("shift_jis"),
        "latin.txt": FRENCH.encode("cp1252"),
        "utf-16.txt": FRENCH.encode("utf-16"),
        "utf-16-le.txt": PROSE.encode("utf-16-le"),
        "utf-16-be-zh.txt": CHINESE.encode("utf-16-be"),
        "bom.txt": b"\xef\xbb\xbf" + PROSE.encode(),
        "nul.txt": PROSE.replace("wisdom", "wis\0dom", 3).encode(),
        "old-mac.txt": PROSE.replace("\n", "\r").encode(),
        "surrogate.txt": PROSE.encode() + "\ud83d".encode("utf-8", "surrogatepass"),
        "program.bin": NOISE,
        "broken.txt.gz": gzip.compress(PROSE.encode())[:-20],
        "not.txt.gz": PROSE.encode(),
        "folder/notes.txt": PROSE.encode(),
        "empty-folder/.hidden": b"",
        "mine/file": b"",
        "model.pt": pickle.dumps({"weights": [1.0]}),
        "others.safetensors": safetensors.numpy.save({"w": np.zeros(2)}, {"format": "pt"}),
        "later.safetensors": _described({"format": 2, "kind": "model"}),
        "huge.safetensors": _headed(
            {"w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
        ),
        "header.safetensors": struct.pack("<Q", 2**60) + b"{}",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    assert not _run(folder, f"train prose.txt --out runs/prose --quiet {SMALL}")
    shutil.copy(folder / "runs/prose/best.safetensors", folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "flipped.safetensors").write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])


def _described(document: dict[str, object]) -> bytes:
    return safetensors.numpy.save({"w": np.zeros(2)}, {"nextchar": json.dumps(document)})


def _headed(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def _run(folder: Path, command: str) -> int:
    """Run the program in a folder and return its exit status."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return run(words(command))
    finally:
        os.chdir(before)


def words(command: str) -> list[str]:
    """Split a command as a shell does: `''` is an empty word."""
    import shlex

    return shlex.split(command)


def edited(name: str, old: str, new: str) -> Callable[[Path], object]:
    """A change to a file of the run: replace one text by another."""

    def edit(folder: Path) -> None:
        path = folder / "runs/prose" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def cut(name: str) -> Callable[[Path], object]:
    """A change to a file of the run: keep its first half."""

    def halve(folder: Path) -> None:
        path = folder / "runs/prose" / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return halve


def trained_from_stdin(folder: Path) -> None:
    """Let the run have read its text from standard input."""
    edit = edited("config.toml", "inputs = [", 'inputs = [\n    "-",')
    edit(folder)


TRAIN = f"--out new --quiet {SMALL}"
_BYTES = "or train on any bytes (--alphabet bytes)"
_CHOICES = "choose files of a folder by name (--pattern GLOB)"
_RESUME = "train --resume --out runs/prose --quiet"

MISTAKES: dict[str, list[Mistake]] = {
    "The text": [
        Mistake(
            "a path that does not exist",
            "train prose.text",
            "prose.text: no such file or folder, nor a data set (pydoc, stdlib, shakespeare)",
        ),
        Mistake("an empty name, as from an unset variable", "train ''", "a file's name is empty"),
        Mistake(
            "a folder with no text in it",
            "train empty-folder",
            "empty-folder: no file in this folder matches the pattern '*'",
        ),
        Mistake(
            "a pattern that no file matches",
            "train folder --pattern '*.md'",
            "folder: no file in this folder matches the pattern '*.md'",
        ),
        Mistake(
            "a pattern that leads out of the folder",
            "train folder --pattern /etc/*",
            "pattern must match names inside the folder, such as *.txt, got '/etc/*'",
        ),
        Mistake(
            "an empty file",
            f"train empty.txt {TRAIN}",
            "the training part has 0 characters; at least 2 are needed, one to read and one to "
            "predict",
        ),
        Mistake(
            "a file of one character",
            f"train one.txt {TRAIN}",
            "the training part has 1 character; at least 2 are needed, one to read and one to "
            "predict",
        ),
        Mistake(
            "nothing on standard input",
            f"train - {TRAIN}",
            "the training part has 0 characters; at least 2 are needed, one to read and one to "
            "predict",
            stdin=b"",
        ),
        Mistake(
            "nearly all of the text kept for validation",
            f"train prose.txt --val-fraction 0.9999 {TRAIN}",
            "the training part has 1 character; at least 2 are needed, one to read and one to "
            "predict",
        ),
        Mistake(
            "no character as frequent as min_count",
            f"train prose.txt --min-count 100000 {TRAIN}",
            "min_count must be at most …, the count of the most frequent character, got 100000",
        ),
        Mistake(
            "a compressed file that lost its end",
            f"train broken.txt.gz {TRAIN}",
            "broken.txt.gz: damaged compressed file (…)",
        ),
        Mistake(
            "a file that is .gz only by its name",
            f"train not.txt.gz {TRAIN}",
            "not.txt.gz: damaged compressed file (…)",
        ),
        Mistake(
            "a binary file",
            f"train program.bin {TRAIN}",
            "program.bin: not utf-8: … at byte …; it contains NUL bytes and does not look like "
            f"text; {_CHOICES}, {_BYTES}",
        ),
        Mistake(
            "a binary file, read in an encoding that accepts every byte",
            f"train program.bin --encoding latin-1 {TRAIN}",
            "… % of the text are control, private or unassigned characters (…) among … distinct "
            f"ones: it looks binary or wrongly decoded; give the right --encoding, {_BYTES}",
            status=0,
        ),
        Mistake(
            "an empty delimiter of records",
            f"train prose.txt --records '' {TRAIN}",
            "records must be line, file or a delimiter, got ''",
            2,
        ),
        Mistake(
            "a delimiter of several bytes for records of bytes",
            f"train prose.txt --alphabet bytes --records '%%' {TRAIN}",
            "records must be line or a single byte with the bytes alphabet, got '%%'; "
            r"separate the records by a byte that they lack, such as '\0'",
            2,
        ),
        Mistake(
            "a text that contains the symbol reserved for record ends",
            f"train reserved.txt --records file {TRAIN}",
            "reserved.txt: contains the code point U+FDD0, which is reserved as the boundary of "
            "records; remove it, or give --records line",
        ),
        Mistake(
            "a list of records that are all empty",
            f"train blank.txt --records line {TRAIN}",
            "the training part has 0 characters; at least 2 are needed, one to read and one to "
            "predict",
        ),
        Mistake("some NUL characters in a text", f"train nul.txt {TRAIN}", "", status=0),
        Mistake("line ends of a lone `\\r`", f"train old-mac.txt {TRAIN}", "", status=0),
    ],
    "Its encoding": [
        Mistake(
            "Chinese in GB18030 or GBK",
            f"train gb18030.txt {TRAIN}",
            "gb18030.txt: not utf-8: … at byte 0; it looks like gb18030: give --encoding gb18030 "
            "if that is what it is",
        ),
        Mistake(
            "Japanese in Shift-JIS",
            f"train shift-jis.txt {TRAIN}",
            "shift-jis.txt: not utf-8: … at byte 0; it looks like cp932 (Shift-JIS): give "
            "--encoding cp932 if that is what it is",
        ),
        Mistake(
            "French in Windows-1252",
            f"train latin.txt {TRAIN}",
            "latin.txt: not utf-8: … at byte 27; it looks like cp1252 (Windows, Latin): give "
            "--encoding cp1252 if that is what it is",
        ),
        Mistake(
            "UTF-16 with a byte order mark",
            f"train utf-16.txt {TRAIN}",
            "utf-16.txt: not utf-8: … at byte 0; it looks like utf-16: give --encoding utf-16 if "
            "that is what it is",
        ),
        Mistake(
            "Chinese in UTF-16 without one",
            f"train utf-16-be-zh.txt {TRAIN}",
            "utf-16-be-zh.txt: not utf-8: … at byte …; it looks like utf-16-be: give --encoding "
            "utf-16-be if that is what it is",
        ),
        Mistake(
            "English in UTF-16 without one, which is valid UTF-8",
            f"train utf-16-le.txt {TRAIN}",
            "50 % of the text are NUL characters: it is a binary file or in another encoding "
            "(--encoding utf-16-le or utf-16-be); " + _BYTES,
            status=0,
        ),
        Mistake(
            "UTF-8 with a byte order mark",
            f"train bom.txt {TRAIN}",
            "the text begins with a byte order mark, which is kept as a character (U+FEFF); "
            "--encoding utf-8-sig leaves it out",
            status=0,
        ),
        Mistake(
            "half of a surrogate pair, as a broken converter writes it",
            f"train surrogate.txt {TRAIN}",
            "surrogate.txt: not utf-8: invalid continuation byte at byte 1580; …",
        ),
        Mistake(
            "UTF-8 read as something else",
            f"train other.txt --encoding cp1252 {TRAIN}",
            "the text is valid utf-8 and was read as cp1252; give --encoding utf-8",
            status=0,
        ),
        Mistake(
            "GBK read as Latin",
            f"train gb18030.txt --encoding latin-1 {TRAIN}",
            "… % of the text are letters with accents and signs, more than plain letters: it looks "
            f"wrongly decoded; give the right --encoding, {_BYTES}",
            status=0,
        ),
        Mistake(
            "UTF-16 given for a text that is not",
            f"train prose.txt --encoding utf-16 {TRAIN}",
            "prose.txt: not utf-16: …; it may be utf-8: give --encoding utf-8 if that is what "
            "it is",
        ),
        Mistake(
            "an unknown encoding",
            f"train prose.txt --encoding klingon {TRAIN}",
            "encoding must be an encoding that Python knows, such as utf-8 or gb18030, got "
            "'klingon'",
        ),
        Mistake(
            "an encoding that is not of text",
            f"train prose.txt --encoding hex {TRAIN}",
            "encoding must be an encoding of text, got 'hex'",
        ),
    ],
    "Commands and options": [
        Mistake(
            "a command that is misspelt",
            "trian prose.txt",
            "No such command 'trian'. Commands are …; see nextchar --help",
            2,
        ),
        Mistake(
            "no text",
            "train",
            "Missing argument 'FILE...': a text file, a folder, - or a data set; see nextchar "
            "train --help",
            2,
        ),
        Mistake(
            "no model",
            "generate",
            "Missing argument 'MODEL'; see nextchar generate --help",
            2,
        ),
        Mistake(
            "an unknown option",
            "train prose.txt --hiden-size 3",
            "No such option…--hiden-size…nextchar train --help",
            2,
        ),
        Mistake(
            "an option without its value",
            "train prose.txt --steps",
            "Option '--steps' requires an argument; see nextchar train --help",
            2,
        ),
        Mistake(
            "a word in place of a number",
            "train prose.txt --hidden-size big",
            "Invalid value for '--hidden-size': 'big' is not a valid integer; see nextchar train "
            "--help",
            2,
        ),
        Mistake(
            "a number too small",
            "train prose.txt --hidden-size 0",
            "hidden_size must be a whole number from 1 to 100000, got 0",
            2,
        ),
        Mistake(
            "a number too large",
            "train prose.txt --num-layers 1000000000000",
            "num_layers must be a whole number from 1 to 1000, got 1000000000000",
            2,
        ),
        Mistake(
            "a fraction out of range",
            "train prose.txt --dropout 1",
            "dropout must be a number of at least 0 and below 1, got 1.0",
            2,
        ),
        Mistake(
            "not a number at all",
            "train prose.txt --learning-rate nan",
            "learning_rate must be a number above 0, got nan",
            2,
        ),
        Mistake(
            "an unknown choice",
            "train prose.txt --cell elman",
            "Invalid value for '--cell': 'elman' is not one of 'rnn', 'lstm', 'gru'; see nextchar "
            "train --help",
            2,
        ),
        Mistake(
            "an unknown preset",
            "train prose.txt --preset huge",
            "Invalid value for '--preset': 'huge' is not one of 'auto', 'medium', 'small', "
            "'large', 'classic'; see nextchar train --help",
            2,
        ),
        Mistake(
            "an invalid duration",
            "train prose.txt --time soon",
            "time must be a duration such as 90s, 5m or 2h, got 'soon'",
            2,
        ),
        Mistake(
            "two budgets",
            "train prose.txt --epochs 1 --steps 2",
            "epochs cannot be combined with steps; give one of epochs, steps and time",
            2,
        ),
        Mistake(
            "tied weights of different widths",
            "train prose.txt --tied",
            "tied needs embedding_size equal to hidden_size, not 0 and 256; set embedding_size to "
            "256",
            2,
        ),
        Mistake(
            "a temperature below zero",
            "generate model.safetensors --temperature -1",
            "temperature must be a number of at least 0, got -1.0",
            2,
        ),
        Mistake(
            "no probability to sample from",
            "generate model.safetensors --top-p 0",
            "top_p must be a number above 0 and at most 1, got 0.0",
            2,
        ),
        Mistake(
            "an empty stop text",
            "generate model.safetensors --stop ''",
            "stop must be texts that are not empty, got ('',)",
            2,
        ),
    ],
    "Completions and interactive writing": [
        Mistake(
            "records of a model of running text",
            "complete model.safetensors It --to record",
            "to needs a model of records, got 'record'; train with --records",
            2,
        ),
        Mistake(
            "no continuation",
            "complete model.safetensors It --count 0",
            "count must be a whole number from 1 to 1000, got 0",
            2,
        ),
        Mistake(
            "a line of standard input with a character that the model never saw",
            "complete model.safetensors -",
            "-: line 2: the character '今' (U+4ECA) at position 0 is not in the model's "
            'vocabulary; leave it out, or skip unknown characters (unknown="skip", --unknown skip)',
            stdin="It was\n今\n".encode(),
        ),
        Mistake(
            "too few beams for an exact answer",
            "complete model.safetensors It --to line --beams 1",
            "more --beams may find more probable continuations",
            status=0,
        ),
        Mistake(
            "interactive writing without a terminal",
            "generate model.safetensors --interactive",
            "interactive needs a terminal; leave it out",
            2,
            stdin=b"",
        ),
        Mistake(
            "several samples, interactively",
            "generate model.safetensors --interactive --samples 2",
            "interactive cannot be combined with samples, best_of and num_beams; leave them out",
            2,
        ),
        Mistake(
            "many prompts, interactively",
            "generate model.safetensors --interactive --prompts prose.txt",
            "interactive cannot be combined with json, novel and prompts; leave them out",
            2,
        ),
    ],
    "Model files": [
        Mistake("a path that does not exist", "info nowhere", "nowhere: no such file"),
        Mistake(
            "a folder with no model in it",
            "generate folder",
            "folder: is a folder without a model (no best.safetensors); train one first",
        ),
        Mistake(
            "an empty file",
            "info empty.txt",
            "empty.txt: is not a complete model file written by nextchar (…)",
        ),
        Mistake(
            "a text in place of a model",
            "generate prose.txt",
            "prose.txt: is not a complete model file written by nextchar (…)",
        ),
        Mistake(
            "a pickle, as PyTorch writes it: never run",
            "info model.pt",
            "model.pt: is not a complete model file written by nextchar (…)",
        ),
        Mistake(
            "a safetensors file of another program",
            "info others.safetensors",
            "others.safetensors: is a safetensors file that nextchar did not write",
        ),
        Mistake(
            "a checkpoint in place of a model",
            "generate runs/prose/checkpoint.safetensors",
            "runs/prose/checkpoint.safetensors: is a checkpoint, not a model",
        ),
        Mistake(
            "a file of a later version",
            "info later.safetensors",
            "later.safetensors: has format 2, but this version of nextchar reads 1; use the "
            "version that wrote it, or create the file again",
        ),
        Mistake(
            "half a file",
            "info half.safetensors",
            "half.safetensors: is not a complete model file written by nextchar (…)",
        ),
        Mistake(
            "a bit that flipped",
            "info flipped.safetensors",
            "flipped.safetensors: is damaged: its content differs from what was written",
        ),
        Mistake(
            "a tensor of 10¹² numbers that the file lacks",
            "info huge.safetensors",
            "huge.safetensors: is not a complete model file written by nextchar (…)",
        ),
        Mistake(
            "a header of 2⁶⁰ bytes",
            "info header.safetensors",
            "header.safetensors: is not a complete model file written by nextchar (it claims a "
            "header of 1152921504606846976 bytes)",
        ),
    ],
    "Prompts and texts to score": [
        Mistake(
            "a character that the model never saw",
            "generate model.safetensors --prompt 'It was 今'",
            "the character '今' (U+4ECA) at position 7 is not in the model's vocabulary; leave it "
            'out, or skip unknown characters (unknown="skip", --unknown skip)',
        ),
        Mistake(
            "several of them",
            "generate model.safetensors --prompt 'Zürich'",
            "the character 'Z' (U+005A) at position 0 (and 'c', 'ü') is not in the model's "
            'vocabulary; leave it out, or skip unknown characters (unknown="skip", --unknown skip)',
        ),
        Mistake(
            "a byte in the prompt that is not UTF-8 (a surrogate escape)",
            "generate model.safetensors --prompt 'It \udcff'",
            "the character '\\udcff' (U+DCFF) at position 3 is not in the model's vocabulary; "
            'leave it out, or skip unknown characters (unknown="skip", --unknown skip)',
        ),
        Mistake(
            "a text to score that holds unknown characters",
            "eval model.safetensors other.txt",
            "the character 'L' (U+004C) at position 0 (and …) is not in the model's vocabulary; "
            'leave it out, or skip unknown characters (unknown="skip", --unknown skip)',
        ),
        Mistake(
            "a text to score in another encoding",
            "eval model.safetensors gb18030.txt",
            "gb18030.txt: not utf-8: … at byte 0; it looks like gb18030: give --encoding gb18030 "
            "if that is what it is",
        ),
        Mistake(
            "a text too short to score",
            "eval model.safetensors one.txt --unknown skip",
            "nothing to score: the text has 0 known characters, and the first one is only read",
        ),
        Mistake(
            "a text too short to explain",
            "explain model.safetensors one.txt --unknown skip",
            "nothing to explain: the text has 0 known characters, and the first one is only read",
        ),
        Mistake(
            "a position to explain past the end of the text",
            "explain model.safetensors prose.txt --at 99:1",
            "at must be in the text, which has 20 lines, got '99:1'",
            status=2,
        ),
        Mistake(
            "a position past the end of its line",
            "explain model.safetensors prose.txt --at 2:500",
            "at must be on line 2, which ends at column 78, got '2:500'",
            status=2,
        ),
        Mistake(
            "the first character, which has no context",
            "explain model.safetensors prose.txt --at 1:1",
            "at must be after the first character, got '1:1'",
            status=2,
        ),
        Mistake(
            "an invalid position",
            "explain model.safetensors prose.txt --at 3",
            "at must be LINE:COLUMN, both from 1, got '3'",
            status=2,
        ),
        Mistake(
            "a page in a folder that does not exist",
            "explain model.safetensors prose.txt --out nowhere/page.html",
            "nowhere/page.html: cannot be used (No such file or directory)",
        ),
    ],
    "Starting from a trained model": [
        Mistake(
            "another network than the model's",
            "train other.txt --from model.safetensors --hidden-size 9 --out new",
            "hidden_size must be 8 as in the model to start from, got 9; leave it out, or train "
            "from scratch",
            2,
        ),
        Mistake(
            "another alphabet than the model's",
            "train other.txt --from model.safetensors --alphabet bytes --out new",
            "alphabet must be 'characters' as in the model to start from, got 'bytes'; leave it "
            "out, or train from scratch",
            2,
        ),
        Mistake(
            "a model that does not exist",
            "train other.txt --from nowhere --out new",
            "nowhere: no such file",
        ),
        Mistake(
            "a base model for a run that is resumed",
            f"{_RESUME} --from model.safetensors",
            "from cannot be combined with resume: the run has started already; leave it out",
            2,
        ),
    ],
    "Serving": [
        Mistake(
            "no model",
            "serve",
            "Missing argument 'MODEL...': a model file or a run directory; see nextchar serve "
            "--help",
            2,
        ),
        Mistake("a model that does not exist", "serve nothing", "nothing: no such file"),
        Mistake(
            "an invalid port",
            "serve model.safetensors --port 70000",
            "port must be a whole number from 0 to 65535, got 70000",
            2,
        ),
        Mistake(
            "an address of another machine",
            "serve model.safetensors --host 192.0.2.1",
            "cannot listen on 192.0.2.1:8000 (…); choose another --port or --host",
        ),
        Mistake(
            "an unknown host name",
            "serve model.safetensors --host no-such-host.invalid",
            "cannot listen on no-such-host.invalid:8000 (…); choose another --port or --host",
        ),
        Mistake(
            "the same model twice",
            "serve model.safetensors model.safetensors",
            "alias must be different for each model, got 'model'; name each model with --alias",
            2,
        ),
        Mistake(
            "fewer names than models",
            "serve model.safetensors runs/prose --alias one",
            "alias must be given once for each of the 2 models, or not at all, got 1",
            2,
        ),
        Mistake(
            "a default beyond the limit",
            "serve model.safetensors --max-tokens 10",
            "default_max_tokens must be at most max_tokens (10), got 16",
            2,
        ),
        Mistake(
            "a key that does not fit in a header",
            "serve model.safetensors --api-key schlüssel",
            "api_key must be printable ASCII to fit in a header",
            2,
        ),
        Mistake(
            "an empty key",
            "serve model.safetensors --api-key ''",
            "api_key is empty; leave it out to need none",
            2,
        ),
    ],
    "Run directories": [
        Mistake(
            "a directory that holds a run",
            f"train prose.txt --out runs/prose {SMALL}",
            "runs/prose: holds a run already; continue it (--resume), or give another --out",
        ),
        Mistake(
            "a file in place of a directory",
            f"train prose.txt --out other.txt {SMALL}",
            "other.txt: cannot be used (…",
        ),
        Mistake(
            "resuming without saying which run",
            "train --resume",
            "resume needs the run to continue; add --out DIR",
            2,
        ),
        Mistake(
            "resuming in a folder without a run",
            "train --resume --out mine",
            "mine: no run there (no config.toml)",
        ),
        Mistake(
            "resuming with other settings",
            f"{_RESUME} --hidden-size 9 --seed 2",
            "runs/prose: cannot resume with other settings: --hidden-size was 8, now 9; --seed was "
            "1, now 2",
        ),
        Mistake(
            "resuming on a changed text",
            _RESUME,
            "runs/prose: the checkpoint was made for another text (sha256 …, now …); resume with "
            "the original one, or start again with another --out",
            prepare=lambda folder: (folder / "prose.txt").write_bytes(PROSE.encode() + b"more"),
        ),
        Mistake(
            "resuming when the text was deleted",
            _RESUME,
            "prose.txt: no such file or folder, nor a data set (pydoc, stdlib, shakespeare)",
            prepare=lambda folder: (folder / "prose.txt").unlink(),
        ),
        Mistake(
            "resuming a run from standard input without it",
            _RESUME,
            "runs/prose: was trained from standard input; give the same text again: nextchar train "
            "- --out runs/prose --resume",
            prepare=trained_from_stdin,
        ),
        Mistake(
            "settings in `config.toml` changed by hand",
            _RESUME,
            "runs/prose: cannot resume with other settings: --learning-rate was 0.01, now 0.02",
            prepare=edited("config.toml", "learning_rate = 0.01", "learning_rate = 0.02"),
        ),
        Mistake(
            "a setting in it that is misspelt, or of a later version",
            _RESUME,
            "runs/prose/config.toml: cannot be read (sead is not a setting; did you mean seed?)",
            prepare=edited("config.toml", "seed =", "sead ="),
        ),
        Mistake(
            "a value in it of the wrong type",
            _RESUME,
            "runs/prose/config.toml: cannot be read (seed must be a whole number from 0 to "
            "9223372036854775807, got 'x')",
            prepare=edited("config.toml", "seed = 1", "seed = 'x'"),
        ),
        Mistake(
            "half of it was lost",
            _RESUME,
            "runs/prose/config.toml: cannot be read (…)",
            prepare=cut("config.toml"),
        ),
        Mistake(
            "a run directory of a later version",
            _RESUME,
            "runs/prose: is a run of format 2, this version of nextchar reads 1; use the version "
            "that started it, or start again with another --out",
            prepare=edited("config.toml", "format = 1", "format = 2"),
        ),
        Mistake(
            "a number in `metrics.jsonl` that was damaged",
            _RESUME,
            "runs/prose/metrics.jsonl: cannot be read (line 1: checksum mismatch: this line or "
            "an earlier one has been changed); repair it, or move it away to continue without its "
            "records",
            prepare=edited("metrics.jsonl", '"step": 1', '"step": 2'),
        ),
        Mistake(
            "an invalid line in it",
            _RESUME,
            "runs/prose/metrics.jsonl: cannot be read (line 1: …); repair it, or move it away to "
            "continue without its records",
            prepare=edited("metrics.jsonl", '{"step"', "{step"),
        ),
        Mistake(
            "its end was lost",
            _RESUME,
            "metrics.jsonl lacks evaluations that the checkpoint includes",
            status=0,
            prepare=lambda folder: (folder / "runs/prose/metrics.jsonl").unlink(),
        ),
        Mistake(
            "half a checkpoint",
            _RESUME,
            "runs/prose/checkpoint.safetensors: is not a complete checkpoint file written by "
            "nextchar (…)",
            prepare=cut("checkpoint.safetensors"),
        ),
    ],
    "Reports": [
        Mistake(
            "a folder without a run",
            "report folder",
            "folder: no run there (no config.toml)",
        ),
        Mistake(
            "a page at a path that cannot be written",
            "report runs/prose --out prose.txt/report.html",
            "prose.txt/report.html: cannot be written (…); give another --out",
        ),
        Mistake(
            "the text of the run was deleted",
            "report runs/prose",
            "prose: The text cannot be read again (prose.txt: no such file or folder, nor a data "
            "set (…)); figures that need it are omitted.",
            status=0,
            prepare=lambda folder: (folder / "prose.txt").unlink(),
        ),
        Mistake(
            "the text of the run was changed",
            "report runs/prose",
            "prose: The text has changed since the run; figures that need it are omitted.",
            status=0,
            prepare=lambda folder: (folder / "prose.txt").write_text(PROSE * 2),
        ),
        Mistake(
            "half a model in the run",
            "report runs/prose",
            "runs/prose/best.safetensors: is not a complete model file written by nextchar (…)",
            prepare=cut("best.safetensors"),
        ),
        Mistake(
            "curves without a terminal",
            f"train prose.txt --live --quiet {SMALL}",
            "--live needs a terminal; plain lines are shown instead",
            status=0,
        ),
    ],
    "Sweeps": [
        Mistake(
            "a range without its other end",
            "tune prose.txt --range learning_rate=0.1",
            "range must have the form learning_rate=0.001:0.03:log, got 'learning_rate=0.1'",
            status=2,
        ),
        Mistake(
            "a range of a setting that is misspelt",
            "tune prose.txt --range lerning_rate=0.1:0.2",
            "lerning_rate is not a setting; did you mean learning_rate?",
            status=2,
        ),
        Mistake(
            "a range the wrong way round",
            "tune prose.txt --range hidden_size=64:32",
            "hidden_size must have a range with low < high, got '64:32'",
            status=2,
        ),
        Mistake(
            "an unknown choice",
            "tune prose.txt --choices cell=lstm,lstn",
            "cell must be one of rnn, lstm, gru, got 'lstn'",
            status=2,
        ),
        Mistake(
            "a search over a setting that makes losses incomparable",
            "tune prose.txt --choices val_fraction=0.1,0.2",
            "val_fraction cannot be searched, since losses of the trials would not be comparable; "
            "leave it out of the ranges and choices",
            status=2,
        ),
        Mistake(
            "a setting that is both fixed and searched",
            "tune prose.txt --cell lstm --choices cell=lstm,gru",
            "cell cannot be both fixed and searched; leave one out",
            status=2,
        ),
        Mistake(
            "no validation part to compare trials by",
            "tune prose.txt --val-fraction 0",
            "val_fraction must be above 0, since a sweep compares validation losses, got 0.0",
            status=2,
        ),
        Mistake(
            "a sweep of no trials",
            "tune prose.txt --trials 0",
            "trials must be a whole number of at least 1, got 0",
            status=2,
        ),
        Mistake(
            "a sweep over standard input",
            "tune -",
            "files cannot include standard input, which every worker would have to read; "
            "give a file",
            status=2,
            stdin=PROSE.encode(),
        ),
        Mistake(
            "resuming a sweep without saying which",
            "tune --resume",
            "resume needs the sweep to continue; add --out DIR",
            status=2,
        ),
        Mistake(
            "resuming a sweep that does not exist",
            "tune --resume --out runs/prose-tune",
            "runs/prose-tune: no sweep to continue there (no sweep.json)",
        ),
        Mistake(
            "a file that is not a journal",
            "tune prose.txt --storage other.txt",
            "other.txt: is not an Optuna journal (…)",
        ),
        Mistake(
            "a database that does not answer",
            "tune prose.txt --storage postgresql://me:secret@127.0.0.1:1/sweeps",
            "postgresql://me:***@127.0.0.1:1/sweeps: cannot be used (…)",
        ),
        Mistake(
            "an unknown kind of database",
            "tune prose.txt --storage sqlight:///study.db",
            "storage must be a file or the URL of a database that Optuna supports (…), got "
            "'sqlight:///study.db'",
            status=2,
        ),
    ],
}


def page() -> str:
    """docs/errors.md."""
    parts = [
        "# Error messages",
        "Each message is one line on standard error. It begins with `nextchar: ` if the command "
        "failed (exit status 1, or 2 for wrong usage), and with `note: ` if the run continues "
        "(status 0). `…` stands for words of the system or of a library. `--debug` adds a "
        "traceback. This page is generated from `tests/mistakes.py`, and a test runs every command "
        "on it.",
    ]
    for title, mistakes in MISTAKES.items():
        rows = [
            f"| {each.what} | `{_code(each.command)}` | {_message(each)} | {each.status} |"
            for each in mistakes
        ]
        parts += [
            f"## {title}",
            "\n".join(
                ["| mistake | `nextchar …` | message | status |", "|---|---|---|---|", *rows]
            ),
        ]
    return "\n\n".join(parts) + "\n"


def _code(command: str) -> str:
    """A command for the page, without the options that only shorten the test."""
    for rest in (TRAIN, SMALL, "--quiet"):
        command = command.replace(f" {rest}", "")
    return command.replace("|", "\\|").replace("\udcff", "\\xff")


def _message(mistake: Mistake) -> str:
    if not mistake.message:
        return "none: the text is used as it is"
    return f"`{mistake.message}`".replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())
