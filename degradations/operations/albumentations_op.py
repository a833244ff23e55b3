"""The operation ``albumentations``: a serialised albumentations pipeline as a step of a recipe.

Every random choice of the pipeline comes from the step's generator, which all its transforms share.
(albumentations' own ``set_random_seed`` would give each transform a generator of the same seed, and so
correlated draws.) ``ImageCompression`` is read as `TrueColourCompression`; see `true_colour`.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
from typing import Any

import numpy as np

from ...extras import optional
from ...files import canonical_json
from .operation import Operation, Parameter, Pixels, Setting, Values, as_pixels, round_levels

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
TRUE_COLOUR = "refbench.degradations.transforms.TrueColourCompression"  # `true_colour.SERIAL_NAME`
_local = threading.local()


def _apply(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    pipeline = _pipeline(values["pipeline"])
    draw = setting.generator
    pipeline.set_random_state(draw, random.Random(int(draw.integers(2**63))))
    rgb = np.ascontiguousarray(round_levels(pixels)[..., ::-1])
    return as_pixels(pipeline(image=rgb)["image"][..., ::-1])


def _pipeline(plain: dict[str, Any]) -> Any:
    """The pipeline of this thread: it holds the state of its generators, so threads cannot share one."""
    text = canonical_json(plain)
    if getattr(_local, "text", None) != text:
        _local.text, _local.pipeline = text, _build(plain)
    return _local.pipeline


def _build(plain: dict[str, Any]) -> Any:
    with optional("albumentations", "the operation albumentations"):
        import albumentations

    from . import true_colour  # noqa: F401  registers TrueColourCompression

    built: Any = albumentations.from_dict({"transform": _in_true_colour(plain)})
    return built if isinstance(built, albumentations.Compose) else albumentations.Compose([built])


def _in_true_colour(plain: Any) -> Any:
    if isinstance(plain, dict):
        known = {"ImageCompression": TRUE_COLOUR}
        return {
            k: known.get(v, v) if k == "__class_fullname__" else _in_true_colour(v) for k, v in plain.items()
        }
    return [_in_true_colour(entry) for entry in plain] if isinstance(plain, list) else plain


def _fault(plain: Any) -> str:
    """The fault of a serialised pipeline, or an empty text; dropped arguments count as faults."""
    if not isinstance(plain, dict) or "__class_fullname__" not in plain:
        return "is what albumentations.to_dict gives under 'transform'"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _build(plain)
    except ImportError:
        return "needs albumentations; install it with: pip install albumentations==2.0.8"
    except KeyError as error:
        return f"holds the transform {error}, which albumentations does not know"
    except (Warning, TypeError, ValueError) as error:
        return f"cannot be built by albumentations: {' '.join(str(error).split())}"
    return ""


PIPELINE = Parameter("what albumentations.to_dict gives under 'transform'", check=_fault, literal=True)
ALBUMENTATIONS = Operation(
    "albumentations",
    "Apply an albumentations pipeline, to 8-bit RGB.",
    {"pipeline": PIPELINE},
    _apply,
)
