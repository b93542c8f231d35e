"""Presets: named sets of settings, each with a line of help.

The preset `auto` sets nothing here: `training.auto.policy` chooses its values for the text and the
time of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AUTO = "auto"

PRESETS: Mapping[str, Mapping[str, Any]] = {
    AUTO: {},
    "medium": {},
    "small": {"hidden_size": 128, "num_layers": 1},
    "large": {
        "hidden_size": 512, "batch_size": 64, "seq_length": 128,
        "dropout": 0.3, "learning_rate": 0.004, "steps": 5000,
    },
    "classic": {
        "cell": "rnn", "hidden_size": 100, "num_layers": 1, "initialisation": "normal",
        "seq_length": 100, "batch_size": 1, "restart_every": 0, "lane_starts": "fixed",
        "optimizer": "sgd", "learning_rate": 0.1, "schedule": "constant", "warmup": 0,
        "clip": 5.0, "clip_by": "value", "epochs": 4.0,
    },
}  # fmt: skip
PRESET_HELP = {
    AUTO: "chosen for the text and the time (default)",
    "small": "LSTM 128×1, quick",
    "medium": "LSTM 256×2",
    "large": "LSTM 512×2 with dropout, slow",
    "classic": "the introductory vanilla RNN of 100 units, plain gradient descent",
}
CHOSEN_BY_AUTO = (  # unless they are given
    "cell", "hidden_size", "num_layers", "seq_length", "batch_size",
    "optimizer", "learning_rate", "dropout", "weight_decay", "steps",
)  # fmt: skip
