"""How fast full-size ReF-LDM restores one 512x512 face on this processor, beside a plain implementation.

    python benchmarks/refldm.py                  # 4 references, guidance 1.5, 50 steps, random weights
    python benchmarks/refldm.py --quick          # 128x128, 2 references, under a minute
    python benchmarks/refldm.py --json           # either, as JSON
    python benchmarks/refldm.py --compile        # what torch.compile makes of a guided step
    python benchmarks/refldm.py --memory         # peak memory for 1, 2 and 4 references

The plain implementation is the same network as it is usually written: float32, NCHW, attention by einsum
with the whole matrix of weights in memory, N null references cached N times, two passes a step. Steps are
timed singly and counted as often as asked for; everything else is timed as it is used. Each time is the
least of the repeats. CPU seconds are those of all threads: on a busy machine they say more than wall time.

Exit code 1: a goal is missed. Goals are of the whole size, not of --quick.

The weights are random, and the noise that the U-Net finds is its noisy input and a random part: like a
trained one it leaves little of the noise, where one that is random alone blows latents up fortyfold.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar
from unittest.mock import patch

import torch
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.networks import attention, autoencoder, unet
from refbench.models.networks.attention import CacheKV
from refbench.models.refldm.model import RefLdm, RefLdmConfig
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


def main() -> int:
    options = read_options()
    torch.set_num_threads(options.threads)
    if options.peak_of is not None:
        report_peak(options.peak_of, options.precision)
    elif options.memory:
        compare_memory(options.precision)
    elif options.compile:
        time_compiled(options)
    else:
        return compare_speed(options)
    return 0


def compare_speed(options: argparse.Namespace) -> int:
    model = full_size_model()
    given = draw_inputs(options.references, options.size)
    runs: dict[str, Run] = {}
    if not options.skip_plain:
        with plain_modules():
            runs["plain float32"] = measure(model, given, options, plain=True)
    model = model.to(memory_format=torch.channels_last)
    runs["float32"] = measure(model, given, options)
    lower = copy.deepcopy(model)
    unet.cast_to_bfloat16(lower.unet)
    runs["bfloat16"] = measure(lower, given, options, lower_parts=True, lower_steps=True)
    runs["mixed"] = measure(model, given, options, lower_parts=True)
    faster = {name: ratios(runs, name, options.steps) for name in runs if "plain float32" in runs}
    nearer = differences(model, runs)
    short = [] if options.quick else shortfalls(faster, nearer)
    if options.json:
        told = {name: {"wall": run.wall, "cpu": run.cpu} for name, run in runs.items()}
        near = {name: asdict(difference) for name, difference in nearer.items()}
        size = {name: getattr(options, name) for name in ("size", "references", "steps", "threads")}
        print(json.dumps({**size, "runs": told, "faster": faster, "near": near, "short": short}, indent=2))
        return 1 if short else 0
    print_table(runs, options)
    print_comparison(faster, nearer, options)
    if not options.quick:
        print("\n" + ("falls short: " + "; ".join(short) if short else "every goal is reached"))
    return 1 if short else 0


def ratios(runs: dict[str, Run], name: str, steps: int) -> dict[str, float]:
    """How many times as fast as the plain implementation, by wall and by CPU time."""
    plain, own = runs["plain float32"], runs[name]
    return {
        "wall": total(plain.wall, steps) / total(own.wall, steps),
        "cpu": total(plain.cpu, steps) / total(own.cpu, steps),
    }


def shortfalls(faster: dict[str, dict[str, float]], nearer: dict[str, Difference]) -> list[str]:
    """Which goals are missed, in words."""
    slow = [
        f"{name} is {faster[name]['wall']:.2f} times as fast as plain; wanted {goal}"
        for name, goal in GOALS.items()
        if name in faster and faster[name]["wall"] < goal
    ]
    far = [
        f"{name} is {nearer[name].decibels:.1f} dB from float32; wanted {DECIBELS}"
        for name in ("bfloat16", "mixed")
        if nearer[name].decibels < DECIBELS
    ]
    return slow + far


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--size", type=int, default=512, help="side of the images")
    parser.add_argument("--references", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--check-steps", type=int, default=6, help="steps of the image that is compared")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="128x128, 2 references, 1 repeat")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.size, options.references, options.repeats, options.check_steps = 128, 2, 1, 2
    return options


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
def measure(
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


def print_table(runs: dict[str, Run], options: argparse.Namespace) -> None:
    parts = list(PEER)
    size = f"{options.size}x{options.size}"
    print(
        f"{size}, {options.references} references, guidance 1.5, {options.steps} steps, "
        f"{options.threads} threads\n"
    )
    print(f"| | {' | '.join(parts)} | whole image | second target of the person |")
    print("|---" * (len(parts) + 3) + "|")
    rows = {f"{name}, wall": run.wall for name, run in runs.items()}
    rows |= {f"{name}, CPU": run.cpu for name, run in runs.items()}
    at_full_size = options.size == 512 and options.references == 4
    for name, seconds in (rows | ({"peer": PEER} if at_full_size else {})).items():
        cells = [f"{seconds[part]:.2f} s" for part in parts]
        again = total(seconds, options.steps) - seconds["encode and cache references"]
        print(f"| {name} | {' | '.join(cells)} | {total(seconds, options.steps):.0f} s | {again:.0f} s |")
    if at_full_size:
        print(f"\npeer: {PEER_NOTE}; every target pays for its references again")


def print_comparison(
    faster: dict[str, dict[str, float]], nearer: dict[str, Difference], options: argparse.Namespace
) -> None:
    print()
    for name, times in faster.items():
        if name != "plain float32":
            said = f"{times['wall']:.2f} times as fast as plain by wall time, {times['cpu']:.2f} by CPU time"
            print(f"{name}: {said}")
    print(f"\nimages after {options.check_steps} steps, random weights, against float32:")
    for name, near in nearer.items():
        print(
            f"{name}: {near.decibels:.1f} dB, {near.decibels_without_codebook:.1f} without the codebook; "
            f"the latent is off by {near.latent:.2%} and {near.codes:.2%} of its codes are others"
        )


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
def time_compiled(options: argparse.Namespace) -> None:
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
            print(
                f"{options.precision}, {name}: first step {times[0]:.1f} s, then {min(times):.2f} s",
                flush=True,
            )


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


def einsum_attention(q: Tensor, k: Tensor, v: Tensor, *, bias: Tensor | None = None) -> Tensor:
    scale = q.shape[-1] ** -0.25
    weights = torch.einsum("bhqc,bhkc->bhqk", q * scale, k * scale).softmax(-1)
    return torch.einsum("bhqk,bhkc->bhqc", weights, v)


def plain_attention_block(
    block: unet.AttentionBlock, x: Tensor, memory: attention.Memory, *, context: Tensor | None
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


def compare_memory(precision: str) -> None:
    """Peak memory in processes of their own."""
    print("| references | peak memory | kept for the person |\n|---|---|---|")
    for count in (1, 2, 4):
        command = [sys.executable, __file__, "--peak-of", str(count), "--precision", precision]
        subprocess.run(command, check=True)


@torch.inference_mode()
def report_peak(references: int, precision: str) -> None:
    model = full_size_model().to(memory_format=torch.channels_last)
    given = draw_inputs(references)
    lq = model.encode(given["lq"])
    with bfloat16(precision == "bfloat16"):
        cache = model.cache_references(model.encode_references(given["references"]))
        null = model.cache_null((64, 64), references)
        eps = model.guided_eps(lq, cache, null, scale=1.5)
        model.decode(ddim(eps, given["noise"], model.schedule, timesteps=[999]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {references} | {peak:.0f} MiB | {cache.nbytes / 2**20:.0f} MiB |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
