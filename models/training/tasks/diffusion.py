"""Training tasks of latent diffusion models with a frozen autoencoder: LDM, ReF-LDM, composite context."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ....errors import FaultListError, RefbenchError
from ....faces.recognisers.recognise import load_recogniser
from ....progress import say
from ....records.card import RestorerCard
from ...checkpoints.checkpoints import load_autoencoder, read_tensors
from ...checkpoints.trained import load_towers
from ...composite_context.model import CompositeContext
from ...composite_context.restorer import CompositeContextRestorer, CompositeSampling
from ...networks.face_embedder import aligned_embedder
from ...networks.losses import Embedder, hard_example_identity_loss, identity_scale, noise_loss
from ...refldm.model import RefLdm
from ...refldm.restorer import RefLdmRestorer, RefLdmSampling
from ...restorers.latent_restorer import ContentCache, LatentRestorer
from ..config import CompositeRun, DiffusionRun, RefLdmRun
from ..data import Batch
from ..validation import Validation
from .task import Losses, Task

SHEET_STEPS = 20
LATENT_CACHE_BYTES = 2**30
CARD = RestorerCard(model="in training", version="0", references_used=5)


class DiffusionTask(Task):
    """Noise prediction loss and identity loss, in the latents of a frozen autoencoder."""

    def __init__(self, run: DiffusionRun, model: RefLdm | CompositeContext, device: torch.device) -> None:
        self.run, self.model, self.device = run, model, device
        self.network, self.config = model, model.config
        self.image_size = model.config.image_size
        trained = load_autoencoder(run.autoencoder, model.config.autoencoder)
        if trained.config != model.config.autoencoder:
            raise RefbenchError(f"{run.autoencoder} is an autoencoder of other sizes than model.autoencoder")
        model.autoencoder.load_state_dict(trained.state_dict())
        if run.start is not None:
            _load_start(run.start, model)
        model.to(device)
        model.autoencoder.requires_grad_(False)
        self.latents = ContentCache[Tensor](LATENT_CACHE_BYTES, lambda kept: kept.nbytes)
        self.embed: Embedder | None = None
        if run.identity.weight > 0:
            self.embed = aligned_embedder(load_recogniser(run.identity.recogniser, str(device)))

    @abstractmethod
    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, *, batch: Batch, kept: Tensor) -> Tensor:
        """Noise prediction (B, C, h, w); ``kept`` (B,) is 0 where the references are dropped."""

    @abstractmethod
    def restorer(self) -> LatentRestorer[RefLdm] | LatentRestorer[CompositeContext]:
        """A restorer with the current weights."""

    def losses(self, batch: Batch, step: int) -> Losses:
        """See `Task.losses`."""
        run, model = self.run, self.model
        chances = torch.stack([torch.rand(3, generator=generator) for generator in batch.generators])
        t = (chances[:, 0] * len(model.schedule)).long().to(self.device)
        lq_kept = (chances[:, 1] >= run.lq_dropout).float().to(self.device)
        references_kept = (chances[:, 2] >= run.reference_dropout).float().to(self.device)
        with torch.no_grad():
            hq, lq = self._hq_latents(batch.hq), model.encode(batch.lq).float()
        noise = torch.stack([torch.randn(hq.shape[1:], generator=g) for g in batch.generators]).to(hq)
        x_t = model.schedule.add_noise(hq, noise, t)
        predicted = self.predict(
            x_t, t, lq * lq_kept.view(-1, 1, 1, 1), batch=batch, kept=references_kept
        ).float()
        signal = model.schedule.scales(t, hq)[0] if model.schedule.prediction == "velocity" else 1.0
        denoising = noise_loss(predicted / signal, noise / signal, run.noise).mean()
        if self.embed is None:
            return Losses(denoising, {"loss": denoising})
        estimate = model.schedule.predict_x0(x_t, predicted, t)
        identity = self._identity_loss(self.embed, batch, t=t, estimate=estimate, hq=hq)
        total = denoising + run.identity.weight * identity
        return Losses(total, {"loss": total, "noise": denoising, "identity": identity})

    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns: LQ, restored, HQ, first reference."""
        columns = [batch.lq, self.restored(batch), batch.hq]
        return [*columns, batch.references[:, 0]] if batch.references.shape[1] else columns

    def restored(self, batch: Batch) -> Tensor:
        """Restored images (B, 3, H, W) in [0, 1]; the starting noise is the same in every call."""
        generators = [g.clone_state() for g in batch.generators]
        return self.restorer().restore(batch.lq, list(batch.references), generators)

    def validation(self) -> Callable[[], dict[str, float]]:
        """See `Task.validation`."""
        validation = Validation(
            self.run,
            image_size=self.image_size,
            needs_references=self.needs_references,
            device=str(self.device),
        )
        return partial(validation.scores, self.restored)

    def _hq_latents(self, images: Tensor) -> Tensor:
        """Latents of HQ images, each encoded alone and cached, because images return in every epoch."""

        def encoded(one: Tensor) -> Tensor:
            return self.latents.get(one, lambda: self.model.encode(one[None])[0].float())

        return torch.stack([encoded(one) for one in images])

    def _identity_loss(
        self, embed: Embedder, batch: Batch, *, t: Tensor, estimate: Tensor, hq: Tensor
    ) -> Tensor:
        """Timestep-scaled identity loss, a scalar, of the first images of the batch.

        ``estimate`` and ``hq`` are latents (B, C, h, w): one-step estimates at timesteps ``t`` (B,), and HQ.
        """
        wanted, model = self.run.identity, self.model
        some = slice(0, wanted.images)
        restored = embed(model.decode(estimate[some]).float())
        with torch.no_grad():
            target = embed(batch.hq[some] if wanted.target == "hq" else model.decode(hq[some]).float())
            share = wanted.reference_share
            reference = embed(batch.references[some, 0]) if share else target
        loss = hard_example_identity_loss(restored, target, reference, share=share)
        return (loss * identity_scale(model.schedule.alphas_cumprod, t[some], wanted.scale)).mean()


