"""How fast full-size ReF-LDM restores one 512x512 face on this processor, beside a plain implementation.

    python benchmarks/refldm.py                  # 4 references, guidance 1.5, 50 steps, random weights
    python benchmarks/refldm.py --quick          # 64x64, 1 reference: the parts, no verdict on speed
    python benchmarks/refldm.py --json           # either, as JSON
    python benchmarks/refldm.py --compile        # what torch.compile makes of a guided step
    python benchmarks/refldm.py --memory         # peak memory for 1, 2 and 4 references

The plain implementation is the same network as it is usually written: float32, NCHW, attention by einsum
with the whole matrix of weights in memory, N null references cached N times, two passes a step. Steps are
timed singly and counted as often as asked for; everything else is timed as it is used. Each time is the
least of the repeats. CPU seconds are those of all threads: on a busy machine they say more than wall time.

Goals are of the whole size, not of --quick.

The weights are random, and the noise that the U-Net finds is its noisy input and a random part: like a
trained one it leaves little of the noise, where one that is random alone blows latents up fortyfold.
"""

from __future__ import annotations

import argparse
import copy
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from unittest.mock import patch

import torch
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.networks import attention, autoencoder, unet
from refbench.models.networks.attention import CacheKV
from refbench.models.refldm.model import RefLdm, RefLdmConfig
from report import Report, main
from torch import Tensor
from torch.nn import functional as F

PEER = {
    "encode LQ": 4.0,
    "encode and cache references": 22.0 + 6.9 - 2.2,
    "guided step": 2.2,
    "decode": 6.4,
}
PEER_NOTE = "the authors' code at 512x512, float32, two cores with AMX, 2026; fixed figures, not run here"
RANDOM_SHARE = 0.3
GOALS = {"float32": 1.8, "bfloat16": 4.0}
DECIBELS = 40
PEAK_OF = "--peak-of"
Result = TypeVar("Result")


@dataclass
class Run:
    """What one precision takes, in seconds per part, and what it gives: a latent and an image."""

    wall: dict[str, float]
    cpu: dict[str, float]
    latent: Tensor
    image: Tensor


@dataclass(frozen=True)
class Difference:
    """How near an image is to the float32 one: as it is, and decoded without the codebook, in decibels;
    and the shares of the latent's length and of its codes that are others.
    """

    decibels: float
    decibels_without_codebook: float
    latent: float
    codes: float


def measure(given: argparse.Namespace, report: Report) -> None:
    """Every precision on the same weights and inputs, beside the plain implementation."""
    torch.set_num_threads(given.threads)
    if given.quick:
        given.size, given.references, given.repeats, given.check_steps = 64, 1, 1, 1
    names = ("size", "references", "steps", "threads")
    report.workload |= {name: getattr(given, name) for name in names} | {"guidance": 1.5}
    if given.memory:
        add_memory(report, given.precision)
    elif given.compile:
        time_compiled(report, given)
    else:
        add_speed(report, given)


def add_speed(report: Report, given: argparse.Namespace) -> None:
    """Rows of each precision against the plain implementation: parts, the whole image, and how near it is."""
    model = full_size_model()
    inputs = draw_inputs(given.references, given.size)
    runs: dict[str, Run] = {}
    if given.skip_plain:
        report.skip("against plain float32", "--skip-plain", unit="s")
    else:
        with plain_modules():
            runs["plain float32"] = run_of(model, inputs, given, plain=True)
    model = model.to(memory_format=torch.channels_last)
    runs["float32"] = run_of(model, inputs, given)
    lower = copy.deepcopy(model)
    unet.cast_to_bfloat16(lower.unet)
    runs["bfloat16"] = run_of(lower, inputs, given, lower_parts=True, lower_steps=True)
    runs["mixed"] = run_of(model, inputs, given, lower_parts=True)
    plain = runs.get("plain float32")
    for name in ("float32", "bfloat16", "mixed"):
        run = runs[name]
        for part, seconds in run.wall.items():
            peer = plain.wall[part] if plain else None
            report.add(f"{name}: {part}, wall, against plain", unit="s", ours=seconds, peer=peer)
        goal = f"ratio >= {GOALS[name]}" if name in GOALS and plain else None
        report.add(
            f"{name}: whole image, wall, against plain",
            unit="s",
            ours=total(run.wall, given.steps),
            peer=total(plain.wall, given.steps) if plain else None,
            goal=goal,
            judged_when_quick=False,
        )
        report.add(
            f"{name}: whole image, CPU, against plain",
            unit="s",
            ours=total(run.cpu, given.steps),
            peer=total(plain.cpu, given.steps) if plain else None,
        )
        again = total(run.wall, given.steps) - run.wall["encode and cache references"]
        report.add(f"{name}: second target of the person, wall", unit="s", ours=again)
        if given.size == 512 and given.references == 4:
            peer = total(PEER, given.steps)
            title = f"{name}: whole image, against {PEER_NOTE}"
            report.add(title, unit="s", ours=total(run.wall, given.steps), peer=peer)
    for name, near in differences(model, runs).items():
        goal = f"ours >= {DECIBELS}" if name in ("bfloat16", "mixed") else None
        report.add(
            f"{name}: image against float32's after {given.check_steps} steps",
            unit="dB",
            ours=near.decibels,
            goal=goal,
            judged_when_quick=False,
        )
        title = f"{name}: the same without the codebook"
        report.add(title, unit="dB", ours=near.decibels_without_codebook)
        report.add(f"{name}: latent is off by", unit="share", ours=near.latent)
        report.add(f"{name}: codes that are others", unit="share", ours=near.codes)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--size", type=int, default=512, help="side of the images; 64 with --quick")
    parser.add_argument("--references", type=int, default=4, help="1 with --quick")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--check-steps", type=int, default=6, help="steps of the image that is compared")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--skip-plain", action="store_true", help="leave the plain implementation out")
    parser.add_argument("--compile", action="store_true", help="what torch.compile makes of a guided step")
    parser.add_argument("--memory", action="store_true", help="peak memory for 1, 2 and 4 references")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")


