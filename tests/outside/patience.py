"""Waiting with a deadline: no test sleeps for luck, none hangs for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from urllib3.exceptions import HTTPError

T = TypeVar("T")

PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.02


def until(what: str, probe: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer of `probe`; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (seen := probe()):
        assert time.monotonic() < deadline, f"{seconds} s without: {what}; last: {seen}"
        time.sleep(PAUSE_SECONDS)
    return seen


def answered(send: Callable, seconds: float = PATIENCE_SECONDS):
    """Sends until an answer comes, as a client does that keeps its key.

    A refused or broken connection and `503` are no answers; all else is one.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = send()
            if answer.status != 503:
                return answer
            failure = answer.text
        except HTTPError as error:
            failure = repr(error)
        assert time.monotonic() < deadline, f"no answer in {seconds} s: {failure}"
        time.sleep(PAUSE_SECONDS)


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Runs all calls together, each on a thread that waited for the others."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(timeout=PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(run, call) for call in calls]]
