"""No-reference quality metrics through pyiqa: NIQE, MUSIQ, MANIQA, CLIP-IQA and others.

The numbers are pyiqa's own, under ids that end in its version. Its code is for non-commercial use, and is
imported only when one of its metrics is asked for. pyiqa downloads files that it misses; here this is turned
off, and a missing file is an error that says where to put it.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from ...errors import RefbenchError
from ...extras import optional
from ...records.protocol import Protocol, ProtocolId
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import NoReferenceMetric
from ..core.offline import no_downloads, no_network

FAMILY = "pyiqa"
WEIGHTS = {"niqe": ("pyiqa-niqe",), "musiq": ("pyiqa-musiq",)}
_used: dict[str, tuple[Path, ...]] = {}


def create(name: str, device: torch.device) -> Any:
    """A no-reference metric of pyiqa, with files from the weights folder.

    Raises:
        RefbenchError: pyiqa is not installed, has no such metric, or a file of it is missing.
    """
    with optional("pyiqa", f"{FAMILY}/{name}"):
        import pyiqa
    offered = pyiqa.list_models(metric_mode="NR")
    if name not in offered:
        raise RefbenchError(f"pyiqa has no no-reference metric {name!r}; it has: {', '.join(offered)}")
    with no_downloads(f"{FAMILY}/{name}") as asked:
        try:
            with redirect_stdout(StringIO()):
                metric = pyiqa.create_metric(name, device=device)
            _used[name] = tuple(path for path in dict.fromkeys(asked) if path.is_file())
            return metric
        except RefbenchError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RefbenchError(f"pyiqa could not load {name!r} from the weights folder: {reason}") from None


def pyiqa_metric(name: str) -> NoReferenceMetric:
    """A no-reference metric of pyiqa as a metric of the catalogue.

    Raises:
        RefbenchError: pyiqa is not installed or has no such metric.
    """
    with optional("pyiqa", f"{FAMILY}/{name}"):
        from pyiqa.default_model_configs import DEFAULT_CONFIGS
    number = version("pyiqa")
    facts = DEFAULT_CONFIGS.get(name)
    if facts is None or facts.get("metric_mode") != "NR":
        offered = [key for key, value in DEFAULT_CONFIGS.items() if value.get("metric_mode") == "NR"]
        raise RefbenchError(f"pyiqa has no no-reference metric {name!r}; it has: {', '.join(offered)}")

    def load(device: torch.device) -> Extractor:
        metric = create(name, device)

        def extract(batch: Batch) -> Tensors:
            try:
                with no_network(f"{FAMILY}/{name}"):
                    return (metric(batch.pixels.contiguous()).reshape(-1, 1).double(),)
            except (RefbenchError, torch.OutOfMemoryError):
                raise
            except Exception as error:
                height, width = batch.pixels.shape[2:]
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise RefbenchError(
                    f"{FAMILY}/{name} fails on an image of {width}x{height} pixels: {reason}"
                ) from None

        return extract

    protocol = Protocol(
        id=str(ProtocolId(FAMILY, name, number)),
        title=name.upper(),
        higher_is_better=not facts.get("lower_better", False),
        unit="1",
        bounds=(None, None),
        compared_with="none",
        decimals=3,
        weights=WEIGHTS.get(name, ()),
        definition=f"pyiqa's {name} (range {facts.get('score_range', 'unknown')}), images at their own size.",
        licence="PolyForm-Noncommercial-1.0.0 (pyiqa); weights of their authors",
        citation="Chen et al.: IQA-PyTorch",
    )
    feature = Feature(
        f"{FAMILY}/{name}", protocol.weights, load, packages=("pyiqa",), files=lambda: _used.get(name, ())
    )
    return NoReferenceMetric(protocol, feature, lambda restored: restored[0][:, 0])