@torch.no_grad()
def full_size_model() -> RefLdm:
    """Random weights, none of them zero, so that every layer does its work, and a path for the noise."""
    torch.manual_seed(0)
    model = RefLdm(RefLdmConfig()).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    model.autoencoder.quantize.embedding.weight.normal_(std=0.5)
    pass_noise_on(model.unet)
    return model


def pass_noise_on(network: unet.UNet) -> None:
    """Give each channel of the noisy latent two of the first convolution's, of opposite sign, keep them in
    the last block, and subtract them at the end: SiLU(u) - SiLU(-u) = u.
    """
    first, last = network.input_blocks[0][0], network.output_blocks[-1][0]
    skip, inside, out = last.skip_connection, last.out_layers[3], network.out[2]
    latent, taken = network.config.out_channels, 2 * network.config.out_channels
    beside = skip.in_channels - network.config.channels
    out.weight.mul_(RANDOM_SHARE)
    for layer in (first, skip, inside):
        layer.weight[:taken] = 0
        layer.bias[:taken] = 0
    out.weight[:, :taken] = 0
    for channel in range(latent):
        for index, sign in ((2 * channel, 1), (2 * channel + 1, -1)):
            first.weight[index, channel, 1, 1] = sign
            skip.weight[index, beside + index] = 1
            out.weight[channel, index, 1, 1] = sign


def draw_inputs(references: int, size: int = 512) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "lq": torch.rand(1, 3, size, size, generator=generator),
        "references": torch.rand(1, references, 3, size, size, generator=generator),
        "noise": torch.randn(1, 8, size // 8, size // 8, generator=generator),
    }


def bfloat16(wanted: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted)


@torch.inference_mode()
def run_of(
    model: RefLdm,
    given: dict[str, Tensor],
    options: argparse.Namespace,
    *,
    plain: bool = False,
    lower_parts: bool = False,
    lower_steps: bool = False,
) -> Run:
    """``lower_parts`` encodes references and decodes in bfloat16, ``lower_steps`` samples in it."""
    run = Run({}, {}, torch.empty(0), torch.empty(0))

    def timed(name: str, work: Callable[[], Result], repeats: int) -> Result:
        wall, cpu = [], []
        for _ in range(repeats):
            start = time.perf_counter(), time.process_time()
            result = work()
            wall.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        run.wall[name], run.cpu[name] = min(wall), min(cpu)
        return result

    def caches() -> tuple[CacheKV, CacheKV]:
        with bfloat16(lower_parts):
            latents = model.encode_references(given["references"]).float()
        references = model.cache_references(latents)
        if plain:
            return references, model.cache_references(torch.zeros_like(latents))
        return references, model.cache_null((latents.shape[-2], latents.shape[-1]), latents.shape[1])

    lq = timed("encode LQ", lambda: model.encode(given["lq"]), options.repeats)
    with bfloat16(lower_steps):
        references, null = timed("encode and cache references", caches, 1)
    eps = (
        plain_guided_eps(model, lq, references, null=null)
        if plain
        else model.guided_eps(lq, references, null, scale=1.5)
    )
    now, steps = torch.tensor([500]), spaced_timesteps(options.check_steps, "uniform_trailing")
    with bfloat16(lower_steps):
        timed("guided step", lambda: eps(given["noise"], now), 1 + 2 * options.repeats)
        run.latent = ddim(eps, given["noise"], model.schedule, timesteps=steps)
    with bfloat16(lower_parts):
        run.image = timed("decode", lambda: model.decode(run.latent), options.repeats).float().clamp(0, 1)
    return run


