from __future__ import annotations

import signal
import threading

import pytest

from autoenc.training.interruption import Interruption


def test_outside_of_deferral_a_signal_leaves_at_once() -> None:
    with Interruption().watched(), pytest.raises(SystemExit) as caught:
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143


def test_inside_it_is_only_noted() -> None:
    interruption = Interruption()
    with interruption.watched(), interruption.deferred():
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        with pytest.raises(SystemExit) as caught:
            interruption.leave()
    assert caught.value.code == 130


def test_only_a_second_ctrl_c_leaves_at_once() -> None:
    interruption = Interruption()
    with interruption.watched(), interruption.deferred():
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        assert interruption.requested
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)


def test_after_it_a_signal_leaves_at_once_again() -> None:
    interruption = Interruption()
    with interruption.watched():
        with interruption.deferred():
            pass
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption().watched():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no terminals that hang up")
def test_a_terminal_that_is_gone_asks_too_unless_nobody_minds() -> None:
    with Interruption().watched(), pytest.raises(SystemExit) as caught:
        signal.raise_signal(signal.SIGHUP)
    assert caught.value.code == 129
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with Interruption().watched():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_cannot_watch_and_works_all_the_same() -> None:
    done = []

    def work() -> None:
        with Interruption().watched():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
