"""The lines of metrics.jsonl: round trips, and errors that name the damaged line."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.runs.metrics_file import CHECKSUM, MetricsFile, records_of
from nextchar.training.events import Evaluated

RECORDS = [
    {
        "step": step,
        "epoch": step / 3,
        "characters": 100 * step,
        "seconds": 0.1 * step,
        "train_loss": 2.0 / step,
        "val_loss": None,
        "learning_rate": 1e-3,
        "chars_per_second": 1e5,
    }
    for step in (1, 2, 3)
]
WHOLE = bytes(MetricsFile(RECORDS))
EVALUATED = [Evaluated.from_record(record) for record in RECORDS]

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text().filter(lambda name: name not in {CHECKSUM, "step"}), numbers))
def test_any_record_comes_back_as_it_was(record: dict[str, float]) -> None:
    record = {"step": 7, **record}
    assert records_of(bytes(MetricsFile([record]))) == [record]


def test_lines_of_earlier_versions_are_read() -> None:
    assert records_of(b'{"step": 1, "train_loss": 2.5}\n{"step": 2}\n') == [
        {"step": 1, "train_loss": 2.5},
        {"step": 2},
    ]


def test_every_truncation_gives_the_whole_lines_before_it() -> None:
    ends = [place + 1 for place, byte in enumerate(WHOLE) if byte == ord("\n")]
    for length in range(ends[0], len(WHOLE)):
        whole = sum(end <= length + 1 for end in ends)  # without its end a whole line is whole
        assert records_of(WHOLE[:length]) == RECORDS[:whole], length


def test_half_a_line_alone_is_an_error() -> None:
    for length in range(1, WHOLE.index(b"\n")):
        with pytest.raises(ValueError, match="line 1: "):
            records_of(WHOLE[:length])


def test_no_flipped_bit_changes_a_number_unnoticed() -> None:
    noticed = 0
    for place in range(len(WHOLE)):
        for bit in range(8):
            data = WHOLE[:place] + bytes([WHOLE[place] ^ 1 << bit]) + WHOLE[place + 1 :]
            try:
                read = records_of(data)
            except ValueError as error:
                line = WHOLE[:place].count(10) + 1  # where the checksum's name is hit, the next
                assert re.match(f"line ({line}|{line + 1}): ", str(error))  # noqa: PT017
                noticed += 1
                continue
            try:
                evaluated = [Evaluated.from_record(record) for record in read]
            except ValueError:
                continue
            assert evaluated == EVALUATED[: len(evaluated)], (place, bit)
    assert noticed > 0.8 * 8 * len(WHOLE)


def test_a_line_that_is_lost_doubled_or_moved_is_noticed() -> None:
    one, two, three = WHOLE.splitlines(keepends=True)
    for wrong, line in (
        ([two, three], 1),
        ([one, three], 2),
        ([one, one, two], 2),
        ([two, one], 1),
    ):
        with pytest.raises(ValueError, match=f"line {line}: "):
            records_of(b"".join(wrong))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "line 2: not a JSON object"),
        ("1", "line 2: not a JSON object"),
        ("{}", "line 2: step must be"),
        ('{"step": "1"}', "line 2: step must be"),
        ('{"step": true}', "line 2: step must be"),
        ('{"step": 1.5}', "line 2: step must be"),
        ('{"step": 1, "crc32": 5}', "line 2: checksum mismatch"),
        ("[" * 100_000, "line 2: "),
        ('{"step": ' + "9" * 5000 + "}", "line 2: "),
    ],
)
def test_a_line_that_is_no_record_is_named(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        records_of(b'{"step": 1}\n' + line.encode() + b'\n{"step": 3}\n')


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", "2"), ("characters", 1.5), ("seconds", None), ("train_loss", []), ("step", True)],
)
def test_an_evaluation_of_another_type_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is "):
        Evaluated.from_record({**RECORDS[0], name: value})


def test_an_evaluation_that_lacks_something_is_named() -> None:
    for name in set(RECORDS[0]) - {"step"}:
        record = {key: value for key, value in RECORDS[0].items() if key != name}
        if name != "val_loss":  # None where there was no validation
            with pytest.raises(ValueError, match=f"step 1: {name} is None"):
                Evaluated.from_record(record)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_records_or_a_value_error(data: bytes) -> None:
    try:
        for record in records_of(data):
            assert isinstance(json.loads(json.dumps(record))["step"], int)
    except ValueError as error:
        assert str(error).startswith("line ")  # noqa: PT017 - either way is right
