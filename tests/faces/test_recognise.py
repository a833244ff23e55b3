"""Face recognisers: crops, embeddings, custom networks, the embedding cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.faces.align import ARCFACE_112, FFHQ_512, align_face
from refbench.faces.crops import ARCFACE_BGR, ARCFACE_RGB, CROPS, DLIB_CHIP, FFHQ_CENTRE, stack
from refbench.faces.detectors.detect import load_detector
from refbench.faces.recognisers.cache import EmbeddingCache
from refbench.faces.recognisers.dlib_network import DlibNetwork, load_dlib_network, read_quantised
from refbench.faces.recognisers.recognise import (
    RECOGNISERS,
    FaceNetwork,
    Recogniser,
    custom_recogniser,
    load_recogniser,
)
from refbench.images import read_rgb
from torch import Tensor, nn

Photo = npt.NDArray[np.uint8]
LOCAL_DLIB = "dlib_face_recognition_resnet_model_v1.dat"


def photo_of(size: int = 512, seed: int = 0) -> Photo:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


class Toy(nn.Module):
    """A fixed random network in place of a recogniser."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(11)
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 9, 4), nn.Tanh(), nn.Flatten(), nn.LazyLinear(16))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def custom_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "toy.pt"
    network = Toy().eval()
    network(torch.zeros(1, 3, 112, 112))
    torch.jit.trace(network, torch.zeros(1, 3, 112, 112)).save(str(path))
    return path


@pytest.fixture(scope="module")
def astronaut_landmarks(need_weights: Callable[..., None], astronaut: Photo) -> npt.NDArray[np.float64]:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    return load_detector().detect(astronaut)[0].landmarks


@pytest.fixture(scope="module", params=["mobilefacenet", "dlib-resnet"])
def recogniser(request: pytest.FixtureRequest, need_weights: Callable[..., None]) -> Recogniser:
    kind = RECOGNISERS[request.param]
    need_weights(*kind.weights)
    return load_recogniser(kind)


def test_declared_recognisers_are_complete() -> None:
    assert next(iter(RECOGNISERS)) == "mobilefacenet"
    for name, kind in RECOGNISERS.items():
        assert kind.name == name
        assert 0 < kind.clustering_threshold <= kind.average_linkage_threshold <= kind.threshold < 1
        assert kind.crop is CROPS[kind.crop.name]
        assert kind.licence
        assert kind.citation


def test_the_spec_s_crop_is_the_middle_shrunk_by_area() -> None:
    photo = photo_of()
    photo[:32] = photo[480:] = 0
    photo[:, :32] = photo[:, 480:] = 0
    crop = FFHQ_CENTRE.cut(photo, FFHQ_512)
    wanted = photo[32:480, 32:480].reshape(112, 4, 112, 4, 3).mean(axis=(1, 3))
    assert np.abs(crop - wanted).max() <= 0.5 + 1e-9
    with pytest.raises(RefbenchError, match="square"):
        FFHQ_CENTRE.cut(photo[:400], FFHQ_512)


