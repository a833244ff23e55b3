"""Training task of a face recogniser: ArcFace loss over the people of a reference set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....errors import InvalidInputError
from ....faces.align import FFHQ_512, template_at
from ....faces.crops import ARCFACE_RGB
from ....files import replacing
from ....records.reference_set import ReferenceSet
from ...networks.identity_network import IdentityNetwork, angular_margin_logits
from ..config import IdentityRun
from ..data import Batch, Batches
from .task import Losses, Task

SCRIPT = "recogniser.pt"


class Learner(nn.Module):
    """The recogniser and the class centres, which are needed in training only."""

    def __init__(self, recogniser: IdentityNetwork, people: int) -> None:
        super().__init__()
        self.recogniser = recogniser
        self.centres = nn.Parameter(torch.randn(people, recogniser.config.embedding) * 0.01)


class IdentityTask(Task):
    """Trains a recogniser; also writes it as TorchScript, ``recogniser.pt``, to be used by path."""

    needs_references = False

    def __init__(self, run: IdentityRun, device: torch.device) -> None:
        self.run, self.config, self.image_size, self.device = run, run.model, run.image_size, device
        targets = ReferenceSet.read(run.data.reference_set).select(run.data.split, with_references=False)
        people = {person: number for number, person in enumerate(sorted({t.identity for t in targets}))}
        if len(people) < 2:
            raise InvalidInputError(
                f"{run.data.reference_set}: {len(people)} people in the split {run.data.split!r}; "
                "training a recogniser needs two or more"
            )
        self.person = {target.key: people[target.identity] for target in targets}
        self.learner = Learner(IdentityNetwork(run.model), len(people)).to(device)
        self.network = self.learner

    def losses(self, batch: Batch, step: int) -> Losses:
        """See `Task.losses`."""
        run = self.run
        degraded = torch.stack([torch.rand((), generator=g) for g in batch.generators]) < run.lq_share
        images = torch.where(degraded.to(batch.hq.device).view(-1, 1, 1, 1), batch.lq, batch.hq)
        people = torch.tensor([self.person[key] for key in batch.keys], device=self.device)
        vectors = self.embed(images).float()
        logits = angular_margin_logits(
            vectors, self.learner.centres.float(), people, margin=run.margin, scale=run.scale
        )
        loss = F.cross_entropy(logits, people)
        right = (logits.argmax(1) == people).float().mean()
        return Losses(loss, {"loss": loss, "right": right})

    def embed(self, images: Tensor) -> Tensor:
        """Unit vectors (B, D) of FFHQ-aligned images (B, 3, S, S) in [0, 1]."""
        five = template_at(FFHQ_512, images.shape[-1], 512)
        crops = ARCFACE_RGB.cut_tensor(images, np.broadcast_to(five, (len(images), *five.shape)))
        vectors: Tensor = self.learner.recogniser(ARCFACE_RGB.normalise(crops))
        return vectors

    @torch.inference_mode()
    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns: each image, and the other image with the nearest embedding."""
        vectors = self.embed(batch.hq.to(self.device))
        alike = (vectors @ vectors.T).fill_diagonal_(-2).argmax(1).cpu()
        return [batch.hq, batch.hq[alike]]

    def validation(self) -> Callable[[], dict[str, float]]:
        """Mean cosines of the ``same`` and of ``different`` people, and the rank-1 rate ``found``."""
        wanted = self.run.validation
        data = self.run.data.model_copy(update={"split": wanted.split, "references": 1})
        batch = Batches(data, 1, self.image_size, seed=self.run.seed).first(wanted.images).to(self.device)

        @torch.inference_mode()
        def scores() -> dict[str, float]:
            cosines = self.embed(batch.hq) @ self.embed(batch.references[:, 0]).T
            own = cosines.diagonal()
            count = len(cosines)
            others = (cosines.sum() - own.sum()) / max(1, count * (count - 1))
            most_alike = (cosines.argmax(1).cpu() == torch.arange(count)).float().mean()
            return {"same": float(own.mean()), "different": float(others), "found": float(most_alike)}

        return scores

    def export_network(self, batch: Batch) -> nn.Module:
        """The recogniser without class centres."""
        return self.learner.recogniser

    def write_extra_files(self, exported: nn.Module, out: Path) -> None:
        """Write a TorchScript file."""
        crop = torch.zeros(2, 3, ARCFACE_RGB.size, ARCFACE_RGB.size, device=self.device)
        with torch.inference_mode(False), torch.no_grad(), replacing(out / SCRIPT) as partial:
            traced = torch.jit.trace(exported.eval(), crop, check_trace=False)  # type: ignore[no-untyped-call]
            traced.save(str(partial))
        self.network.train()
