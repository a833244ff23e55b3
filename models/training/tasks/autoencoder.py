"""Training task of the autoencoder: reconstruction, LPIPS, codebook and adversarial losses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ....errors import RefbenchError
from ...checkpoints.checkpoints import load_autoencoder
from ...networks.autoencoder import Autoencoder, AutoencoderConfig, Codebook
from ...networks.discriminator import PatchDiscriminator
from ...networks.losses import adversarial_loss, codebook_loss, discriminator_loss, reconstruction_loss
from ..config import AutoencoderRun
from ..data import Batch, hashed_seed
from ..validation import Validation
from .task import Losses, Task


class AutoencoderTask(Task):
    """Trains the autoencoder as VQGAN (Esser et al., 2021), with the discriminator from a given step on."""

    needs_references = False

    def __init__(self, run: AutoencoderRun, device: torch.device) -> None:
        self.run, self.config, self.image_size, self.device = run, run.model, run.image_size, device
        self.autoencoder = Autoencoder(run.model)
        if run.start is not None:
            self.autoencoder.load_state_dict(_load_start(run.start, run.model).state_dict())
        self.autoencoder.to(device)
        if run.decoder_only:
            for part in (self.autoencoder.encoder, self.autoencoder.quant_conv, self.autoencoder.quantize):
                part.requires_grad_(False)
        self.network = self.autoencoder
        self.adversary = PatchDiscriminator().to(device) if run.adversarial_from <= run.steps else None
        self.perceptual = _perceptual_loss(run.perceptual, device)

    def losses(self, batch: Batch, step: int) -> Losses:
        """See `Task.losses`."""
        run, target = self.run, batch.hq * 2 - 1
        latents = self.autoencoder.encode(target)
        codebook = self.autoencoder.quantize
        if step == 1 and isinstance(codebook, Codebook) and run.start is None:
            self._initialise_codebook(codebook, latents.detach().float())
        quantised = self.autoencoder.quantize(latents)
        taken = latents + (quantised - latents).detach() if run.model.codebook_size else latents
        if run.latent_noise:
            noise = torch.stack([torch.randn(latents.shape[1:], generator=g) for g in batch.generators])
            taken = taken + run.latent_noise * latents.detach().std() * noise.to(latents)
        restored = self.autoencoder.decode_quantised(taken)
        pixels = reconstruction_loss(restored, target).mean()
        perceptual = self.perceptual((restored.float() + 1) / 2, batch.hq).mean()
        rounding = codebook_loss(latents, quantised).mean()
        faithful = pixels + run.perceptual_weight * perceptual
        total = faithful + run.codebook_weight * rounding
        logged = {"pixels": pixels, "perceptual": perceptual, "codebook": rounding}
        if self.adversary is None or step < run.adversarial_from:
            return Losses(total, {"loss": total, **logged})
        judged = adversarial_loss(self.adversary(restored))
        total = total + run.adversarial_weight * self._balance(faithful, judged) * judged
        against = discriminator_loss(self.adversary(target), self.adversary(restored.detach()))
        logged |= {"adversarial": judged, "adversary": against}
        return Losses(total, {"loss": total, **logged}, against)

    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns: HQ images and their reconstructions."""
        return [batch.hq, self.restored(batch)]

    @torch.inference_mode()
    def restored(self, batch: Batch) -> Tensor:
        """Reconstructions (B, 3, H, W) in [0, 1] of the HQ images."""
        restored = self.autoencoder.decode(self.autoencoder.encode(batch.hq.to(self.device) * 2 - 1))
        return (restored.float() / 2 + 0.5).clamp(0, 1)

    def validation(self) -> Callable[[], dict[str, float]]:
        """See `Task.validation`."""
        validation = Validation(
            self.run, image_size=self.image_size, needs_references=False, device=str(self.device)
        )
        return partial(validation.scores, self.restored)

    def export_network(self, batch: Batch) -> nn.Module:
        """Without codebook, the latents are normalised to mean 0 and deviation 1 per channel."""
        if self.run.model.codebook_size or self.run.decoder_only:
            return self.network
        exported = copy.deepcopy(self.autoencoder)
        with torch.inference_mode():
            latents = exported.encode(batch.hq.to(self.device) * 2 - 1).transpose(0, 1).flatten(1)
        exported.standardise(latents.mean(1), latents.std(1))
        return exported

    def _balance(self, faithful: Tensor, judged: Tensor) -> Tensor:
        """Adaptive weight of the adversarial loss: ratio of gradient norms, last layer (VQGAN, eq. 7)."""
        last = self.autoencoder.decoder.conv_out.weight
        (pull,) = torch.autograd.grad(faithful, last, retain_graph=True)
        (push,) = torch.autograd.grad(judged, last, retain_graph=True)
        balance: Tensor = (pull.norm() / (push.norm() + 1e-4)).clamp(0, 1e4).detach()
        return balance

    def _initialise_codebook(self, codebook: Codebook, latents: Tensor) -> None:
        """Initialise the codebook with latents of the first batch, so that no vector stays unused."""
        tokens = latents.permute(0, 2, 3, 1).flatten(0, 2)
        vectors = codebook.embedding.weight
        generator = torch.Generator().manual_seed(hashed_seed(self.run.seed, "codebook"))
        chosen = torch.randint(len(tokens), (len(vectors),), generator=generator)
        with torch.no_grad():
            spread = tokens.std() / 10 * torch.randn(vectors.shape, generator=generator).to(tokens)
            vectors.copy_(tokens[chosen.to(tokens.device)] + spread)


def _load_start(path: Path, config: AutoencoderConfig) -> Autoencoder:
    begun = load_autoencoder(path, config)
    if begun.config != config:
        raise RefbenchError(f"{path} is an autoencoder of other sizes than model")
    return begun


def _perceptual_loss(trunk: str, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    if trunk == "none":
        return lambda restored, target: restored.new_zeros(len(restored))
    from ....metrics.protocols.lpips import load_lpips

    lpips = load_lpips(trunk, device)
    return lambda restored, target: lpips(restored, target, normalize=True).flatten()
