"""Fine-tuning: a run that starts from a trained model, on a text that may have new characters.

The network is the model's. A new character's row of the input weights is the mean of the old rows,
and so is its column of the output weights. Its bias makes it improbable in any context: with K new
characters and V old ones, of logits z, each new one has the logit

    mean(z) + ln V - ln K - 16  ≤  ln Σ exp(z) - ln K - 16

by Jensen's inequality. Together they have less than exp(-16) = 1.1e-7 of the probability, about a
rounding of float32, so that the loss on the old text rises by no more than that.

Training at a low learning rate would take a thousand steps to learn how frequent the new symbols
are. Their biases are therefore set first, to the frequencies in the new text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nextchar.errors import SettingsError
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture, Parameters
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.records import boundary_of
from nextchar.text.vocabulary import Codes, Vocabulary

_LENGTH, _LANES = 128, 16  # of the sample on which the probability of symbols is measured
UNSEEN = -16.0  # log of the probability of all new characters together, at most
_TEXT_SETTINGS = ("alphabet", "normalize", "records", "min_count")


def settings_from(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings together with those that a trained model fixes.

    Raises SettingsError if a given setting contradicts the model.
    """
    given = {name: value for name, value in given.items() if value is not None}
    network, text = asdict(model.architecture.settings), asdict(model.text)
    for name, own in [*network.items(), ("alphabet", text["alphabet"])]:
        if given.get(name, own) != own:
            raise _cannot_change(name, own, given[name])
    own_boundary = boundary_of(model.text)
    records = given.get("records", model.text.records)
    if own_boundary not in (None, boundary_of(replace(model.text, records=records))):
        raise _cannot_change("records", model.text.records, records)
    if model.parameters.dtype == np.float64:
        given = {"dtype": "float64", **given}
    ours = {**network, **{name: text[name] for name in _TEXT_SETTINGS}}
    return {**{name: own for name, own in ours.items() if own is not None}, **given}


def _cannot_change(name: str, own: Any, value: Any) -> SettingsError:
    problem = f"must be {own!r} as in the model to start from"
    remedy = "leave it out, or train from scratch"
    return SettingsError(problem, setting=name, value=value, remedy=remedy)


def extended(model: Model, vocabulary: Vocabulary, dtype: Any) -> Parameters:
    """Return the model's parameters for a vocabulary that has all of its symbols, and others.

    Old values stay as they are, except for rounding to a narrower dtype.
    """
    places, new = _new_codes_of_old(model.vocabulary, vocabulary), new_codes(model, vocabulary)
    parameters = Parameters(Architecture(model.architecture.settings, len(vocabulary)), dtype=dtype)
    for name, old in model.parameters.views.items():
        axis = _axis_of_codes(name, model.architecture)
        if axis is None:
            parameters[name][:] = old
            continue
        by_code = np.moveaxis(parameters[name], axis, 0)  # a view
        by_code[places] = np.moveaxis(old, axis, 0)
        by_code[new] = old.mean(axis=axis, dtype=np.float64)
    if len(new):
        parameters["b_out"][new] += math.log(len(places)) - math.log(len(new)) + UNSEEN
    return parameters


def new_codes(model: Model, vocabulary: Vocabulary) -> Codes:
    """Return the codes (K,) of a vocabulary whose symbols the model lacks."""
    return np.setdiff1d(np.arange(len(vocabulary)), _new_codes_of_old(model.vocabulary, vocabulary))


def set_biases_of_new_characters(parameters: Parameters, new: Codes, codes: AnyCodes) -> None:
    """Raise the biases of new symbols until their mean probability is their share of a text.

    These are about the best biases possible. Both are measured on a bounded part of the text.
    new: (K,) codes; codes: (N,) of the text.
    """
    counted = codes[: 1 << 20]
    counts = np.bincount(counted, minlength=len(parameters["b_out"]))[new]
    places = np.linspace(0, max(len(codes) - _LENGTH, 0), _LANES).astype(np.int64)
    read = codes[np.minimum(places + np.arange(_LENGTH)[:, None], len(codes) - 1)]  # (T, B)
    logits = forward(parameters, read, parameters.zero_state(_LANES))[0]  # (T, B, V)
    log_p = log_softmax(logits)[..., new].astype(np.float64).reshape(-1, len(new))
    share = (counts + 0.5) / len(counted)  # the text may have symbols that were not counted
    log_mean = np.logaddexp.reduce(log_p, axis=0) - math.log(len(log_p))  # (K,)
    parameters["b_out"][new] += np.log(share) - log_mean


def _new_codes_of_old(old: Vocabulary, new: Vocabulary) -> Any:
    """Return the new code of each old one, (V,)."""
    if old.is_bytes:
        return np.arange(len(old))
    codes = new.codes_of_points(old.points)
    return codes if old.unknown_code is None else np.append(codes, np.int32(new.unknown_code or 0))


def _axis_of_codes(name: str, architecture: Architecture) -> int | None:
    """Return the axis of a parameter that codes index; None if it has none."""
    if name == "layer0.W_ih":
        return None if architecture.settings.embedding_size else 0
    return {"embedding": 0, "W_out": 1, "b_out": 0}.get(name)


def describe_new_characters(old: Vocabulary, new: Vocabulary) -> str | None:
    """List the characters of a text that a model lacks, in one line; or return None."""
    points = np.setdiff1d(new.points, old.points)
    if not len(points):
        return None
    some = " ".join(ascii(chr(point))[1:-1] if point < 33 else chr(point) for point in points[:20])
    one = len(points) == 1
    return (
        f"{len(points)} character{' is' if one else 's are'} new to the model: "
        f"{some}{' …' if len(points) > 20 else ''}; its vocabulary has {len(new)} symbols now"
    )
