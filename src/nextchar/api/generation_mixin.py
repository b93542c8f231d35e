"""Generation methods of `CharRNN`: texts, streams and completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.autocomplete import Suggestions, SuggestionSettings, complete
from nextchar.generation.generation_settings import GenerationSettings, generation_settings
from nextchar.generation.requests import RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.text.vocabulary import Unknown

if TYPE_CHECKING:
    from nextchar.generation.generate import Generated

Bias = Mapping[str, float] | Mapping[int, float] | None

EARLIER_FORMS = ("stream", "samples", "num_return_sequences", "novel", "training_text")


@dataclass(frozen=True)
class GeneratedText:
    """One text of `CharRNN.generate_many`.

    prompt: the prompt, which is not part of `text`. data: the text as bytes, exact with the bytes
    alphabet. seed: the seed that generates the text again. finish_reason: `"length"` or `"stop"`.
    logprobs: (n,) log-probability of each character, if `logprobs` was given.
    """

    prompt: str | bytes
    text: str
    data: bytes
    seed: int
    finish_reason: str
    logprobs: NDArray[np.float64] | None = None


class GenerationMixin:
    """Generation methods of `CharRNN`. last_seed_: the seed of the last call."""

    last_seed_: int

    if TYPE_CHECKING:

        def _fitted(self) -> Model: ...

    @overload
    def generate(
        self,
        prompt: str | bytes = "",
        *,
        stop: str | Sequence[str] = (),
        logit_bias: Bias = None,
        pattern: str | None = None,
        unknown: Unknown = "error",
        stream: Literal[False] = False,
        samples: None = None,
        novel: Literal[False] = False,
        **options: Any,
    ) -> str: ...

    @overload
    def generate(self, prompt: Any = "", **options: Any) -> Any: ...

    def generate(
        self,
        prompt: Any = "",
        *,
        stop: str | Sequence[str] = (),
        logit_bias: Bias = None,
        pattern: str | None = None,
        unknown: Unknown = "error",
        **options: Any,
    ) -> Any:
        """Generate one text and return it without the prompt.

        prompt: the beginning of the text; may be empty. A character that is not in the vocabulary
        raises UnknownCharacterError, or is left out with `unknown="skip"`.
        stop: strings that end the text; they are not part of it.
        logit_bias: character → number added to its logit, -100 to 100; -100 bans the character.
        pattern: a regular expression that the whole text matches.
        options: every setting of generation (docs/generation.md): seed, length (500, new
        characters), temperature (1.0; 0 is greedy), top_k, top_p, min_p, typical_p,
        repetition_penalty, presence_penalty, frequency_penalty, repeat_last_n,
        no_repeat_ngram_size, min_length, best_of, num_beams, length_penalty, dtype.

        The seed is in `last_seed_`, and in the results of `generate_many`. Kept for compatibility:
        `samples=n` or `novel=True` returns a list, a list of prompts is answered with a list, and
        `stream=True` returns an iterator; use `generate_many` and `stream` in new code.
        """
        request = RequestOptions(stop, logit_bias, pattern, unknown)
        if isinstance(prompt, list) or not options.keys().isdisjoint(EARLIER_FORMS):
            return self._earlier_form(prompt, request, options)
        return self._samples([prompt], request, options)[0][0].text

    def generate_many(
        self,
        prompts: str | bytes | Sequence[str | bytes] = "",
        *,
        novel: bool = False,
        training_text: Sequence[str] = (),
        stop: str | Sequence[str] = (),
        logit_bias: Bias = None,
        pattern: str | None = None,
        unknown: Unknown = "error",
        **options: Any,
    ) -> list[GeneratedText]:
        """Generate several texts in batches: `samples` of each prompt, in the order of the prompts.

        prompts: one prompt or several. All share the seed, which each result has.
        novel: in a model of records, only records that are not in its training text; fewer than
        `samples` where too few are new. training_text: files to compare with instead.
        The other arguments are those of `generate`, and samples (1).

        >>> from nextchar import CharRNN
        >>> model = CharRNN(hidden_size=16, num_layers=1, steps=20, batch_size=4)
        >>> model = model.fit(text="to be or not to be, " * 50, verbose=False)
        >>> texts = model.generate_many(["to", "be"], samples=2, length=30, seed=1)
        >>> [(each.prompt, len(each.text), each.seed) for each in texts]
        [('to', 30, 1), ('to', 30, 1), ('be', 30, 1), ('be', 30, 1)]
        """
        request = RequestOptions(stop, logit_bias, pattern, unknown)
        given = [prompts] if isinstance(prompts, str | bytes) else list(prompts)
        answers = self._samples(given, request, options, novel=novel, texts=training_text)
        seed = self.last_seed_
        return [
            GeneratedText(prompt, each.text, each.data, seed, each.finish_reason, each.logprobs)
            for prompt, samples in zip(given, answers, strict=True)
            for each in samples
        ]

    def stream(
        self,
        prompt: str | bytes = "",
        *,
        stop: str | Sequence[str] = (),
        logit_bias: Bias = None,
        pattern: str | None = None,
        unknown: Unknown = "error",
        **options: Any,
    ) -> Iterator[str]:
        """Generate one text, yielded in parts as it is drawn.

        The arguments are those of `generate`, and so is the text of all parts together.
        """
        return self._stream(prompt, RequestOptions(stop, logit_bias, pattern, unknown), options)

    def complete(
        self,
        prefix: str | bytes = "",
        count: int = 5,
        length: int = 20,
        to: str | None = None,
        *,
        beams: int | None = None,
        unknown: Unknown = "error",
    ) -> Suggestions:
        """The most probable continuations of a prefix, the best first, for autocompletion.

        count: number of continuations. length: maximum length of each in characters.
        to: end of a continuation: of its `"word"`, of the `"line"`, of the `"record"` (the default
        in a model of records; otherwise it is the word), or at `"length"`.
        beams: maximum number of prefixes of each length that are tried.
        Returns a list of `text`, `probability` and `ends` (False if the text was cut at `length`);
        its `exact` is False if more beams might find more probable continuations.
        """
        settings = SuggestionSettings(count=count, length=length, to=to, beams=beams)
        return complete(self._fitted(), prefix, settings, unknown=unknown)

    def _stream(
        self, prompt: str | bytes, request: RequestOptions, options: Mapping[str, Any]
    ) -> Iterator[str]:
        from nextchar.generation.generate import stream

        settings, model, seed = self._begin(options)
        if settings.samples > 1:
            problem = "must be 1, since one text is streamed"
            raise SettingsError(problem, setting="samples", value=settings.samples)
        return stream(model, prompt, settings, request, seed=seed)

    def _samples(
        self,
        prompts: Sequence[str | bytes],
        request: RequestOptions,
        options: Mapping[str, Any],
        *,
        novel: bool = False,
        texts: Sequence[str] = (),
    ) -> list[list[Generated]]:
        """Texts of each prompt; if novel, new records, compared with the training texts."""
        from nextchar.generation.generate import generate_many

        settings, model, seed = self._begin(options)
        if novel:
            from nextchar.apps.memorisation.novelty import novel_records

            return [
                novel_records(model, each, settings, request, seed=seed, texts=texts).records
                for each in prompts
            ]
        requests = (make_request(model, each, settings, request, seed=seed) for each in prompts)
        return list(generate_many(model, requests))

    def _begin(self, options: Mapping[str, Any]) -> tuple[GenerationSettings, Model, int]:
        """Settings, model and seed of a call; the seed is stored in `last_seed_`."""
        from nextchar.generation.generate import choose_seed

        settings, model = generation_settings(options), self._fitted()
        self.last_seed_ = choose_seed(settings.seed)
        return settings, model, self.last_seed_

    def _earlier_form(
        self, prompt: Any, request: RequestOptions, options: dict[str, Any]
    ) -> str | list[str] | list[list[str]] | Iterator[str]:
        """The answer of `generate` to arguments that `generate_many` and `stream` take now."""
        is_list = isinstance(prompt, list)
        novel, texts = options.pop("novel", False), options.pop("training_text", ())
        stream = options.pop("stream", False)
        if options.get("samples", 0) is None:
            del options["samples"]
        has_samples = "samples" in options or "num_return_sequences" in options
        if stream:
            if is_list or novel or has_samples:
                raise SettingsError(
                    "cannot be combined with samples, novel or a list of prompts", setting="stream"
                )
            return self._stream(prompt, request, options)
        prompts = prompt if is_list else [prompt]
        novel = novel and not is_list
        answers = self._samples(prompts, request, options, novel=novel, texts=texts)
        many = [[each.text for each in samples] for samples in answers]
        if has_samples or novel:
            return many if is_list else many[0]
        return [texts[0] for texts in many] if is_list else many[0][0]
