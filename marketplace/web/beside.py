"""Ask beside whoever asks us: what hangs is left behind, and nobody has to wait for it."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def beside(ask: Callable[[], T]) -> Future[T]:
    """Return what a thread of its own will have found out, or what it raised."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer
