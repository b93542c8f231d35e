"""`nextchar generate`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.compiling import telling
from nextchar.cli.options import setting_options
from nextchar.errors import NextcharError
from nextchar.generation.settings import GenerationSettings

if TYPE_CHECKING:
    from nextchar.model.file import Model

BETWEEN_SAMPLES = "\n" + "-" * 40 + "\n"


@click.command("generate")
@click.argument("model")
@click.option("--prompt", default="", metavar="TEXT", help="Text to go on from; may be empty.")
@setting_options(dataclasses.fields(GenerationSettings))
@click.option("--stop", multiple=True, metavar="TEXT", help="End the text before this; repeatable.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    help="What to do with characters of the prompt that the model never saw.  [default: error]",
)
@click.option("--echo", is_flag=True, help="Print the prompt before the text.")
@click.option("--json", "as_json", is_flag=True, help="Print texts, seed and settings as JSON.")
def command(
    model: str,
    prompt: str,
    stop: tuple[str, ...],
    unknown: Any,
    echo: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write text with MODEL, a model file or a run directory.

    One text is printed as it is drawn; several (--samples) come with a line between them. The
    seed is told on standard error: with it the same text is written again.
    """
    settings = GenerationSettings(**{n: v for n, v in options.items() if v is not None})

    from nextchar.generation.generate import choose_seed
    from nextchar.model.file import load_model

    loaded = load_model(model)
    seed = choose_seed(settings.seed)
    lead = prompt if echo else ""
    choices: dict[str, Any] = {"seed": seed, "stop": stop, "unknown": unknown}
    try:
        with telling():
            _write(loaded, prompt, lead, settings, choices, as_json=as_json)
    except NextcharError:  # no text was made, so no seed is told
        raise
    except BaseException:  # a text that is cut off can be made again too
        click.echo(f"seed {seed}", err=True)
        raise
    if not as_json:
        click.echo(f"seed {seed}", err=True)


def _write(
    model: Model,
    prompt: str,
    lead: str,
    settings: GenerationSettings,
    choices: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from nextchar.generation.generate import generate, stream

    if as_json:
        made = generate(model, prompt, settings, **choices)
        _print_json(prompt, lead, choices["seed"], settings, made)
    elif settings.samples > 1:
        made = generate(model, prompt, settings, **choices)
        _print(BETWEEN_SAMPLES.join(lead + each.text for each in made) + "\n")
    elif model.vocabulary.is_bytes:  # bytes as they are
        made = generate(model, prompt, settings, **choices)
        sys.stdout.buffer.write(lead.encode() + made[0].data)
    else:
        pieces = stream(model, prompt, settings, **choices)
        _print(lead)
        for piece in pieces:
            _print(piece)
        _print("\n")


def _print(text: str) -> None:
    """Text to standard output as UTF-8, newlines as they are, at once."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _print_json(
    prompt: str, lead: str, seed: int, settings: GenerationSettings, made: list[Any]
) -> None:
    samples = [{"text": lead + each.text, "finish_reason": each.finish_reason} for each in made]
    used = {**dataclasses.asdict(settings), "seed": seed}
    click.echo(json.dumps({"prompt": prompt, **used, "samples": samples}))
