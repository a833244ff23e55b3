"""Restored images have the same bits for any number of threads and any batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from refbench.models.checkpoints.registry import load_restorer
from refbench.models.restorers.threads import map_images
from torch import Tensor


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def restored(name: str, preset: str | None, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    lq = torch.rand(3, 3, 128, 128, generator=generator)
    references = [torch.rand(2, 3, 128, 128, generator=generator) for _ in lq]
    torch.set_num_threads(count)
    own = [torch.Generator().manual_seed(number) for number in range(3)]
    found = load_restorer(name, preset).restore(lq, references, own)
    assert torch.get_num_threads() == count
    return found


@pytest.mark.parametrize(("name", "preset"), [("autoencoder-mini", None), ("refldm-mini", "steps=1")])
def test_any_number_of_threads_gives_the_same_bits(name: str, preset: str | None) -> None:
    one = restored(name, preset, 1)
    for count in (2, 3):
        assert torch.equal(restored(name, preset, count), one)


def test_every_image_is_computed_by_one_thread_and_errors_come_through() -> None:
    torch.set_num_threads(3)
    assert map_images(lambda number: (number, torch.get_num_threads()), range(5)) == [
        (number, 1) for number in range(5)
    ]

    def fails(number: int) -> int:
        raise ValueError(f"image {number}")

    with pytest.raises(ValueError, match="image 0"):
        map_images(fails, range(3))


def test_another_kind_of_processor_changes_single_levels_at_most(tmp_path: Path) -> None:
    code = (
        "import sys, torch\n"
        "from refbench.models.checkpoints.registry import load_restorer\n"
        "lq = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))\n"
        "lq = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(lq, 8), size=128)\n"
        "one = load_restorer('autoencoder-mini').restore(lq, [lq[:0]], [torch.Generator()])\n"
        "torch.save(one, sys.argv[1])\n"
    )
    older = {"DNNL_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
    found = []
    for name, kind in (("here", {}), ("older", older)):
        words = [sys.executable, "-c", code, str(tmp_path / name)]
        subprocess.run(words, check=True, cwd=tmp_path, env={**os.environ, **kind})
        found.append(torch.load(tmp_path / name).mul(255).round())
    levels = (found[0] - found[1]).abs()
    assert float(levels.max()) <= 1
    assert float((levels > 0).float().mean()) <= 1e-3
