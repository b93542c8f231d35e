"""The models that are served, by the names that requests choose them by."""

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
    """A model under a name, with the engine that writes with it.

    created: seconds since 1970. symbols: what each code is called in log-probabilities.
    """

    def __init__(self, name: str, model: Model, created: int, settings: ServerSettings) -> None:
        self.name, self.model = name, model
        self.fingerprint = f"nextchar-{__version__}-{_digest(model)[:8]}"
        self.symbols = model.vocabulary.symbols
        self.engine = ModelWorker(
            model,
            lanes=settings.parallel,
            queue=settings.queue,
            threads=settings.threads,
            dtype=settings.dtype,
        )
        network, parameters = model.architecture.settings, model.parameters
        meta = ModelMeta(
            n_vocab=len(model.vocabulary),
            n_params=model.architecture.size,
            size=parameters.flat.nbytes,
            cell=network.cell,
            num_layers=network.num_layers,
            hidden_size=network.hidden_size,
            alphabet="bytes" if model.vocabulary.is_bytes else "characters",
        )
        self.card = ModelCard(name, "model", created, "nextchar", meta)


class ModelRegistry:
    """All models that are served, the first one being the default of routes that name none.

    closing: whether nothing new is begun any more.
    """

    def __init__(self, served: Sequence[ServedModel]) -> None:
        self.closing = False
        self._served = {each.name: each for each in served}

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._served.values())

    @property
    def ready(self) -> bool:
        """Whether every engine takes requests."""
        return all(each.engine.ready for each in self)

    def writer(self, name: str) -> ServedModel:
        """The same where it takes requests. Raises Refusal, 404 or 503."""
        served = self.named(name)
        if self.closing:
            raise ApiError(503, "the server is shutting down")
        if not served.engine.ready:
            raise ApiError(503, "Loading model")
        return served

    @property
    def in_progress(self) -> int:
        """Prompts whose texts are being written."""
        return sum(each.engine.prompts - each.engine.waiting for each in self)

    @property
    def waiting(self) -> int:
        """Prompts that wait for a lane."""
        return sum(each.engine.waiting for each in self)

    def named(self, name: str | None) -> ServedModel:
        """The model of a name, the first one where there is none. Raises Refusal, 404."""
        if name is None:
            return next(iter(self))
        if name not in self._served:
            known = ", ".join(self._served)
            told = f"the model {name[:200]!r} is not served here; there is {known}"
            raise ApiError(404, told, param="model", code="model_not_found")
        return self._served[name]

    def start(self, on_ready: Callable[[], None], on_failure: Callable[[Exception], None]) -> None:
        """Start all engines; on_ready is called when the last one takes requests."""
        for each in self:
            each.engine.start(lambda: on_ready() if self.ready else None, on_failure)

    def fail_all(self) -> None:
        """Give up what is under way."""
        for each in self:
            each.engine.fail_all(ApiError(503, "the server was stopped before the text was whole"))

    def close(self) -> None:
        """End all engines."""
        for each in self:
            each.engine.close()


def load_registry(
    paths: Sequence[str], aliases: Sequence[str], settings: ServerSettings
) -> ModelRegistry:
    """The models of some files or run directories, named by aliases or else by their paths."""
    if aliases and len(aliases) != len(paths):
        raise SettingsError(
            f"alias: wants one for each model or none, got {len(aliases)} for {len(paths)}"
        )
    names = list(aliases) or [_name(Path(path)) for path in paths]
    for name in names:
        if not name or not name.isprintable():
            raise SettingsError(f"alias: wants a name that can be read, got {name!r}")
        if names.count(name) > 1:
            raise SettingsError(
                f"alias: two models would be called {name!r}; name each with --alias"
            )
    return ModelRegistry(
        [
            ServedModel(name, load_model(path), int(Path(path).stat().st_mtime), settings)
            for name, path in zip(names, paths, strict=True)
        ]
    )


def _name(path: Path) -> str:
    """`runs/poems`, `runs/poems/best.safetensors` → `poems`; `my/novel.safetensors` → `novel`."""
    path = path.resolve()
    if path.name in (BEST, LAST):
        return path.parent.name or path.stem
    return path.name if path.is_dir() else path.stem


def _digest(model: Model) -> str:
    """Of all that decides what a model writes."""
    digest = hashlib.sha256(json.dumps(model.vocabulary.to_json()).encode())
    digest.update(repr((model.architecture.settings, model.text)).encode())
    digest.update(model.parameters.flat.data)
    return digest.hexdigest()
