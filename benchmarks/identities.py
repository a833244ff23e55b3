"""How well the recognisers tell people apart, where their thresholds come from, and whom they join.

    python benchmarks/identities.py lfw LFW --work FOLDER       # every recogniser whose weights are here
    python benchmarks/identities.py lfw LFW --work FOLDER --recognisers mobilefacenet --flip
    python benchmarks/identities.py set SET                     # identities of a set over thresholds

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
from refbench.progress import track
from refbench.records.reference_set import ReferenceSet
from refbench.weights import weight_files

PRECISION = 0.999
THRESHOLDS = (0.3, 0.35, 0.38, 0.4, 0.42, 0.45, 0.475, 0.5, 0.525, 0.55, 0.6)
CHUNK = 64
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Photos:
    """The photos of LFW: keys ``NAME/0001``, sorted, the place of each, and the number of its person."""

    root: Path
    keys: list[str]
    place: dict[str, int]
    people: npt.NDArray[np.int64]

    def path(self, key: str) -> Path:
        """The file of a key."""
        name, number = key.split("/")
        return self.root / name / f"{name}_{number}.jpg"


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    ways = parser.add_subparsers(dest="way", required=True)
    lfw = ways.add_parser("lfw", help="pairs, thresholds and identities of LFW")
    lfw.add_argument("lfw", type=Path)
    lfw.add_argument("--work", type=Path, required=True)
    lfw.add_argument(
        "--recognisers", nargs="+", default=["mobilefacenet", "dlib-resnet", "webface-r50-five-point"]
    )
    lfw.add_argument(
        "--flip", action="store_true", help="average the embeddings of a crop and its mirror image"
    )
    lfw.add_argument("--threads", type=int, default=1)
    labelled = ways.add_parser("set", help="identities of a set against its folders")
    labelled.add_argument("set", type=Path)
    labelled.add_argument("--person", default=r".*(?=/)", help="regular expression on the photo's path")
    labelled.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS)
    options = parser.parse_args()
    if options.way == "set":
        report_set(options.set, options.person, options.thresholds)
        return
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    photos = read_photos(options.lfw)
    landmarks = find_landmarks(photos, options.work / "landmarks.npz")
    for name in options.recognisers:
        if any(weight_files.find(needed) is None for needed in RECOGNISERS[name].weights):
            print(f"\n{name}: its weights are not here")
            continue
        file = options.work / f"embeddings_{name}{'+flip' if options.flip else ''}.npz"
        vectors = embed(photos, landmarks, name, flip=options.flip, file=file)
        print(f"\n## {name}{' with flip averaging' if options.flip else ''}\n")
        report_pairs(photos, vectors, name)
        report_identities(photos, vectors, name)


def read_photos(root: Path) -> Photos:
    paths = sorted(root.glob("*/*.jpg"))
    keys = [f"{path.parent.name}/{path.stem[-4:]}" for path in paths]
    names = sorted({path.parent.name for path in paths})
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number[path.parent.name] for path in paths], dtype=np.int64)
    return Photos(root, keys, {key: place for place, key in enumerate(keys)}, people)


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
    print(f"{len(landmarks)} photos, {missing.sum()} without a face")
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


def report_pairs(photos: Photos, vectors: npt.NDArray[np.float32], name: str) -> None:
    declared = RECOGNISERS[name].threshold
    print(
        "| pairs | best threshold | accuracy there | accuracy at declared | EER | TAR at FAR 1 % | at 0.1 % |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for file in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        places, same, folds = read_pairs(photos, file)
        found = distances(vectors, places)
        best = best_threshold(found, same)
        figures = [
            accuracy(found, same, best),
            accuracy(found, same, declared),
            equal_error_rate(found, same),
        ]
        figures += [accepted_at(found, same, rate)[0] for rate in (0.01, 0.001)]
        cells = " | ".join(f"{100 * figure:.2f} %" for figure in figures)
        print(f"| {file} ({len(same)}) | {best:.4f} | {cells} |")
        if folds.any():
            by_fold = 100 * ten_fold(found, same, folds)
            error = by_fold.std(ddof=1) / np.sqrt(len(by_fold))
            print(f"\nTen folds of {file}: {by_fold.mean():.2f} +- {error:.2f} %")
    print(f"\nDeclared threshold: {declared}")


def report_identities(photos: Photos, vectors: npt.NDArray[np.float32], name: str) -> None:
    """Partitions over thresholds, and the largest that is precise enough on the development people."""
    declared = RECOGNISERS[name]
    steps = np.linspace(0.6 * declared.clustering_threshold, 1.12 * declared.average_linkage_threshold, 15)
    ends = [declared.clustering_threshold, declared.average_linkage_threshold]
    grid = np.unique(np.append(steps.round(2 if declared.threshold > 0.2 else 3), ends))
    subsets = {
        "peopleDevTrain": members(photos, "peopleDevTrain.txt"),
        "peopleDevTest": members(photos, "peopleDevTest.txt"),
        "all": np.arange(len(photos.keys)),
    }
    for title, rows in subsets.items():
        print(f"\n{title}: {len(rows)} photos of {len(np.unique(photos.people[rows]))} people\n")
        table = report_thresholds(vectors[rows], photos.people[rows].tolist(), grid.tolist())
        precise = table[table["pair_precision"] >= PRECISION].groupby("identities")["threshold"].max()
        print(f"\nLargest with a precision of {PRECISION} here: {precise.to_dict()}")


def report_thresholds(
    vectors: npt.NDArray[np.float32], people: Sequence[Hashable], thresholds: Sequence[float]
) -> pd.DataFrame:
    """Print identities against people over thresholds, as Markdown."""
    table = score_thresholds(vectors, people, thresholds)
    print(f"| {' | '.join(name.replace('_', ' ') for name in table.columns)} |")
    print("|---" * len(table.columns) + "|")
    for row in table.itertuples(index=False):
        cells = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row)
        print(f"| {' | '.join(cells)} |")
    return table


def report_set(root: Path, person: str, thresholds: Sequence[float]) -> None:
    found = ReferenceSet.read(root)
    rows = [row for row, target in enumerate(found.targets) if "~" not in target.key]
    people = []
    for row in rows:
        source = found.targets[row].source
        match = re.search(person, source)
        if match is None:
            raise SystemExit(f"{source}: {person!r} finds no person in this path")
        people.append(match[0])
    vectors: npt.NDArray[np.float32] = np.load(root / "embeddings.npy")
    print(f"{len(rows)} photos of {len(set(people))} people, by {found.info.settings['recogniser']}\n")
    report_thresholds(vectors[rows], people, thresholds)


def members(photos: Photos, file: str) -> npt.NDArray[np.int64]:
    names = {row.split("\t")[0] for row in (photos.root / file).read_text("utf-8").splitlines()[1:]}
    return np.array([place for place, key in enumerate(photos.keys) if key.split("/")[0] in names])


if __name__ == "__main__":
    main()
