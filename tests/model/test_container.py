"""The container: contents are read back bit for bit; any other file is refused in one line."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextchar.errors import ModelFileError
from nextchar.model import container

TENSORS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([0.1, -0.0])}
DOCUMENT = {"points": [97, 98, 233], "note": "é\n𝄞", "loss": 0.1, "none": None}

in_tmp_path = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path):
    """A complete file of kind `model`."""
    container.write(tmp_path / "x.safetensors", "model", TENSORS, DOCUMENT)
    return tmp_path / "x.safetensors"


def refusal(path: Path, kind: str = "model") -> str:
    """Return the one-line message of the refusal, without the path."""
    with pytest.raises(ModelFileError) as caught:
        container.read(path, kind)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{path}: ")


def write_metadata(path: Path, metadata: dict[str, str] | None) -> None:
    path.write_bytes(safetensors.numpy.save(TENSORS, metadata=metadata))


def same_bits(one, two) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())


@in_tmp_path
@given(
    tensor=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    ),
    document=st.dictionaries(
        st.text(min_size=1).filter(lambda key: key not in {"format", "kind", "sha256"}),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
        .filter(np.isfinite),
    ),
)  # fmt: skip
def test_what_is_written_comes_back_to_the_bit(tensor, document, tmp_path):
    container.write(tmp_path / "x", "checkpoint", {"t": tensor}, document)
    tensors, read = container.read(tmp_path / "x", "checkpoint")
    assert tensors.keys() == {"t"}
    assert same_bits(tensors["t"], tensor)
    assert {name: read[name] for name in document} == document
    assert (read["format"], read["kind"]) == (container.FORMAT, "checkpoint")


def test_nan_and_infinity_and_minus_zero_come_back_in_tensors(tmp_path):
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324])
    container.write(tmp_path / "x", "model", {"odd": odd}, {})
    assert same_bits(container.read(tmp_path / "x", "model")[0]["odd"], odd)


def test_a_transposed_tensor_is_written_in_its_own_order(tmp_path):
    tensor = np.arange(6.0).reshape(2, 3).T
    container.write(tmp_path / "x", "model", {"t": tensor}, {})
    np.testing.assert_array_equal(container.read(tmp_path / "x", "model")[0]["t"], tensor)


def test_tensors_that_were_read_can_be_written_to_and_outlive_the_file(path):
    tensors, _ = container.read(path, "model")
    path.unlink()
    tensors["W"] += 1
    np.testing.assert_array_equal(tensors["W"], TENSORS["W"] + 1)


def test_the_same_content_is_the_same_file(path, tmp_path):
    container.write(tmp_path / "again", "model", TENSORS, DOCUMENT)
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_any_safetensors_reader_can_open_it(path):
    assert same_bits(safetensors.numpy.load_file(path)["W"], TENSORS["W"])


def test_every_truncation_is_refused(path):
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert refusal(path).startswith("is not a complete model file"), length


def test_a_byte_too_many_is_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    assert refusal(path).startswith("is not a complete model file")


def test_no_flipped_bit_goes_unnoticed(path):
    """Each is refused or, as a capital letter in a JSON escape, leaves the content the same."""
    data, (tensors, document) = path.read_bytes(), container.read(path, "model")
    for place in range(len(data)):
        for bit in range(8):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
            try:
                tensors_2, document_2 = container.read(path, "model")
            except ModelFileError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017 - either way is right
                continue
            assert document_2 == document, (place, bit)
            assert tensors_2.keys() == tensors.keys()
            assert all(same_bits(tensors_2[name], tensors[name]) for name in tensors)


@in_tmp_path
@given(junk=st.binary(max_size=300))
def test_random_bytes_are_refused(junk, tmp_path):
    (tmp_path / "x").write_bytes(junk)
    refusal(tmp_path / "x")


class Bomb:
    """Create a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_never_run(tmp_path, protocol):
    (tmp_path / "x").write_bytes(pickle.dumps(Bomb(tmp_path / "run"), protocol))
    assert refusal(tmp_path / "x").startswith("is not a complete model file")
    assert not (tmp_path / "run").exists()


def test_files_of_numpy_and_plain_text_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, **TENSORS)
    for content in (buffer.getvalue(), b"hello world\n" * 100, b"{}", b"\x02" + bytes(7) + b"{}"):
        (tmp_path / "x").write_bytes(content)
        refusal(tmp_path / "x")


def test_a_safetensors_file_of_other_programs_is_refused(tmp_path):
    for metadata in (None, {"format": "pt"}):
        write_metadata(tmp_path / "x", metadata)
        assert refusal(tmp_path / "x") == "is a safetensors file that nextchar did not write"


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", "3", '"text"', '{"format": 1'])
def test_a_description_that_cannot_be_read_is_damage(tmp_path, text):
    write_metadata(tmp_path / "x", {"nextchar": text})
    assert refusal(tmp_path / "x") == "is damaged: its description cannot be read"


def test_a_file_of_the_other_kind_says_which(path):
    assert refusal(path, "checkpoint") == "is a model, not a checkpoint"


def test_a_file_of_a_later_format_says_so(tmp_path):
    document = json.dumps({"format": 2, "kind": "model"})
    write_metadata(tmp_path / "x", {"nextchar": document})
    assert refusal(tmp_path / "x") == (
        "has format 2, but this version of nextchar reads 1; use the version that wrote it, or "
        "create the file again"
    )


