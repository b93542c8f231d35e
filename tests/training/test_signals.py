"""Ctrl-C within a run: a request first, an exception when repeated."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from nextchar.errors import InterruptedRun
from nextchar.training.signals import interrupted, stop_on_interrupt


def test_nothing_is_asked_at_first() -> None:
    with stop_on_interrupt() as should_stop:
        assert not should_stop()


def test_the_first_interrupt_is_a_request() -> None:
    with stop_on_interrupt() as should_stop:
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        assert should_stop()


def test_the_second_interrupt_raises() -> None:
    with stop_on_interrupt(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_the_handler_of_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(RuntimeError), stop_on_interrupt():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before


def test_each_run_has_a_separate_request() -> None:
    with stop_on_interrupt():
        signal.raise_signal(signal.SIGINT)
    with stop_on_interrupt() as should_stop:
        assert not should_stop()


def test_in_another_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    answers: list[object] = []

    def work() -> None:
        with stop_on_interrupt() as should_stop:
            answers.extend([signal.getsignal(signal.SIGINT), should_stop()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [before, False]


def test_what_ends_an_interrupted_run_says_how_to_continue() -> None:
    assert str(interrupted(7, None)) == "interrupted at step 7"
    assert str(interrupted(7, Path("my runs") / "a")) == (
        "interrupted at step 7, nothing is lost; continue with: "
        f"nextchar train --out '{Path('my runs') / 'a'}' --resume"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_what_batch_systems_and_terminals_send_is_a_request_however_often(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_interrupt() as should_stop:
        assert not should_stop()
        for _ in range(3):
            signal.raise_signal(number)
        assert should_stop()
    assert signal.getsignal(number) is before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
def test_the_error_that_ends_the_run_knows_the_first_signal() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with pytest.raises(InterruptedRun) as caught, stop_on_interrupt():  # noqa: PT012
            signal.raise_signal(number)
            if number != signal.SIGINT:
                signal.raise_signal(signal.SIGTERM)
            raise interrupted(7, None)
        assert caught.value.signal == number
    with pytest.raises(InterruptedRun) as caught, stop_on_interrupt():
        raise interrupted(7, None)  # stopped by other means
    assert caught.value.signal == signal.SIGINT


@pytest.mark.skipif(os.name == "nt", reason="Windows has no nohup")
def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_interrupt() as should_stop:
            signal.raise_signal(signal.SIGHUP)
            assert not should_stop()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
