"""`nextchar generate`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import setting_options
from nextchar.cli.output import colours
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.copied_passages import copied_summary, mark_copied
from nextchar.cli.output.text_io import as_text, biases_of, lines_of, print_text, read_text
from nextchar.errors import NextcharError, SettingsError, TextError
from nextchar.generation.generation_settings import ALIASES, GenerationSettings

if TYPE_CHECKING:
    from nextchar.apps.memorisation.passages import Passages
    from nextchar.generation.generate import Generated
    from nextchar.generation.requests import Request, RequestOptions
    from nextchar.model.file import Model

    _LookedUp = tuple[list[Generated], Passages | None]

BETWEEN_SAMPLES = "\n" + "-" * 40 + "\n"


@click.command("generate")
@click.argument("model")
@click.option("--prompt", metavar="TEXT", help="Text to go on from; may be empty.")
@click.option("--prompt-file", metavar="FILE", help="The same from a file; - is standard input.")
@click.option(
    "--prompts",
    metavar="FILE",
    help="Go on from each line of a file (- is standard input); a line of JSON for each, in order.",
)
@setting_options(dataclasses.fields(GenerationSettings), ALIASES)
@click.option("--stop", multiple=True, metavar="TEXT", help="End the text before this; repeatable.")
@click.option(
    "--logit-bias",
    multiple=True,
    metavar="CHAR=X",
    help="Add X, -100 to 100, to a character's logit; -100 bans it; repeatable.",
)
@click.option(
    "--pattern",
    metavar="REGEX",
    help="Let only those characters through that keep a full match possible.",
)
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    help="What to do with characters of the prompt that the model never saw.  [default: error]",
)
@click.option(
    "--novel",
    is_flag=True,
    help="Only records that are not in the training text; of running text, mark what is copied.",
)
@click.option(
    "--training-text",
    multiple=True,
    metavar="FILE",
    help="Where --novel looks, instead of where the training found its text; repeatable.",
)
@click.option("--echo", is_flag=True, help="Print the prompt before the text.")
@click.option("--json", "as_json", is_flag=True, help="Print texts, seed and settings as JSON.")
@click.option(
    "--interactive",
    is_flag=True,
    help="Write together, on the terminal: type, pick, undo, let write on. All of it, the prompt "
    "too, is printed in the end. Ctrl-D leaves with status 0, Ctrl-C with 130; F1 helps.",
)
def command(
    model: str,
    prompt: str | None,
    prompt_file: str | None,
    prompts: str | None,
    stop: tuple[str, ...],
    logit_bias: tuple[str, ...],
    pattern: str | None,
    unknown: Any,
    novel: bool,
    training_text: tuple[str, ...],
    echo: bool,
    as_json: bool,
    interactive: bool,
    **options: Any,
) -> None:
    """Write text with MODEL, a model file or a run directory.

    One text is printed as it is drawn; several (--samples) come with a line between them, records
    that are lines one a line. The seed is told on standard error: with it the same text is written
    again.
    """
    settings = GenerationSettings(**{n: v for n, v in options.items() if v is not None})
    if sum(each is not None for each in (prompt, prompt_file, prompts)) > 1:
        raise SettingsError("prompt, prompt_file and prompts: give one of them")
    is_one = prompts is None
    _require_sense(settings, is_one, novel, training_text, as_json)

    from nextchar.generation.generate import choose_seed
    from nextchar.generation.requests import RequestOptions
    from nextchar.model.file import load_model

    given = RequestOptions(stop, biases_of(logit_bias), pattern, unknown)
    loaded = load_model(model)
    seed = choose_seed(settings.seed)
    text = prompt or (read_text(prompt_file, loaded) if prompt_file else "")
    if interactive:
        from nextchar.cli.interactive.terminal_app import run_session

        is_alone = is_one and not (as_json or novel)
        run_session(loaded, model, text, settings, given, seed=seed, is_alone=is_alone)
        return
    try:
        with announce_compilation_on_stderr():
            if prompts is not None:
                _write_many(loaded, prompts, settings, given, seed=seed, echo=echo)
            else:
                asked = (loaded, text, settings, given, seed)
                made = _look_up(*asked, training_text) if novel else None
                _write(*asked, made, echo=echo, as_json=as_json)
    except NextcharError:  # no text was made, so no seed is told
        raise
    except BaseException:  # a text that is cut off can be made again too
        click.echo(f"seed {seed}", err=True)
        raise
    if not as_json:
        click.echo(f"seed {seed}", err=True)


def _require_sense(
    settings: GenerationSettings,
    is_one: bool,
    novel: bool,
    training_text: tuple[str, ...],
    as_json: bool,
) -> None:
    """Raise SettingsError where options do not go together. is_one: there is one prompt."""
    if settings.logprobs is not None and is_one and not as_json:
        raise SettingsError("logprobs: are part of what --json prints; add it")
    if novel and not is_one:
        raise SettingsError("novel: goes with one prompt; give --prompt in place of --prompts")
    if training_text and not novel:
        raise SettingsError("training_text: is where --novel looks; add it")


def _write(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    options: RequestOptions,
    seed: int,
    looked_up: _LookedUp | None,
    *,
    echo: bool,
    as_json: bool,
) -> None:
    """Write texts, or print those that were made and looked up."""
    from nextchar.generation.generate import generate, stream

    lead = prompt if echo else prompt[:0]
    is_one = settings.samples == 1 and settings.num_beams == 1 and settings.best_of is None
    if looked_up is None and is_one and not as_json and not model.vocabulary.is_bytes:
        pieces = stream(model, prompt, settings, options, seed=seed)
        print_text(lead)
        for piece in pieces:
            print_text(piece)
        print_text("\n")
        return
    made, passages = looked_up or (generate(model, prompt, settings, options, seed=seed), None)
    shades = colours.depth() if passages and colours.is_wanted("auto", sys.stdout) else 0
    if as_json:
        used = {**dataclasses.asdict(settings), "seed": seed}
        samples = [_described(model, as_text(lead), each) for each in made]
        if passages:
            _note_copied(samples, passages, len(as_text(lead)))
        click.echo(json.dumps({"prompt": as_text(prompt), **used, "samples": samples}))
    elif len(made) == 1 and model.vocabulary.is_bytes and not shades:  # bytes as they are
        print_text(lead)
        print_text(made[0].data)
    else:
        between = "\n" if model.text.records == "line" else BETWEEN_SAMPLES
        texts = [each.text for each in made]
        if passages and shades:
            texts = [mark_copied(*each, shades) for each in zip(texts, passages.spans, strict=True)]
        print_text(between.join(as_text(lead) + text for text in texts) + "\n")
    if passages:
        click.echo(copied_summary(passages), err=True)


def _look_up(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    options: RequestOptions,
    seed: int,
    texts: tuple[str, ...],
) -> _LookedUp:
    """Records that are new; of a model of running text, texts and what they copy."""
    if model.end_code is None:
        from nextchar.apps.memorisation.passages import copied_passages
        from nextchar.generation.generate import generate

        made = generate(model, prompt, settings, options, seed=seed)
        return made, copied_passages(model, [each.codes for each in made], texts)

    from nextchar.apps.memorisation.novelty import novel_records

    found = novel_records(model, prompt, settings, options, seed=seed, texts=texts)
    if len(found.records) < settings.samples:
        few = f"only {len(found.records)} of {settings.samples} were new in {found.tries} tries"
        click.echo(f"note: {few}: the model knows its text by heart", err=True)
    return found.records, None


def _write_many(
    model: Model,
    source: str,
    settings: GenerationSettings,
    options: RequestOptions,
    *,
    seed: int,
    echo: bool,
) -> None:
    """A line of JSON for each prompt, as soon as those before it are there too.

    All prompts share the seed: the same prompt gets the same text wherever it stands.
    """
    from nextchar.generation.generate import generate_many
    from nextchar.generation.requests import make_request

    asked: list[str] = []

    def requests() -> Iterator[Request]:
        for number, prompt in enumerate(lines_of(source), 1):
            try:
                request = make_request(model, prompt, settings, options, seed=seed)
            except NextcharError as error:
                raise TextError(f"{source}: line {number}: {error}") from error
            asked.append(prompt)
            yield request

    for made in generate_many(model, requests()):
        prompt = asked.pop(0)
        samples = [_described(model, prompt if echo else "", each) for each in made]
        line = {"prompt": prompt, "seed": seed, "samples": samples}
        print_text(json.dumps(line, ensure_ascii=False) + "\n")


def _described(model: Model, lead: str, made: Generated) -> dict[str, Any]:
    """A text as JSON; its log-probabilities as completion APIs have them."""
    described: dict[str, Any] = {"text": lead + made.text, "finish_reason": made.finish_reason}
    if made.logprobs is None:
        return described
    symbols = model.vocabulary.symbols
    described["logprobs"] = {
        "tokens": [symbols[code] for code in made.codes],
        "token_logprobs": made.logprobs.tolist(),
    }
    if made.top_codes is not None and made.top_logprobs is not None:
        described["logprobs"]["top_logprobs"] = [
            {symbols[code]: logprob for code, logprob in zip(*pair, strict=True)}
            for pair in zip(made.top_codes, made.top_logprobs.tolist(), strict=True)
        ]
    return described


def _note_copied(samples: list[dict[str, Any]], passages: Passages, lead: int) -> None:
    """Add to each sample where its text was copied. lead: characters of the prompt before it."""
    for sample, spans in zip(samples, passages.spans, strict=True):
        sample["copied"] = [[lead + start, lead + end] for start, end in spans]
