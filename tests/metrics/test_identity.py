"""Identity: equal to insightface on the same file and crop; crop and channels are what they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.metrics import catalogue
from refbench.metrics.protocols import identity
from refbench.metrics.scoring.meter import Meter, measure

EYES_NOSE_MOUTH = np.array([[196.0, 111.0], [246.0, 106.0], [226.0, 138.0], [206.0, 165.0], [249.0, 161.0]])


def as_tensor(*photos: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2) / 255.0


def test_cosines_to_references_by_hand() -> None:
    one = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    groups = [torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 4.0]])]
    assert identity.mean_cosine(one, groups).tolist() == pytest.approx([0.5, 0.8])
    assert identity.max_cosine(one, groups).tolist() == pytest.approx([1.0, 0.8])
    assert identity.first_cosine(one, [g.flip(0) for g in groups]).tolist() == pytest.approx([0.0, 0.8])


@pytest.fixture(scope="module")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random recogniser as people have them: ONNX, (N, 3, 112, 112) to (N, 16)."""
    torch.manual_seed(3)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 7, stride=4),
        torch.nn.PReLU(8),
        torch.nn.Conv2d(8, 8, 5, stride=4),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 6 * 6, 16),
    ).eval()
    path = tmp_path_factory.mktemp("own") / "own.onnx"
    example = torch.zeros(1, 3, 112, 112)
    axes = {"face": {0: "n"}, "embedding": {0: "n"}}
    torch.onnx.export(
        layers,
        (example,),
        path,
        input_names=["face"],
        output_names=["embedding"],
        dynamic_axes=axes,
        dynamo=False,
    )
    return path


def test_embeddings_equal_insightface(small_network: Path, astronaut) -> None:
    model_zoo = pytest.importorskip("insightface.model_zoo")
    recogniser = load_recogniser(str(small_network))
    crops = recogniser.crop([astronaut], EYES_NOSE_MOUTH[None])
    ours = recogniser.embed_crops(crops)[0]
    theirs = model_zoo.get_model(str(small_network), providers=["CPUExecutionProvider"])
    assert theirs.taskname == "recognition"
    right, wrong = (
        theirs.get_feat(np.ascontiguousarray(c)).flatten() for c in (crops[0][..., ::-1], crops[0])
    )
    right, wrong = right / np.linalg.norm(right), wrong / np.linalg.norm(wrong)
    assert ours @ right > 1 - 1e-4
    assert ours @ wrong < 1 - 1e-3, "a swap of channels must show"


def test_the_id_of_an_own_recogniser_holds_its_hash(small_network: Path, astronaut) -> None:
    metric = catalogue.find(f"ids:{small_network}")
    assert metric.protocol.id.startswith("ids/own-")
    assert metric.protocol.id.endswith("-five-point-112-rgb-v1")
    other = catalogue.find(f"ids:{small_network}@ffhq-centre-112-rgb")
    assert other.protocol.id != metric.protocol.id
    hq = as_tensor(astronaut)
    meter = Meter(f"ids:{small_network}")
    assert meter.update(hq, hq, landmarks=EYES_NOSE_MOUTH[None]).item() == pytest.approx(1.0)
    with pytest.raises(RefbenchError, match="no such file"):
        catalogue.find("ids:absent.onnx")


@pytest.mark.parametrize("side", [512, 250, 448])
def test_the_centre_crop_stays_in_float_at_any_size(small_network: Path, astronaut, side: int) -> None:
    """As ReF-LDM measured IDS: the whole part of 6.25 % is cut off, then resized by area, not rounded."""
    import cv2

    hq = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(hq, (0, 0), 4)
    recogniser = load_recogniser(str(small_network))

    def embedded(photo: np.ndarray) -> torch.Tensor:
        margin = int(side * 0.0625)
        middle = torch.from_numpy(photo[margin : side - margin, margin : side - margin] / np.float32(255))
        crop = torch.nn.functional.adaptive_avg_pool2d(middle.permute(2, 0, 1)[None], 112)
        with torch.no_grad():
            return recogniser.module(crop).double()

    wanted = float((embedded(blurred) * embedded(hq)).sum())
    metric = catalogue.find(f"ids:{small_network}@ffhq-centre-112-rgb")
    assert metric.protocol.id.endswith("-ffhq-centre-112-rgb-v2")
    found = measure(f"ids:{small_network}@ffhq-centre-112-rgb", as_tensor(blurred), as_tensor(hq)).item()
    assert found == pytest.approx(wanted, abs=2e-6)
    rounded = identity.recogniser_feature(recogniser.kind, rounded=True)
    assert rounded.name != metric.feature.name


