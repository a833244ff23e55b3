"""The same function over many items, on several threads: OpenCV, NumPy, Pillow and zlib leave the GIL.

One worker is one thread: OpenCV and BLAS would otherwise start threads of their own in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import cv2
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Results of ``function`` as they are done, in any order; at most a few items wait at a time."""
    if workers <= 1:
        with one_thread_each():
            yield from map(function, items)
        return
    queue = iter(items)
    with one_thread_each(), ThreadPoolExecutor(workers) as pool:
        try:
            waiting: set[Future[Result]] = {
                pool.submit(function, item) for item in islice(queue, 2 * workers)
            }
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(function, item) for item in islice(queue, len(done))}
                yield from (future.result() for future in done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenCV and BLAS from starting threads of their own."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)
