"""Options made of the settings: names, types, limits and help are written once, in `config`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from nextchar.settings.config import option_of
from nextchar.settings.fields import Setting

Command = Callable[..., Any]


def setting_options(
    fields: Iterable[dataclasses.Field[Any]], aliases: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """A decorator that gives a command one option for each settings field; absent ones are None.

    aliases: another name → a field's name.
    """
    others = {name: other for other, name in (aliases or {}).items()}
    options = [_option(field, others.get(field.name)) for field in fields]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def reading_options(command: Command) -> Command:
    """The options of commands that read texts for a model: --encoding and --unknown."""
    unknown = click.option(
        "--unknown",
        type=click.Choice(["error", "skip"]),
        default="error",
        help="What to do with characters that the model never saw.  [default: error]",
    )
    encoding = click.option(
        "--encoding", metavar="NAME", help="Of the files.  [default: the training text's]"
    )
    return encoding(unknown(command))


def _option(field: dataclasses.Field[Any], other: str | None) -> Callable[[Command], Command]:
    setting: Setting = field.metadata["setting"]
    text = setting.help
    if field.default is not None and field.type != "bool":
        text += f"  [default: {field.default}]"
    if field.type == "bool":
        return click.option(option_of(field.name), is_flag=True, default=None, help=text)
    names = [option_of(field.name), *([option_of(other)] if other else []), field.name]
    return click.option(
        *names,
        type=_type(field, setting),
        default=None,
        metavar=None if setting.choices else setting.metavar,
        help=text,
    )


def _type(field: dataclasses.Field[Any], setting: Setting) -> Any:
    if setting.choices:
        return click.Choice(setting.choices)
    return {"int": int, "float": float, "str": str}[str(field.type).removesuffix(" | None")]
