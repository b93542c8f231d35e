"""The pages of the documentation: their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from conftest import ROOT

READMES = ["README.md", "README.zh-CN.md"]
PAGES = [
    *READMES,
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
# options of a short training, and the options that they replace
SMALL = ["--steps", "4", "--hidden-size", "8", "--num-layers", "1", "--seq-length", "16"]
REPLACED = {*SMALL[::2], "--time", "--epochs", "--trials", "--trial-time", "--workers"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code. language: the word after its opening fence."""

    language: str
    text: str

    @property
    def is_script(self) -> bool:
        return self.text.startswith("#!")

    def commands(self) -> Iterator[str]:
        """The commands of a `sh` or `console` block, each on one line and without comments."""
        for line in self.text.replace("\\\n", "").splitlines():
            if self.language == "sh" and line.strip() and not line.startswith("#"):
                yield re.sub(r"\s+#.*", "", line)
            elif self.language == "console" and line.startswith("$ "):
                yield line.removeprefix("$ ")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, *languages: str) -> list[Block]:
    """Blocks of a page whose fence names one of the languages."""
    found = [Block(*match.groups()) for match in _FENCE.finditer(read(name))]
    return [block for block in found if block.language in languages]


def inline(name: str) -> list[str]:
    """Inline code of a page, each piece joined to one line."""
    prose = _FENCE.sub("", read(name))
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def arguments(command: str) -> list[str]:
    """Arguments of a `nextchar` command, with a tiny network and a short budget."""
    args = shlex.split(command)[1:]
    if args[0] not in {"train", "tune"}:
        return args
    pairs = zip(["", *args], args, strict=False)
    kept = [arg for before, arg in pairs if not {before, arg} & REPLACED]
    if args[0] == "train":
        return [*kept, *(SMALL[:2] if "--from" in args else SMALL)]
    return [*kept, *(["--trials", "2"] if "--resume" in args else [*SMALL, "--trials", "1"])]


def shortened(program: str) -> str:
    """Replace the budgets and sizes of a Python program by small ones."""
    program = re.sub(r"\bsteps=\d+|\btime=\"\w+\"", "steps=4", program)
    program = re.sub(r"\btrials=\d+", "trials=1", program)
    return re.sub(r"\bhidden_size=\d+", "hidden_size=8", program)
