"""Identity similarity (IDS): cosine of the face embeddings of restored and HQ images, or of references.

A restored image is cropped by the landmarks of its HQ image, so that a bad restoration cannot move the crop.
Each recogniser has protocols of its own: IDS is not defined without a recogniser and a crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...faces.align import FFHQ_512
from ...faces.crops import ARCFACE_RGB
from ...faces.recognisers.recognise import RECOGNISERS, RecogniserKind, custom_recogniser, load_recogniser
from ...files import sha256_file
from ...records.protocol import Protocol
from ..core.feature import Batch, Extractor, Feature, Landmarks, Tensors
from ..core.metric import NO_FACE_POINTS, ImageMetric, Metric, ReferenceMetric, SetMetric
from ..distances.frechet import frechet_metric

Groups = Sequence[Tensor]


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosines, (N,) float64 in [-1, 1], of two batches of embeddings (N, D)."""
    a = torch.nn.functional.normalize(first.double(), dim=1)
    b = torch.nn.functional.normalize(second.double(), dim=1)
    return (a * b).sum(dim=1).clamp(-1.0, 1.0)


def _to_each(restored: Tensor, references: Groups) -> list[Tensor]:
    return [cosine(one.expand_as(group), group) for one, group in zip(restored, references, strict=True)]


def mean_cosine(restored: Tensor, references: Groups) -> Tensor:
    """Mean cosine of each embedding (N, D) to its own N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines.mean() for cosines in _to_each(restored, references)])


def max_cosine(restored: Tensor, references: Groups) -> Tensor:
    """Greatest cosine of each embedding (N, D) to its own N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines.max() for cosines in _to_each(restored, references)])


