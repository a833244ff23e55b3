"""ReF-LDM, table 2: how the reference reaches the denoiser.

    python benchmarks/ablations/mechanism.py [SET] [--quick] [--json] [--steps 200]

CacheKV against a reference joined on the input channels, and against cross-attention to the latent of the
reference as a sequence of tokens. One reference, guided alike from a null reference of zeros.
"""

from __future__ import annotations

from functools import partial

import torch
from common import Direction, Study, Variant, run_study
from refbench.models.checkpoints.checkpoints import read_tensors
from refbench.models.checkpoints.minis import STEPS
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.training.config import RefLdmRun
from refbench.models.training.data import Batch
from refbench.models.training.tasks.diffusion import RefLdmTask
from torch import Tensor, nn

WIDTH = 64
GUIDANCE = 1.5


class OtherMechanism(RefLdmTask):
    """ReF-LDM's network with another reference mechanism: ``concat`` or ``cross`` attention."""

    def __init__(self, run: RefLdmRun, way: str) -> None:
        torch.manual_seed(run.seed)
        self.way = way
        unet = run.model.unet
        more = {"in_channels": unet.in_channels + unet.out_channels}
        side = run.model.image_size // run.model.autoencoder.downsampling
        tokens = {"context_channels": WIDTH, "context_grid": side if unet.positions else 0}
        changed = unet.model_copy(update=more if way == "concat" else tokens)
        model = run.model.model_copy(update={"unet": changed})
        super().__init__(run.model_copy(update={"model": model, "start": None}), torch.device("cpu"))
        self.network.project = nn.Linear(unet.out_channels, WIDTH)
        self.network.places = nn.Parameter(torch.randn(side * side, WIDTH) * 0.02)
        if run.start is not None:
            self._begin(read_tensors(run.start)[0])

    def _begin(self, tensors: dict[str, Tensor]) -> None:
        own = self.network.state_dict()
        shared = {n: v for n, v in tensors.items() if n.startswith("unet.") and n in own}
        first = "unet.input_blocks.0.0.weight"
        wide = torch.zeros_like(own[first])
        wide[:, : shared[first].shape[1]] = shared[first]
        self.network.load_state_dict(shared | {first: wide}, strict=False)

    def eps(self, x_t: Tensor, t: Tensor, lq: Tensor, *, reference: Tensor) -> Tensor:
        """Noise prediction, given the latent of one reference (B, C, h, w); zeros for none."""
        model = self.refldm
        if self.way == "concat":
            output = model.unet(torch.cat([x_t, lq, reference], 1), t)
        else:
            tokens = model.project(reference.flatten(2).transpose(1, 2)) + model.places
            output = model.unet(torch.cat([x_t, lq], 1), t, context=tokens)
        return model.schedule.predicted_noise(output, x_t, t)

    def predict(self, x_t: Tensor, t: Tensor, lq: Tensor, *, batch: Batch, kept: Tensor) -> Tensor:
        """See `DiffusionTask.predict`."""
        with torch.no_grad():
            reference = self.refldm.encode(batch.references[:, 0]).float()
        return self.eps(x_t, t, lq, reference=reference * kept.view(-1, 1, 1, 1))

    @torch.inference_mode()
    def restored(self, batch: Batch) -> Tensor:
        """Restored images (B, 3, H, W) in [0, 1], sampled with guidance."""
        model = self.refldm
        lq, reference = model.encode(batch.lq), model.encode(batch.references[:, 0])

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            none = self.eps(x_t, t, lq, reference=torch.zeros_like(reference))
            return none + GUIDANCE * (self.eps(x_t, t, lq, reference=reference) - none)

        noise = torch.stack([torch.randn(lq.shape[1:], generator=g.clone_state()) for g in batch.generators])
        steps = spaced_timesteps(STEPS, "uniform_trailing", len(model.schedule))
        return model.decode(ddim(denoise, noise, model.schedule, timesteps=steps)).clamp(0, 1)


def guided_samples(task: OtherMechanism, batch: Batch) -> Tensor:
    """Restore a batch with the task's own sampling."""
    return task.restored(batch)


if __name__ == "__main__":
    settings = {"data": {"references": 1}}
    run_study(
        Study(
            "Reference mechanism of ReF-LDM",
            "refldm-mini",
            [
                Variant("CacheKV", settings),
                Variant(
                    "channel concat",
                    settings,
                    restore=guided_samples,
                    make=partial(OtherMechanism, way="concat"),
                ),
                Variant(
                    "cross-attention",
                    settings,
                    restore=guided_samples,
                    make=partial(OtherMechanism, way="cross"),
                ),
            ],
            [Direction("CacheKV", "channel concat"), Direction("CacheKV", "cross-attention")],
            "CacheKV gives the highest identity similarity of the three.",
        )
    )
