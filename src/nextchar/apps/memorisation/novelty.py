"""Generation of records that do not occur in the training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nextchar.apps.memorisation.seen_records import records_seen
from nextchar.errors import SettingsError
from nextchar.generation.generate import Generated, generate_many
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import NO_OPTIONS, RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.text.vocabulary import bytes_of

AT_ONCE = 256  # minimum number of records drawn between two readings of the training text
TRIES = 100  # maximum number of such rounds


@dataclass(frozen=True)
class Novel:
    """New records, each once, in the order of their samples. tries: number of records drawn."""

    records: list[Generated]
    tries: int


def novel_records(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    options: RequestOptions = NO_OPTIONS,
    *,
    seed: int,
    texts: Sequence[str] = (),
) -> Novel:
    """Generate `settings.samples` new records; fewer if too few are new.

    A record is the prompt and its continuation. texts: files to search instead of the recorded
    ones.
    Raises SettingsError for a model without records, TextError if its training text is not found.
    """
    if settings.num_beams > 1 or settings.best_of is not None:
        raise SettingsError("cannot be combined with num_beams or best_of", setting="novel")
    count, round_size = settings.samples, max(AT_ONCE, settings.samples)
    request = make_request(model, prompt, replace(settings, samples=round_size), options, seed=seed)
    lead = bytes_of(prompt)
    novel: dict[bytes, Generated] = {}
    tries, most = 0, TRIES * round_size
    while len(novel) < count and tries < most:
        (samples,) = generate_many(model, [replace(request, first_sample=tries)])
        tries += round_size
        records = [(lead + each.data).decode("utf-8", "surrogateescape") for each in samples]
        seen = records_seen(model, set(records), texts)
        for sample, record in zip(samples, records, strict=True):
            if record and record not in seen and len(novel) < count:
                novel.setdefault(lead + sample.data, sample)
    return Novel(list(novel.values()), tries)
