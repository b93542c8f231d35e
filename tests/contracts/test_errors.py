"""Errors carry data: no code parses or joins our messages, and each error keeps its attributes."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from nextchar import errors
from nextchar.errors import NO_VALUE, MissingExtraError, NextcharError, SettingsError
from nextchar.settings.fields import Validated, setting_of

SOURCE = ROOT / "src" / "nextchar"
FILES = sorted(SOURCE.rglob("*.py"))


def tree_of(kind: type[NextcharError]) -> Iterator[type[NextcharError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from tree_of(each)


KINDS = [each for each in tree_of(NextcharError) if each.__module__ == errors.__name__]
OURS = {each.__name__ for each in KINDS}

# (a) messages are neither parsed nor joined

# places that parse a message, each with its reason
PARSERS = {
    "errors.py:in_one_line": "joins the lines of the message of another library",
    "tuning/storage.py:_create_tables": "only the database's words tell a table that exists",
}
# places that put the message of one of our errors into another, each with its reason
JOINERS: dict[str, str] = {}

PARSING = {
    *("split", "rsplit", "splitlines", "partition", "rpartition", "removeprefix", "removesuffix"),
    *("replace", "strip", "lstrip", "rstrip", "startswith", "endswith", "find", "index"),
}
ERROR_WORDS = ("Error", "Exception", "InterruptedRun")


class Scope(ast.NodeVisitor):
    """Finds, in a function, where the message of a caught or given error is parsed or joined."""

    def __init__(self) -> None:
        self.any_error: set[str] = set()  # names bound to an error of any library
        self.our_error: set[str] = set()  # names that may be bound to an error of ours
        self.messages: set[str] = set()  # names bound to str(error)
        self.parsed: list[int] = []
        self.joined: list[int] = []

    def bind(self, name: str, kind: ast.expr | None) -> None:
        words = (
            {each.id for each in ast.walk(kind) if isinstance(each, ast.Name)} if kind else set()
        )
        words |= (
            {each.attr for each in ast.walk(kind) if isinstance(each, ast.Attribute)}
            if kind
            else set()
        )
        if any(word.endswith(ERROR_WORDS) for word in words):
            self.any_error.add(name)
            if words & OURS:
                self.our_error.add(name)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name, node.type)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        self.bind(node.arg, node.annotation)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        if self.is_message(node.value):
            self.messages |= {each.id for each in node.targets if isinstance(each, ast.Name)}

    def is_message(self, node: ast.AST) -> bool:
        """`str(error)`, `error.problem`, or a name bound to one of them."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            subject = node.args[0]
            is_error = isinstance(subject, ast.Name) and subject.id in self.any_error
            return node.func.id in {"str", "repr", "message_of"} and is_error
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.attr in {"problem", "remedy"} and node.value.id in self.any_error
        return isinstance(node, ast.Name) and node.id in self.messages

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in PARSING and self.is_message(node.value):
            self.parsed.append(node.lineno)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        value = node.value
        is_args = isinstance(value, ast.Attribute) and value.attr == "args"
        if is_args and isinstance(value.value, ast.Name) and value.value.id in self.any_error:
            self.parsed.append(node.lineno)
        if self.is_message(value):
            self.parsed.append(node.lineno)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        is_search = any(isinstance(each, ast.In | ast.NotIn) for each in node.ops)
        if is_search and any(map(self.is_message, node.comparators)):
            self.parsed.append(node.lineno)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in OURS | {"ApiError"}:
            texts = [*node.args, *(each.value for each in node.keywords)]
            for part in (each for text in texts for each in ast.walk(text)):
                if isinstance(part, ast.FormattedValue | ast.BinOp) and self.holds_ours(part):
                    self.joined.append(node.lineno)
        self.generic_visit(node)

    def holds_ours(self, node: ast.AST) -> bool:
        """A part of a text that is an error of ours; a reason quoted by `in_one_line` may be."""
        value = node.value if isinstance(node, ast.FormattedValue) else node
        if isinstance(value, ast.Attribute):
            return False
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "in_one_line":
            return False
        names = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
        return not names.isdisjoint(self.our_error)


