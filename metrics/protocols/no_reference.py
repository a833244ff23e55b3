"""No-reference quality metrics through pyiqa: NIQE, MUSIQ, MANIQA, CLIP-IQA and others.

The numbers are pyiqa's own, under ids that end in its version. Its code is for non-commercial use, and is
imported only when one of its metrics is asked for. pyiqa downloads files that it misses; here this is turned
off, and a missing file is an error that says where to put it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from ...errors import RefbenchError
from ...extras import optional
from ...records.protocol import Protocol, ProtocolId
from ...weights import weight_files
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import NoReferenceMetric

FAMILY = "pyiqa"
WEIGHTS = {"niqe": ("pyiqa-niqe",), "musiq": ("pyiqa-musiq",)}
_switches_lock = threading.Lock()
_used: dict[str, tuple[Path, ...]] = {}


@contextmanager
def no_downloads() -> Iterator[list[Path]]:
    """Let pyiqa, torch.hub and the Hugging Face libraries read the weights folder, and not the network.

    Yields the list that collects pyiqa's files as they are asked for.

    Raises:
        RefbenchError: something was about to be downloaded; the message says what, and where to put it.
    """
    import huggingface_hub.constants as hub
    import pyiqa.utils.download_util as downloads

    asked: list[Path] = []

    def note(url: str) -> Any:
        asked.append(weight_files.folder() / Path(urlparse(url).path).name)
        return urlparse(url)

    def refuse(url: str, target: str, *_: object, **__: object) -> None:
        name = Path(urlparse(url).path).name
        raise RefbenchError(f"{name} is missing, and nothing is downloaded here; put {url} at {target}")

    switches = (
        (downloads, "DEFAULT_CACHE_DIR", str(weight_files.folder())),
        (downloads, "urlparse", note),
        (downloads, "download_url_to_file", refuse),
        (torch.hub, "download_url_to_file", refuse),
        (hub, "HF_HUB_OFFLINE", True),
    )
    with _switches_lock:
        before = [getattr(owner, name) for owner, name, _ in switches]
        for owner, name, value in switches:
            setattr(owner, name, value)
        try:
            yield asked
        finally:
            for (owner, name, _), value in zip(switches, before, strict=True):
                setattr(owner, name, value)


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
    with no_downloads() as asked:
        try:
            metric = pyiqa.create_metric(name, device=device)
            _used[name] = tuple(asked)
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
            return (metric(batch.pixels.contiguous()).reshape(-1, 1).double(),)

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
    feature = Feature(f"{FAMILY}/{name}", protocol.weights, load, files=lambda: _used.get(name, ()))
    return NoReferenceMetric(protocol, feature, lambda restored: restored[0][:, 0])
