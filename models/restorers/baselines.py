"""Baseline restorers without learning: LQ copy, reference copy, classical denoising and deconvolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import InvalidInputError
from ...images import RGB, luma, to_uint8
from ...records.card import RestorerCard

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LqCopy:
    """Returns the LQ image unchanged: the lower bound for restorers."""

    card = RestorerCard(
        model="LQ copy", references_used=0, parameters=0, licence="Apache-2.0", training_data="none"
    )

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`."""
        return lq.clone()


@dataclass(frozen=True, slots=True)
class ReferenceCopy:
    """Returns the first reference unchanged: a negative control.

    It scores high where a metric rewards "shows this person" instead of "restores this photo".
    """

    card = RestorerCard(
        model="First reference copied",
        references_used=1,
        parameters=0,
        licence="Apache-2.0",
        training_data="none",
        control=True,
    )

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`.

        Raises:
            InvalidInputError: an image without references.
        """
        if any(len(own) == 0 for own in references):
            raise InvalidInputError(
                "this restorer copies the first reference, and the image has no reference"
            )
        return torch.stack([own[0] for own in references]).to(lq)


@dataclass(frozen=True, slots=True)
class Classical:
    """Classical restoration without learning; all parameters are estimated from the image itself.

    1. Shrink the image by its estimated magnification factor, so that JPEG blocks have their original size
    and
       noise is white.
    2. Denoise by non-local means (Buades et al., 2005) at the noise level estimated as in Immerkaer (1996).
    3. Enlarge with cubic interpolation, then deconvolve the luma by Richardson-Lucy with a Gaussian whose
    sigma
       follows from the magnification; fewer iterations on noisy images.
    """

    deconvolution_steps: int = 8

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        return RestorerCard(
            model="Classical",
            references_used=0,
            parameters=0,
            licence="Apache-2.0",
            training_data="none",
            notes=f"Richardson-Lucy {self.deconvolution_steps}",
        )

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`."""
        pixels = [to_uint8(image.permute(1, 2, 0).cpu().numpy()) for image in lq]
        return torch.stack([torch.from_numpy(self.restore_pixels(p)).permute(2, 0, 1) for p in pixels]).to(lq)

    def restore_pixels(self, lq: RGB) -> npt.NDArray[np.float32]:
        """Restore RGB uint8 HWC to RGB float32 HWC in [0, 1]."""
        height, width = lq.shape[:2]
        factor = magnification(lq)
        small_size = (max(8, round(width / factor)), max(8, round(height / factor)))
        small = np.asarray(cv2.resize(lq, small_size, interpolation=cv2.INTER_AREA), np.uint8)
        noise = noise_level(small)
        clean = _denoise(small, noise)
        large = cv2.resize(clean, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        y, red, blue = cv2.split(cv2.cvtColor(large, cv2.COLOR_RGB2YCrCb))
        sigma = min(0.3 * factor + 0.5, 3.0)
        steps = max(1, round(self.deconvolution_steps / (1 + noise / 4)))
        sharp = richardson_lucy(np.asarray(y, np.float32), sigma, steps)
        restored = cv2.cvtColor(cv2.merge([sharp, red, blue]), cv2.COLOR_YCrCb2RGB)
        return np.clip(np.asarray(restored, np.float32), 0, 1)


def noise_level(pixels: RGB) -> float:
    """Standard deviation of white noise of RGB uint8 (H, W, 3), in levels of 255 (Immerkaer, 1996)."""
    grey = luma(pixels).astype(np.float32)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(grey, -1, mask)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) * np.abs(response).mean() / 6)


def magnification(lq: RGB, tolerance: float = 1.5, largest: float = 16.0) -> float:
    """Estimated magnification factor of RGB uint8 (H, W, 3): 1 to ``largest``, in steps of 2^(1/12).

    It is the largest factor by which the image can be shrunk and bilinearly enlarged again with a root mean
    square change of at most ``tolerance`` levels of 255.
    """
    height, width = lq.shape[:2]
    grey = luma(lq).astype(np.float32)
    for step in range(int(12 * np.log2(largest)), 0, -1):
        factor = 2 ** (step / 12)
        small_size = (round(width / factor), round(height / factor))
        if min(small_size) >= 16:
            change = grey - _through(grey, small_size)
            change -= _through(change, small_size)
            if float(np.sqrt(np.mean(change**2))) <= tolerance:
                return factor
    return 1.0


def richardson_lucy(luma: Plane, sigma: float, steps: int) -> Plane:
    """Richardson-Lucy deconvolution of a plane in [0, 1] by a Gaussian of ``sigma`` pixels."""
    observed: Plane = np.clip(luma, np.float32(1e-3), np.float32(1))
    estimate: Plane = observed
    for _ in range(steps):
        ratio = np.asarray(observed / np.maximum(_blur(estimate, sigma), 1e-3), np.float32)
        estimate = np.clip(estimate * _blur(ratio, sigma), np.float32(1e-3), np.float32(1))
    return estimate


def _denoise(pixels: RGB, noise: float) -> RGB:
    if noise < 0.7:
        return pixels
    strength = 1.5 * noise
    cleaned = cv2.fastNlMeansDenoisingColored(pixels, None, strength, 2 * strength, 5, 13)
    return np.asarray(cleaned, np.uint8)


def _through(plane: Plane, small_size: tuple[int, int]) -> Plane:
    small = cv2.resize(plane, small_size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(small, plane.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _blur(plane: Plane, sigma: float) -> Plane:
    blurred = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)
