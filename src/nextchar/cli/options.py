"""Options made from settings fields, parameters as dataclasses, and help in sections."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import click

from nextchar.settings.config import GROUPS, option_of
from nextchar.settings.fields import setting_of
from nextchar.settings.presets import CHOSEN_BY_AUTO

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
Field = dataclasses.Field[Any]
Options = TypeVar("Options")


class SectionCommand(click.Command):
    """A command whose help shows its options in sections, in the order of their definition."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class SettingOption(click.Option):
    """An option of a setting. section: the section of the help that shows it."""

    def __init__(self, *args: Any, section: str = "Options", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.section = section


def setting_options(fields: Iterable[Field], aliases: Mapping[str, str] | None = None) -> Decorator:
    """A decorator that adds an option for each settings field; an absent option is None.

    aliases: another name → the name of a field.
    """
    aliases = {name: alias for alias, name in (aliases or {}).items()}
    return _decorator([_setting_option(field, aliases.get(field.name)) for field in fields])


def option(help: str, *names: str, default: Any = None, **attributes: Any) -> Any:  # noqa: A002
    """A dataclass field that is an option of a command: a flag if bool, repeatable if a tuple.

    names: on the command line, if not that of the field. attributes: others of `click.option`.
    """
    metadata = {"names": names, "attributes": {"help": help, **attributes}}
    return dataclasses.field(default=default, metadata=metadata)


def options_of(kind: type[Any]) -> Decorator:
    """A decorator that adds the options among the fields of a dataclass."""
    fields = [field for field in dataclasses.fields(kind) if field.metadata]
    return _decorator([_command_option(field) for field in fields])


def training_options(omitted: Collection[str] = ()) -> Decorator:
    """The options of all settings of training, in the sections of docs/settings.md."""
    options = []
    for group, kind in GROUPS.items():
        for field in dataclasses.fields(kind):
            default = "chosen by auto" if field.name in CHOSEN_BY_AUTO else ""
            if field.name not in omitted:
                options.append(_setting_option(field, default=default, section=group.title()))
    return _decorator(options)


def unknown_option(command: Command) -> Command:
    """The option --unknown, of commands that read a prompt or a text."""
    return click.option(
        "--unknown",
        type=click.Choice(["error", "skip"]),
        default="error",
        help="Treatment of characters that are not in the model's vocabulary.  [default: error]",
    )(command)


def reading_options(command: Command) -> Command:
    """The options of commands that read texts for a model: --encoding and --unknown."""
    encoding = click.option(
        "--encoding",
        metavar="NAME",
        help="Encoding of the files.  [default: that of the training text]",
    )
    return encoding(unknown_option(command))


def split_params(kind: type[Options], params: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The parameters of a command as a dataclass, and the given ones among all others."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    options = kind(**{name: value for name, value in params.items() if name in names})
    return options, given({name: value for name, value in params.items() if name not in names})


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were given."""
    return {name: value for name, value in params.items() if value is not None}


def _decorator(options: Iterable[Decorator]) -> Decorator:
    def decorate(command: Command) -> Command:
        for option in reversed(list(options)):
            command = option(command)
        return command

    return decorate


def _command_option(field: Field) -> Decorator:
    attributes = {"default": field.default, **field.metadata["attributes"]}
    if field.type == "bool":
        attributes |= {"is_flag": True, "default": False}
    elif str(field.type).startswith("tuple"):
        attributes["multiple"] = True
    else:
        attributes = {"type": _plain_type(field), "metavar": _metavar(field), **attributes}
    names = field.metadata["names"] or [option_of(field.name)]
    return click.option(*names, field.name, **attributes)


def _setting_option(
    field: Field,
    alias: str | None = None,
    default: str = "",
    section: str = "Options",
) -> Decorator:
    setting = setting_of(field)
    default = default or setting.unset or ("" if field.default is None else str(field.default))
    if field.type == "bool":
        names, kind, metavar = [option_of(field.name)], None, None
    else:
        names = [option_of(field.name), *([option_of(alias)] if alias else []), field.name]
        kind = click.Choice(setting.choices) if setting.choices else _plain_type(field)
        metavar = None if setting.choices else setting.metavar or _metavar(field)
    text = setting.help + (f"  [default: {default}]" if default and kind else "")
    return click.option(
        *names, cls=SettingOption, type=kind, is_flag=kind is None, default=None,
        metavar=metavar, help=text, section=section,
    )  # fmt: skip


def _plain_type(field: Field) -> Any:
    return {"int": int, "float": float, "str": str}[str(field.type).removesuffix(" | None")]


def _metavar(field: Field) -> str | None:
    return {int: "N", float: "X", str: None}[_plain_type(field)]
