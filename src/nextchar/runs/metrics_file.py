"""The content of `metrics.jsonl`: lines of one JSON object each, with a checksum.

`crc32`, the last field of a line, is that of the records up to it, so that a damaged number is told
from a measured one wherever the file is read, and a line from one that is there twice or lacks the
one before it. Lines without it, of earlier versions, are read as well.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

CHECKSUM = "crc32"
_END = b', "crc32": "%s"}'  # of a line
_LENGTH = len(_END % bytes(8))


class Content:
    """The whole file of records that are added one by one."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self._data, self._crc = bytearray(), 0
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> None:
        """One more at the end."""
        self._crc = _checksum(record, self._crc)
        line = json.dumps({**record, CHECKSUM: f"{self._crc:08x}"}) + "\n"
        self._data += line.encode()

    def __bytes__(self) -> bytes:
        return bytes(self._data)


def records_of(data: bytes) -> list[dict[str, Any]]:
    """The records of a file's content, in order.

    Raises ValueError, which names the line, where one is damaged. Half a line after whole ones is
    what a copy that was broken off ends in, and is left out.
    """
    if (whole := _whole(data)) is not None:
        return whole
    lines = data.split(b"\n")
    records, crc = list[dict[str, Any]](), 0
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                record, crc = _record(line, crc)
                records.append(record)
        except (ValueError, RecursionError) as error:
            if number == len(lines) and records:
                break
            raise ValueError(f"line {number}: {error}") from None
    return records


def _whole(data: bytes) -> list[dict[str, Any]] | None:
    """The records of lines that are all as they were written; None where one is not.

    Twenty times as fast as one by one: a run may have a hundred thousand.
    """
    if not data.endswith(b"\n"):
        return None
    crc = 0
    for line in data[:-1].split(b"\n"):
        crc = zlib.crc32(b"}", zlib.crc32(line[:-_LENGTH], crc))
        if line[-_LENGTH:] != _END % (b"%08x" % crc):
            return None
    import msgspec  # here, since `import nextchar` need not wait for it

    try:
        records = msgspec.json.Decoder().decode_lines(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    for record in records:
        if not isinstance(record, dict) or type(record.get("step")) is not int:
            return None
        del record[CHECKSUM]
    return records


def _record(line: bytes, before: int) -> tuple[dict[str, Any], int]:
    """The record of a line, and the checksum up to it. before: the checksum up to the last one."""
    record = json.loads(line.decode("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("no JSON object")
    if type(record.get("step")) is not int:
        raise ValueError("no step, a whole number")
    wanted = record.pop(CHECKSUM, None)
    crc = _checksum(record, before)
    if wanted is not None and wanted != f"{crc:08x}":
        raise ValueError("it or a line before it is not what was written")
    return record, crc


def _checksum(record: Mapping[str, Any], before: int) -> int:
    return zlib.crc32(json.dumps(record).encode(), before)
