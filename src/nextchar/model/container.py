"""Tensors and a JSON document in one safetensors file: the form of models and checkpoints.

The document stands in the header's metadata under `nextchar`. It carries the format version, the
kind of file and a SHA-256 of itself and the tensors, so that a damaged or foreign file is told
from ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nextchar.errors import ModelFileError
from nextchar.files import write_atomically

FORMAT = 1

Array = NDArray[Any]


def write(path: Path, kind: str, tensors: Mapping[str, Array], document: Mapping[str, Any]) -> None:
    """Replace a file atomically. Raises ModelFileError where it cannot be written.

    kind: `"model"` or `"checkpoint"`.
    document: anything JSON holds; its floats come back to the bit.
    """
    whole = {"format": FORMAT, "kind": kind, **document}
    whole["sha256"] = _digest(tensors, whole)
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata = {"nextchar": json.dumps(whole, allow_nan=False)}
    try:
        write_atomically(path, safetensors.numpy.save(contiguous, metadata=metadata))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be written ({error.strerror or error})") from error


def read(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the document of a file. Raises ModelFileError where it is not whole."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            document = _document(path, kind, file.metadata())
            tensors = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path}: not a whole {kind} file that nextchar wrote ({error})"
        ) from error
    if document.pop("sha256", None) != _digest(tensors, document):
        raise ModelFileError(f"{path}: damaged: its content is not what was written")
    return tensors, document


def _document(path: Path, kind: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        document = json.loads((metadata or {})["nextchar"])
        found = (document["format"], document["kind"])
    except KeyError:
        raise ModelFileError(f"{path}: a safetensors file, but not one of nextchar") from None
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: damaged: its description cannot be read") from error
    if found[0] != FORMAT:
        raise ModelFileError(
            f"{path}: has format {found[0]}, this version of nextchar reads {FORMAT}"
        )
    if found[1] != kind:
        raise ModelFileError(f"{path}: is a {found[1]}, not a {kind}")
    return dict(document)


def _digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
