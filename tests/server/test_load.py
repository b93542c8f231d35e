"""The short form of `make load`: all kinds of clients at once, for 20 s."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

import load
from serving import served_by_process

SECONDS = 20.0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_under_mixed_load_every_text_is_the_librarys_and_every_answer_promised(
    served_models: dict[str, Path],
) -> None:
    with served_by_process(served_models, *load.QUEUE) as server:
        report = load.run(server, SECONDS, random.Random(1))
        assert report.wrong == []
        assert report.answers["normal"][200] > 0
        assert report.answers["slow"][200] > 0
        assert set(report.answers["normal"]) <= {200, 429}
        assert {400, 404, 413} <= set(report.answers["malicious"])
        # nothing is left running
        while server.metric("nextchar_requests_in_progress"):
            time.sleep(0.05)
        assert server.metric("nextchar_requests_queued") == 0
        assert server.client.get("/health").status_code == 200