class RefLdmTask(DiffusionTask):
    """Trains ReF-LDM, with gradients through CacheKV, or the same network without references."""

    def __init__(self, run: RefLdmRun, device: torch.device) -> None:
        self.needs_references = run.kind == "refldm"
        mechanism = "cachekv" if self.needs_references else "none"
        self.refldm = RefLdm(run.model.model_copy(update={"reference_mechanism": mechanism}))
        super().__init__(run, self.refldm, device)

    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, *, batch: Batch, kept: Tensor) -> Tensor:
        """See `DiffusionTask.predict`: dropped references become null references."""
        if not self.needs_references:
            return self.refldm.eps(x_t, t, lq)
        with torch.no_grad():
            latents = self.refldm.encode_references(batch.references).float()
        cache = self.refldm.cache_references(latents * kept.view(-1, 1, 1, 1, 1))
        return self.refldm.eps(x_t, t, lq, memory=cache)

    def restorer(self) -> RefLdmRestorer:
        """See `DiffusionTask.restorer`."""
        references = 5 if self.needs_references else 0
        sampling = RefLdmSampling(steps=SHEET_STEPS, references=references)
        return RefLdmRestorer(self.refldm, sampling, CARD, device=str(self.device))


class CompositeTask(DiffusionTask):
    """Trains the composite-context model with the first reference of each image."""

    needs_references = True

    def __init__(self, run: CompositeRun, device: torch.device) -> None:
        self.composite = CompositeContext(run.model, load_towers(run.model.context, str(device)))
        super().__init__(run, self.composite, device)

    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, *, batch: Batch, kept: Tensor) -> Tensor:
        """See `DiffusionTask.predict`: a dropped context is zeros."""
        context = self.composite.encode_context(batch.references[:, 0])
        return self.composite.eps(x_t, t, lq, context=context * kept.view(-1, 1, 1))

    def restorer(self) -> CompositeContextRestorer:
        """See `DiffusionTask.restorer`."""
        sampling = CompositeSampling(steps=SHEET_STEPS)
        return CompositeContextRestorer(self.composite, sampling, CARD, device=str(self.device))


def _load_start(path: Path, model: nn.Module) -> None:
    """Load weights by name, except the autoencoder's; those that are not in the file stay random."""
    tensors, _ = read_tensors(path)
    own = {n: value for n, value in model.state_dict().items() if not n.startswith("autoencoder.")}
    shared = {name: tensors[name] for name in own if name in tensors}
    wrong = [
        f"{n} is {tuple(v.shape)}; wanted {tuple(own[n].shape)}"
        for n, v in shared.items()
        if v.shape != own[n].shape
    ]
    if wrong or not shared:
        raise FaultListError(f"{path} as start", wrong or ["it shares no weight with the model"])
    model.load_state_dict(shared, strict=False)
    say(f"{len(shared)} of {len(own)} weights are initialised from {path.name}")