def findings(source: str) -> Iterator[tuple[str, Scope]]:
    """Each function of a file, by name, with what was found in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope = Scope()
            scope.visit(node)
            yield node.name, scope


def found(kind: str) -> set[str]:
    return {
        f"{path.relative_to(SOURCE).as_posix()}:{name}"
        for path in FILES
        for name, scope in findings(path.read_text("utf-8"))
        if getattr(scope, kind)
    }


def test_no_code_takes_a_message_apart() -> None:
    places = found("parsed")
    assert places - set(PARSERS) == set()
    assert set(PARSERS) <= places, "parses nothing any more: take it out of the list"


def test_no_code_puts_the_message_of_one_of_our_errors_into_another() -> None:
    places = found("joined")
    assert places - set(JOINERS) == set()
    assert set(JOINERS) <= places, "joins nothing any more: take it out of the list"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("str(error).split(':')[0]", "parsed"),
        ("str(error)[:20]", "parsed"),
        ("error.args[0]", "parsed"),
        ("'is full' in str(error)", "parsed"),
        ("error.problem.removeprefix('must ')", "parsed"),
        ("text = str(error)\n        head, _, tail = text.partition('; ')", "parsed"),
        ("raise RunError(f'{error}; try again')", "joined"),
        ("raise RunError(str(error) + '; try again')", "joined"),
        ("raise TextError(f'line 3: {error!s}') from error", "joined"),
    ],
)
def test_the_check_sees_what_it_forbids(code: str, kind: str) -> None:
    source = (
        f"def f():\n    try:\n        pass\n    except NextcharError as error:\n        {code}\n"
    )
    ((_, scope),) = findings(source)
    assert getattr(scope, kind)


@pytest.mark.parametrize(
    "code",
    [
        "raise RunError(f'cannot be read ({error})', path=path) from error",
        "raise RunError(f'cannot be read ({in_one_line(error)})', path=path) from error",
        "raise error.located('prompts.txt: line 2') from error",
        "raise RunError('cannot be written', path=path, remedy=error.remedy)",
        "note(f'{error}: rolled back')",
    ],
)
def test_the_check_allows_attributes_and_messages_of_others(code: str) -> None:
    caught = "OSError" if "cannot be read" in code else "RunError"
    source = f"def f():\n    try:\n        pass\n    except {caught} as error:\n        {code}\n"
    ((_, scope),) = findings(source)
    assert not scope.parsed
    assert not scope.joined


# (b) each error of the tree

EXTRA: dict[str, tuple[Any, ...]] = {"UnknownCharacterError": ("€", 3), "DivergedError": (7,)}


def an_error(kind: type[NextcharError], **details: Any) -> NextcharError:
    if kind is MissingExtraError:
        return MissingExtraError("serve", "starlette", "serve")
    return kind("must be above 0", *EXTRA.get(kind.__name__, ()), **details)


TAKES_SETTING = [kind for kind in KINDS if kind is not MissingExtraError]


@pytest.mark.parametrize("kind", TAKES_SETTING)
def test_an_error_builds_its_message_from_its_attributes(kind: type[NextcharError]) -> None:
    error = an_error(kind, setting="rate", value=-1, remedy="raise it")
    assert (error.problem, error.setting, error.value) == ("must be above 0", "rate", -1)
    assert (error.path, error.remedy) == (None, "raise it")
    assert str(error) == "rate must be above 0, got -1; raise it"
    assert str(an_error(kind, path=Path("a"))) == "a: must be above 0"
    assert str(an_error(kind, setting="rate")) == "rate must be above 0"
    assert str(an_error(kind)) == "must be above 0"
    assert an_error(kind).value is NO_VALUE
    assert (
        str(an_error(kind, path="f", setting="rate", value=2)) == "f: rate must be above 0, got 2"
    )
    assert not error.is_reported_elsewhere


@pytest.mark.parametrize("kind", TAKES_SETTING)
def test_an_error_is_renamed_and_located_without_being_changed(kind: type[NextcharError]) -> None:
    error = an_error(kind, setting="length", value=0, remedy="raise it")
    renamed = error.renamed("max_tokens", remedy="raise max_tokens")
    assert type(renamed) is kind
    assert str(renamed) == "max_tokens must be above 0, got 0; raise max_tokens"
    assert str(error.renamed("max_tokens")) == "max_tokens must be above 0, got 0; raise it"
    assert str(error.located("f: line 2")) == "f: line 2: length must be above 0, got 0; raise it"
    assert str(error) == "length must be above 0, got 0; raise it"
    own = {"problem", "setting", "path", "value", "remedy"}
    rest = {name: value for name, value in vars(error).items() if name not in own}
    assert rest.items() <= vars(renamed).items()
    assert rest.items() <= vars(error.located("f")).items()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("details", [{}, {"setting": "rate", "value": -1, "remedy": "raise it"}])
def test_an_error_is_the_same_after_pickling(
    kind: type[NextcharError], details: dict[str, Any]
) -> None:
    error = an_error(kind, **details)
    error.is_reported_elsewhere = True
    loaded = pickle.loads(pickle.dumps(error))
    assert type(loaded) is kind
    assert str(loaded) == str(error)
    assert vars(loaded) == vars(error)
    assert (loaded.value is NO_VALUE) == (error.value is NO_VALUE)


def test_a_long_value_is_shortened_in_the_message_alone() -> None:
    text = "x" * 10_000
    error = SettingsError("must be short", setting="stop", value=text)
    assert error.value is text
    assert len(str(error)) < 200


def test_a_missing_extra_names_packages_that_can_be_installed() -> None:
    error = MissingExtraError("serve", "starlette", "serve")
    assert str(error).startswith("serve needs starlette; install it with: pip install ")
    assert '"starlette>=' in str(error)
    assert "nextchar[" not in str(error)
    unknown = MissingExtraError("--live", "plotille", "no such extra")
    assert str(unknown).endswith("pip install plotille")


# (c) each field of all settings

for path in FILES:
    if (
        path.stem.endswith("settings")
        or path.parts[-2] == "settings"
        or "Validated" in path.read_text("utf-8")
    ):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        importlib.import_module(name.removesuffix(".__init__"))
SETTINGS = [each for each in Validated.__subclasses__() if each.__module__.startswith("nextchar.")]
FIELDS = [
    pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")
    for kind in SETTINGS
    for field in dataclasses.fields(kind)  # type: ignore[arg-type]
]


def wrong_values(field: dataclasses.Field[Any]) -> Iterator[Any]:
    """A value of a wrong type, and values past the limits."""
    setting = setting_of(field)
    yield object()
    if setting.choices:
        yield "none of them"
    for limit, step in ((setting.low, -1), (setting.high, 1)):
        if limit is not None:
            yield limit + step
    yield from (limit for limit in (setting.above, setting.below) if limit is not None)


def test_the_settings_of_every_room_are_swept() -> None:
    names = {kind.__name__ for kind in SETTINGS}
    assert names >= {
        *("TextSettings", "NetworkSettings", "TrainingSettings", "GenerationSettings"),
        *("ServerSettings", "ExplainSettings", "SuggestionSettings"),
    }


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_wrong_value_is_refused_with_its_setting_and_value(
    kind: type[Any], field: dataclasses.Field[Any]
) -> None:
    for value in wrong_values(field):
        with pytest.raises(SettingsError) as caught:
            kind(**{field.name: value})
        assert caught.value.setting == field.name
        assert caught.value.value is value
        assert str(caught.value).startswith(f"{field.name} must be ")


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m"])
def test_a_name_that_cannot_be_printed_is_shown_as_a_literal(name: str) -> None:
    error = SettingsError("is not a setting", setting=name)
    assert str(error) == f"{name!r} is not a setting"
    assert error.setting == name
