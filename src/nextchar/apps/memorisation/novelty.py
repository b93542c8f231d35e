"""Records that a model did not learn by heart: those that are not in its training text."""

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

AT_ONCE = 256  # records drawn before the training text is read again, at the least
TRIES = 100  # records drawn for each that is wanted, before it is given up; 100 rounds at least


@dataclass(frozen=True)
class Novel:
    """Records that are new, each once, in the order of their samples.

    tries: how many were drawn for them.
    """

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
    """`settings.samples` records that are not in the training text; fewer where too few are new.

    The record is the prompt and what is written after it. texts: where to look instead of where
    the training found its text.
    Raises SettingsError where the model knows no records, TextError where its text is not found.
    """
    if settings.num_beams > 1 or settings.best_of is not None:
        raise SettingsError("novel: goes with samples, neither with num_beams nor with best_of")
    wanted = settings.samples
    at_once = max(AT_ONCE, wanted)
    request = make_request(model, prompt, replace(settings, samples=at_once), options, seed=seed)
    lead = bytes_of(prompt)
    found: dict[bytes, Generated] = {}
    tries, most = 0, TRIES * at_once
    while len(found) < wanted and tries < most:
        (made,) = generate_many(model, [replace(request, first_sample=tries)])
        tries += at_once
        whole = [(lead + each.data).decode("utf-8", "surrogateescape") for each in made]
        seen = records_seen(model, set(whole), texts)
        for each, record in zip(made, whole, strict=True):
            if record and record not in seen and len(found) < wanted:
                found.setdefault(lead + each.data, each)
    return Novel(list(found.values()), tries)
