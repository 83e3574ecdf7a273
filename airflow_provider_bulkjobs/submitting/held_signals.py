# SPDX-License-Identifier: Apache-2.0
"""Signals that would interrupt a request whose outcome must be recorded."""

from __future__ import annotations

import signal
import threading
from typing import Any

# A task that Airflow terminates, and its execution_timeout.
INTERRUPTING = (signal.SIGTERM, signal.SIGALRM)


class HeldSignals:
    """Holds SIGTERM and SIGALRM back while a request is in flight, so that its response can be recorded.

    Without that, Airflow's handlers raise an exception in the middle of the request, whose outcome is then unknown.
    Airflow kills the process if it has not ended some seconds after SIGTERM: 5 on Airflow 3 (the supervisor), 60 on
    Airflow 2 (``[core] killed_task_cleanup_time``). Signals are held in the main thread only, where their handlers run.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}
        self._received: list[int] = []

    @property
    def has_received(self) -> bool:
        """Whether a signal has arrived that is held."""
        return bool(self._received)

    def hold(self) -> None:
        """Hold the signals until :meth:`release`."""
        if self._handlers or threading.current_thread() is not threading.main_thread():
            return
        for number in INTERRUPTING:
            if (handler := signal.getsignal(number)) is not None:  # one that was not installed by Python stays
                self._handlers[number] = handler
                signal.signal(number, lambda received, _frame: self._received.append(received))

    def release(self) -> None:
        """Deliver the signals that have arrived; their handlers may raise an exception."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        received, self._received = dict.fromkeys(self._received), []
        self._handlers.clear()
        for each in received:
            signal.raise_signal(each)
