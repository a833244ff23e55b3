"""The minis: small trained models for 128x128 faces whose weights are in the package, below ``minis/``.

All share one autoencoder, which lies there once; the other files hold what is a model's own. They are float16
and say of themselves what they were trained on. See ``minis/README.md`` for what they are and are not.
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
from ...records.run_manifest import RestorerCard
from ..composite_context.restorer import CompositeContextRestorer, CompositeSampling
from ..networks.autoencoder import Autoencoder
from ..refldm.restorer import RefLdmRestorer, RefLdmSampling
from .checkpoints import load_autoencoder, read_tensors, write_tensors
from .trained import restorer_of

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
LIMIT = 20_000_000


class AtSize:
    """A restorer of 128x128 images for images of any size: shrunk by area, and the result enlarged.

    What is larger than 128x128 comes back no sharper than that.
    """

    def __init__(self, restorer: Restores) -> None:
        self.restorer = restorer

    @property
    def card(self) -> RestorerCard:
        """Facts for the submission card."""
        return self.restorer.card

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `models.restorer.Restorer`.

        Raises:
            InvalidInputError: images that are not square; see also `LatentRestorer.restore`.
        """
        height, width = lq.shape[-2:]
        if height != width:
            raise InvalidInputError(
                f"the image is {width}x{height}; a mini takes aligned faces, which are square"
            )
        small = self.restorer.restore(_at(lq, SIZE), [_at(own, SIZE) for own in references], generators)
        return _at(small, height).clamp(0, 1)


class AutoencoderRestorer:
    """Encodes the LQ image and decodes it again: what the autoencoder alone does to an image."""

    def __init__(self, autoencoder: Autoencoder, card: RestorerCard, device: str) -> None:
        self.autoencoder = autoencoder.to(device).eval()
        self.device, self.card = torch.device(device), card

    @torch.inference_mode()
    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `models.restorer.Restorer`."""
        images = [self.autoencoder.encode(image[None].to(self.device) * 2 - 1) for image in lq]
        decoded = torch.cat([self.autoencoder.decode(latents) for latents in images])
        return (decoded / 2 + 0.5).clamp(0, 1).to(lq)


Restores = RefLdmRestorer | CompositeContextRestorer | AutoencoderRestorer


def load_mini(name: str, preset: str | None = None, device: str = "cpu", *, folder: Path = FOLDER) -> AtSize:
    """Load a mini by the name of its file: ``autoencoder``, ``ldm``, ``refldm`` or ``composite-context``.

    Raises:
        RefbenchError: an unknown preset, or a recogniser that the model needs is absent.
    """
    path = folder / f"{name}.safetensors"
    if name == SHARED:
        autoencoder = load_autoencoder(path)
        return AtSize(AutoencoderRestorer(autoencoder, _card(path, autoencoder), device))
    shared, _ = read_tensors(folder / f"{SHARED}.safetensors")
    own, description = read_tensors(path)
    tensors = {**{f"{SHARED}.{key}": value for key, value in shared.items()}, **own}
    restorer = restorer_of(
        path,
        tensors,
        description,
        preset=preset,
        device=device,
        refldm_presets=REFLDM_PRESETS,
        composite_presets=COMPOSITE_PRESETS,
    )
    return AtSize(restorer)


def pack(run: Path, facts: Mapping[str, str] | None = None, folder: Path = FOLDER) -> Path:
    """Put the weights of a run into the package: float16, without the autoencoder that all share.

    Args:
        run: folder of a run; a model of diffusion must have been trained on the packed autoencoder, whose
            decoder may have been trained further since.
        facts: what the file says of itself besides, for instance ``licence``.
        folder: where the minis are.

    Raises:
        InvalidInputError: it was trained on another autoencoder, or the file would be above 20 MB.
    """
    tensors, description = read_tensors(run / "weights.safetensors")
    name = str(description["name"])
    own = {key: value for key, value in tensors.items() if not key.startswith(f"{SHARED}.")}
    if name != SHARED:
        shared, _ = read_tensors(folder / f"{SHARED}.safetensors")
        inwards = [key for key in shared if key.startswith(("encoder.", "quant_conv."))]
        if any(not torch.equal(shared[key], tensors[f"{SHARED}.{key}"].half()) for key in inwards):
            raise InvalidInputError(f"{run} was trained on another autoencoder than the packed one")
    halves = {key: value.half().contiguous() for key, value in own.items()}
    size = sum(value.nbytes for value in halves.values())
    if size > LIMIT:
        raise InvalidInputError(f"{run}: {size / 1e6:.1f} MB; a mini has at most {LIMIT / 1e6:.0f} MB")
    described: dict[str, Any] = {**description, "name": f"{name}-mini", **(facts or {})}
    path = folder / f"{name}.safetensors"
    write_tensors(path, halves, canonical_json(described))
    return path


def _at(images: Tensor, size: int) -> Tensor:
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