def test_a_file_without_its_digest_is_damaged(tmp_path):
    document = json.dumps({"format": container.FORMAT, "kind": "model"})
    write_metadata(tmp_path / "x", {"nextchar": document})
    assert refusal(tmp_path / "x").startswith("is damaged")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal(tmp_path / "nothing") == "no such file"
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / "folder").startswith("is not a complete model file")


def test_a_file_that_cannot_be_written_is_an_error_that_leaves_nothing(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be written") as caught:
        container.write(tmp_path / "no folder" / "x", "model", TENSORS, {})
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_old_file_and_leaves_no_other(path):
    container.write(path, "model", {"other": np.zeros(1)}, {})
    assert container.read(path, "model")[0].keys() == {"other"}
    assert list(path.parent.iterdir()) == [path]


# malicious files: sizes that a header claims are never trusted


def headed(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    """Write a file with a header, given as a JSON document or raw text, and some data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def tensor(shape: list[object], size: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}


OURS = {"__metadata__": {"nextchar": json.dumps({"format": 1, "kind": "model"})}}
ONE = b'"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({**OURS, "w": tensor([10**12], 4 * 10**12)}, b""),
        ({**OURS, "w": tensor([10**12], 4)}, bytes(4)),
        ({**OURS, "w": tensor([2**62, 4], 0)}, b""),
        ({**OURS, "w": tensor([2**62, 0], 0)}, b""),
        ({**OURS, "w": tensor([-1], 4)}, bytes(4)),
        ({**OURS, "w": tensor([1.5], 4)}, bytes(4)),
        ({**OURS, "w": tensor([1] * 100, 4)}, bytes(4)),
        ({**OURS, "w": tensor([1], 4)}, b""),
        ({**OURS, "w": tensor([2], 8), "v": tensor([2], 8)}, bytes(8)),
        ({**OURS, "w": tensor([1], 2, "BF16")}, bytes(2)),
        ({**OURS, "w": tensor([1], 1, "F8_E4M3")}, bytes(1)),
        ({**OURS, "w": tensor([1], 4, "X9")}, bytes(4)),
        (b"{" + ONE + b"," + ONE + b"}", bytes(4)),
        (b'{"__metadata__":{"nextchar":"{}"},"__metadata__":{"nextchar":"[]"}}', b""),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b""),
        (b'{"__metadata__":{"nextchar":NaN}}', b""),
        (b'{"__metadata__":{"nextchar":"\\ud800"}}', b""),
        (b'{"__metadata__":[1]}', b""),
        (b"\xff\xfe", b""),
    ],
)
def test_a_header_that_claims_what_is_not_there_is_refused(header, data, tmp_path):
    path = headed(tmp_path / "x", header, data)
    tracemalloc.start()  # it counts allocations of NumPy and Python
    try:
        assert re.match("is not a complete model|is damaged|is a safetensors file", refusal(path))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, 2**25 + 1, 10**8])
def test_a_header_longer_than_the_file_is_refused(length, tmp_path):
    assert f"it claims a header of {length} bytes" in refusal(
        headed(tmp_path / "x", {}, length=length)
    )


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"format": 1, "kind": "model", "x": NaN}',
        '{"format": 1, "kind": "model", "x": -Infinity}',
        '{"format": 1, "kind": "model", "x": ' + "9" * 5000 + "}",
        '{"format": 1, "kind": {}, "x": 1e999}',
    ],
    ids=lambda text: text[:40],
)
def test_a_document_that_is_a_bomb_is_refused(document, tmp_path):
    write_metadata(tmp_path / "x", {"nextchar": document})
    refusal(tmp_path / "x")


def test_infinity_by_another_name_is_refused_too(tmp_path):
    document = json.dumps({"format": 1, "kind": "model", "x": 0, "sha256": ""})
    write_metadata(tmp_path / "x", {"nextchar": document.replace("0", "1e999")})
    assert refusal(tmp_path / "x").startswith("is not a complete model file")


@pytest.mark.skipif(sys.platform == "win32", reason="NTFS fills the holes of a file")
def test_a_file_with_holes_larger_than_memory_is_refused(tmp_path):
    """A sparse file of 4 TB that takes no space: every size in it is true."""
    path = headed(tmp_path / "x", {**OURS, "w": tensor([10**12], 4 * 10**12)})
    try:
        os.truncate(path, path.stat().st_size + 4 * 10**12)
    except OSError:
        pytest.skip("this file system has no files of 4 TB")
    assert re.match(r"holds 4,000\.0 GB, more than this machine's memory", refusal(path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_and_an_endless_device_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert refusal(path).endswith("(it is not a regular file)")


def test_a_format_and_a_kind_of_any_length_are_cut_in_the_message(tmp_path):
    write_metadata(tmp_path / "x", {"nextchar": json.dumps({"format": "9" * 999, "kind": "model"})})
    assert len(refusal(tmp_path / "x")) < 200
    write_metadata(tmp_path / "x", {"nextchar": json.dumps({"format": 1, "kind": "k" * 999})})
    assert len(refusal(tmp_path / "x")) < 200
