"""Hyperparameter sweeps with Optuna: a study, and workers on any number of machines.

    tune.py          the function `tune`: validates its arguments and runs a sweep
    invocation.py    arguments of one call on one machine, stored for `--resume`
    sweep.py         a sweep on one machine, and the run directory of its best trial
    sweep_texts.py   text of a sweep, read once per process
    baseline.py      settings that the preset `auto` chooses
    space.py         search space: ranges and choices
    study.py         Optuna study, with the plan that all machines share
    storage.py       storage of a study: a journal or a database
    pool.py          worker processes on this machine
    worker.py        a worker, which runs one trial after another
    trial.py         one trial
    stale_trials.py  trials whose worker died
    result.py        result of a sweep
    console.py       progress on the terminal

Modules that need Optuna import it inside their functions, since it is an optional package.
"""

from nextchar.tuning.result import Tuned
from nextchar.tuning.tune import tune

__all__ = ["Tuned", "tune"]
