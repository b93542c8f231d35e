"""`nextchar serve`."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from typing import Any

import click

from nextchar.cli.options import given, setting_options
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.errors import MissingExtraError, SettingsError
from nextchar.server.server_settings import ServerSettings

_ENVIRONMENT = {"host": "NEXTCHAR_HOST", "port": "NEXTCHAR_PORT", "api_key": "NEXTCHAR_API_KEY"}


@click.command("serve")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="ID",
    help="Name of a model in requests, one for each model, in order.  [default: its file name]",
)
@setting_options(dataclasses.fields(ServerSettings))
def command(models: tuple[str, ...], aliases: tuple[str, ...], **options: Any) -> None:
    """Serve MODELs, model files or run directories, over HTTP.

    The completion API is at /v1/completions, a web page to try it at /, and its reference at /docs.
    Requests are generated together in batches. NEXTCHAR_HOST, NEXTCHAR_PORT and NEXTCHAR_API_KEY
    set their options. Ctrl-C lets running requests finish; a second one stops them.
    """
    if not models:
        raise click.UsageError("Missing argument 'MODEL...': a model file or a run directory.")
    settings = ServerSettings(**{**_from_environment(), **given(options)})
    try:
        from nextchar.server.lifecycle import bind, serve, url_of
        from nextchar.server.registry import load_registry
    except ModuleNotFoundError as error:
        raise MissingExtraError("serve", error.name or "a package", "serve") from None

    _log_to_stderr(settings)
    sys.setswitchinterval(0.001)  # threads that hand over texts wait less for each other
    registry = load_registry(models, aliases, settings)
    with bind(settings) as listening, announce_compilation_on_stderr():
        names = ", ".join(served.name for served in registry)
        url = url_of(listening)

        def on_start(stop: object) -> None:
            click.echo(f"serving {names} at {url}", err=True)

        if not serve(registry, settings, listening, on_start):
            raise KeyboardInterrupt


def _from_environment() -> dict[str, Any]:
    given = ((name, os.environ.get(variable)) for name, variable in _ENVIRONMENT.items())
    values: dict[str, Any] = {name: value for name, value in given if value}
    if "port" in values:
        try:
            values["port"] = int(values["port"])
        except ValueError:
            problem, variable = "must be a whole number from 0 to 65535", _ENVIRONMENT["port"]
            raise SettingsError(problem, setting=variable, value=values["port"]) from None
    return values


def _log_to_stderr(settings: ServerSettings) -> None:
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
