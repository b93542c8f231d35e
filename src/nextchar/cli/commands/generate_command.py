"""`nextchar generate`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.options import option, options_of, setting_options, split_params, unknown_option
from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.copied_passages import copied_summary
from nextchar.cli.output.generated_texts import announce_seed, print_samples, sample_as_json
from nextchar.cli.output.text_io import as_text, biases_of, lines_of, print_text, read_text
from nextchar.errors import SettingsError, TextError
from nextchar.generation.generation_settings import ALIASES, GenerationSettings
from nextchar.settings.fields import require_at_most_one

if TYPE_CHECKING:
    from nextchar.apps.memorisation.passages import Passages
    from nextchar.generation.generate import Generated
    from nextchar.generation.requests import Request, RequestOptions
    from nextchar.model.file import Model
    from nextchar.text.vocabulary import Unknown


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """Parameters of `nextchar generate` that are not settings of generation."""

    model: str
    unknown: Unknown
    prompt: str | None = option("Text to continue; may be empty.", metavar="TEXT")
    prompt_file: str | None = option(
        "Read the prompt from a file; - is standard input.", metavar="FILE"
    )
    prompts: str | None = option(
        "Continue each line of a file (- is standard input); prints a line of JSON for each, in "
        "order.",
        metavar="FILE",
    )
    stop: tuple[str, ...] = option("End the text before this; repeatable.", metavar="TEXT")
    logit_bias: tuple[str, ...] = option(
        "Add X, -100 to 100, to the logit of a character; -100 bans it; repeatable.",
        metavar="CHAR=X",
    )
    pattern: str | None = option(
        "Regular expression that the whole text must match; other characters are never sampled.",
        metavar="REGEX",
    )
    novel: bool = option(
        "Generate only records that are not in the training text; in running text, mark copied "
        "passages."
    )
    training_text: tuple[str, ...] = option(
        "Text that --novel compares with.  [default: the files of the training; repeatable]",
        metavar="FILE",
    )
    echo: bool = option("Print the prompt before the text.")
    as_json: bool = option("Print texts, seed and settings as JSON.", "--json")
    interactive: bool = option(
        "Write together with the model in the terminal: type, choose, undo, let it continue. The "
        "whole text is printed at the end. Ctrl-D ends with status 0, Ctrl-C with 130; F1 shows "
        "help."
    )


@dataclass(frozen=True)
class _Task:
    """A model, and the settings that its texts depend on."""

    model: Model
    settings: GenerationSettings
    options: RequestOptions
    seed: int


@click.command("generate")
@click.argument("model")
@options_of(GenerateOptions)
@unknown_option
@setting_options(dataclasses.fields(GenerationSettings), ALIASES)
def command(**params: Any) -> None:
    """Generate text with MODEL, a model file or a run directory.

    A single text is printed as it is drawn. Several texts (--samples) have a line between them;
    records that are lines are printed one per line. The seed is printed on standard error; the same
    seed generates the same text.
    """
    options, given = split_params(GenerateOptions, params)
    settings = GenerationSettings(**given)
    _require_consistent(options, settings)
    biases = biases_of(options.logit_bias)

    from nextchar.generation.generate import choose_seed
    from nextchar.generation.requests import RequestOptions
    from nextchar.model.file import load_model

    request_options = RequestOptions(options.stop, biases, options.pattern, options.unknown)
    model, seed = load_model(options.model), choose_seed(settings.seed)
    task = _Task(model, settings, request_options, seed)
    source = options.prompt_file
    prompt = options.prompt or (read_text(source, model) if source else "")
    if options.interactive:
        _write_together(task, prompt, options)
        return
    with announce_seed(seed, is_printed=options.as_json), announce_compilation_on_stderr():
        if options.prompts is not None:
            _continue_lines(task, options.prompts, echo=options.echo)
        else:
            _continue_prompt(task, prompt, options)


def _require_consistent(options: GenerateOptions, settings: GenerationSettings) -> None:
    require_at_most_one(("prompt", "prompt_file", "prompts"), vars(options))
    if settings.logprobs is not None and options.prompts is None and not options.as_json:
        raise SettingsError("is printed by --json only", setting="logprobs", remedy="add --json")
    if options.novel and options.prompts is not None:
        problem = "cannot be combined with prompts"
        raise SettingsError(problem, setting="novel", remedy="give --prompt instead")
    if options.training_text and not options.novel:
        problem = "is used by --novel only"
        raise SettingsError(problem, setting="training_text", remedy="add --novel")


def _write_together(task: _Task, prompt: str | bytes, options: GenerateOptions) -> None:
    from nextchar.cli.interactive.terminal_app import run_session

    is_alone = options.prompts is None and not (options.as_json or options.novel)
    run_session(
        task.model, options.model, prompt, task.settings, task.options,
        seed=task.seed, is_alone=is_alone,
    )  # fmt: skip


def _continue_prompt(task: _Task, prompt: str | bytes, options: GenerateOptions) -> None:
    from nextchar.generation.generate import stream

    model, settings = task.model, task.settings
    lead = prompt if options.echo else prompt[:0]
    is_one = settings.samples == 1 and settings.num_beams == 1 and settings.best_of is None
    is_plain = not (options.novel or options.as_json or model.vocabulary.is_bytes)
    if is_one and is_plain:
        parts = stream(model, prompt, settings, task.options, seed=task.seed)
        print_text(lead)
        for part in parts:
            print_text(part)
        print_text("\n")
        return
    samples, passages = _generate(task, prompt, options)
    if not options.as_json:
        print_samples(model, lead, samples, passages)
        return
    spans = passages.spans if passages else [None] * len(samples)
    objects = [
        sample_as_json(model.vocabulary, as_text(lead), *each)
        for each in zip(samples, spans, strict=True)
    ]
    given = dataclasses.asdict(settings) | {"seed": task.seed}
    click.echo(json.dumps({"prompt": as_text(prompt), **given, "samples": objects}))
    if passages:
        click.echo(copied_summary(passages), err=True)


def _generate(
    task: _Task, prompt: str | bytes, options: GenerateOptions
) -> tuple[list[Generated], Passages | None]:
    """Texts of one prompt, only new records or with their copied passages as --novel asks."""
    from nextchar.apps.memorisation.novelty import novel_records
    from nextchar.apps.memorisation.passages import copied_passages
    from nextchar.generation.generate import generate

    asked, seed = (task.model, prompt, task.settings, task.options), task.seed
    if not options.novel:
        return generate(*asked, seed=seed), None
    if task.model.end_code is None:
        samples = generate(*asked, seed=seed)
        codes = [each.codes for each in samples]
        return samples, copied_passages(task.model, codes, options.training_text)
    novel = novel_records(*asked, seed=seed, texts=options.training_text)
    if len(novel.records) < task.settings.samples:
        count = f"{len(novel.records)} of {task.settings.samples}"
        found = f"only {count} were new in {novel.tries} tries"
        click.echo(f"note: {found}: the model has memorised its text", err=True)
    return novel.records, None


def _continue_lines(task: _Task, source: str, *, echo: bool) -> None:
    """Print a line of JSON for each prompt of a file, as soon as those before it are finished.

    All prompts share the seed: a prompt gets the same text wherever it is in the file.
    """
    from nextchar.generation.generate import generate_many
    from nextchar.generation.requests import make_request

    model, waiting = task.model, list[str]()

    def requests() -> Iterator[Request]:
        for number, prompt in enumerate(lines_of(source), 1):
            try:
                request = make_request(model, prompt, task.settings, task.options, seed=task.seed)
            except TextError as error:
                raise error.located(f"{source}: line {number}") from error
            waiting.append(prompt)
            yield request

    for samples in generate_many(model, requests()):
        prompt = waiting.pop(0)
        lead = prompt if echo else ""
        texts = [sample_as_json(model.vocabulary, lead, each) for each in samples]
        line = {"prompt": prompt, "seed": task.seed, "samples": texts}
        print_text(json.dumps(line, ensure_ascii=False) + "\n")
