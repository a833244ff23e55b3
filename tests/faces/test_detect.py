"""Face detectors: MTCNN, RetinaFace, SCRFD, retries on rotated photos, choice of a face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from refbench.errors import RefbenchError
from refbench.faces.align import ARCFACE_112, FFHQ_512, align_face, similarity_transform
from refbench.faces.detectors import detect
from refbench.faces.detectors.detect import (
    DETECTORS,
    LYING,
    Detector,
    Face,
    choose_face,
    custom_detector,
    face_merit,
    find_faces,
    load_detector,
)
from refbench.faces.detectors.mtcnn import Floats, Mtcnn, crop_squares, non_maximum_suppression, square_boxes
from refbench.faces.detectors.mtcnn_networks import OutputNetwork, ProposalNetwork
from refbench.faces.detectors.retinaface import RetinaFaceDetector
from refbench.faces.detectors.scrfd import ScrfdDetector
from refbench.images import read_rgb

PEOPLE = Path(__file__).resolve().parents[2] / "samples" / "people"
Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def mtcnn(need_weights: Callable[..., None]) -> Detector:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    return load_detector("mtcnn")


@pytest.fixture(scope="module")
def truth(mtcnn: Detector, astronaut: Photo) -> npt.NDArray[np.float64]:
    return mtcnn.detect(astronaut)[0].landmarks


def test_one_face_is_found_where_it_is(mtcnn: Detector, astronaut: Photo) -> None:
    (face,) = mtcnn.detect(astronaut)
    left, top, right, bottom = face.box
    assert face.score > 0.95
    assert 160 < left < 200
    assert 40 < top < 80
    assert 250 < right < 285
    assert 150 < bottom < 200
    eyes = face.landmarks[:2]
    assert np.abs(eyes - [[204, 101], [247, 103]]).max() < 6
    assert face.landmarks[2, 1] > eyes[:, 1].max()
    assert face.landmarks[3, 0] < face.landmarks[4, 0]


def test_the_crop_is_a_face(mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]) -> None:
    face = align_face(astronaut, truth)
    assert np.abs(face.landmarks - FFHQ_512).max() < 30
    assert face.outside < 0.05
    (again,) = [found for found in mtcnn.detect(face.pixels) if found.size > 150]
    assert np.abs(again.landmarks - face.landmarks).max() < 12


@pytest.mark.parametrize("scale", [2.0, 0.6, 0.35])
def test_size_matters_little(
    scale: float, mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]
) -> None:
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    photo = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=method)
    best = mtcnn.detect(np.asarray(photo, np.uint8))[0]
    assert np.abs((best.landmarks + 0.5) / scale - 0.5 - truth).max() < 2.5


def test_a_mirrored_photo_has_mirrored_landmarks(
    mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]
) -> None:
    mirrored = mtcnn.detect(np.ascontiguousarray(astronaut[:, ::-1]))[0].landmarks
    back = np.column_stack([511 - mirrored[:, 0], mirrored[:, 1]])[[1, 0, 2, 4, 3]]
    assert np.abs(back - truth).max() < 1.5


@pytest.mark.parametrize("degrees", [-40, 25])
def test_a_tilted_head(
    degrees: float, mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]
) -> None:
    turn = cv2.getRotationMatrix2D((220, 120), degrees, 1.0)
    photo = cv2.warpAffine(astronaut, turn, (512, 512))
    found = mtcnn.detect(np.asarray(photo, np.uint8))[0].landmarks
    assert np.abs(found - (truth @ turn[:, :2].T + turn[:, 2])).max() < 3.0


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_on_its_side_is_turned(
    quarters: int, mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]
) -> None:
    photo = np.ascontiguousarray(np.rot90(astronaut, quarters))
    face = choose_face(find_faces(mtcnn, photo), photo, by="certain")
    crop = align_face(photo, face.landmarks).pixels.astype(np.float64)
    upright = align_face(astronaut, truth).pixels.astype(np.float64)
    assert np.abs(crop - upright).mean() < 3.0
    left, top, right, bottom = face.box
    inside = (face.landmarks > [left, top]) & (face.landmarks < [right, bottom])
    assert inside.all()


def test_a_face_cut_by_the_border(mtcnn: Detector, astronaut: Photo, truth: npt.NDArray[np.float64]) -> None:
    photo = np.ascontiguousarray(astronaut[:, 214:])
    face = find_faces(mtcnn, photo)[0]
    assert np.abs(face.landmarks[1] - (truth[1] - [214, 0])).max() < 12
    assert align_face(photo, face.landmarks).outside > 0.25


def test_several_faces_and_how_one_is_chosen(mtcnn: Detector, astronaut: Photo) -> None:
    portrait = astronaut[20:260, 100:340]
    small = cv2.resize(portrait, (120, 120), interpolation=cv2.INTER_AREA)
    photo = np.full((300, 620, 3), 128, np.uint8)
    photo[30:270, 10:250] = portrait
    photo[90:210, 280:400] = small
    photo[90:210, 470:590] = small[:, ::-1]
    faces = mtcnn.detect(photo)
    assert len(faces) == 3
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    assert choose_face(faces, photo, "largest").box[0] < 250
    assert 280 < choose_face(faces, photo, "centre").box[0] < 400
    assert choose_face(faces, photo, "certain") is faces[0]


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((200, 300, 3), np.uint8),
        np.full((1, 1, 3), 9, np.uint8),
        np.full((3, 900, 3), 99, np.uint8),
        np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8),
    ],
)
def test_no_face_is_an_empty_list(photo: Photo, mtcnn: Detector) -> None:
    assert mtcnn.detect(photo) == []
    assert find_faces(mtcnn, photo) == []
    with pytest.raises(RefbenchError, match="no face"):
        choose_face([], photo)


def test_what_is_no_photo_is_refused(mtcnn: Detector) -> None:
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(RefbenchError, match="RGB uint8"):
            mtcnn.detect(wrong)  # type: ignore[arg-type]


def test_every_london_photo_has_one_upright_face(mtcnn: Detector, london: Path) -> None:
    from refbench.images import read_rgb

    for path in sorted(london.glob("*.jpg"))[::50]:
        faces = mtcnn.detect(read_rgb(path))
        assert len(faces) == 1
        left, _, right, _ = faces[0].box
        assert 250 < right - left < 700
        assert abs((left + right) / 2 - 512) < 120
        tilt = similarity_transform(faces[0].landmarks, ARCFACE_112)
        assert abs(np.degrees(np.arctan2(tilt[1, 0], tilt[0, 0]))) < 10


def test_networks_fit_their_windows() -> None:
    logits, shifts = ProposalNetwork()(torch.zeros(1, 3, 12, 12))
    assert logits.shape == (1, 2, 1, 1)
    assert shifts.shape == (1, 4, 1, 1)
    assert [part.shape[1] for part in OutputNetwork()(torch.zeros(2, 3, 48, 48))] == [2, 4, 10]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    torch.save(OutputNetwork().state_dict(), file)
    with pytest.raises(RefbenchError, match="ProposalNetwork"):
        Mtcnn(file, file, file)


def test_suppression_keeps_the_best_of_those_that_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 0, 30, 10], [22, 2, 26, 6]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.95], np.float32)
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == [3, 1, 2]
    assert non_maximum_suppression(boxes, scores, 0.5, over_smaller=True).tolist() == [3, 1]
    none: Floats = np.zeros((0, 4), np.float32)
    assert non_maximum_suppression(none, np.zeros(0, np.float32), 0.5).tolist() == []


def test_crops_are_black_outside_the_photo() -> None:
    photo = np.full((20, 30, 3), 255, np.uint8)
    squares = square_boxes(np.array([[-10, -10, 10, 10], [100, 100, 120, 110], [5, 5, 15, 13]], np.float32))
    corner, beyond, inner = crop_squares(photo, squares, 20)
    assert (corner[:10] == 0).all()
    assert (corner[10:, 10:] == 255).all()
    assert (beyond == 0).all()
    assert (inner == 255).all()


def test_unknown_detectors_are_named() -> None:
    with pytest.raises(RefbenchError, match=r"haar.*mtcnn, retinaface-r50"):
        load_detector("haar")
    assert all(name == kind.name for name, kind in DETECTORS.items())


@pytest.mark.slow
def test_retinaface_gets_the_input_that_facexlib_expects(
    tmp_path: Path, astronaut: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facexlib.detection.retinaface import RetinaFace

    torch.manual_seed(0)
    network = RetinaFace(network_name="resnet50", device=torch.device("cpu"))
    file = tmp_path / "any-name.pth"
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, file)
    detector = RetinaFaceDetector(file, threshold=0.0, longest=128)
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        wanted = network.detect_faces(small[..., ::-1].copy(), 0.0)
    faces = detector.detect(astronaut)
    assert len(faces) == len(wanted) > 0
    assert np.allclose(faces[0].box, wanted[0, :4] * 4, atol=1e-2)
    assert np.allclose(faces[0].landmarks, wanted[0, 5:].reshape(5, 2) * 4, atol=1e-2)
    assert faces[0].score == pytest.approx(wanted[0, 4])
    torch.save({"conv.weight": torch.zeros(1)}, file)
    with pytest.raises(RefbenchError, match="does not fit facexlib's RetinaFace"):
        RetinaFaceDetector(file)


def _scrfd_file(path: Path, landmarks: npt.NDArray[np.float64], outputs: int = 9) -> Path:
    """An SCRFD-shaped network that sees one face, at fixed landmarks, if the picture is redder than blue."""
    values: dict[str, npt.NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        count = (640 // stride) ** 2 * 2
        values[f"score_{stride}"] = np.zeros((count, 1), np.float32)
        values[f"box_{stride}"] = np.ones((count, 4), np.float32)
        values[f"points_{stride}"] = np.zeros((count, 10), np.float32)
    spot = (20 * 40 + 15) * 2
    values["score_16"][spot] = 1.0
    values["box_16"][spot] = [3, 4, 5, 6]
    values["points_16"][spot] = ((landmarks - [240, 320]) / 16).ravel()
    names = [f"{kind}_{stride}" for kind in ("score", "box", "points") for stride in (8, 16, 32)][:outputs]
    constants = [
        numpy_helper.from_array(value, f"c_{name}") for name, value in values.items() if name in names
    ]
    constants += [
        numpy_helper.from_array(np.array([[[[0.9]], [[0.0]], [[-0.9]]]], np.float32), "red_blue"),
        numpy_helper.from_array(np.array([1, 1]), "flat"),
    ]
    nodes = [
        helper.make_node("Mul", ["x", "red_blue"], ["tinted"]),
        helper.make_node("ReduceMean", ["tinted"], ["redness"], keepdims=0, axes=[0, 1, 2, 3]),
        helper.make_node("Sign", ["redness"], ["sign"]),
        helper.make_node("Relu", ["sign"], ["seen"]),
    ]
    for name in names:
        if name.startswith("score"):
            nodes.append(helper.make_node("Mul", [f"c_{name}", "seen"], [name]))
        else:
            nodes.append(helper.make_node("Identity", [f"c_{name}"], [name]))
    graph = helper.make_graph(
        nodes,
        "scrfd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 640, 640])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(values[name].shape)) for name in names],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_scrfd_is_driven_as_insightface_wants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = np.array([[200.0, 300], [260, 302], [230, 340], [205, 370], [255, 372]])
    path = _scrfd_file(tmp_path / "det.onnx", points)
    detector = load_detector(str(path), device="cpu")
    assert isinstance(detector, ScrfdDetector)
    assert detector.providers == ("CPUExecutionProvider",)
    red = np.zeros((320, 320, 3), np.uint8)
    red[..., 0] = 200
    (face,) = detector.detect(red)
    assert face.score == pytest.approx(1.0)
    assert np.allclose(face.landmarks, points / 2)
    assert np.allclose(face.box, [(240 - 48) / 2, (320 - 64) / 2, (240 + 80) / 2, (320 + 96) / 2])
    assert detector.detect(red[..., ::-1].copy()) == []
    capsys.readouterr()


def test_a_missing_graphics_processor_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has what the test wants to be missing")
    path = _scrfd_file(tmp_path / "det.onnx", np.zeros((5, 2)))
    detector = ScrfdDetector(path, device="cuda")
    assert "runs on CPUExecutionProvider" in capsys.readouterr().err
    assert detector.providers == ("CPUExecutionProvider",)


def test_what_is_no_scrfd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="landmarks"):
        ScrfdDetector(_scrfd_file(tmp_path / "det.onnx", np.zeros((5, 2)), outputs=6))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(RefbenchError, match="insightface"):
        load_detector(custom_detector(broken))


class Scripted:
    """A detector that finds a face where a photo has the wanted corner bright: score by corner level."""

    def __init__(self, scores: dict[int, float]) -> None:
        self.scores = scores

    def detect(self, photo: Photo) -> list[Face]:
        score = self.scores.get(int(photo[0, 0, 0]))
        return [] if score is None else [Face((2.0, 1.0, 6.0, 9.0), score, FFHQ_512 / 60)]


def test_the_best_look_wins_not_the_first_certain_one_and_maps_back() -> None:
    photo = np.zeros((30, 40, 3), np.uint8)
    photo[0, 0], photo[0, 39] = 100, 255
    (face,) = find_faces(Scripted({100: 0.985, 255: 0.999}), photo)
    x, y = FFHQ_512[2] / 60
    np.testing.assert_allclose(face.landmarks[2], [39 - y, x])
    (face,) = find_faces(Scripted({100: 0.999, 255: 0.985}), photo)
    np.testing.assert_allclose(face.landmarks, FFHQ_512 / 60)
    assert find_faces(Scripted({}), np.zeros((30, 40, 3), np.uint8)) == []


def test_a_face_that_leans_or_does_not_fit_loses() -> None:
    upright = Face((0, 0, 9, 9), 0.98, FFHQ_512)
    upside_down = Face((0, 0, 9, 9), 0.999, -FFHQ_512)
    odd = Face((0, 0, 9, 9), 0.985, FFHQ_512 + 30 * np.random.default_rng(0).standard_normal((5, 2)))
    assert face_merit(upside_down) == face_merit(Face((0, 0, 9, 9), 1.0, np.zeros((5, 2)))) == LYING
    assert LYING < face_merit(odd) < face_merit(upright) == pytest.approx(0.98)


def test_large_photos_are_looked_at_on_a_reduced_copy(
    monkeypatch: pytest.MonkeyPatch, mtcnn: Detector, astronaut: Photo
) -> None:
    whole = choose_face(find_faces(mtcnn, astronaut), astronaut)
    seen = []

    class Watched:
        def detect(self, photo: Photo) -> list[Face]:
            seen.append(photo.shape[0] * photo.shape[1])
            return mtcnn.detect(photo)

    monkeypatch.setattr(detect, "WHOLE_MEGAPIXELS", 0.1)
    reduced = choose_face(find_faces(Watched(), astronaut), astronaut)
    assert max(seen[:1]) <= 0.1e6
    assert np.abs(reduced.landmarks - whole.landmarks).max() < 4.0


@pytest.mark.parametrize(("name", "quarters"), [("008_smiling", 2), ("021_smiling", 1), ("001_neutral", 1)])
def test_sample_photos_that_a_certain_look_misjudged(mtcnn: Detector, name: str, quarters: int) -> None:
    photo = read_rgb(PEOPLE / f"{name}.jpg")
    turned = np.ascontiguousarray(np.rot90(photo, quarters))
    crops = [
        align_face(one, choose_face(find_faces(mtcnn, one), one).landmarks, 128).pixels.astype(float)
        for one in (photo, turned)
    ]
    assert np.abs(crops[0] - crops[1]).mean() < 6.0
