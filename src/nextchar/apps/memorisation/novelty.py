"""Generation of records that do not occur in the training text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nextchar.apps.memorisation.seen_records import records_seen
from nextchar.errors import SettingsError
from nextchar.generation.generate import Generated, generate_many
from nextchar.generation.requests import Request
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
    request: Request,
    *,
    texts: Sequence[str] = (),
) -> Novel:
    """Generate as many new records as the request has samples; fewer if too few are new.

    A record is the prompt and the continuation that the request describes. texts: files to search
    instead of the recorded ones.
    Raises SettingsError for a model without records, TextError if its training text is not found.
    """
    settings, count = request.settings, request.settings.samples
    if settings.num_beams > 1 or settings.best_of is not None:
        raise SettingsError("cannot be combined with num_beams or best_of", setting="novel")
    round_size = max(AT_ONCE, count)
    request = replace(request, settings=replace(settings, samples=round_size))
    lead = bytes_of(prompt)
    novel: dict[bytes, Generated] = {}
    tries, most = 0, TRIES * round_size
    while len(novel) < count and tries < most:
        (samples,) = generate_many(model, [replace(request, first=tries)])
        tries += round_size
        records = [(lead + each.data).decode("utf-8", "surrogateescape") for each in samples]
        seen = records_seen(model, set(records), texts)
        for sample, record in zip(samples, records, strict=True):
            if record and record not in seen and len(novel) < count:
                novel.setdefault(lead + sample.data, sample)
    return Novel(list(novel.values()), tries)
