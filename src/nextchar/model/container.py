"""Tensors and a JSON document in one safetensors file: the form of models and checkpoints.

The document stands in the header's metadata under `nextchar`. It carries the format version, the
kind of file and a SHA-256 of itself and the tensors, so that a damaged or foreign file is told
from ours. Nothing that a file claims is believed before its size on disk bears it out.
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
_HEADER = 1 << 25  # bytes of a header, at most: all code points there are need a third of it
_TYPES = frozenset({"F64", "F32", "F16", "I64", "I32", "U64", "U32", "U8"})  # safetensors' names

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
        _require_possible(path, kind)
        with safetensors.safe_open(path, framework="numpy") as file:
            document = _document(path, kind, file.metadata())
            names = list(file.keys())
            _require_loadable(path, [file.get_slice(name) for name in names])
            tensors = {name: np.array(file.get_tensor(name)) for name in names}
        digest, wanted = document.pop("sha256", None), _digest(tensors, document)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (safetensors.SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path}: not a whole {kind} file that nextchar wrote ({in_one_line(error)})"
        ) from error
    except MemoryError:
        raise ModelFileError(f"{path}: its numbers do not fit into memory") from None
    if digest != wanted:
        raise ModelFileError(f"{path}: damaged: its content is not what was written")
    return tensors, document


def _require_possible(path: Path, kind: str) -> None:
    """Raise where a path is no regular file, or the header's length is not possible in it."""
    if not path.exists():
        raise FileNotFoundError(path)
    if not path.is_file():  # a pipe would be waited for, a device never ends
        what = "a folder" if path.is_dir() else "no regular file"
        raise ModelFileError(f"{path}: not a whole {kind} file that nextchar wrote (it is {what})")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > min(_HEADER, path.stat().st_size):
        raise ValueError(f"a header of {length} bytes is claimed")


def _require_loadable(path: Path, tensors: Sequence[Any]) -> None:
    """Raise, before memory is asked for, where tensors are of no type of ours or too large."""
    for tensor in tensors:
        if tensor.get_dtype() not in _TYPES or len(tensor.get_shape()) > 4:
            raise ModelFileError(f"{path}: damaged: a tensor has a type or shape of no use here")
        if 0 in (shape := tensor.get_shape()) and max(shape) > path.stat().st_size:
            raise ModelFileError(f"{path}: damaged: a tensor of shape {shape} is claimed")
    size, memory = path.stat().st_size, _memory()
    if memory and size > memory:  # a file with holes takes no space on disk
        raise ModelFileError(
            f"{path}: holds {memory_size(size)}, more than this machine's memory "
            f"({memory_size(memory)})"
        )


def _memory() -> int:
    """Bytes of this machine's memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 0


def _document(path: Path, kind: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        document = json.loads((metadata or {})["nextchar"], parse_constant=_no_number)
        found = (document["format"], document["kind"])
    except KeyError:
        raise ModelFileError(f"{path}: a safetensors file, but not one of nextchar") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: damaged: its description cannot be read") from error
    if found[0] != FORMAT:
        raise ModelFileError(
            f"{path}: has format {found[0]!r:.20}, this version of nextchar reads {FORMAT}; "
            "use the version that wrote it, or make it again"
        )
    if found[1] != kind:
        raise ModelFileError(f"{path}: is a {found[1]!s:.20}, not a {kind}")
    return dict(document)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _digest(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
