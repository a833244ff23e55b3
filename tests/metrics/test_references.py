"""Metrics against references: copied patches and colour drift are detected, other results are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.faces.align import FFHQ_512, similarity_transform
from refbench.metrics.protocols import colour, copy_detection
from refbench.metrics.scoring.meter import Meter, measure

POINTS = np.asarray(FFHQ_512)


def as_tensor(*photos: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255.0


def textured(seed: int) -> np.ndarray:
    """A picture with detail everywhere, like no other seed's."""
    generator = np.random.default_rng(seed)
    image = cv2.resize(
        generator.uniform(0, 255, (64, 64, 3)).astype(np.float32), (512, 512), interpolation=cv2.INTER_CUBIC
    )
    return image.clip(0, 255).astype(np.uint8)


def check(protocol: str, restored: np.ndarray, hq: np.ndarray, *references: np.ndarray) -> float:
    values = measure(
        protocol,
        as_tensor(restored),
        as_tensor(hq),
        references=[as_tensor(*references)],
        landmarks=POINTS[None],
        reference_landmarks=[np.stack([POINTS] * len(references))],
    )
    return values.item()


def test_copied_patches_are_detected_and_others_are_not() -> None:
    hq, first, second = textured(1), textured(2), textured(3)
    assert check("copy/patches-v1", hq, hq, first, second) == 0.0
    assert check("copy/patches-v1", second, hq, first, second) > 0.95
    half = hq.copy()
    half[256:] = first[256:]
    assert 0.2 < check("copy/patches-v1", half, hq, first, second) < 0.8
    blurred = cv2.GaussianBlur(hq, (0, 0), 4)
    assert check("copy/patches-v1", blurred, hq, first, second) < 0.02
    shifted = np.roll(first, (6, -6), axis=(0, 1))
    assert check("copy/patches-v1", shifted, hq, first) > 0.8, "a copy that was moved a little is a copy"


def test_the_sign_of_the_excess_is_the_direction() -> None:
    hq, reference = textured(1), textured(2)
    blend = (hq // 2 + reference // 2).astype(np.uint8)
    values = [check("copy/face-correlation-v1", image, hq, reference) for image in (hq, blend, reference)]
    assert values[0] == 0.0
    assert values[0] < values[1] < values[2]


def test_on_real_faces(london: Path, need_weights) -> None:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    from refbench.faces.align import align_face
    from refbench.faces.detectors.detect import load_detector
    from refbench.images import read_rgb

    detector = load_detector()
    faces = []
    for name in ("003_1.jpg", "003_2.jpg"):
        photo = read_rgb(london / name)
        faces.append(align_face(photo, detector.detect(photo)[0].landmarks))
    hq, reference = faces

    def values(restored: np.ndarray) -> tuple[float, float]:
        found = []
        for protocol in ("copy/patches-v1", "colour-drift/face-lab-v1"):
            value = measure(
                protocol,
                as_tensor(restored),
                as_tensor(hq.pixels),
                references=[as_tensor(reference.pixels)],
                landmarks=hq.landmarks[None],
                reference_landmarks=[reference.landmarks[None]],
            )
            found.append(value.item())
        return found[0], found[1]

    pasted = cv2.warpAffine(
        reference.pixels, similarity_transform(reference.landmarks, hq.landmarks), (512, 512)
    )
    small = cv2.resize(hq.pixels, (64, 64), interpolation=cv2.INTER_AREA)
    honest = cv2.resize(small, (512, 512), interpolation=cv2.INTER_CUBIC)
    assert values(hq.pixels) == (0.0, 0.0)
    assert values(honest)[0] < 0.1
    assert values(pasted)[0] > 0.6
    landmark = measure(
        "landmarks/mtcnn-v1", as_tensor(pasted), as_tensor(hq.pixels), landmarks=hq.landmarks[None]
    )
    still = measure(
        "landmarks/mtcnn-v1", as_tensor(hq.pixels), as_tensor(hq.pixels), landmarks=hq.landmarks[None]
    )
    assert still.item() == 0.0
    assert 0.005 < landmark.item() < 0.3, "a smile moves the corners of the mouth"
    nobody = measure("landmarks/mtcnn-v1", torch.full((1, 3, 512, 512), 0.5), as_tensor(hq.pixels))
    assert nobody.isnan().all()


def test_lab_equals_scikit_image() -> None:
    from skimage.color import rgb2lab

    image = textured(5)[:40, :30]
    found = colour.lab(as_tensor(image).double())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, rgb2lab(image), atol=0.02)


def test_drift_is_the_part_towards_the_references() -> None:
    grey, red = np.full((512, 512, 3), 120, np.uint8), np.full((512, 512, 3), 120, np.uint8)
    red[..., 0] = 160
    tinted, blue = grey.copy(), grey.copy()
    tinted[..., 0], blue[..., 2] = 140, 160
    shift = measure(
        "colour-shift/face-lab-v1", as_tensor(tinted), as_tensor(grey), landmarks=POINTS[None]
    ).item()
    drift = check("colour-drift/face-lab-v1", tinted, grey, red)
    assert shift > 5
    assert drift == pytest.approx(shift, rel=0.02)
    assert check("colour-drift/face-lab-v1", grey, grey, red) == 0.0
    assert check("colour-drift/face-lab-v1", blue, grey, red) < 0.2 * check(
        "colour-drift/face-lab-v1", red, grey, red
    )


def test_the_ellipse_turns_with_the_face() -> None:
    straight = colour.face_ellipse(torch.tensor(POINTS)[None], 512, 512)
    turned = colour.face_ellipse(torch.tensor(POINTS[:, ::-1].copy())[None], 512, 512)
    assert torch.equal(straight[0].T, turned[0])
    rows, columns = straight[0].nonzero().T
    assert rows.max() - rows.min() > columns.max() - columns.min()


def test_references_must_be_given() -> None:
    hq = as_tensor(textured(1))
    with pytest.raises(RefbenchError, match="give 1 batches"):
        Meter("copy/patches-v1").update(hq, hq, landmarks=POINTS[None])


def test_references_like_hq_leave_copies_undetectable() -> None:
    hq = textured(1)
    found = check("copy/patches-v1", hq, hq, hq)
    assert np.isnan(found), "where HQ is in the references, nothing can be detected"
    assert copy_detection.METRICS[1].if_nan.endswith("to detect a copy")
