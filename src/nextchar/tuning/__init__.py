"""Sweeps: the settings that suit a text best, searched with Optuna by any number of workers."""

from nextchar.tuning.result import Tuned
from nextchar.tuning.tune import tune

__all__ = ["Tuned", "tune"]