@torch.inference_mode()
def differences(model: RefLdm, runs: dict[str, Run]) -> dict[str, Difference]:
    """How near each image is to the float32 one, and whether latents, codes or the decoder part them."""
    exact, network = runs["float32"], model.autoencoder

    def uncoded(latent: Tensor, lower: bool) -> Tensor:
        with bfloat16(lower):
            return (network.decode_quantised(latent).float() + 1).div(2).clamp(0, 1)

    without, codes = uncoded(exact.latent, False), network.quantize.nearest(exact.latent)
    with bfloat16(True):
        decoded = model.decode(exact.latent).float().clamp(0, 1)
    others = {name: (run.latent, run.image) for name, run in runs.items() if name != "float32"}
    others["the float32 latent decoded in bfloat16"] = exact.latent, decoded
    return {
        name: Difference(
            psnr(image, exact.image),
            psnr(uncoded(latent, name != "plain float32"), without),
            float((latent - exact.latent).norm() / exact.latent.norm()),
            float((network.quantize.nearest(latent) != codes).float().mean()),
        )
        for name, (latent, image) in others.items()
    }


@torch.inference_mode()
def time_compiled(report: Report, options: argparse.Namespace) -> None:
    """A guided step with and without torch.compile, and how long the compiling takes."""
    model = full_size_model().to(memory_format=torch.channels_last)
    noise = draw_inputs(1, options.size)["noise"]
    latents = noise[:, None].expand(-1, options.references, -1, -1, -1)
    with bfloat16(options.precision == "bfloat16"):
        references = model.cache_references(latents)
        null = model.cache_null((noise.shape[2], noise.shape[3]), options.references)
        eps = model.guided_eps(noise, references, null, scale=1.5)
        for name in ("as it is", "compiled"):
            if name == "compiled":
                model.unet.compile()
            times = []
            for _ in range(2 + 2 * options.repeats):
                start = time.perf_counter()
                eps(noise, torch.tensor([500]))
                times.append(time.perf_counter() - start)
            report.add(f"{options.precision}, {name}: first step", unit="s", ours=times[0])
            report.add(f"{options.precision}, {name}: then", unit="s", ours=min(times))


def total(seconds: dict[str, float], steps: int) -> float:
    return sum(value * (steps if part == "guided step" else 1) for part, value in seconds.items())


def psnr(left: Tensor, right: Tensor) -> float:
    return float(-10 * (left - right).square().mean().log10())


@contextmanager
def plain_modules() -> Iterator[None]:
    """The same network with attention by einsum and without fused kernels."""
    with (
        patch.object(F, "scaled_dot_product_attention", einsum_attention),
        patch.object(unet.AttentionBlock, "forward", plain_attention_block),
        patch.object(autoencoder.Upsample, "forward", unet.Upsample.forward),
        patch.object(autoencoder, "activated", lambda norm, x: F.silu(norm(x))),
    ):
        yield


def einsum_attention(q: Tensor, k: Tensor, v: Tensor, *no_bias: None) -> Tensor:
    scale = q.shape[-1] ** -0.25
    weights = torch.einsum("bhqc,bhkc->bhqk", q * scale, k * scale).softmax(-1)
    return torch.einsum("bhqk,bhkc->bhqc", weights, v)


def plain_attention_block(
    block: unet.AttentionBlock, x: Tensor, memory: attention.Memory, *no_context: Tensor | None
) -> Tensor:
    batch, channels, height, width = x.shape
    tokens = x.flatten(2)
    qkv = block.qkv(block.norm(tokens)).view(batch, block.heads, 3, channels // block.heads, -1)
    q, k, v = qkv.transpose(-1, -2).unbind(2)
    attended = memory.attend(q, k, v, layer=block.layer).transpose(-1, -2).reshape(batch, channels, -1)
    return (tokens + block.proj_out(attended)).view(batch, channels, height, width)


def plain_guided_eps(
    model: RefLdm, lq: Tensor, references: CacheKV, *, null: CacheKV
) -> Callable[[Tensor, Tensor], Tensor]:
    def eps(x_t: Tensor, timesteps: Tensor) -> Tensor:
        without = model.eps(x_t, timesteps, lq, memory=null)
        return without + 1.5 * (model.eps(x_t, timesteps, lq, memory=references) - without)

    return eps


def add_memory(report: Report, precision: str) -> None:
    """Peak memory in processes of their own."""
    for count in (1, 2, 4):
        command = [sys.executable, __file__, PEAK_OF, str(count), precision]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak, kept = map(float, done.stdout.split())
        report.add(f"{precision}, {count} references: peak memory", unit="MiB", ours=peak)
        report.add(f"{precision}, {count} references: kept for the person", unit="MiB", ours=kept)


@torch.inference_mode()
def print_peak(references: int, precision: str) -> None:
    model = full_size_model().to(memory_format=torch.channels_last)
    given = draw_inputs(references)
    lq = model.encode(given["lq"])
    with bfloat16(precision == "bfloat16"):
        cache = model.cache_references(model.encode_references(given["references"]))
        null = model.cache_null((64, 64), references)
        eps = model.guided_eps(lq, cache, null, scale=1.5)
        model.decode(ddim(eps, given["noise"], model.schedule, timesteps=[999]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, cache.nbytes / 2**20)


if __name__ == "__main__":
    if sys.argv[1:2] == [PEAK_OF]:
        sys.exit(print_peak(int(sys.argv[2]), sys.argv[3]))
    sys.exit(main(measure, __doc__, arguments))
