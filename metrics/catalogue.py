"""Every metric the suite offers, by id; what is not declared here is not scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from torch import Tensor

from ..errors import RefbenchError
from .features import DLIB_RESNET, LPIPS_ALEX, LPIPS_VGG, MOBILEFACENET, PIXELS, Feature
from .frechet import MomentStream, frechet_distance
from .identity import cosine, first_cosine, max_cosine, mean_cosine
from .metric import ImageMetric, Metric, ReferenceMetric, SetMetric, Vectors
from .perceptual import lpips_distance
from .pixel import luma, luma_limited, luma_rounded, psnr, ssim
from .protocol import Protocol

WANG = "Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 2004"
ZHANG = "Zhang et al.: The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018"
DENG = "Deng et al.: ArcFace, CVPR 2019"
HEUSEL = "Dowson and Landau 1982; for image sets Heusel et al., NeurIPS 2017"
OWN = "Apache-2.0"

Planes = Callable[[Tensor], Tensor]


def _psnr(name: str, title: str, planes: Planes, colour: str) -> ImageMetric:
    return ImageMetric(
        Protocol(
            id=name,
            title=title,
            higher_is_better=True,
            unit="dB",
            bounds=(0.0, 80.0),
            counterpart="hq",
            decimals=2,
            weights=(),
            definition=f"10 log10(1 / MSE) on {colour}; MSE has a floor of 1e-8, so equal images give 80 dB.",
            licence=OWN,
            citation="ITU-T J.340",
        ),
        PIXELS,
        lambda restored, hq: psnr(planes(restored[0]), planes(hq[0])),
    )


def _ssim(name: str, title: str, planes: Planes, colour: str, nonnegative: bool = False) -> ImageMetric:
    clipped = "; the contrast-structure term is clipped at 0, as in pyiqa" if nonnegative else ""
    return ImageMetric(
        Protocol(
            id=name,
            title=title,
            higher_is_better=True,
            unit="1",
            bounds=(0.0 if nonnegative else -1.0, 1.0),
            counterpart="hq",
            decimals=4,
            weights=(),
            definition=f"SSIM on {colour}; Gaussian window of 11 pixels, sigma 1.5, K1 0.01, K2 0.03, "
            f"population covariance, windows inside the image only{clipped}.",
            licence=OWN,
            citation=WANG,
        ),
        PIXELS,
        lambda restored, hq: ssim(planes(restored[0]), planes(hq[0]), nonnegative),
    )


def _lpips(name: str, title: str, feature: Feature, net: str) -> ImageMetric:
    return ImageMetric(
        Protocol(
            id=name,
            title=title,
            higher_is_better=False,
            unit="1",
            bounds=(0.0, None),
            counterpart="hq",
            decimals=4,
            weights=feature.weights,
            definition=f"LPIPS 0.1 on {net}, images at their own size, [0, 1] brought to [-1, 1] inside.",
            licence="BSD-2-Clause (lpips), BSD-3-Clause (trunk)",
            citation=ZHANG,
        ),
        feature,
        lpips_distance,
    )


def _identity_to_hq(feature: Feature, title: str, network: str, licence: str) -> ImageMetric:
    return ImageMetric(
        Protocol(
            id=f"ids/{feature.name}-5pt-v1",
            title=title,
            higher_is_better=True,
            unit="cosine",
            bounds=(-1.0, 1.0),
            counterpart="hq",
            decimals=4,
            weights=feature.weights,
            definition=f"Cosine of {network} embeddings of restored and HQ; both cropped by the landmarks "
            "of the HQ image, so that a bad restoration cannot move the crop.",
            licence=licence,
            citation=DENG,
        ),
        feature,
        lambda restored, hq: cosine(restored[0], hq[0]),
        if_nan="the reference set has no landmarks for this image",
    )


def _identity_to_references(
    feature: Feature,
    how: str,
    title: str,
    compare: Callable[[Tensor, Sequence[Tensor]], Tensor],
    words: str,
    licence: str,
) -> ReferenceMetric:
    return ReferenceMetric(
        Protocol(
            id=f"ids-refs-{how}/{feature.name}-5pt-v1",
            title=title,
            higher_is_better=True,
            unit="cosine",
            bounds=(-1.0, 1.0),
            counterpart="references",
            decimals=4,
            weights=feature.weights,
            definition=f"{words} of {feature.name} embeddings of restored and references; five-point crops, "
            "the restored image by the landmarks of its HQ image.",
            licence=licence,
            citation=DENG,
        ),
        feature,
        compare,
        if_nan="no references, or no landmarks for this image or one of its references",
    )


def _frechet(name: str, title: str, feature: Feature, dimensions: int, words: str, licence: str) -> SetMetric:
    def compare(restored: Vectors, hq: Vectors) -> float:
        streams = MomentStream(dimensions), MomentStream(dimensions)
        for stream, vectors in zip(streams, (restored, hq), strict=True):
            for batch in vectors:
                stream.add(batch)
        return frechet_distance(streams[0].moments(), streams[1].moments())

    return SetMetric(
        Protocol(
            id=name,
            title=title,
            higher_is_better=False,
            unit="1",
            bounds=(0.0, None),
            counterpart="set",
            decimals=3,
            weights=feature.weights,
            definition=f"Fréchet distance between Gaussians fitted to {words} ({dimensions} dimensions) of "
            "all restored and all HQ images; symmetric eigenvalue route in float64. It is not FID.",
            licence=licence,
            citation=HEUSEL,
        ),
        feature,
        compare,
        enough=dimensions + 1,
    )


_FACE = "MIT (package; training data not stated)"
_DLIB = "CC0 (dlib), MIT (face-api)"
_TRUNK = "BSD-3-Clause"
_ALL: tuple[Metric, ...] = (
    _psnr("psnr/rgb", "PSNR (RGB)", lambda x: x, "RGB"),
    _psnr("psnr/y-full", "PSNR (Y)", luma, "full-range BT.601 luma, not rounded"),
    _psnr("psnr/y-limited", "PSNR (Y, limited)", luma_limited, "limited-range BT.601 luma (16 to 235)"),
    _ssim("ssim/rgb", "SSIM (RGB)", lambda x: x, "RGB, mean over channels"),
    _ssim("ssim/y-full", "SSIM (Y)", luma_rounded, "full-range BT.601 luma rounded to 256 levels", True),
    _ssim("ssim/y-limited", "SSIM (Y, limited)", luma_limited, "limited-range BT.601 luma (16 to 235)"),
    _lpips("lpips/alex-v0.1", "LPIPS (AlexNet)", LPIPS_ALEX, "AlexNet"),
    _lpips("lpips/vgg-v0.1", "LPIPS (VGG16)", LPIPS_VGG, "VGG16"),
    _identity_to_hq(MOBILEFACENET, "IDS (MobileFaceNet)", "MobileFaceNet", _FACE),
    _identity_to_hq(DLIB_RESNET, "IDS (dlib)", "dlib ResNet", _DLIB),
    *(
        metric
        for feature, name, licence in ((MOBILEFACENET, "MobileFaceNet", _FACE), (DLIB_RESNET, "dlib", _DLIB))
        for metric in (
            _identity_to_references(
                feature, "mean", f"IDS to references, mean ({name})", mean_cosine, "Mean cosine", licence
            ),
            _identity_to_references(
                feature, "max", f"IDS to references, max ({name})", max_cosine, "Greatest cosine", licence
            ),
            _identity_to_references(
                feature,
                "first",
                f"IDS to first reference ({name})",
                first_cosine,
                "Cosine to the first",
                licence,
            ),
        )
    ),
    _frechet(
        "fd/alexnet-relu5-v1", "FD (AlexNet)", LPIPS_ALEX, 256, "mean relu5 features of AlexNet", _TRUNK
    ),
    _frechet("fd/vgg16-relu5-v1", "FD (VGG16)", LPIPS_VGG, 512, "mean relu5_3 features of VGG16", _TRUNK),
    _frechet(
        "fd/mobilefacenet-5pt-v1", "FD (MobileFaceNet)", MOBILEFACENET, 512, "MobileFaceNet embeddings", _FACE
    ),
    _frechet("fd/dlib-resnet-5pt-v1", "FD (dlib)", DLIB_RESNET, 128, "dlib ResNet embeddings", _DLIB),
)
METRICS: dict[str, Metric] = {metric.protocol.id: metric for metric in _ALL}
PROTOCOLS: dict[str, Protocol] = {name: metric.protocol for name, metric in METRICS.items()}

OFFLINE: tuple[str, ...] = (
    "psnr/rgb",
    "ssim/y-full",
    "lpips/alex-v0.1",
    "ids/mobilefacenet-5pt-v1",
    "ids/dlib-resnet-5pt-v1",
    "ids-refs-mean/mobilefacenet-5pt-v1",
    "ids-refs-max/mobilefacenet-5pt-v1",
    "fd/alexnet-relu5-v1",
    "fd/dlib-resnet-5pt-v1",
)
"""The default list: what needs only the weights of group ``demo`` and costs least.

LPIPS on VGG16 is left out: it takes about twenty times as long as on AlexNet. The Fréchet distances here
reuse features that LPIPS and IDS compute anyway, so they cost nothing.
"""


def select(ids: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of these protocol ids, in this order.

    Raises:
        RefbenchError: an id that is not in the catalogue (with the nearest ones), or one named twice.
    """
    for name in ids:
        if name not in METRICS:
            near = get_close_matches(name, METRICS, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(near)}?" if near else "see: refbench metrics list"
            raise RefbenchError(f"there is no protocol {name!r}; {hint}")
    if len(set(ids)) != len(ids):
        twice = sorted({name for name in ids if list(ids).count(name) > 1})
        raise RefbenchError(f"named twice: {', '.join(twice)}; name each protocol once")
    if not ids:
        raise RefbenchError("no protocol was named; see: refbench metrics list")
    return tuple(METRICS[name] for name in ids)
