"""The bundled minis: what lies in the package, what it says of itself, and that it restores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.recipes.lookup import load_recipe
from refbench.faces.align import align_face
from refbench.faces.detectors.detect import find_faces, load_detector
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.images import RGB, read_rgb
from refbench.metrics.protocols.lpips import load_lpips
from refbench.models.checkpoints import minis
from refbench.models.checkpoints.checkpoints import read_tensors
from refbench.models.checkpoints.registry import MINIS, RESTORERS, load_restorer
from refbench.models.networks.face_embedder import aligned_embedder
from refbench.samples.sample_people import PEOPLE, true_identities
from torch import Tensor

ALL_MINIS = [name for name, _ in MINIS.values()]
DETECTOR = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
BOTH = ("refldm-mini", "composite-context-mini")


def test_the_package_holds_all_minis_and_their_card() -> None:
    files = {path.name: path.stat().st_size for path in minis.FOLDER.iterdir()}
    assert set(files) == {"README.md", *(f"{name}.safetensors" for name in MINIS)}
    assert max(files.values()) <= minis.MAX_BYTES
    assert sum(files.values()) <= 50_000_000
    card = (minis.FOLDER / "README.md").read_text()
    for file in MINIS:
        tensors, says = read_tensors(minis.FOLDER / f"{file}.safetensors")
        assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
        assert says["licence"] == "research use"
        assert says["training_data"].startswith("lfw-128")
        assert f"`{file}.safetensors`" in card


@pytest.mark.parametrize("name", ALL_MINIS)
def test_declared_presets_are_those_that_load(name: str, need_weights: Callable[..., None]) -> None:
    need_weights(*RESTORERS[name].weights)
    loaded = load_restorer(name)
    assert loaded.card.model == name
    declared = RESTORERS[name].presets
    if not declared:
        assert loaded.card.control
        return
    settings = [load_restorer(name, preset).restorer.sampling for preset in declared]
    assert settings[0] == loaded.restorer.sampling
    assert loaded.restorer.sampling.steps == minis.STEPS
    assert len({setting.describe() for setting in settings}) == len(declared)


@pytest.fixture(scope="module")
def faces(need_weights: Callable[..., None]) -> dict[str, list[RGB]]:
    """Two aligned photos at 128 pixels of each of twelve sample people, whom no mini was trained on."""
    need_weights(*DETECTOR, "mobilefacenet", "dlib-resnet", "lpips-alexnet")
    detector, found = load_detector(), dict[str, list[RGB]]()
    for name, person in sorted(true_identities().items()):
        if len(found) < 12 or person in found:
            photos = found.setdefault(person, [])
            if len(photos) < 2:
                photo = read_rgb(PEOPLE / name)
                face = find_faces(detector, photo)[0]
                photos.append(align_face(photo, face.landmarks, minis.SIZE).pixels)
    return found


def _tensor(pixels: RGB) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
def test_minis_restore_and_look_at_references(name: str, faces: dict[str, list[RGB]]) -> None:
    recipe = load_recipe("refldm-severe-128")
    people = list(faces)
    hq = torch.stack([_tensor(faces[person][0]) for person in people])
    lq = torch.stack([_tensor(degrade_image(faces[p][0], recipe, 0, key=p).pixels) for p in people])
    references = [_tensor(faces[person][1])[None] for person in people]

    def restored(preset: str | None, given: list[Tensor]) -> Tensor:
        seeds = [torch.Generator().manual_seed(number) for number in range(len(people))]
        return load_restorer(name, preset).restore(lq, given, seeds)

    embed, lpips = aligned_embedder(load_recogniser("mobilefacenet")), load_lpips("alex", torch.device("cpu"))

    def similar(images: Tensor) -> float:
        with torch.inference_mode():
            return float((embed(images) * embed(hq)).sum(1).mean())

    own, other = restored(None, references), restored(None, [*references[1:], references[0]])
    none = restored("null", [reference[:0] for reference in references])
    with torch.inference_mode():
        before, after = (float(lpips(images, hq, normalize=True).mean()) for images in (lq, own))
    assert after < 0.6 * before
    assert similar(own) > similar(lq)
    assert similar(own) > similar(none)
    assert similar(own) > similar(other)


def test_larger_images_come_back_at_their_size() -> None:
    lq = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    restored = load_restorer("ldm-mini").restore(lq, [lq[:0]], [torch.Generator().manual_seed(0)])
    assert restored.shape == lq.shape
    assert np.isfinite(restored.numpy()).all()
    assert 0 <= restored.min() <= restored.max() <= 1
