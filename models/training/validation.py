"""Validation during training: PSNR, LPIPS and identity similarity on people outside the training split."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...errors import RefbenchError
from ...faces.recognisers.recognise import load_recogniser
from ...metrics.protocols.identity import cosine
from ...metrics.protocols.lpips import load_lpips
from ...metrics.protocols.pixel import psnr
from ..networks.face_embedder import aligned_embedder
from .config import AutoencoderRun, DiffusionRun
from .data import Batches

Restore = Callable[..., Tensor]


class Validation:
    """PSNR in decibels, LPIPS (AlexNet) and identity similarity (cosine) of the first images of a split.

    LQ images, references and noise are the same each time. Face crops use the landmarks of the alignment
    template; `refbench score` uses each image's own landmarks.

    Raises:
        RefbenchError: the split is empty, the recogniser is the one in the loss, or weights are absent.
    """

    def __init__(
        self, run: AutoencoderRun | DiffusionRun, *, image_size: int, needs_references: bool, device: str
    ) -> None:
        wanted = run.validation
        loss = run.identity if isinstance(run, DiffusionRun) else None
        if loss is not None and loss.weight > 0 and loss.recogniser == wanted.recogniser:
            raise RefbenchError(
                f"validation.recogniser {wanted.recogniser!r} is the one in the loss; name another"
            )
        data = run.data.model_copy(update={"split": wanted.split, "target_as_reference": 0.0})
        self.batch = Batches(data, 1, image_size, seed=run.seed, with_references=needs_references).first(
            wanted.images
        )
        place = torch.device(device)
        self.batch = self.batch.to(place)
        self.lpips = load_lpips("alex", place)
        self.embed = aligned_embedder(load_recogniser(wanted.recogniser, device))

    @torch.inference_mode()
    def scores(self, restore: Restore) -> dict[str, float]:
        """Mean scores of the validation images as ``restore`` restores them: ``psnr``, ``lpips``, ``ids``."""
        hq = self.batch.hq
        restored = restore(self.batch).to(hq).clamp(0, 1)
        lpips = torch.cat(
            [self.lpips(a[None], b[None], normalize=True) for a, b in zip(restored, hq, strict=True)]
        )
        similar = torch.cat(
            [cosine(self.embed(a[None]), self.embed(b[None])) for a, b in zip(restored, hq, strict=True)]
        )
        return {
            "psnr": float(psnr(restored, hq).mean()),
            "lpips": float(lpips.mean()),
            "ids": float(similar.mean()),
        }
