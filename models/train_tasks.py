"""What is trained: for each kind of run its network, and the losses of one batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ..errors import FaultList, RefbenchError
from ..faces.recognise import load_recogniser
from ..progress import say
from .autoencoder import Autoencoder
from .checkpoints import load_autoencoder, read_tensors
from .composite_context import CompositeContext
from .composite_restorer import CompositeContextRestorer, CompositeSampling
from .discriminator import PatchDiscriminator
from .identity import aligned_embedder
from .latent_restorer import LatentRestorer
from .losses import (
    Embedder,
    adversarial_loss,
    codebook_loss,
    discriminator_loss,
    hard_example_identity_loss,
    identity_scale,
    noise_loss,
    reconstruction_loss,
)
from .refldm import RefLdm
from .refldm_restorer import RefLdmRestorer, RefLdmSampling
from .restorer import RestorerCard
from .train_config import AnyRun, AutoencoderRun, CompositeRun, DiffusionRun, RefLdmRun
from .train_data import Batch, seed_of
from .trained import load_towers

SHEET_STEPS = 20
CARD = RestorerCard("in training", "0", 5, None, "unknown", "unknown")


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of a batch: what the network and its adversary descend, and what is logged."""

    network: Tensor
    logged: Mapping[str, Tensor]
    adversary: Tensor | None = None


