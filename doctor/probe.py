"""Imports the heavy packages in a process of its own and reports: `python -m refbench.doctor.probe`.

One JSON object a line: ``{"begin": NAME}`` before a package is imported, so that a crash names its package,
then ``{"end": NAME, ...}`` with what was seen, or with ``"error"``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

MODULES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "insightface": "insightface",
    "facexlib": "facexlib",
    "datasets": "datasets",
    "pandas": "pandas",
    "albumentations": "albumentations",
    "lpips": "lpips",
    "pyiqa": "pyiqa",
    "torch-fidelity": "torch_fidelity",
    "opencv": "cv2",
    "onnxruntime": "onnxruntime",
}


def look_at_torch(torch: Any) -> dict[str, Any]:
    """The devices, and what the processor does in bfloat16."""
    able: dict[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "cuda": [_card(torch, index) for index in range(torch.cuda.device_count())],
        "built_for_cuda": torch.version.cuda,
        "mps": bool(torch.backends.mps.is_available()),
        "threads": torch.get_num_threads(),
        "avx512_bf16": bool(able.get("avx512_bf16")),
        "amx_bf16": bool(able.get("amx_bf16")),
    }


def _card(torch: Any, index: int) -> dict[str, Any]:
    card = torch.cuda.get_device_properties(index)
    return {"name": card.name, "bytes": card.total_memory, "bf16": torch.cuda.is_bf16_supported()}


def look_at_torchvision(torchvision: Any) -> dict[str, Any]:
    """Whether its compiled part fits torch: a call of one operator says so."""
    import torch

    kept = torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    return {"nms": kept.tolist()}


def look_at_opencv(cv2: Any) -> dict[str, Any]:
    """The version of the one ``cv2`` that is imported, whichever distribution wrote it."""
    return {"version": cv2.__version__}


def look_at_onnxruntime(onnxruntime: Any) -> dict[str, Any]:
    """Its providers, and the one that a session really gets where CUDA is offered."""
    providers = list(onnxruntime.get_available_providers())
    offered = "CUDAExecutionProvider" in providers
    return {"providers": providers, "used": _used(onnxruntime) if offered else "CPUExecutionProvider"}


def _used(onnxruntime: Any) -> str:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=wanted)
    return str(session.get_providers()[0])


LOOKS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "torch": look_at_torch,
    "torchvision": look_at_torchvision,
    "opencv": look_at_opencv,
    "onnxruntime": look_at_onnxruntime,
}


def main() -> None:
    """Import and look at each package, whatever the others do; what packages print goes to stderr."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = os.environ["HF_HUB_OFFLINE"] = "1"
    for name, module in MODULES.items():
        print(json.dumps({"begin": name}), file=out, flush=True)
        try:
            seen = LOOKS.get(name, lambda _: {})(importlib.import_module(module))
        except Exception as error:
            seen = {"error": f"{type(error).__name__}: {error}".strip().partition("\n")[0]}
        print(json.dumps({"end": name, **seen}), file=out, flush=True)


if __name__ == "__main__":
    main()
