"""Mini models: small trained models for 128x128 pixels with weights in the package, in ``minis/``.

All share one autoencoder, which is stored once; the other files contain the rest of each model. Weights are
float16 and contain their configuration and training data. Limits and scores are in ``minis/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import InvalidInputError
from ...files import canonical_json, sha256_file
from ...records.card import RestorerCard
from ..composite_context.restorer import CompositeContextRestorer, CompositeSampling
from ..networks.autoencoder import Autoencoder
from ..refldm.restorer import RefLdmRestorer, RefLdmSampling
from ..restorers.threads import map_images
from .checkpoints import load_autoencoder, read_tensors, write_tensors
from .trained import build_restorer

FOLDER = Path(__file__).with_name("minis")
SIZE = 128
SHARED = "autoencoder"
STEPS = 4
REFLDM_PRESETS: Mapping[str, RefLdmSampling] = MappingProxyType(
    {
        "mini": RefLdmSampling(steps=STEPS),
        "null": RefLdmSampling(steps=STEPS, references=0),
        "demo": RefLdmSampling(),
    }
)
COMPOSITE_PRESETS: Mapping[str, CompositeSampling] = MappingProxyType(
    {
        "single": CompositeSampling(steps=STEPS),
        "multi": CompositeSampling(steps=STEPS, references=5),
        "null": CompositeSampling(steps=STEPS, references=0),
    }
)
MAX_BYTES = 20_000_000


class ResizingRestorer:
    """Adapts a restorer of 128x128 images to square images of any size: area shrinking, bicubic enlarging.

    Larger images are restored with the detail of 128x128 pixels only.
    """

    def __init__(self, restorer: MiniRestorer) -> None:
        self.restorer = restorer

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        return self.restorer.card

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`.

        Raises:
            InvalidInputError: images that are not square; see also `LatentRestorer.restore`.
        """
        height, width = lq.shape[-2:]
        if height != width:
            raise InvalidInputError(
                f"the image is {width}x{height}; mini models take aligned faces, which are square"
            )
        small = self.restorer.restore(
            _resized(lq, SIZE), [_resized(own, SIZE) for own in references], generators
        )
        return _resized(small, height).clamp(0, 1)


class AutoencoderRestorer:
    """Encodes and decodes the LQ image: a control that shows the loss by the autoencoder alone."""

    def __init__(self, autoencoder: Autoencoder, card: RestorerCard, device: str) -> None:
        self.autoencoder = autoencoder.to(device).eval()
        self.device, self.card = torch.device(device), card

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`."""
        decoded = torch.cat(map_images(self._one, lq))
        return (decoded / 2 + 0.5).clamp(0, 1).to(lq)

    def _one(self, image: Tensor) -> Tensor:
        return self.autoencoder.decode(self.autoencoder.encode(image[None].to(self.device) * 2 - 1))


MiniRestorer = RefLdmRestorer | CompositeContextRestorer | AutoencoderRestorer


def load_mini(
    name: str, preset: str | None = None, device: str = "cpu", *, folder: Path = FOLDER
) -> ResizingRestorer:
    """Load a mini model by the stem of its file: ``autoencoder``, ``ldm``, ``refldm``, ``composite-context``.

    Raises:
        RefbenchError: an unknown preset, or absent weights of the recogniser that the model needs.
    """
    path = folder / f"{name}.safetensors"
    if name == SHARED:
        autoencoder = load_autoencoder(path)
        return ResizingRestorer(AutoencoderRestorer(autoencoder, _card(path, autoencoder), device))
    shared, _ = read_tensors(folder / f"{SHARED}.safetensors")
    own, description = read_tensors(path)
    tensors = {**{f"{SHARED}.{key}": value for key, value in shared.items()}, **own}
    restorer = build_restorer(
        path,
        tensors,
        description,
        preset=preset,
        device=device,
        refldm_presets=REFLDM_PRESETS,
        composite_presets=COMPOSITE_PRESETS,
    )
    return ResizingRestorer(restorer)


def pack(run: Path, facts: Mapping[str, str] | None = None, folder: Path = FOLDER) -> Path:
    """Write the weights of a training run as a mini model: float16, without the shared autoencoder.

    Args:
        run: folder of a run; a diffusion model must have been trained with the packed autoencoder, whose
            decoder may have been trained further since.
        facts: further entries of the file's description, for instance ``licence``.
        folder: folder of the mini models.

    Returns:
        Path of the written file.

    Raises:
        InvalidInputError: it was trained with another autoencoder, or the file would exceed 20 MB.
    """
    tensors, description = read_tensors(run / "weights.safetensors")
    name = str(description["name"])
    own = {key: value for key, value in tensors.items() if not key.startswith(f"{SHARED}.")}
    if name != SHARED:
        shared, _ = read_tensors(folder / f"{SHARED}.safetensors")
        inwards = [key for key in shared if key.startswith(("encoder.", "quant_conv."))]
        if any(not torch.equal(shared[key], tensors[f"{SHARED}.{key}"].half()) for key in inwards):
            raise InvalidInputError(f"{run} was trained with another autoencoder than the packed one")
    halves = {key: value.half().contiguous() for key, value in own.items()}
    size = sum(value.nbytes for value in halves.values())
    if size > MAX_BYTES:
        raise InvalidInputError(f"{run}: {size / 1e6:.1f} MB; a mini has at most {MAX_BYTES / 1e6:.0f} MB")
    described: dict[str, Any] = {**description, "name": f"{name}-mini", **(facts or {})}
    path = folder / f"{name}.safetensors"
    write_tensors(path, halves, canonical_json(described))
    return path


def _resized(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size or not len(images):
        return images
    if images.shape[-1] > size and images.shape[-1] % size == 0:
        return F.avg_pool2d(images, images.shape[-1] // size)
    return F.interpolate(images, (size, size), mode="bicubic", antialias=True)


def _card(path: Path, autoencoder: Autoencoder) -> RestorerCard:
    _, description = read_tensors(path)
    return RestorerCard(
        model=description["name"],
        version=f"sha256 {sha256_file(path)[:12]}",
        references_used=0,
        parameters=sum(parameter.numel() for parameter in autoencoder.parameters()),
        licence=description["licence"],
        training_data=description["training_data"],
        control=True,
    )
