"""Public means exact, sorted, documented and cheap to import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import nextchar


def test_public_names_are_sorted_and_importable() -> None:
    assert list(nextchar.__all__) == sorted(nextchar.__all__)
    assert dir(nextchar) == sorted(nextchar.__all__)
    for name in nextchar.__all__:
        assert getattr(nextchar, name) is not None


def test_public_names_and_their_methods_are_documented() -> None:
    for name in nextchar.__all__:
        value = getattr(nextchar, name)
        if inspect.isclass(value):
            assert value.__doc__, name
            for method, function in inspect.getmembers(value, inspect.isfunction):
                if not method.startswith("_") and function.__module__.startswith("nextchar"):
                    assert function.__doc__, f"{name}.{method}"


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'CharCNN'"):
        nextchar.CharCNN  # noqa: B018


@pytest.mark.parametrize(
    "program",
    ["import nextchar", "import nextchar.cli.main as cli; cli.run(['--help'])"],
    ids=["import", "help"],
)
def test_import_and_help_load_nothing_heavy(program: str) -> None:
    code = (
        f"import sys; {program}; print([m for m in ('numpy', 'tqdm', 'pooch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
