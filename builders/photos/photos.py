"""Process photos one by one: decode, detect faces, align, measure, embed; in parallel and with a cache."""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import RefbenchError, UnreadableImageError
from ...faces.align import AlignedFace, align_face, already_aligned
from ...faces.detectors.detect import Detector, detector_kind, find_faces, load_detector
from ...faces.embeddings import Embeddings
from ...faces.face import Face
from ...faces.quality import measure_face
from ...faces.recognisers.recognise import load_recogniser
from ...files import sha256_bytes, write_bytes
from ...images import decode, encode_png, read_plain_file
from ..settings.options import BuildOptions
from ..settings.provenance import recogniser_of
from ..settings.quality_filters import rejection_reason
from .phash import perceptual_hash
from .photo_cache import FaceResult, PhotoCache, PhotoResult


class Embedder(Protocol):
    """What a build needs of a recogniser."""

    def embed(self, images: Sequence[np.ndarray], landmarks: np.ndarray) -> Embeddings:
        """Unit vectors, (N, D) float32, of aligned RGB uint8 pictures and landmarks (N, 5, 2) in pixels."""


def process_photos(
    photos: Path, digests: Mapping[str, str], photo_cache: PhotoCache, *, options: BuildOptions
) -> Iterator[tuple[PhotoResult, bool]]:
    """Results of all photos, the cached ones first, and whether each was cached.

    Args:
        photos: folder of the photos.
        digests: SHA-256 of every photo by its path below ``photos``.
        photo_cache: where results are looked up and stored.
        options: of the build; ``workers`` processes are started where more than one photo is not cached.

    Raises:
        RefbenchError: a worker process was killed.
    """
    todo = []
    for source, digest in digests.items():
        cached = photo_cache.load(source, digest)
        if cached is None:
            todo.append(source)
        else:
            yield cached, True
    if options.workers == 1 or len(todo) < 2:
        for source in todo:
            yield process_photo(photos, source, photo_cache, options=options), False
        return
    workers = min(options.workers, len(todo))
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        tasks = [pool.submit(process_photo, photos, source, photo_cache, options=options) for source in todo]
        try:
            for task in tasks:
                yield task.result(), False
        except BrokenProcessPool:
            raise RefbenchError(
                "a worker process was killed, perhaps because memory ran out: run again with fewer workers; "
                "finished photos are kept. (A Python script that sets workers above 1 needs: "
                "if __name__ == '__main__')"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def process_photo(
    photos: Path, source: str, photo_cache: PhotoCache, *, options: BuildOptions
) -> PhotoResult:
    """Process one photo and store its result in the cache.

    Networks run on one thread and on one face at a time, so that neither the number of workers nor the other
    faces of a batch change the result in any bit.
    """
    import torch

    path = photos / source
    try:
        data = read_plain_file(path)
    except UnreadableImageError as error:
        return PhotoResult(source, "", error.reason)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = _process(data, source, photo_cache, options=options)
    finally:
        torch.set_num_threads(threads)
    photo_cache.store(result)
    return result


def _process(data: bytes, source: str, photo_cache: PhotoCache, *, options: BuildOptions) -> PhotoResult:
    digest = sha256_bytes(data)
    if not data:
        return PhotoResult(source, digest, "the file is empty")
    try:
        photo = decode(data, Path(source), options.max_megapixels)
    except UnreadableImageError as error:
        hint = "; raise it with max_megapixels" if "the limit is" in error.reason else ""
        return PhotoResult(source, digest, error.reason + hint)
    if options.aligned:
        try:
            found: list[tuple[Face | None, AlignedFace]] = [
                (None, already_aligned(photo.pixels, options.image_size))
            ]
        except RefbenchError as error:
            return PhotoResult(source, digest, str(error), photo.notes)
    else:
        kind = detector_kind(options.detector)
        detected = find_faces(_detector(options.detector, options.device), photo.pixels, kind.certain)
        faces = sorted(detected, key=lambda face: (face.size, face.score), reverse=True)
        if not faces:
            return PhotoResult(source, digest, "no face was found", photo.notes)
        found = [(face, align_face(photo.pixels, face.landmarks, options.image_size)) for face in faces]
    measured = (
        _measure_face(face, aligned, photo_cache.face(digest, number), options=options)
        for number, (face, aligned) in enumerate(found, start=1)
    )
    return PhotoResult(source, digest, "", photo.notes, tuple(measured))


def _measure_face(
    face: Face | None, aligned: AlignedFace, kept: Path, *, options: BuildOptions
) -> FaceResult:
    quality = {name: round(value, 4) for name, value in sorted(measure_face(aligned, face).as_dict().items())}
    box = () if face is None else _box(face)
    refused = rejection_reason(quality, options.quality_filters)
    if refused:
        return FaceResult(box, quality, refused)
    png = encode_png(aligned.pixels)
    digest = sha256_bytes(png)
    write_bytes(kept, png)
    recogniser = _recogniser(options.recogniser, options.crop, options.device, flip=options.flip)
    vector = recogniser.embed([aligned.pixels], aligned.landmarks[None].astype(np.float32))[0]
    landmarks = tuple((round(float(x), 3), round(float(y), 3)) for x, y in aligned.landmarks)
    embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return FaceResult(box, quality, "", digest, perceptual_hash(aligned.pixels), landmarks, embedding)


def _box(face: Face) -> tuple[float, ...]:
    return tuple(round(float(edge), 2) for edge in face.box)


def _start_worker() -> None:
    """Ignore Ctrl-C and SIGTERM in a worker, which its parent handles, and exit when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@cache
def _detector(name: str, device: str) -> Detector:
    return load_detector(name, device)


@cache
def _recogniser(name: str, crop: str | None, device: str, *, flip: bool) -> Embedder:
    return load_recogniser(recogniser_of(BuildOptions(recogniser=name, crop=crop)), device, flip)