def first_cosine(restored: Tensor, references: Groups) -> Tensor:
    """Cosine of each embedding (N, D) to the first of its N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines[0] for cosines in _to_each(restored, references)])


def recogniser_feature(kind: RecogniserKind, *, rounded: bool = False) -> Feature:
    """The unit embeddings of a recogniser; an image without landmarks has a vector of NaN.

    A crop without landmarks (the centre of an aligned face) stays in float, as in ReF-LDM's evaluation;
    ``rounded`` brings it to 8 bits, as the first version of its protocols did.
    """
    unrounded = kind.crop.template is None and not rounded

    def load(device: torch.device) -> Extractor:
        recogniser = load_recogniser(kind, device=str(device))
        blank = np.zeros((512, 512, 3), np.uint8)
        dimensions = kind.dimensions or recogniser.embed([blank], FFHQ_512[None]).shape[1]

        def extract(batch: Batch) -> Tensors:
            points = batch.landmarks if kind.crop.template is not None else _ffhq_landmarks(batch)
            rows = [row for row, five in enumerate(points) if np.isfinite(five).all()]
            if kind.crop.template is None:
                rows = [row for row in rows if batch.photos[row].shape[0] == batch.photos[row].shape[1]]
            vectors = torch.full((len(batch.photos), dimensions), torch.nan)
            if rows:
                embed = recogniser.embed_unrounded if unrounded else recogniser.embed
                found = embed([batch.photos[row] for row in rows], points[rows])
                vectors[rows] = torch.from_numpy(found)
            return (vectors.to(device),)

        return extract

    name = f"{kind.name}-float-crop" if unrounded else kind.name
    return Feature(
        name,
        kind.weights,
        load,
        batch=16,
        wide_batch=64,
        vector=True,
        compact=True,
        needs_landmarks=kind.crop.template is not None,
        needs_square=kind.crop.template is None,
    )


def _ffhq_landmarks(batch: Batch) -> Landmarks:
    """The same landmarks for every image, for recognisers whose crop does not use them."""
    return np.repeat(FFHQ_512[None], len(batch.photos), axis=0)


@dataclass(frozen=True, slots=True)
class _NamedRecogniser:
    """A recogniser and its names in ids, titles and definitions; ``version`` ends its ids."""

    kind: RecogniserKind
    id: str
    title: str
    words: str
    version: str = "v1"
    superseded_by: str = ""

    @property
    def crop(self) -> str:
        crop = self.kind.crop
        if crop.template is None:
            depth = "8 bits" if self.superseded_by else "float"
            return (
                f"centre crop without the outer 6.25 %, area resize to {crop.size} in {depth}, no alignment"
            )
        return f"{crop.size}-pixel crop by the five landmarks of the HQ image ({crop.channels.upper()})"


def _protocol(
    named: _NamedRecogniser, family: str, title: str, *, compared_with: str, definition: str
) -> Protocol:
    return Protocol(
        id=f"{family}/{named.id}-{named.version}",
        title=f"{title} ({named.title})",
        higher_is_better=True,
        unit="cosine",
        bounds=(-1.0, 1.0),
        compared_with="hq" if compared_with == "hq" else "references",
        decimals=4,
        weights=named.kind.weights,
        definition=f"{definition} {named.words} embeddings; {named.crop}.",
        licence=named.kind.licence,
        citation=named.kind.citation or "unknown",
        superseded_by=f"{family}/{named.id}-{named.superseded_by}" if named.superseded_by else "",
    )


def _to_hq(named: _NamedRecogniser, feature: Feature) -> ImageMetric:
    protocol = _protocol(named, "ids", "IDS", compared_with="hq", definition="Cosine of restored and HQ,")
    return ImageMetric(protocol, feature, lambda a, b: cosine(a[0], b[0]), NO_FACE_POINTS)


def _to_references(
    named: _NamedRecogniser,
    feature: Feature,
    how: str,
    *,
    compare: Callable[[Tensor, Groups], Tensor],
    words: str,
) -> ReferenceMetric:
    title = f"IDS to references, {how}"
    protocol = _protocol(named, f"ids-refs-{how}", title, compared_with="references", definition=words)
    return ReferenceMetric(protocol, feature, lambda restored, _, groups: compare(restored, groups))


def _frechet(named: _NamedRecogniser, feature: Feature) -> SetMetric:
    metric = frechet_metric(
        f"fd/{named.id}-{named.version}",
        f"FD ({named.title})",
        feature,
        dimensions=named.kind.dimensions,
        words=f"{named.words} embeddings",
        licence=named.kind.licence,
    )
    new = f"fd/{named.id}-{named.superseded_by}" if named.superseded_by else ""
    return replace(metric, protocol=replace(metric.protocol, superseded_by=new))


def _family(named: _NamedRecogniser) -> list[Metric]:
    feature = recogniser_feature(named.kind, rounded=bool(named.superseded_by))
    return [
        _to_hq(named, feature),
        _to_references(
            named, feature, "mean", compare=mean_cosine, words="Mean cosine of restored and each reference,"
        ),
        _to_references(
            named, feature, "max", compare=max_cosine, words="Greatest cosine of restored and a reference,"
        ),
        _to_references(
            named, feature, "first", compare=first_cosine, words="Cosine of restored and the first reference,"
        ),
        _frechet(named, feature),
    ]


def own_identity(path: Path, crop: str = ARCFACE_RGB.name) -> ImageMetric:
    """IDS to HQ with a recogniser of one's own, an ONNX or TorchScript file; its hash is a part of the id.

    Raises:
        RefbenchError: no such file or crop.
    """
    kind = custom_recogniser(path, crop)
    version = "v2" if kind.crop.template is None else "v1"
    id = f"{path.stem}-{sha256_file(path)[:8]}-{crop}"
    named = _NamedRecogniser(kind, id, path.stem, path.name, version)
    return _to_hq(named, recogniser_feature(kind))


METRICS: tuple[Metric, ...] = (
    *_family(
        _NamedRecogniser(RECOGNISERS["mobilefacenet"], "mobilefacenet-5pt", "MobileFaceNet", "MobileFaceNet")
    ),
    *_family(_NamedRecogniser(RECOGNISERS["dlib-resnet"], "dlib-resnet-5pt", "dlib", "dlib ResNet-29")),
    *_family(
        _NamedRecogniser(
            RECOGNISERS["webface-r50"],
            "arcface-r50-webface-centercrop",
            "ArcFace R50, centre crop",
            "ArcFace ResNet-50 (WebFace12M)",
            version="v2",
        )
    ),
    *_family(
        _NamedRecogniser(
            RECOGNISERS["webface-r50-five-point"],
            "arcface-r50-webface-5pt",
            "ArcFace R50, five points",
            "ArcFace ResNet-50 (WebFace12M)",
        )
    ),
)

ROUNDED_CROP: tuple[Metric, ...] = tuple(
    _family(
        _NamedRecogniser(
            RECOGNISERS["webface-r50"],
            "arcface-r50-webface-centercrop",
            "ArcFace R50, centre crop, old version",
            "ArcFace ResNet-50 (WebFace12M)",
            superseded_by="v2",
        )
    )
)
"""The first version of the protocols on the centre crop, which rounds the crop to 8 bits."""
