"""How well the recognisers tell people apart, where their thresholds come from, and whom they join.

    python benchmarks/identities.py                             # the bundled sample people, who are not real
    python benchmarks/identities.py --lfw LFW --work FOLDER     # every recogniser whose weights are here
    python benchmarks/identities.py --lfw LFW --work FOLDER --recognisers mobilefacenet --flip
    python benchmarks/identities.py --set SET                   # identities of a set over thresholds

LFW is a folder with ``NAME/NAME_0001.jpg`` and the official lists ``pairs.txt``, ``pairsDevTrain.txt``,
``pairsDevTest.txt``, ``peopleDevTrain.txt`` and ``peopleDevTest.txt``. Faces are found by the default
detector; of several, the one nearest to the middle counts; where none is found, the mean of all others
stands in, so that no pair is left out. Thresholds are chosen on the development lists alone. FOLDER keeps
landmarks and embeddings (``landmarks.npz``, ``embeddings_NAME.npz``), so that a second run only counts.

In a set, the folder of each photo names its person (or, with ``--person``, what a regular expression finds in
the photo's path); only the largest face of every photo counts, as others are not named.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from refbench.builders.identities.clustering_metrics import score_thresholds
from refbench.faces.detectors.detect import choose_face, find_faces, load_detector
from refbench.faces.recognisers.recognise import RECOGNISERS, load_recogniser
from refbench.faces.verification import accepted_at, accuracy, best_threshold, equal_error_rate, ten_fold
from refbench.files import replacing
from refbench.images import read_rgb
from refbench.progress import say, track
from refbench.records.reference_set import ReferenceSet
from refbench.samples.sample_people import PEOPLE, truth
from refbench.weights import weight_files
from report import Report, main

PRECISION = 0.999
THRESHOLDS = (0.3, 0.35, 0.38, 0.4, 0.42, 0.45, 0.475, 0.5, 0.525, 0.55, 0.6)
CHUNK = 64
Floats = npt.NDArray[np.floating]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Photos:
    """The photos of LFW: keys ``NAME/0001``, sorted, the place of each, and the number of its person."""

    root: Path
    keys: list[str]
    place: dict[str, int]
    people: npt.NDArray[np.int64]
    paths: dict[str, Path]

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.paths[key]


def measure(given: argparse.Namespace, report: Report) -> None:
    """LFW, a set, or (by default) the sample people."""
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    if given.set is not None:
        report_set(report, given.set, given.person, thresholds=given.thresholds)
        return
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        photos = read_photos(given.lfw) if given.lfw else sample_photos(12 if given.quick else None)
        report.workload |= {
            "photos": len(photos.keys),
            "people": len(np.unique(photos.people)),
            "of": "LFW" if given.lfw else "sample people",
        }
        landmarks = find_landmarks(photos, work / "landmarks.npz")
        for name in given.recognisers[:1] if given.quick else given.recognisers:
            absent = [needed for needed in RECOGNISERS[name].weights if weight_files.find(needed) is None]
            if absent:
                report.skip(name, f"run: refbench weights fetch {' '.join(absent)}")
                continue
            file = work / f"embeddings_{name}{'+flip' if given.flip else ''}.npz"
            vectors = embed(photos, landmarks, name, flip=given.flip, file=file)
            title = f"{name}+flip" if given.flip else name
            if given.lfw:
                report_pairs(report, photos, vectors, name=title)
            report_identities(report, photos, vectors, name=title)


def arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--lfw", type=Path, help="folder of LFW; by default the bundled sample people")
    source.add_argument("--set", type=Path, help="identities of a set against its folders")
    parser.add_argument("--work", type=Path, help="keep landmarks and embeddings here")
    names = ["mobilefacenet", "dlib-resnet", "webface-r50-five-point"]
    parser.add_argument("--recognisers", nargs="+", default=names)
    parser.add_argument("--flip", action="store_true", help="average a crop's embedding and its mirror's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--person", default=r".*(?=/)", help="regular expression on a photo's path (--set)")
    parser.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS, help="for --set")


def sample_photos(most: int | None) -> Photos:
    """The bundled sample people, who are not real; photos of the first ``most`` of them."""
    people = sorted(set(truth().values()))[:most]
    files = [file for file, person in truth().items() if person in people]
    numbers = np.array([people.index(truth()[file]) for file in files], dtype=np.int64)
    keys = [Path(file).stem for file in files]
    paths = {key: PEOPLE / file for key, file in zip(keys, files, strict=True)}
    return Photos(PEOPLE, keys, {key: place for place, key in enumerate(keys)}, numbers, paths)


def read_photos(root: Path) -> Photos:
    paths = sorted(root.glob("*/*.jpg"))
    keys = [f"{path.parent.name}/{path.stem[-4:]}" for path in paths]
    names = sorted({path.parent.name for path in paths})
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number[path.parent.name] for path in paths], dtype=np.int64)
    files = dict(zip(keys, paths, strict=True))
    return Photos(root, keys, {key: place for place, key in enumerate(keys)}, people, files)


def find_landmarks(photos: Photos, file: Path) -> Floats:
    """(N, 5, 2); kept in ``file``, with NaN where no face was found."""
    if not file.is_file():
        detector, found = load_detector(), []
        for key in track("faces", photos.keys, len(photos.keys)):
            photo = read_rgb(photos.path(key))
            faces = detector.detect(photo) or find_faces(detector, photo)
            found.append(
                choose_face(faces, photo, by="centre").landmarks if faces else np.full((5, 2), np.nan)
            )
        save(file, keys=np.array(photos.keys), landmarks=np.array(found))
    kept = np.load(file)
    if kept["keys"].tolist() != photos.keys:
        raise SystemExit(f"{file} is of other photos; name another folder")
    landmarks: Floats = kept["landmarks"]
    missing = np.isnan(landmarks).any(axis=(1, 2))
    say(f"{len(landmarks)} photos, {missing.sum()} without a face")
    landmarks[missing] = landmarks[~missing].mean(axis=0)
    return landmarks


def embed(photos: Photos, landmarks: Floats, name: str, *, flip: bool, file: Path) -> npt.NDArray[np.float32]:
    if not file.is_file():
        recogniser, parts = load_recogniser(name, flip=flip), []
        starts = range(0, len(photos.keys), CHUNK)
        for start in track(f"embed by {name}", starts, len(starts)):
            some = slice(start, start + CHUNK)
            pictures = [read_rgb(photos.path(key)) for key in photos.keys[some]]
            parts.append(recogniser.embed(pictures, landmarks[some]))
        save(
            file,
            keys=np.array(photos.keys),
            labels=photos.people,
            embeddings=np.concatenate(parts),
            landmarks=landmarks,
        )
    vectors: npt.NDArray[np.float32] = np.load(file)["embeddings"]
    return vectors


def save(file: Path, **arrays: npt.NDArray[np.generic]) -> None:
    with replacing(file) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_pairs(
    photos: Photos, file: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Places of the two photos (N, 2), whether they show one person, and the fold of each pair."""
    head, *lines = (photos.root / file).read_text("utf-8").splitlines()
    folds, per_fold = ([int(word) for word in head.split()] + [0])[:2] if "\t" in head else (1, int(head))
    rows = [line.split("\t") for line in lines if line.strip()]
    couples = [
        (f"{row[0]}/{int(row[1]):04d}", f"{row[0 if len(row) == 3 else 2]}/{int(row[-1]):04d}")
        for row in rows
    ]
    places = np.array([[photos.place[first], photos.place[second]] for first, second in couples])
    same = np.array([len(row) == 3 for row in rows])
    return (
        places,
        same,
        np.arange(len(rows)) // (2 * per_fold) if folds > 1 else np.zeros(len(rows), np.int64),
    )


