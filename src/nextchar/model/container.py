"""Tensors and a JSON document in one safetensors file: the format of models and checkpoints.

The document is stored in the header's metadata under `nextchar`. It holds the format version, the
kind of file and a SHA-256 of itself and the tensors, which detects damaged and foreign files.
Sizes that a file claims are checked against its size on disk before memory is allocated.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nextchar.errors import ModelFileError, in_one_line
from nextchar.files import write_atomically
from nextchar.formatting.quantities import memory_size

FORMAT = 1
_HEADER = 1 << 25  # maximum bytes of a header; a vocabulary of all code points needs a third of it
_TYPES = frozenset({"F64", "F32", "F16", "I64", "I32", "U64", "U32", "U8"})  # safetensors' names

Array = NDArray[Any]


def write(path: Path, kind: str, tensors: Mapping[str, Array], document: Mapping[str, Any]) -> None:
    """Replace a file atomically. Raises ModelFileError if it cannot be written.

    kind: `"model"` or `"checkpoint"`.
    document: any JSON object; its floats are read back exactly.
    """
    content = {"format": FORMAT, "kind": kind, **document}
    content["sha256"] = _digest(tensors, content)
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    metadata = {"nextchar": json.dumps(content, allow_nan=False)}
    try:
        write_atomically(path, safetensors.numpy.save(contiguous, metadata=metadata))
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise ModelFileError(problem, path=path) from error


def read(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read the tensors and the document of a file. Raises ModelFileError if it is not complete."""
    try:
        _require_possible(path, kind)
        with safetensors.safe_open(path, framework="numpy") as file:
            document = _document(path, kind, file.metadata())
            names = list(file.keys())
            _require_loadable(path, [file.get_slice(name) for name in names])
            tensors = {name: np.array(file.get_tensor(name)) for name in names}
        recorded, digest = document.pop("sha256", None), _digest(tensors, document)
    except FileNotFoundError:
        raise ModelFileError("no such file", path=path) from None
    except (safetensors.SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _incomplete(path, kind, in_one_line(error)) from error
    except MemoryError:
        raise ModelFileError("does not fit into memory", path=path) from None
    if recorded != digest:
        raise ModelFileError("is damaged: its content differs from what was written", path=path)
    return tensors, document


def _incomplete(path: Path, kind: str, reason: str) -> ModelFileError:
    problem = f"is not a complete {kind} file written by nextchar ({reason})"
    return ModelFileError(problem, path=path)


def _require_possible(path: Path, kind: str) -> None:
    """Raise if a path is not a regular file, or is too small for the header's length."""
    if not path.exists():
        raise FileNotFoundError(path)
    if not path.is_file():  # reading a pipe would block, reading a device never end
        reason = "it is a folder" if path.is_dir() else "it is not a regular file"
        raise _incomplete(path, kind, reason)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > min(_HEADER, path.stat().st_size):
        raise ValueError(f"it claims a header of {length} bytes")


def _require_loadable(path: Path, tensors: Sequence[Any]) -> None:
    """Raise, before memory is allocated, if a tensor has an unsupported type or is too large."""
    for tensor in tensors:
        if tensor.get_dtype() not in _TYPES or len(tensor.get_shape()) > 4:
            raise ModelFileError("is damaged: a tensor has an unsupported type or shape", path=path)
        if 0 in (shape := tensor.get_shape()) and max(shape) > path.stat().st_size:
            raise ModelFileError(f"is damaged: it claims a tensor of shape {shape}", path=path)
    size, memory = path.stat().st_size, _memory()
    if memory and size > memory:  # a sparse file takes no space on disk
        limit = f"this machine's memory ({memory_size(memory)})"
        raise ModelFileError(f"holds {memory_size(size)}, more than {limit}", path=path)


def _memory() -> int:
    """Bytes of this machine's memory; 0 if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 0


def _document(path: Path, kind: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        document = json.loads((metadata or {})["nextchar"], parse_constant=_no_number)
        version, actual_kind = document["format"], document["kind"]
    except KeyError:
        problem = "is a safetensors file that nextchar did not write"
        raise ModelFileError(problem, path=path) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError("is damaged: its description cannot be read", path=path) from error
    if version != FORMAT:
        problem = f"has format {version!r:.20}, but this version of nextchar reads {FORMAT}"
        remedy = "use the version that wrote it, or create the file again"
        raise ModelFileError(problem, path=path, remedy=remedy)
    if actual_kind != kind:
        raise ModelFileError(f"is a {actual_kind!s:.20}, not a {kind}", path=path)
    return dict(document)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
