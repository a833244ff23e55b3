"""Restoring images in threads so that the number of threads changes no bit of them.

A network whose sums are shared out among threads rounds them in another order for every number of threads.
Here each image is computed by one thread, and as many images at a time as torch has threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch computes on this thread alone; the former setting of the thread is restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def map_images(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results of ``function`` for items, in their order; each item is computed by one thread.

    Args:
        function: called in inference mode, with torch on one thread; several calls may run at once.
        items: images, or what stands for them.
    """

    def alone(item: Item) -> Result:
        with torch.inference_mode(), one_torch_thread():
            return function(item)

    given = list(items)
    workers = min(torch.get_num_threads(), len(given))
    if workers < 2:
        return list(map(alone, given))
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(alone, given))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
