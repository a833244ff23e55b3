"""Crop protocols: how the input of a recogniser is cut and normalised, as declared objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from ..errors import RefbenchError
from ..images import RGB
from .align import ARCFACE_112, DLIB_150, align_to, similarity_transform, warp_tensor
from .face import Points, check_landmarks, check_photo
from .resize import resize

CENTRE_MARGIN = 0.0625


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop protocol. Its name is part of every recogniser's id and changes with any other field.

    Attributes:
        name: the protocol.
        size: side of the square in pixels.
        template: (5, 2) landmarks of the alignment; None for the centre of an FFHQ-aligned face without its
            outer 6.25 % on every side, resized by area averaging (ReF-LDM's IDS).
        channels: channel order that the network was trained on.
        mean, std: the network takes ``(level - mean) / std`` of levels 0 to 255; one mean, or one per
            channel in the network's order.
    """

    name: str
    size: int
    template: Points | None = field(repr=False, hash=False, compare=False)
    channels: Literal["rgb", "bgr"]
    mean: tuple[float, ...]
    std: float

    def cut(self, photo: RGB, landmarks: npt.ArrayLike) -> RGB:
        """Cut the crop of one face: RGB uint8 (size, size, 3), whatever the network's channel order.

        Args:
            photo: RGB uint8 (H, W, 3).
            landmarks: (5, 2) in pixels of the photo; unused without a template.

        Raises:
            RefbenchError: photo or landmarks of the wrong shape or dtype; without a template, a photo that is
                not square.
        """
        if self.template is not None:
            return align_to(photo, landmarks, self.template, size=self.size, border="black").pixels
        check_photo(photo)
        height, width = photo.shape[:2]
        if height != width:
            raise RefbenchError(
                f"the crop {self.name} is cut from an aligned square face; got {width}x{height}"
            )
        margin = round(height * CENTRE_MARGIN)
        middle = photo[margin : height - margin, margin : width - margin]
        return resize(middle, self.size, self.size)

    def cut_tensor(self, images: Tensor, landmarks: npt.ArrayLike) -> Tensor:
        """Cut the crops of a batch, differentiably and without rounding: RGB in [0, 1] (B, 3, size, size).

        Without a template the margin is the whole part of 6.25 % of the side, as in ReF-LDM's evaluation
        (`cut` rounds it to the nearest pixel), and a middle smaller than the crop is enlarged bilinearly.

        Args:
            images: (B, 3, H, W), RGB in [0, 1].
            landmarks: (B, 5, 2); unused without a template.

        Raises:
            RefbenchError: as `cut`.
        """
        height, width = images.shape[2:]
        if self.template is not None:
            points = check_landmarks(landmarks, len(images))
            return warp_tensor(
                images, [similarity_transform(five, self.template) for five in points], self.size
            )
        if height != width:
            raise RefbenchError(
                f"the crop {self.name} is cut from an aligned square face; got {width}x{height}"
            )
        margin = int(height * CENTRE_MARGIN)
        middle = images[:, :, margin : height - margin, margin : width - margin]
        if middle.shape[2] >= self.size:
            return F.interpolate(middle, (self.size, self.size), mode="area")
        return F.interpolate(middle, (self.size, self.size), mode="bilinear", align_corners=False)

    def normalise(self, faces: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, size, size) in the network's channel order and range; differentiable."""
        ordered = faces.flip(1) if self.channels == "bgr" else faces
        mean = faces.new_tensor(self.mean).view(1, -1, 1, 1)
        return (ordered * 255.0 - mean) / self.std


ARCFACE_RGB = Crop("five-point-112-rgb", 112, ARCFACE_112, "rgb", (127.5,), 127.5)
ARCFACE_BGR = Crop("five-point-112-bgr", 112, ARCFACE_112, "bgr", (127.0,), 128.0)
DLIB_CHIP = Crop("five-point-150-rgb", 150, DLIB_150, "rgb", (122.782, 117.001, 104.298), 256.0)
FFHQ_CENTRE = Crop("ffhq-centre-112-rgb", 112, None, "rgb", (127.5,), 127.5)

CROPS: dict[str, Crop] = {crop.name: crop for crop in (ARCFACE_RGB, ARCFACE_BGR, DLIB_CHIP, FFHQ_CENTRE)}


def stack(crops: list[RGB]) -> npt.NDArray[np.float32]:
    """Stack RGB uint8 crops (size, size, 3) to RGB float32 in [0, 1], (B, 3, size, size)."""
    batch = np.stack(crops).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(batch, dtype=np.float32) / np.float32(255.0)