def test_the_spec_s_crop_has_the_same_tensor_form() -> None:
    photo = photo_of()
    tensor = torch.from_numpy(stack([photo]))
    crop = FFHQ_CENTRE.cut_tensor(tensor, FFHQ_512[None])[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(crop - FFHQ_CENTRE.cut(photo, FFHQ_512)).max() <= 0.51


def test_five_points_come_to_lie_on_the_template() -> None:
    photo = np.zeros((512, 512, 3), np.uint8)
    for x, y in FFHQ_512:
        cv2.circle(photo, (round(x), round(y)), 5, (255, 255, 255), -1)
    crop = ARCFACE_RGB.cut(photo, FFHQ_512)[..., 0].astype(np.float64)
    for x, y in ARCFACE_112:
        rows, columns = np.mgrid[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
        patch = crop[rows, columns]
        assert abs((patch * columns).sum() / patch.sum() - x) < 2.2
        assert abs((patch * rows).sum() / patch.sum() - y) < 2.2


def test_normalisation_of_each_network() -> None:
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1.0
    assert ARCFACE_RGB.normalise(red)[0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]
    assert ARCFACE_BGR.normalise(red)[0, :, 0, 0].tolist() == [-127 / 128, -127 / 128, 1.0]
    wanted = [(255 - 122.782) / 256, -117.001 / 256, -104.298 / 256]
    assert DLIB_CHIP.normalise(red)[0, :, 0, 0].tolist() == pytest.approx(wanted)


def test_a_custom_network_by_path(custom_file: Path) -> None:
    recogniser = load_recogniser(str(custom_file))
    assert recogniser.id.startswith("toy-")
    assert recogniser.id.endswith("/five-point-112-rgb")
    found = recogniser.embed([photo_of(300), photo_of(200, 1)], np.stack([FFHQ_512 / 2, FFHQ_512 / 3]))
    assert found.shape == (2, 16)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    assert recogniser.embed([], np.zeros((0, 5, 2))).shape[0] == 0
    with pytest.raises(RefbenchError, match="no measured threshold"):
        _ = recogniser.threshold
    assert load_recogniser(custom_recogniser(custom_file, threshold=0.3)).threshold == 0.3


def test_a_custom_onnx_network_agrees_with_its_torch_form(tmp_path: Path, custom_file: Path) -> None:
    path = tmp_path / "toy.onnx"
    scripted = torch.jit.load(str(custom_file))
    torch.onnx.export(scripted, (torch.zeros(1, 3, 112, 112),), str(path), dynamo=False)
    marks = FFHQ_512[None]
    first = load_recogniser(str(path)).embed([photo_of()], marks)
    second = load_recogniser(str(custom_file)).embed([photo_of()], marks)
    assert np.abs(first - second).max() < 1e-5


def test_flip_averaging_makes_a_mirrored_crop_equal(custom_file: Path) -> None:
    plain, flipping = load_recogniser(str(custom_file)), load_recogniser(str(custom_file), flip=True)
    crop = photo_of(112)
    mirrored = np.ascontiguousarray(crop[:, ::-1])
    assert flipping.id == plain.id + "+flip"
    assert np.abs(np.subtract(*flipping.embed_crops([crop, mirrored]))).max() < 1e-6
    assert np.abs(np.subtract(*plain.embed_crops([crop, mirrored]))).max() > 1e-2


def test_faulty_calls_are_refused(custom_file: Path, tmp_path: Path) -> None:
    recogniser = load_recogniser(str(custom_file))
    with pytest.raises(RefbenchError, match="landmarks"):
        recogniser.embed([photo_of()], FFHQ_512)
    with pytest.raises(RefbenchError, match="RGB uint8"):
        recogniser.embed([photo_of().astype(np.float32)], FFHQ_512[None])  # type: ignore[list-item]
    with pytest.raises(RefbenchError, match="a crop is"):
        recogniser.embed_crops([photo_of(96)])
    with pytest.raises(RefbenchError, match=r"facenet.*mobilefacenet"):
        load_recogniser("facenet")
    with pytest.raises(RefbenchError, match="no crop"):
        custom_recogniser(custom_file, crop="square")
    text = tmp_path / "text.pt"
    text.write_text("nothing")
    with pytest.raises(RefbenchError, match="TorchScript"):
        load_recogniser(str(text))


def test_a_network_that_gives_nan_is_reported(custom_file: Path) -> None:
    kind = custom_recogniser(custom_file)

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :4] * math.nan

    with pytest.raises(RefbenchError, match="NaN"):
        Recogniser(kind, FaceNetwork(kind.crop, Broken())).embed_crops([photo_of(112)])


def test_an_embedding_never_depends_on_its_neighbours(recogniser: Recogniser) -> None:
    size = recogniser.kind.crop.size
    crops = [photo_of(size, seed) for seed in range(7)]
    together = recogniser.embed_crops(crops)
    alone = np.concatenate([recogniser.embed_crops([crop]) for crop in crops])
    backwards = recogniser.embed_crops(crops[::-1])[::-1]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)
    assert together.shape == (7, recogniser.kind.dimensions)


def test_swapped_channels_are_noticed(
    recogniser: Recogniser, astronaut: Photo, astronaut_landmarks: npt.NDArray[np.float64]
) -> None:
    shaded = np.clip(astronaut.astype(np.float64) * 0.8 + 8, 0, 255).astype(np.uint8)
    photos = [astronaut, shaded, np.ascontiguousarray(shaded[..., ::-1])]
    right, shaded_right, swapped = recogniser.embed(photos, np.repeat(astronaut_landmarks[None], 3, axis=0))
    assert right @ swapped < right @ shaded_right - 0.005


def test_an_aligned_crop_embeds_like_its_photo(
    recogniser: Recogniser, astronaut: Photo, astronaut_landmarks: npt.NDArray[np.float64]
) -> None:
    aligned = align_face(astronaut, astronaut_landmarks)
    first, second = recogniser.embed(
        [astronaut, aligned.pixels], np.stack([astronaut_landmarks, aligned.landmarks])
    )
    assert first @ second > 0.99


def test_the_tensor_way_agrees_and_has_gradients(
    recogniser: Recogniser, astronaut: Photo, astronaut_landmarks: npt.NDArray[np.float64]
) -> None:
    aligned = align_face(astronaut, astronaut_landmarks)
    wanted = recogniser.embed([aligned.pixels], aligned.landmarks[None])[0]
    images = torch.from_numpy(stack([aligned.pixels])).requires_grad_()
    (vector,) = recogniser.embed_tensor(images, aligned.landmarks[None])
    assert float(vector.detach() @ torch.from_numpy(wanted)) > 0.999
    vector[0].backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0


@pytest.fixture(scope="module")
def six_people(
    london: Path, need_weights: Callable[..., None]
) -> tuple[list[Photo], npt.NDArray[np.float64]]:
    """Two photos each of six people, one after the other, at half size; and their landmarks."""
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    detector = load_detector()
    names = [
        f"{person}_{shot}.jpg"
        for person in sorted({p.name[:3] for p in london.glob("*.jpg")})[:6]
        for shot in (1, 2)
    ]
    photos = [
        np.asarray(cv2.resize(read_rgb(london / name), (512, 512), interpolation=cv2.INTER_AREA), np.uint8)
        for name in names
    ]
    return photos, np.stack([detector.detect(photo)[0].landmarks for photo in photos])


