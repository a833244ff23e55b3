"""fLPIPS, LPIPS of the face alone: both images are multiplied by the face mask of the HQ image.

ReF-LDM's evaluation: skin, ears, nose, mouth, lips, brows, eyes and glasses; no hair, neck, hat or cloth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import RefbenchError
from ...extras import optional
from ...images import read_rgb
from ...records.protocol import Protocol
from ...weights import weight_files
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import ImageMetric
from .lpips import MIN_SIDES, TRUNKS, LpipsFeatures, load_lpips, lpips_distance

FACE_CLASSES = tuple(range(1, 13))
PARSED_SIDE = 512


def load_parser(device: torch.device) -> Any:
    """facexlib's ParseNet (19 classes of CelebAMask-HQ), its file loaded as tensors only.

    Raises:
        RefbenchError: the weights are absent or another network's.
    """
    with optional("facexlib", "fLPIPS with parsed masks"):
        from facexlib.parsing.parsenet import ParseNet

    path = weight_files.path("parsenet")
    network = ParseNet(in_size=PARSED_SIDE, out_size=PARSED_SIDE, parsing_ch=19)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    except Exception as error:
        raise RefbenchError(f"{path} is not facexlib's ParseNet: {str(error).splitlines()[0]}") from None
    return network.eval().requires_grad_(False).to(device)


def parse_face(network: Any, images: Tensor) -> Tensor:
    """1 on the face and 0 elsewhere, (N, 1, H, W), of RGB images in [0, 1], parsed at 512 pixels."""
    resized = F.interpolate(images, (PARSED_SIDE, PARSED_SIDE), mode="bilinear", align_corners=False)
    classes = network(resized * 2.0 - 1.0)[0].argmax(dim=1, keepdim=True)
    chosen = torch.isin(classes, torch.tensor(FACE_CLASSES, device=classes.device)).to(images.dtype)
    return F.interpolate(chosen, images.shape[-2:], mode="nearest")


def read_masks(batch: Batch) -> Tensor:
    """Masks (N, 1, H, W) from the files of a batch: 1 where a level is above 127.

    Raises:
        RefbenchError: the set has none, or a mask of another size than its image.
    """
    if not batch.masks:
        raise RefbenchError("the set has no face masks; put them at SET/masks/KEY.png, white on the face")
    height, width = batch.photos[0].shape[:2]
    masks = []
    for path in batch.masks:
        mask = read_rgb(path)[..., 0]
        if mask.shape != (height, width):
            got = f"{mask.shape[1]}x{mask.shape[0]}"
            raise RefbenchError(f"{path}: the mask is {got}; wanted {width}x{height} as its HQ image")
        masks.append(mask > 127)
    return torch.from_numpy(np.stack(masks)).to(batch.device, torch.float32)[:, None]


def _load_parsed(device: torch.device) -> Extractor:
    parser = load_parser(device)
    return _masked(device, lambda batch: parse_face(parser, batch.pixels))


def _load_given(device: torch.device) -> Extractor:
    return _masked(device, read_masks)


def _masked(device: torch.device, mask_of: Any) -> Extractor:
    network = LpipsFeatures(load_lpips("vgg", device)).to(device)

    def extract(batch: Batch) -> Tensors:
        if "mask" not in batch.hq.shared:
            batch.hq.shared["mask"] = mask_of(batch.hq)
        return network(batch.pixels * batch.hq.shared["mask"])  # type: ignore[no-any-return]

    return extract


PARSED = Feature(
    "lpips-vgg-parsenet",
    (TRUNKS["vgg"], "parsenet"),
    _load_parsed,
    wide_batch=4,
    bfloat16=True,
    packages=("facexlib",),
    min_side=MIN_SIDES["vgg"],
)
GIVEN = Feature(
    "lpips-vgg-masks",
    (TRUNKS["vgg"],),
    _load_given,
    wide_batch=4,
    bfloat16=True,
    needs_masks=True,
    min_side=MIN_SIDES["vgg"],
)


def _flpips(feature: Feature, name: str, title: str, *, words: str, licence: str) -> ImageMetric:
    protocol = Protocol(
        id=f"flpips/{name}",
        title=title,
        higher_is_better=False,
        unit="1",
        bounds=(0.0, None),
        compared_with="hq",
        decimals=4,
        weights=feature.weights,
        definition=f"LPIPS 0.1 on VGG16 of both images times {words}; mean over the whole image.",
        licence=licence,
        citation="Hsiao et al.: ReF-LDM, NeurIPS 2024",
    )
    return ImageMetric(protocol, feature, lpips_distance)


METRICS = (
    _flpips(
        PARSED,
        "vgg-v0.1-parsenet",
        "fLPIPS",
        words="the HQ image's face mask by ParseNet (skin, ears, nose, mouth, lips, brows, eyes, glasses)",
        licence="BSD (lpips, torchvision); ParseNet trained on CelebAMask-HQ, non-commercial research",
    ),
    _flpips(
        GIVEN, "vgg-v0.1-set-masks", "fLPIPS (set's masks)", words="the mask SET/masks/KEY.png", licence="BSD"
    ),
)
