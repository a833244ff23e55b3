"""Losses: values that can be computed by hand, gradients against differences, the papers' special cases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refbench.errors import RefbenchError
from refbench.models.diffusion.schedule import DiffusionConfig, Schedule
from refbench.models.networks.autoencoder import Autoencoder, AutoencoderConfig
from refbench.models.networks.losses import (
    adversarial_loss,
    codebook_loss,
    discriminator_loss,
    hard_example_identity_loss,
    identity_loss,
    identity_scale,
    noise_loss,
    reconstruction_loss,
)
from torch import Tensor
from torch.nn import functional as F

ALPHAS = Schedule.from_config(DiffusionConfig()).alphas_cumprod


def unit(*shape: int, seed: int) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=-1)


def test_values_by_hand() -> None:
    left, right = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[0.0, 1.0], [0.6, 0.8]])
    assert identity_loss(left, right).tolist() == pytest.approx([1, 0], abs=1e-6)
    assert identity_loss(left, -left).tolist() == pytest.approx([2, 2])
    zeros, twos = torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 2.0)
    assert noise_loss(zeros, twos).tolist() == [4, 4]
    assert noise_loss(zeros, twos, "l1").tolist() == [2, 2]
    assert reconstruction_loss(zeros, twos).tolist() == [2, 2]
    assert codebook_loss(zeros, twos).tolist() == [5, 5]
    assert float(discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 0.0]))) == 0.5
    assert float(adversarial_loss(torch.tensor([2.0, 4.0]))) == -3


@given(share=st.floats(0, 1))
def test_hard_example_loss_lies_between_its_parts(share: float) -> None:
    restored, hq, reference = (unit(4, 16, seed=seed) for seed in range(3))
    parts = torch.stack([identity_loss(restored, hq), identity_loss(restored, reference)])
    mixed = hard_example_identity_loss(restored, hq, reference, share=share)
    assert (mixed <= parts.amax(0) + 1e-9).all()
    assert (mixed >= parts.amin(0) - 1e-9).all()


def test_hard_example_loss_at_its_ends() -> None:
    restored, hq, reference = (unit(4, 16, seed=seed) for seed in range(3))
    assert torch.equal(
        hard_example_identity_loss(restored, hq, reference, share=0), identity_loss(restored, hq)
    )
    assert torch.equal(
        hard_example_identity_loss(restored, hq, reference, share=1), identity_loss(restored, reference)
    )
    with pytest.raises(RefbenchError, match="0 to 1"):
        hard_example_identity_loss(restored, hq, reference, share=1.5)


def test_hard_example_loss_still_teaches_at_the_hq_image() -> None:
    hq, reference = unit(1, 16, seed=1), unit(1, 16, seed=2)
    restored = hq.clone().requires_grad_()
    (plain,) = torch.autograd.grad(identity_loss(F.normalize(restored, dim=-1), hq).sum(), restored)
    mixed = hard_example_identity_loss(F.normalize(restored, dim=-1), hq, reference, share=0.5)
    (hard,) = torch.autograd.grad(mixed.sum(), restored)
    assert float(plain.norm()) < 1e-6
    assert float(hard.norm()) > 0.1


def test_scale_of_the_identity_loss_over_time() -> None:
    times = torch.tensor([0, 99, 100, 499, 500, 999])
    assert identity_scale(ALPHAS, times, "none").tolist() == [0] * 6
    assert identity_scale(ALPHAS, times, "unscaled").tolist() == [1] * 6
    assert identity_scale(ALPHAS, times, "below_100").tolist() == [1, 1, 0, 0, 0, 0]
    assert identity_scale(ALPHAS, times, "below_500").tolist() == [1, 1, 1, 1, 0, 0]
    scaled = identity_scale(ALPHAS, times, "sqrt_alpha_bar")
    assert torch.equal(scaled, ALPHAS[times].sqrt())
    assert scaled[0] > 0.99
    assert scaled[-1] < 0.1


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: noise_loss(x, torch.ones_like(x)),
        lambda x: noise_loss(x, torch.ones_like(x), "l1"),
        lambda x: reconstruction_loss(x, torch.ones_like(x)),
        lambda x: identity_loss(F.normalize(x.flatten(1), dim=-1), unit(2, 12, seed=4)),
        lambda x: hard_example_identity_loss(
            F.normalize(x.flatten(1), dim=-1), unit(2, 12, seed=4), unit(2, 12, seed=5), share=0.3
        ),
        lambda x: discriminator_loss(x, -x),
        lambda x: adversarial_loss(x),
    ],
)
def test_gradients_agree_with_differences(loss: Callable[[Tensor], Tensor]) -> None:
    x = unit(2, 3, 2, 2, seed=6).requires_grad_()
    if loss(x).requires_grad:
        assert torch.autograd.gradcheck(lambda given: loss(given).sum(), (x,))


def test_codebook_loss_pulls_both_ways() -> None:
    latents, quantised = unit(2, 1, 2, 2, seed=1).requires_grad_(), unit(2, 1, 2, 2, seed=2).requires_grad_()
    towards = torch.autograd.grad(codebook_loss(latents, quantised, 0.25).sum(), (latents, quantised))
    off = (latents - quantised).detach()
    assert torch.allclose(towards[0], 0.25 * 2 * off / 4)
    assert torch.allclose(towards[1], -2 * off / 4)


def test_identity_loss_reaches_the_noise_through_decoder_and_recogniser() -> None:
    config = AutoencoderConfig(
        channels=32,
        multipliers=(1, 2),
        residual_blocks=1,
        latent_channels=4,
        codebook_channels=4,
        codebook_size=32,
    )
    torch.manual_seed(0)
    autoencoder = Autoencoder(config).double().requires_grad_(False)
    schedule = Schedule.from_config(DiffusionConfig())
    weights = torch.randn(16, 3 * 16 * 16, dtype=torch.float64) / 10

    def embed(images: Tensor) -> Tensor:
        return F.normalize(images.flatten(1) @ weights.T, dim=-1)

    target = unit(1, 16, seed=1)
    x_t, t = torch.randn(1, 4, 8, 8, dtype=torch.float64), torch.tensor([100])
    eps = torch.randn(1, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    image = autoencoder.decode(schedule.predict_x0(x_t, eps, t))
    loss = identity_scale(ALPHAS, t, "sqrt_alpha_bar") * identity_loss(embed(image), target)
    (gradient,) = torch.autograd.grad(loss.sum(), eps)
    assert gradient.isfinite().all()
    assert float(gradient.abs().max()) > 0

    def straight_through(given: Tensor) -> Tensor:
        moved = autoencoder.quantize(schedule.predict_x0(x_t, eps, t)).detach() + given
        return identity_loss(embed(autoencoder.decode_quantised(moved)), target).sum()

    zero = torch.zeros(1, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(straight_through(zero), zero)
    signal, spread = schedule.scales(t, eps)
    scale = identity_scale(ALPHAS, t, "sqrt_alpha_bar").view(-1, 1, 1, 1)
    assert torch.allclose(gradient, -spread / signal * scale * wanted, rtol=1e-4)
