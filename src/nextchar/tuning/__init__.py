"""Sweeps: the settings that suit a text best, searched with Optuna by any number of workers."""

from nextchar.tuning.outcome import Tuned
from nextchar.tuning.search import tune

__all__ = ["Tuned", "tune"]