def test_people_of_london_are_named_apart(
    recogniser: Recogniser, six_people: tuple[list[Photo], npt.NDArray[np.float64]]
) -> None:
    vectors = recogniser.embed(*six_people)
    distances = 1 - vectors @ vectors.T
    same = np.array([distances[row, row + 1] for row in range(0, 12, 2)])
    others = np.array([distances[i, j] for i in range(12) for j in range(i) if i // 2 != j // 2])
    assert same.max() < others.min()
    assert (same < recogniser.threshold).all()
    assert np.mean(others < recogniser.threshold) < 0.1


def test_the_plain_network_agrees_with_dlib(
    need_weights: Callable[..., None], astronaut: Photo, astronaut_landmarks: npt.NDArray[np.float64]
) -> None:
    dlib = pytest.importorskip("dlib", reason="dlib is absent; pip install dlib-bin")
    need_weights("dlib-resnet", "dlib-resnet-manifest")
    from refbench.weights import weight_files

    model = weight_files.folder() / LOCAL_DLIB
    if not model.is_file():
        pytest.skip(f"dlib's own model is absent; lay {LOCAL_DLIB} into {weight_files.folder()}")
    recogniser = load_recogniser("dlib-resnet")
    (chip,) = recogniser.crop([astronaut], astronaut_landmarks[None])
    peer = np.array(dlib.face_recognition_model_v1(str(model)).compute_face_descriptor(chip))
    mine = recogniser.embed_crops([chip])[0]
    assert mine @ peer / np.linalg.norm(peer) > 0.999
    with torch.inference_mode():
        raw = recogniser.module.backbone(DLIB_CHIP.normalise(torch.from_numpy(stack([chip]))))[0].numpy()  # type: ignore[operator, union-attr]
    assert np.linalg.norm(raw - peer) < 0.06


def test_dlib_s_network_has_the_right_shape() -> None:
    network = DlibNetwork().eval()
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == 29
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 150, 150)).shape == (2, 128)


def test_quantised_weights_are_read_exactly_or_refused(tmp_path: Path) -> None:
    manifest, data = tmp_path / "m.json", tmp_path / "w.bin"
    manifest.write_text(
        '[{"weights": [{"name": "a", "shape": [2, 2], "dtype": "float32",'
        ' "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},'
        ' {"name": "b", "shape": [2], "dtype": "float32"}]}]'
    )
    data.write_bytes(bytes([0, 1, 2, 255]) + np.array([1.5, -2.5], "<f4").tobytes())
    tensors = read_quantised(data, manifest)
    assert tensors["a"].tolist() == [[-1.0, -0.5], [0.0, 126.5]]
    assert tensors["b"].tolist() == [1.5, -2.5]
    with pytest.raises(RefbenchError, match="does not describe dlib's network"):
        load_dlib_network(data, manifest)
    data.write_bytes(data.read_bytes() + b"x")
    with pytest.raises(RefbenchError, match="13 bytes"):
        read_quantised(data, manifest)
    data.write_bytes(b"x")
    with pytest.raises(RefbenchError, match="cannot be read"):
        read_quantised(data, manifest)


def test_the_cache_gives_what_would_be_computed(custom_file: Path, tmp_path: Path) -> None:
    recogniser = load_recogniser(str(custom_file))
    photos = [photo_of(300, seed) for seed in range(4)]
    marks = np.repeat(FFHQ_512[None] / 2, 4, axis=0)
    wanted = recogniser.embed(photos, marks)
    cache = EmbeddingCache(tmp_path / "deep" / "embeddings.sqlite")
    assert np.array_equal(cache.embed(recogniser, photos[:2], marks[:2]), wanted[:2])
    assert len(cache) == 2
    assert np.array_equal(EmbeddingCache(cache.path).embed(recogniser, photos, marks), wanted)
    assert len(cache) == 4
    again = cache.embed(recogniser, [photos[0], photos[0]], marks[:2])
    assert np.array_equal(again, wanted[[0, 0]])

    class Silent(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("everything is kept, so nothing is embedded")

    silent = load_recogniser(str(custom_file))
    silent.module = Silent()  # type: ignore[assignment]
    assert np.array_equal(cache.embed(silent, photos, marks), wanted)
    assert cache.embed(silent, [], np.zeros((0, 5, 2))).shape[0] == 0


def test_the_cache_distinguishes_recognisers(custom_file: Path, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "embeddings.sqlite")
    photo, marks = [photo_of()], FFHQ_512[None]
    plain, flipping = load_recogniser(str(custom_file)), load_recogniser(str(custom_file), flip=True)
    first, second = cache.embed(plain, photo, marks), cache.embed(flipping, photo, marks)
    assert len(cache) == 2
    assert not np.array_equal(first, second)


def test_a_damaged_cache_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "embeddings.sqlite"
    path.write_bytes(b"not a database, but long enough to look like something" * 40)
    with pytest.raises(RefbenchError, match="delete it"):
        EmbeddingCache(path)