def test_the_first_version_of_the_centre_crop_is_marked() -> None:
    old = catalogue.protocol_of("ids/arcface-r50-webface-centercrop-v1")
    assert old.superseded_by == "ids/arcface-r50-webface-centercrop-v2"
    assert "in 8 bits" in old.definition
    assert "in float" in catalogue.protocol_of(old.superseded_by).definition
    assert catalogue.newest("gain:ids/arcface-r50-webface-centercrop-v1") == f"gain:{old.superseded_by}"


@pytest.mark.parametrize("name", ["mobilefacenet", "dlib-resnet"])
def test_identity_falls_with_damage_and_with_another_face(
    name: str, need_weights, astronaut, london: Path
) -> None:
    import cv2
    from refbench.images import read_rgb

    need_weights(*identity.RECOGNISERS[name].weights)
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    from refbench.faces.detectors.detect import load_detector

    photo = cv2.resize(read_rgb(london / "001_1.jpg"), (512, 512), interpolation=cv2.INTER_AREA)
    points = load_detector().detect(photo)[0].landmarks
    protocol = f"ids/{name}-5pt-v1"
    images = [photo, cv2.GaussianBlur(photo, (0, 0), 6), np.ascontiguousarray(photo[..., ::-1]), astronaut]
    values = measure(protocol, as_tensor(*images), as_tensor(*[photo] * 4), landmarks=np.stack([points] * 4))
    same, blurred, swapped, stranger = values.tolist()
    assert same == pytest.approx(1.0, abs=1e-6)
    assert same > blurred > stranger
    assert swapped < 0.999
    recogniser = load_recogniser(name)
    first, second = recogniser.embed([photo, images[1]], np.stack([points] * 2))
    assert blurred == pytest.approx(float(first @ second), abs=1e-6), "the crop is by HQ's landmarks"
    alone = measure(protocol, as_tensor(images[1]), as_tensor(photo), landmarks=points[None]).item()
    assert alone == pytest.approx(blurred, abs=1e-6), "a score depends on its own image only"


@pytest.mark.parametrize(
    ("protocol", "wanted"),
    [
        ("ids/mobilefacenet-5pt-v1", ["landmarks"]),
        ("gain:ids/mobilefacenet-5pt-v1", ["lq", "landmarks"]),
        ("ids-refs-max/mobilefacenet-5pt-v1", ["references", "landmarks", "reference_landmarks"]),
        ("copy/patches-v1", ["references", "landmarks", "reference_landmarks"]),
        ("colour-shift/face-lab-v1", ["landmarks"]),
        ("fd/mobilefacenet-5pt-v1", ["landmarks"]),
        ("lpips/alex-v0.1", []),
        ("landmarks/mtcnn-v1", []),
    ],
)
def test_what_a_metric_needs_and_did_not_get_is_named(
    need_weights, astronaut, protocol: str, wanted: list[str]
) -> None:
    need_weights("mobilefacenet", "lpips-alexnet", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    hq = as_tensor(astronaut)[..., ::4, ::4]
    meter = Meter(protocol)
    if not wanted:
        meter.update(hq, hq)
        return
    with pytest.raises(RefbenchError) as raised:
        meter.update(hq, hq)
    said = str(raised.value)
    words = {
        "lq": "give lq,",
        "references": "give 1 batches of references",
        "landmarks": "give landmarks,",
        "reference_landmarks": "give reference_landmarks, 1 arrays",
    }
    assert [name for name, text in words.items() if text in said] == wanted


def test_a_face_that_was_not_found_has_no_value(need_weights, astronaut) -> None:
    need_weights("mobilefacenet")
    hq = as_tensor(astronaut, astronaut)
    points = np.stack([EYES_NOSE_MOUTH, np.full((5, 2), np.nan)])
    meter = Meter("ids/mobilefacenet-5pt-v1")
    values = meter.update(hq, hq, landmarks=points)
    assert values.isnan().tolist() == [False, True]
    with pytest.raises(RefbenchError, match="1 of 2 images are unscored"):
        meter.compute()


@pytest.mark.parametrize(
    "protocol", ["landmarks/mtcnn-v1", "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "ssim/rgb"]
)
def test_no_number_depends_on_the_threads_of_torch(need_weights, astronaut, protocol: str) -> None:
    need_weights("mobilefacenet", "lpips-alexnet", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    hq = as_tensor(astronaut[:256, 100:356])
    noise = 0.1 * torch.randn(hq.shape, generator=torch.Generator().manual_seed(5))
    restored = (hq + noise).clamp(0, 1)
    points = (EYES_NOSE_MOUTH - [100, 0])[None] if protocol.startswith("ids") else None
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found.append(measure(protocol, restored, hq, landmarks=points).item())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert len(set(found)) == 1
