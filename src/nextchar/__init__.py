"""Train character-level recurrent language models on a CPU and predict text with them.

The public names (`CharRNN`, `Vocabulary`, `Settings` and the tree of errors) are imported on first
use, so that `import nextchar` takes milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nextchar.api.estimator import CharRNN
    from nextchar.errors import (
        DivergedError,
        InterruptedRun,
        ModelFileError,
        NextcharError,
        NotFittedError,
        RunError,
        SettingsError,
        TextError,
        UnknownCharacterError,
    )
    from nextchar.settings.config import Settings
    from nextchar.text.vocabulary import Vocabulary

__version__ = "0.1.0"

_HOME = {
    "CharRNN": "nextchar.api.estimator",
    "DivergedError": "nextchar.errors",
    "InterruptedRun": "nextchar.errors",
    "ModelFileError": "nextchar.errors",
    "NextcharError": "nextchar.errors",
    "NotFittedError": "nextchar.errors",
    "RunError": "nextchar.errors",
    "Settings": "nextchar.settings.config",
    "SettingsError": "nextchar.errors",
    "TextError": "nextchar.errors",
    "UnknownCharacterError": "nextchar.errors",
    "Vocabulary": "nextchar.text.vocabulary",
}

__all__ = [
    "CharRNN",
    "DivergedError",
    "InterruptedRun",
    "ModelFileError",
    "NextcharError",
    "NotFittedError",
    "RunError",
    "Settings",
    "SettingsError",
    "TextError",
    "UnknownCharacterError",
    "Vocabulary",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nextchar' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
