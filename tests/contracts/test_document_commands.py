"""Every command and program that a page shows runs as written, with a tiny network and few steps.

The blocks of a page run in order in one folder, which contains the texts and, for some pages, runs
that the page does not train itself. Blocks marked `text` do not run: they show output, or a program
that is not a dependency.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conftest import PROSE, ROOT
from distributed.ranks import needs_mpi
from distributed.ranks import run as run_ranks
from documents import PAGES, READMES, SMALL, Block, arguments, blocks, inline, read, shortened
from nextchar.cli.main import program, run
from serving import Server, served

if sys.platform == "win32":
    pytest.skip("the pages show commands of a POSIX shell", allow_module_level=True)

from terminal import Terminal

PLAY = "KING RICHARD: What say you, My lord?\n"
TEXTS = {
    "input.txt": PLAY + PROSE * 20,
    "new.txt": PROSE * 10,
    "novel.txt": PROSE * 20,
    "book.txt": PROSE * 20,
    "names.txt": "Anna\nBeta\nCarla\nDora\nJohn\nJosef\nJo\n" * 20,
    "prompt.txt": "It was",
    "prompts.txt": "It was\nthe age\n",
}
PRESUMED = {  # runs that a page uses without training them
    "docs/explain.md": ["runs/shakespeare"],
    "docs/interactive.md": ["runs/shakespeare"],
    "docs/report.md": ["runs/NAME", "runs/a", "runs/b", "runs/c"],
    "docs/server.md": ["runs/poems", "runs/names"],
}
URL = "http://127.0.0.1:8000"
SQLITE = "sqlite:///sweeps.db"  # in place of a database server
ENVIRONMENT = {**os.environ, "PYTHONUTF8": "1", "NO_PROXY": "*"}
RUNNABLE = ("sh", "console", "python")
WITH_BLOCKS = [name for name in PAGES if name != READMES[1] and blocks(name, *RUNNABLE)]
# shell functions for commands that may not be on the path; srun ignores its options
SHELL = f"""
nextchar() {{
    if [[ $1 == train && " $* " != *" --resume "* ]]; then set -- "$@" {" ".join(SMALL)}; fi
    {shlex.quote(sys.executable)} -m nextchar "$@"
}}
srun() {{ while [[ $1 == -* ]]; do shift; done; "$@"; }}
"""


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def page_of(name: str) -> object:
    words = {word for block in blocks(name, "sh") for word in block.text.split()}
    needs = {"mpiexec": needs_mpi, "curl": needs_curl}
    return pytest.param(name, marks=[mark for word, mark in needs.items() if word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory, trained once for all pages."""
    folder = tmp_path_factory.mktemp("trained")
    text = folder / "input.txt"
    text.write_text(TEXTS["input.txt"], encoding="utf-8")
    args = arguments(f"nextchar train {text} --out {folder / 'run'} --quiet")
    assert run(args) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    with served({"poems": trained}) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("name", [page_of(name) for name in WITH_BLOCKS])
def test_the_blocks_of_a_page_run_in_their_order(
    name: str,
    trained: Path,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in TEXTS.items():
        Path(file).write_text(text, encoding="utf-8")
    for path in PRESUMED.get(name, []):
        shutil.copytree(trained, path)
    if (model := Path("runs/shakespeare/best.safetensors")).exists():
        shutil.copy(model, "shakespeare.safetensors")
    for block in blocks(name, *RUNNABLE):
        for command, status in run_block(block, server.url):
            assert status == 0, f"{command}: {capfd.readouterr().err}"


def run_block(block: Block, url: str) -> Iterator[tuple[str, int]]:
    """Run a block and yield its commands with their exit statuses."""
    text = block.text.replace(URL, url)
    if block.language == "python":
        yield text, process(sys.executable, "-c", shortened(text))
    elif block.is_script:  # the second time it finds a run to resume
        shutil.rmtree("runs", ignore_errors=True)
        yield from ((text, process("bash", "-ec", SHELL + text)) for _ in range(2))
    else:
        yield from ((command, run_command(command, url)) for command in block.commands())


def run_command(command: str, url: str) -> int:
    """Run one command in the way that suits its kind; return its exit status."""
    command = command.replace("/shared/", "").replace(URL, url)
    command = re.sub(r"postgresql://\S+", SQLITE, command)
    kind = "pipe" if "|" in shlex.split(command) else command.split()[0]
    match kind:
        case "nextchar" if " --interactive" in command:
            return in_terminal(command)
        case "nextchar" if command.startswith("nextchar serve"):
            return served_for_a_moment(command)
        case "nextchar":
            return run(arguments(command))
        case "mpiexec":
            return on_two_ranks(command)
        case "pipe":
            return process("bash", "-ec", SHELL + command)
        case "curl":
            return process(*shlex.split(command), "--fail-with-body", "--silent")
        case "pip":  # test_a_page_installs_only_extras_that_exist
            return 0
        case _:
            pytest.fail(f"nothing here can run: {command}")


def process(*command: str) -> int:
    return subprocess.run(command, env=ENVIRONMENT, check=False, timeout=240).returncode


def in_terminal(command: str) -> int:
    """Start the program in a pseudo-terminal and quit it when it has drawn its screen."""
    with Terminal(*shlex.split(command)[1:], cwd=Path.cwd()) as terminal:
        terminal.see(lambda lines: bool(lines[0] and lines[-1]))
        terminal.type("^d")
        return terminal.status()


def served_for_a_moment(command: str) -> int:
    """Start a server on a free port, and stop it when it reports its address."""
    args = [*shlex.split(command)[1:], "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "nextchar", *args], stderr=subprocess.PIPE, encoding="utf-8"
    ) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        assert any(" at http://" in line for line in lines), command
        server.terminate()
        return server.wait(60)


def on_two_ranks(command: str) -> int:
    words = shlex.split(command)
    args = arguments(" ".join(words[words.index("nextchar") :]))
    status, _, error = run_ranks(2, "-m", "nextchar", *args, folder=Path.cwd())
    sys.stderr.write(error)
    return status


def inline_commands(start: str) -> list[object]:
    """Inline commands of all pages that begin with `start`, as test parameters."""
    found = [(name, code) for name in PAGES for code in inline(name) if code.startswith(start)]
    found = [(name, code) for name, code in found if code != f"{start}…"]
    return [pytest.param(code, id=f"{name}: {code}") for name, code in dict.fromkeys(found)]


@pytest.mark.parametrize("code", inline_commands("nextchar "))
def test_an_inline_command_names_options_that_exist(code: str) -> None:
    name, *rest = shlex.split(code)[1:]
    command: click.Command | None = program
    if not name.startswith("-"):
        command = program.get_command(click.Context(program), name)
    assert command is not None
    known = {each for option in command.get_params(click.Context(command)) for each in option.opts}
    assert {each for each in (name, *rest) if each.startswith("--")} <= known


@pytest.mark.slow
@pytest.mark.parametrize("code", inline_commands("python -m benchmarks"))
def test_a_benchmark_takes_the_options_of_its_command_as_running_it_takes_minutes(
    code: str,
) -> None:
    module = shlex.split(code)[2]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if "No module named 'torch'" in done.stderr:
        pytest.skip(f"{module} needs PyTorch (make bench)")
    assert done.returncode == 0, done.stderr
    for option in re.findall(r"--[\w-]+", code):
        assert option in done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_a_page_installs_only_extras_that_exist(name: str) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extras in re.findall(r"pip install \"?(?:nextchar|\.)\[([\w,]+)\]", read(name)):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