class Task(ABC):
    """A training task.

    Attributes:
        network: what is trained and exported; its frozen parameters stay as they are.
        adversary: what is trained against it, if anything.
        config: of the network.
        image_size: sides of its images.
        needs_references: whether images without references are of no use.
    """

    network: nn.Module
    adversary: nn.Module | None = None
    config: BaseModel
    image_size: int
    needs_references: bool

    @abstractmethod
    def losses(self, batch: Batch, step: int) -> Losses:
        """The losses of a batch in a step, counted from 1: means over its images."""

    @abstractmethod
    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns of a sample sheet, each (B, 3, H, W) in [0, 1]."""


class AutoencoderTask(Task):
    """Reconstruction, LPIPS, codebook, and from some step on an adversary, as VQGAN is trained."""

    needs_references = False

    def __init__(self, run: AutoencoderRun, device: torch.device) -> None:
        self.run, self.config, self.image_size = run, run.model, run.image_size
        self.autoencoder = Autoencoder(run.model).to(device)
        self.network = self.autoencoder
        self.adversary = PatchDiscriminator().to(device) if run.adversarial_from <= run.steps else None
        self.perceptual = _perceptual_loss(run.perceptual, device)

    def losses(self, batch: Batch, step: int) -> Losses:
        """See `Task.losses`."""
        run, target = self.run, batch.hq * 2 - 1
        latents = self.autoencoder.encode(target)
        if step == 1:
            self._begin_codebook(latents.detach().float())
        quantised = self.autoencoder.quantize(latents)
        restored = self.autoencoder.decode_quantised(latents + (quantised - latents).detach())
        pixels = reconstruction_loss(restored, target).mean()
        perceptual = self.perceptual((restored.float() + 1) / 2, batch.hq).mean()
        codebook = codebook_loss(latents, quantised).mean()
        faithful = pixels + run.perceptual_weight * perceptual
        total = faithful + run.codebook_weight * codebook
        logged = {"pixels": pixels, "perceptual": perceptual, "codebook": codebook}
        if self.adversary is None or step < run.adversarial_from:
            return Losses(total, {"loss": total, **logged})
        judged = adversarial_loss(self.adversary(restored))
        total = total + run.adversarial_weight * self._balance(faithful, judged) * judged
        against = discriminator_loss(self.adversary(target), self.adversary(restored.detach()))
        logged |= {"adversarial": judged, "adversary": against}
        return Losses(total, {"loss": total, **logged}, against)

    def sheet(self, batch: Batch) -> list[Tensor]:
        """HQ and what comes back."""
        with torch.inference_mode():
            restored = self.autoencoder.decode(self.autoencoder.encode(batch.hq * 2 - 1))
        return [batch.hq, (restored.float() / 2 + 0.5).clamp(0, 1)]

    def _balance(self, faithful: Tensor, judged: Tensor) -> Tensor:
        """How strong the adversary may be, so that both pull alike at the last layer (VQGAN, equation 7)."""
        last = self.autoencoder.decoder.conv_out.weight
        (pull,) = torch.autograd.grad(faithful, last, retain_graph=True)
        (push,) = torch.autograd.grad(judged, last, retain_graph=True)
        balance: Tensor = (pull.norm() / (push.norm() + 1e-4)).clamp(0, 1e4).detach()
        return balance

    def _begin_codebook(self, latents: Tensor) -> None:
        """Begin with vectors that occur, so that none lies where no latent ever comes."""
        tokens = latents.permute(0, 2, 3, 1).flatten(0, 2)
        codebook = self.autoencoder.quantize.embedding.weight
        generator = torch.Generator().manual_seed(seed_of(self.run.seed, "codebook"))
        chosen = torch.randint(len(tokens), (len(codebook),), generator=generator)
        with torch.no_grad():
            spread = tokens.std() / 10 * torch.randn(codebook.shape, generator=generator).to(tokens)
            codebook.copy_(tokens[chosen.to(tokens.device)] + spread)


class DiffusionTask(Task):
    """Noise prediction with an identity loss, in the latents of a frozen autoencoder."""

    def __init__(self, run: DiffusionRun, model: RefLdm | CompositeContext, device: torch.device) -> None:
        self.run, self.model, self.device = run, model, device
        self.network, self.config = model, model.config
        self.image_size = model.config.image_size
        trained = load_autoencoder(run.autoencoder, model.config.autoencoder)
        if trained.config != model.config.autoencoder:
            raise RefbenchError(f"{run.autoencoder} is an autoencoder of other sizes than model.autoencoder")
        model.autoencoder.load_state_dict(trained.state_dict())
        if run.start is not None:
            _begin_from(run.start, model)
        model.to(device)
        model.autoencoder.requires_grad_(False)
        self.embed: Embedder | None = None
        if run.identity.weight > 0:
            self.embed = aligned_embedder(load_recogniser(run.identity.recogniser, str(device)))

    @abstractmethod
    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, batch: Batch, kept: Tensor) -> Tensor:
        """The predicted noise; ``kept`` (B,) is 0 where the references are left out."""

    @abstractmethod
    def restorer(self) -> LatentRestorer[RefLdm] | LatentRestorer[CompositeContext]:
        """The model as it is now, as a restorer."""

    def losses(self, batch: Batch, step: int) -> Losses:
        """See `Task.losses`."""
        run, model = self.run, self.model
        chances = torch.stack([torch.rand(3, generator=generator) for generator in batch.generators])
        t = (chances[:, 0] * len(model.schedule)).long().to(self.device)
        lq_kept = (chances[:, 1] >= run.lq_dropout).float().to(self.device)
        references_kept = (chances[:, 2] >= run.reference_dropout).float().to(self.device)
        with torch.no_grad():
            hq, lq = model.encode(torch.cat([batch.hq, batch.lq])).float().chunk(2)
        noise = torch.stack([torch.randn(hq.shape[1:], generator=g) for g in batch.generators]).to(hq)
        x_t = model.schedule.add_noise(hq, noise, t)
        predicted = self.predict(x_t, t, lq * lq_kept.view(-1, 1, 1, 1), batch, references_kept).float()
        denoising = noise_loss(predicted, noise, run.noise).mean()
        if self.embed is None:
            return Losses(denoising, {"loss": denoising})
        identity = self._identity_loss(self.embed, batch, hq, x_t, predicted, t)
        total = denoising + run.identity.weight * identity
        return Losses(total, {"loss": total, "noise": denoising, "identity": identity})

    def sheet(self, batch: Batch) -> list[Tensor]:
        """LQ, restored, HQ, first reference."""
        restored = self.restorer().restore(batch.lq, list(batch.references), batch.generators)
        columns = [batch.lq, restored, batch.hq]
        return [*columns, batch.references[:, 0]] if batch.references.shape[1] else columns

    def _identity_loss(
        self, embed: Embedder, batch: Batch, hq: Tensor, x_t: Tensor, predicted: Tensor, t: Tensor
    ) -> Tensor:
        """The scaled identity loss of one-step estimates, over the first images of the batch."""
        wanted, model = self.run.identity, self.model
        some = slice(0, wanted.images)
        estimate = model.schedule.predict_x0(x_t[some], predicted[some], t[some])
        restored = embed(model.decode(estimate).float())
        with torch.no_grad():
            target = embed(batch.hq[some] if wanted.target == "hq" else model.decode(hq[some]).float())
            share = wanted.reference_share
            reference = embed(batch.references[some, 0]) if share else target
        loss = hard_example_identity_loss(restored, target, reference, share)
        return (loss * identity_scale(model.schedule.alphas_cumprod, t[some], wanted.scale)).mean()


class RefLdmTask(DiffusionTask):
    """ReF-LDM, its CacheKV rebuilt in each step with gradients; or the same network without references."""

    def __init__(self, run: RefLdmRun, device: torch.device) -> None:
        self.needs_references = run.kind == "refldm"
        mechanism = "cachekv" if self.needs_references else "none"
        self.refldm = RefLdm(run.model.model_copy(update={"reference_mechanism": mechanism}))
        super().__init__(run, self.refldm, device)

    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, batch: Batch, kept: Tensor) -> Tensor:
        """See `DiffusionTask.predict`: references that are left out become null references."""
        if not self.needs_references:
            return self.refldm.eps(x_t, t, lq)
        with torch.no_grad():
            latents = self.refldm.encode_references(batch.references).float()
        cache = self.refldm.cache_references(latents * kept.view(-1, 1, 1, 1, 1))
        return self.refldm.eps(x_t, t, lq, cache)

    def restorer(self) -> RefLdmRestorer:
        """See `DiffusionTask.restorer`."""
        references = 5 if self.needs_references else 0
        sampling = RefLdmSampling(steps=SHEET_STEPS, references=references)
        return RefLdmRestorer(self.refldm, sampling, CARD, str(self.device))


class CompositeTask(DiffusionTask):
    """The composite-context model with the first reference of each image."""

    needs_references = True

    def __init__(self, run: CompositeRun, device: torch.device) -> None:
        self.composite = CompositeContext(run.model, load_towers(run.model.context, str(device)))
        super().__init__(run, self.composite, device)

    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, batch: Batch, kept: Tensor) -> Tensor:
        """See `DiffusionTask.predict`: a context that is left out is zeros."""
        context = self.composite.context_of(batch.references[:, 0])
        return self.composite.eps(x_t, t, lq, context * kept.view(-1, 1, 1))

    def restorer(self) -> CompositeContextRestorer:
        """See `DiffusionTask.restorer`."""
        sampling = CompositeSampling(steps=SHEET_STEPS)
        return CompositeContextRestorer(self.composite, sampling, CARD, str(self.device))


def make_task(run: AnyRun, device: str = "cpu") -> Task:
    """The task of a run, its weights drawn from the run's seed.

    Raises:
        RefbenchError: weights that are absent or do not fit.
    """
    place = torch.device(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(run.seed, "weights"))
        if isinstance(run, AutoencoderRun):
            return AutoencoderTask(run, place)
        return RefLdmTask(run, place) if isinstance(run, RefLdmRun) else CompositeTask(run, place)


def _begin_from(path: Path, model: nn.Module) -> None:
    """Take over the U-Net's weights that the file has; the others stay as they were drawn."""
    tensors, _ = read_tensors(path)
    own = {name: value for name, value in model.state_dict().items() if name.startswith("unet.")}
    shared = {name: tensors[name] for name in own if name in tensors}
    wrong = [
        f"{n} is {tuple(v.shape)}; wanted {tuple(own[n].shape)}"
        for n, v in shared.items()
        if v.shape != own[n].shape
    ]
    if wrong or not shared:
        raise FaultList(f"{path} as a start", wrong or ["it shares no weight with the model"])
    model.load_state_dict(shared, strict=False)
    say(f"{len(shared)} of {len(own)} weights of the U-Net begin as in {path.name}")


def _perceptual_loss(trunk: str, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    if trunk == "none":
        return lambda restored, target: restored.new_zeros(len(restored))
    from ..metrics.perceptual import load_lpips

    lpips = load_lpips(trunk, device)
    return lambda restored, target: lpips(restored, target, normalize=True).flatten()
