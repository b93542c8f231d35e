"""Output of generated texts: the seed, the JSON object of a sample, samples one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from nextchar.cli.output import colours
from nextchar.cli.output.copied_passages import copied_summary, mark_copied
from nextchar.cli.output.text_io import as_text, print_text
from nextchar.errors import NextcharError

if TYPE_CHECKING:
    from nextchar.apps.memorisation.passages import Passages
    from nextchar.generation.generate import Generated
    from nextchar.model.file import Model
    from nextchar.text.vocabulary import Vocabulary

BETWEEN_SAMPLES = "\n" + "-" * 40 + "\n"


@contextmanager
def announce_seed(seed: int, *, is_printed: bool) -> Iterator[None]:
    """Context that prints the seed of the texts on standard error when it ends.

    is_printed: the output itself holds the seed, so that only an interrupted one needs it here.
    """
    try:
        yield
    except NextcharError:  # no text was generated
        raise
    except BaseException:  # an interrupted text can be generated again too
        click.echo(f"seed {seed}", err=True)
        raise
    if not is_printed:
        click.echo(f"seed {seed}", err=True)


def sample_as_json(
    vocabulary: Vocabulary,
    lead: str,
    sample: Generated,
    copied: Sequence[tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """The JSON object of a sample; its log-probabilities in the form of completion APIs.

    lead: text in front of the sample. copied: passages that occur in the training text.
    """
    symbols = vocabulary.symbols
    document: dict[str, Any] = {"text": lead + sample.text, "finish_reason": sample.finish_reason}
    if sample.logprobs is not None:
        document["logprobs"] = {
            "tokens": [symbols[code] for code in sample.codes],
            "token_logprobs": sample.logprobs.tolist(),
        }
    if sample.top_codes is not None and sample.top_logprobs is not None:
        document["logprobs"]["top_logprobs"] = [
            {symbols[code]: logprob for code, logprob in zip(*pair, strict=True)}
            for pair in zip(sample.top_codes, sample.top_logprobs.tolist(), strict=True)
        ]
    if copied is not None:
        document["copied"] = [[len(lead) + start, len(lead) + end] for start, end in copied]
    return document


def print_samples(
    model: Model, lead: str | bytes, samples: Sequence[Generated], passages: Passages | None
) -> None:
    """Print samples, records that are lines one per line, others with a line between them.

    lead: text in front of each. passages: copied passages, which are shaded on a terminal.
    """
    shades = colours.depth() if passages and colours.is_wanted("auto", sys.stdout) else 0
    if len(samples) == 1 and model.vocabulary.is_bytes and not shades:
        print_text(lead)
        print_text(samples[0].data)
    else:
        texts = [each.text for each in samples]
        if passages and shades:
            texts = [mark_copied(*each, shades) for each in zip(texts, passages.spans, strict=True)]
        separator = "\n" if model.text.records == "line" else BETWEEN_SAMPLES
        print_text(separator.join(as_text(lead) + text for text in texts) + "\n")
    if passages:
        click.echo(copied_summary(passages), err=True)