def distances(vectors: npt.NDArray[np.float32], places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    first, second = vectors[places[:, 0]].astype(np.float64), vectors[places[:, 1]].astype(np.float64)
    return np.asarray(1.0 - (first * second).sum(axis=1))


def report_pairs(report: Report, photos: Photos, vectors: Vectors, *, name: str) -> None:
    """Verification of LFW's official pairs, at the declared and at the best threshold."""
    declared = RECOGNISERS[name.removesuffix("+flip")].threshold
    for file in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        places, same, folds = read_pairs(photos, file)
        found = distances(vectors, places)
        best = best_threshold(found, same)
        figures = {
            f"accuracy at its best threshold {best:.4f}": accuracy(found, same, best),
            f"accuracy at the declared threshold {declared}": accuracy(found, same, declared),
            "EER": equal_error_rate(found, same),
            "TAR at FAR 1 %": accepted_at(found, same, 0.01)[0],
            "TAR at FAR 0.1 %": accepted_at(found, same, 0.001)[0],
        }
        if folds.any():
            by_fold = ten_fold(found, same, folds)
            figures["ten folds, accuracy"] = float(by_fold.mean())
            figures["ten folds, standard error"] = float(by_fold.std(ddof=1) / np.sqrt(len(by_fold)))
        for figure, value in figures.items():
            report.add(f"{name}, {file}: {figure}", unit="%", ours=100 * value)


def report_identities(report: Report, photos: Photos, vectors: Vectors, *, name: str) -> None:
    """Partitions over thresholds, and the largest that is precise enough on the development people."""
    declared = RECOGNISERS[name.removesuffix("+flip")]
    steps = np.linspace(0.6 * declared.clustering_threshold, 1.12 * declared.average_linkage_threshold, 15)
    ends = [declared.clustering_threshold, declared.average_linkage_threshold]
    grid = np.unique(np.append(steps.round(2 if declared.threshold > 0.2 else 3), ends))
    subsets = {"all": np.arange(len(photos.keys))}
    for file in ("peopleDevTrain", "peopleDevTest"):
        if (photos.root / f"{file}.txt").is_file():
            subsets[file] = members(photos, f"{file}.txt")
    for title, rows in subsets.items():
        people = photos.people[rows].tolist()
        told = ends if report.quick else grid.tolist()
        table = add_thresholds(report, vectors[rows], people, thresholds=told, name=f"{name}, {title}")
        precise = table[table["pair_precision"] >= PRECISION].groupby("identities")["threshold"].max()
        for way, threshold in precise.items():
            title_ = f"{name}, {title}, {way}: largest threshold with precision {PRECISION}"
            report.add(title_, unit="cosine distance", ours=float(threshold))


def add_thresholds(
    report: Report,
    vectors: Vectors,
    people: Sequence[Hashable],
    *,
    thresholds: Sequence[float],
    name: str,
) -> pd.DataFrame:
    """Identities against people over thresholds: a row for each figure."""
    table = score_thresholds(vectors, people, thresholds)
    for row in table.to_dict("records"):
        place = f"{name}, {row.pop('identities')}, threshold {row.pop('threshold'):.4g}"
        for figure, value in row.items():
            report.add(f"{place}: {figure.replace('_', ' ')}", unit="", ours=float(value))
    return table


def report_set(report: Report, root: Path, person: str, *, thresholds: Sequence[float]) -> None:
    found = ReferenceSet.read(root)
    rows = [row for row, target in enumerate(found.targets) if "~" not in target.key]
    people = []
    for row in rows:
        source = found.targets[row].source
        match = re.search(person, source)
        if match is None:
            raise SystemExit(f"{source}: {person!r} finds no person in this path")
        people.append(match[0])
    vectors: Vectors = np.load(root / "embeddings.npy")
    by = str(found.info.settings["recogniser"])
    report.workload |= {"photos": len(rows), "people": len(set(people)), "recogniser": by}
    add_thresholds(report, vectors[rows], people, thresholds=thresholds, name=by)


def members(photos: Photos, file: str) -> npt.NDArray[np.int64]:
    names = {row.split("\t")[0] for row in (photos.root / file).read_text("utf-8").splitlines()[1:]}
    return np.array([place for place, key in enumerate(photos.keys) if key.split("/")[0] in names])


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
