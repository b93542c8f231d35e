"""`nextchar serve`."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from typing import Any

import click

from nextchar.cli.options import setting_options
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.errors import NextcharError, SettingsError
from nextchar.server.server_settings import ServerSettings

_ENVIRONMENT = {"host": "NEXTCHAR_HOST", "port": "NEXTCHAR_PORT", "api_key": "NEXTCHAR_API_KEY"}


@click.command("serve")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="ID",
    help="Name that requests choose a model by, one for each, in order.",
)
@setting_options(dataclasses.fields(ServerSettings))
def command(models: tuple[str, ...], aliases: tuple[str, ...], **options: Any) -> None:
    """Serve MODELs, model files or run directories, over HTTP.

    Speaks the completion API (/v1/completions); a page to try it is at /, what there is at /docs.
    Requests are written together. NEXTCHAR_HOST, NEXTCHAR_PORT and NEXTCHAR_API_KEY stand in for
    their options. Ctrl-C lets what runs end; a second one does not.
    """
    if not models:
        raise click.UsageError("Missing argument 'MODEL...': a model file or a run directory.")
    settings = ServerSettings(**{**_from_environment(), **_given(options)})
    try:
        from nextchar.server.lifecycle import bind, serve, url_of
        from nextchar.server.registry import load_registry
    except ModuleNotFoundError as error:
        raise NextcharError(
            f'serve: needs {error.name}; install it with: pip install "nextchar[serve]"'
        ) from None

    _tell_of_faults(settings)
    sys.setswitchinterval(0.001)  # threads that hand over texts wait less for each other
    shelf = load_registry(models, aliases, settings)
    with bind(settings) as listening, announce_compilation_on_stderr():
        names = ", ".join(served.name for served in shelf)
        where = url_of(listening)

        def told(stop: object) -> None:
            click.echo(f"serving {names} at {where}", err=True)

        if not serve(shelf, settings, listening, told):
            raise KeyboardInterrupt


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _from_environment() -> dict[str, Any]:
    values: dict[str, Any] = {
        name: os.environ[variable]
        for name, variable in _ENVIRONMENT.items()
        if os.environ.get(variable)
    }
    if "port" in values:
        try:
            values["port"] = int(values["port"])
        except ValueError:
            raise SettingsError(
                f"NEXTCHAR_PORT: wants a number of at most 65535, got {values['port']!r}"
            ) from None
    return values


def _tell_of_faults(settings: ServerSettings) -> None:
    """What the server logs goes to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("nextchar: %(message)s"))
    for name, level in (
        ("nextchar.server", logging.WARNING),
        ("nextchar.access", logging.INFO if settings.access_log else logging.CRITICAL),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = False
