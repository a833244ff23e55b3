"""Parallel map over items in threads: OpenCV, NumPy, Pillow and zlib release the GIL.

One worker is one thread: OpenCV and BLAS are kept from starting threads of their own.
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


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield the results of ``function`` in order of completion; at most two items per worker are queued."""
    if workers <= 1:
        with single_threaded():
            yield from map(function, items)
        return
    queue = iter(items)
    with single_threaded(), ThreadPoolExecutor(workers) as pool:
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
def single_threaded() -> Iterator[None]:
    """Context in which OpenCV and BLAS use one thread each; the former setting of OpenCV is restored."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)
