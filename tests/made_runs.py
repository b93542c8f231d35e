"""Run directories for the report's tests: made of numbers in no time, or trained for seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nextchar.api.estimator import write_sample
from nextchar.model.file import BEST, Model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.runs.metrics_file import MetricsFile
from nextchar.runs.run_files import METRICS
from nextchar.settings.config import Settings
from nextchar.text.corpus import prepare
from nextchar.text.reading import read_corpus
from nextchar.training.run import RunRequest, text_from_paths, train
from nextchar.training.run_context import Hooks
from nextchar.training.saving.run_directory import RunDirectory

SMALL: dict[str, Any] = {
    "hidden_size": 16, "num_layers": 1, "seq_length": 16, "batch_size": 8, "threads": 1,
    "dtype": "float32", "steps": 300,
}  # fmt: skip


def trained_run(path: Path, text: Path, **given: Any) -> Path:
    """A run that was really trained, in a second or two."""
    settings = {**SMALL, **given}
    request = RunRequest(text_from_paths([text]), preset="medium", given=settings, out=path)
    train(request, Hooks(make_sample=write_sample))
    return path


def made_run(path: Path, text: Path, records: int = 20, seed: int = 1, **given: Any) -> Path:
    """A run of any number of evaluations, made of numbers, with a model that was never trained."""
    settings = Settings.make("medium", **{**SMALL, **given, "steps": 10 * records})
    with RunDirectory.create(path) as directory:
        source = {"cpu": "made", "inputs": [str(text)], "validation": []}
        directory.write_config(settings, source)
        (path / METRICS).write_bytes(bytes(MetricsFile(made_records(records, seed))))
        directory.write_samples(
            [{"step": n, "fraction": n / 100, "text": f"sample {n}\n<b>&"} for n in (0, 50, 100)]
        )
        prepared = prepare(read_corpus([str(text)], settings.text), settings)
        architecture = Architecture(settings.network, len(prepared.vocabulary))
        summary = {"text_sha256": prepared.sha256}
        parameters = initialise(architecture, seed)
        save_model(path / BEST, Model(parameters, prepared.vocabulary, settings.text, summary))
    return path


def made_records(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Evaluations that look like those of a run."""
    rng = np.random.default_rng(seed)
    share = np.arange(1, count + 1) / count
    train = 1.4 + 0.1 * (seed % 5) + 2.5 * np.exp(-6 * share) + 0.05 * rng.normal(size=count)
    norm = 0.4 + 0.2 * rng.random(count)
    return [
        {
            "step": 10 * (n + 1),
            "epoch": (n + 1) / 20,
            "characters": 1280 * (n + 1),
            "seconds": 0.05 * (n + 1),
            "train_loss": float(train[n]),
            "val_loss": float(train[n] + 0.2 * share[n]),
            "learning_rate": 0.01 * float(1 - share[n]),
            "chars_per_second": float(25000 + 3000 * rng.random()),
            "gradient_norm": float(norm[n]),
            "gradient_norm_max": float(3 * norm[n]),
            "gradient_norm_clipped": float(min(norm[n], 0.5)),
            "clipped_share": 0.25,
        }
        for n in range(count)
    ]
