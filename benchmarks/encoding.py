"""Encoding speed of texts of any size, and memory of training on them, which stays constant.

    python -m benchmarks.encoding [--english FILE] [--chinese FILE] [--folder DIR] [--megabytes N]

The files are repeated until they are large enough. Defaults are Python's own documentation, and
characters drawn by a power law. Each measurement has its own process and cache, which is removed
afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SMALL = 10  # MB: a text that fits into memory

ENCODE = """
import json, sys, time
from nextchar.settings.config import Settings
from nextchar.text.corpus import prepare
from nextchar.text.reading import read_corpus
settings = Settings.make()
begun, used = time.perf_counter(), time.process_time()
corpus = read_corpus([sys.argv[1]], settings.text)
read, used = time.perf_counter(), time.process_time() - used
prepared = prepare(corpus, settings)
ended = time.perf_counter()
print(json.dumps({"seconds": read - begun, "cpu": used, "prepare": ended - read,
                  "characters": len(corpus.codes), "vocabulary": len(prepared.vocabulary)}))
"""
TRAIN = """
import json, re, resource, sys
from pathlib import Path
from nextchar.training.events import Stepped
from nextchar.training.run import RunRequest, text_from_paths, train
from nextchar.training.run_context import Hooks
speed = []
def on_event(event):
    if isinstance(event, Stepped):
        speed.append((event.characters, event.seconds))
batching, steps = sys.argv[2:]
train(RunRequest(text_from_paths([sys.argv[1]]), given={
    "hidden_size": 128, "num_layers": 1, "steps": int(steps), "eval_characters": 20_000,
    "eval_every": int(steps), "batching": batching, "threads": 2}), Hooks(on_event))
status = Path("/proc/self/status").read_text()
first, last = speed[0], speed[-1]
print(json.dumps({
    "peak": int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024,
    "maxrss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "anonymous": int(re.search(r"RssAnon:\\s*(\\d+)", status)[1]) / 1024,
    "speed": (last[0] - first[0]) / (last[1] - first[1])}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--english", type=Path)
    parser.add_argument("--chinese", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        english = repeated(english_text(options.english), folder / "en", options.megabytes)
        encoding("English", english, folder)
        accents = " “quoted” é".encode()
        text = english_text(options.english)
        mixed = b"".join(text[at : at + 200] + accents for at in range(0, len(text), 200))
        encoding(
            "English, a quote every 200",
            repeated(mixed, folder / "mixed", options.megabytes // 4),
            folder,
        )
        chinese = repeated(chinese_text(options.chinese), folder / "zh", options.megabytes // 4)
        encoding("Chinese", chinese, folder)
        small = repeated(english_text(options.english), folder / "small", SMALL)
        for batching in ("stream", "windows"):
            for path in (small, english, english):
                training(path, batching, options.steps, folder)


def english_text(path: Path | None) -> bytes:
    """Return an ASCII text."""
    from nextchar.text import datasets

    return path.read_bytes() if path else datasets.load("pydoc")


def chinese_text(path: Path | None) -> bytes:
    """Return a text of Chinese characters."""
    if path:
        return path.read_bytes()
    points = random.Random(1).choices(
        range(0x4E00, 0x4E00 + 4000), weights=[1 / (rank + 1) for rank in range(4000)], k=1_000_000
    )
    return "".join(map(chr, points)).encode()


def repeated(text: bytes, path: Path, megabytes: int) -> Path:
    """Write a file that repeats a text."""
    with path.open("wb") as file:
        while file.tell() < megabytes * 1_000_000:
            file.write(text)
    return path


def encoding(what: str, path: Path, folder: Path) -> None:
    """Measure the first and the second start on a text."""
    size = path.stat().st_size / 1e6
    first, second = run(ENCODE, folder, path), run(ENCODE, folder, path)
    print(
        f"{what:<28} {size:7.0f} MB  V={first['vocabulary']:<5} "
        f"{size / first['seconds']:6.0f} MB/s ({size / first['cpu']:.0f} by CPU time)  "
        f"second start {1000 * (second['seconds'] + second['prepare']):.0f} ms",
        flush=True,
    )


def training(path: Path, batching: str, steps: int, folder: Path) -> None:
    """Measure peak memory and speed of a short training run."""
    done = run(TRAIN, folder, path, batching, steps)
    print(
        f"train {path.stat().st_size / 1e6:7.0f} MB {batching:<8} peak {done['peak']:.1f} MiB  "
        f"ru_maxrss {done['maxrss']:.1f} MiB  anonymous at the end {done['anonymous']:.1f} MiB  "
        f"{done['speed'] / 1e3:.0f} k char/s",
        flush=True,
    )


def run(code: str, folder: Path, *args: object) -> dict[str, Any]:
    """Run a program in a process with its cache in a folder; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        env={**os.environ, "NEXTCHAR_CACHE": str(folder)},
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
