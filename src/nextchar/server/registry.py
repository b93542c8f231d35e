"""The served models, by the names that requests choose them by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nextchar import __version__
from nextchar.errors import SettingsError
from nextchar.model.file import BEST, LAST, Model, load_model
from nextchar.server.http.api_errors import ApiError
from nextchar.server.model_worker import ModelWorker
from nextchar.server.schema import ModelCard, ModelMeta
from nextchar.server.server_settings import ServerSettings


class ServedModel:
    """A model under a name, with its worker.

    created: seconds since 1970. symbols: the token of each code in log-probabilities.
    """

    def __init__(self, name: str, model: Model, created: int, settings: ServerSettings) -> None:
        self.name, self.model = name, model
        self.fingerprint = f"nextchar-{__version__}-{_digest(model)[:8]}"
        self.symbols = model.vocabulary.symbols
        self.worker = ModelWorker(model, settings)
        network = model.architecture.settings
        meta = ModelMeta(
            n_vocab=len(model.vocabulary),
            n_params=model.architecture.size,
            size=model.parameters.flat.nbytes,
            cell=network.cell,
            num_layers=network.num_layers,
            hidden_size=network.hidden_size,
            alphabet="bytes" if model.vocabulary.is_bytes else "characters",
        )
        self.card = ModelCard(name, "model", created, "nextchar", meta)


class ModelRegistry:
    """All served models; the first one is the default of routes that name none.

    closing: the server is stopping and accepts no new requests.
    """

    def __init__(self, served: Sequence[ServedModel]) -> None:
        self.closing = False
        self._served = {each.name: each for each in served}

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def ready(self) -> bool:
        """True if every worker accepts requests."""
        return all(each.worker.ready for each in self)

    @property
    def in_progress(self) -> int:
        """Number of prompts that are being answered."""
        return sum(each.worker.prompts - each.worker.waiting for each in self)

    @property
    def waiting(self) -> int:
        """Number of prompts that wait for a lane."""
        return sum(each.worker.waiting for each in self)

    def model(self, name: str | None) -> ServedModel:
        """The model of a name, by default the first. Raises ApiError, 404."""
        if name is None:
            return next(iter(self))
        if name not in self._served:
            message = f"model {name[:200]!r} is not served here; choose {' or '.join(self._served)}"
            raise ApiError(404, message, param="model", code="model_not_found")
        return self._served[name]

    def ready_model(self, name: str) -> ServedModel:
        """The model of a name, if it accepts requests. Raises ApiError, 404 or 503."""
        served = self.model(name)
        if self.closing:
            raise ApiError(503, "the server is shutting down")
        if not served.worker.ready:
            raise ApiError(503, "Loading model")
        return served

    def start(self, on_ready: Callable[[], None], on_failure: Callable[[Exception], None]) -> None:
        """Start all workers; on_ready is called when the last one accepts requests."""
        for each in self:
            each.worker.start(lambda: on_ready() if self.ready else None, on_failure)

    def fail_all(self) -> None:
        """Stop all requests with an error."""
        for each in self:
            each.worker.fail_all(ApiError(503, "the server stopped before the text was complete"))

    def close(self) -> None:
        """End all workers."""
        for each in self:
            each.worker.close()


def load_registry(
    paths: Sequence[str], aliases: Sequence[str], settings: ServerSettings
) -> ModelRegistry:
    """Load models from files or run directories, named by aliases or else by their paths."""
    if aliases and len(aliases) != len(paths):
        problem = f"must be given once for each of the {len(paths)} models, or not at all"
        raise SettingsError(problem, setting="alias", value=len(aliases))
    names = list(aliases) or [_name(Path(path)) for path in paths]
    for name in names:
        if not name or not name.isprintable():
            raise SettingsError("must be printable and not empty", setting="alias", value=name)
        if names.count(name) > 1:
            problem, remedy = "must be different for each model", "name each model with --alias"
            raise SettingsError(problem, setting="alias", value=name, remedy=remedy)
    served = [
        ServedModel(name, load_model(path), int(Path(path).stat().st_mtime), settings)
        for name, path in zip(names, paths, strict=True)
    ]
    return ModelRegistry(served)


def _name(path: Path) -> str:
    """`runs/poems`, `runs/poems/best.safetensors` → `poems`; `my/novel.safetensors` → `novel`."""
    path = path.resolve()
    if path.name in (BEST, LAST):
        return path.parent.name or path.stem
    return path.name if path.is_dir() else path.stem


def _digest(model: Model) -> str:
    """Digest of everything that determines the texts of a model."""
    digest = hashlib.sha256(json.dumps(model.vocabulary.to_json()).encode())
    digest.update(repr((model.architecture.settings, model.text)).encode())
    digest.update(model.parameters.flat.data)
    return digest.hexdigest()
