from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from refbench.metrics import catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add_a_metric.md"


def test_the_example_of_the_page_runs_and_means_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))
    monkeypatch.setattr(catalogue, "PROTOCOLS", dict(catalogue.PROTOCOLS))
    code, use = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    metric = catalogue.find("sharpness-ratio/rgb-v1")
    assert metric is names["SHARPNESS"]
    assert metric.protocol.id in use
    hq = torch.rand(3, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    soft = torch.nn.functional.avg_pool2d(hq, 3, stride=1, padding=1)
    torch.testing.assert_close(metric.compare((hq,), (hq,)), torch.ones(3))
    assert (metric.compare((soft,), (hq,)) < 0.5).all()
