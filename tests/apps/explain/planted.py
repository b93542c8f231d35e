"""Networks with planted, known behaviour, and texts for them."""

from __future__ import annotations

import numpy as np

from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

SAYINGS = (
    "She said “come in” and sat down by the fire, and he said nothing for a while.\n"
    "“It is late,” he said at last, “and the road is long.” (It was not so long.)\n\n"
    "Nobody spoke. “Well,” she said, “then stay,” and put another log on the fire.\n"
)


def quoted_text(rng: np.random.Generator, size: int = 4000) -> str:
    """Prose with quotes that open and close at random distances."""
    words = ["fire", "road", "She", "said", "long.", "(and)", "stay", "came,", "in", "the\n"]
    parts, is_open = [], False
    while sum(map(len, parts)) < size:
        parts.append(str(rng.choice(words)) + " ")
        if rng.random() < 0.2:
            parts.append("” " if is_open else "“")
            is_open = not is_open
    return "".join(parts)


def random_sayings() -> str:
    """12,000 random characters of `SAYINGS`, without similar passages."""
    return "".join(np.random.default_rng(5).choice(list(SAYINGS), 12_000).tolist())


def untrained(text: str, cell: str = "lstm", dtype: object = np.float64, **settings: int) -> Model:
    """An untrained network with large weights, whose predictions differ by character."""
    vocabulary = Vocabulary.of_text(text)
    network = NetworkSettings(cell=cell, **{"hidden_size": 8, "num_layers": 2, **settings})
    parameters = initialise(Architecture(network, len(vocabulary)), 1, dtype)
    parameters.flat[:] *= 3
    return Model(parameters, vocabulary, TextSettings())


def quote_model(text: str, unit: int, sign: int = 1) -> Model:
    """An RNN with one unit that tracks open quotes; the others are noise."""
    vocabulary = Vocabulary.of_text(text)
    architecture = Architecture(
        NetworkSettings(cell="rnn", hidden_size=12, num_layers=1), len(vocabulary)
    )
    parameters = Parameters(architecture, dtype=np.float64)
    rng = np.random.default_rng(3)
    parameters.flat[:] = rng.normal(0, 0.7, parameters.flat.size)
    layer = parameters.layers[0]
    layer["W_ih"][:, unit], layer["W_hh"][:, unit], layer["b"][unit] = 0, 0, 0
    layer["W_hh"][unit, unit] = 20  # it keeps its value …
    opening, closing = vocabulary.encode("“”").tolist()
    layer["W_ih"][opening, unit] = 60 * sign  # … until a quote flips it
    layer["W_ih"][closing, unit] = -60 * sign
    layer["b"][unit] = -5 * sign  # initially outside
    return Model(parameters, vocabulary, TextSettings())
