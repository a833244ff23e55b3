"""One photo at a time: decoded, its faces found, aligned, measured, embedded; done once, kept by content."""

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
from ...faces.quality import measure
from ...faces.recognisers.recognise import load_recogniser
from ...files import sha256_bytes, write_bytes
from ...images import decode, encode_png
from ..settings.options import BuildOptions
from ..settings.provenance import recogniser_of
from ..settings.quality_filters import rejection_reason
from .phash import perceptual_hash
from .photo_cache import Bench, FaceFound, PhotoDone


class Embedder(Protocol):
    """The part of a recogniser that a build needs."""

    def embed(self, images: Sequence[np.ndarray], landmarks: np.ndarray) -> Embeddings:
        """Unit vectors (N, D) float32 of aligned pictures and their landmarks (N, 5, 2)."""


def work_through(
    photos: Path, digests: Mapping[str, str], bench: Bench, *, options: BuildOptions
) -> Iterator[tuple[PhotoDone, bool]]:
    """What came of every photo (``digests`` by source), and whether an earlier run had done it already."""
    todo = []
    for source, digest in digests.items():
        recalled = bench.recall(source, digest)
        if recalled is None:
            todo.append(source)
        else:
            yield recalled, True
    if options.workers == 1 or len(todo) < 2:
        for source in todo:
            yield work_on(photos, source, bench, options=options), False
        return
    workers = min(options.workers, len(todo))
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        tasks = [pool.submit(work_on, photos, source, bench, options=options) for source in todo]
        try:
            for task in tasks:
                yield task.result(), False
        except BrokenProcessPool:
            raise RefbenchError(
                "a worker was killed, perhaps for want of memory: try fewer workers; finished work is kept. "
                "(A script of one's own that uses workers needs: if __name__ == '__main__')"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def work_on(photos: Path, source: str, bench: Bench, *, options: BuildOptions) -> PhotoDone:
    """Do one photo and keep what came of it.

    Everything runs on one thread and one face at a time, so that neither the number of workers nor the
    neighbours in a batch can change a bit of the outcome.
    """
    import torch

    path = photos / source
    try:
        data = path.read_bytes()
    except OSError as error:
        return PhotoDone(source, "", f"cannot be opened: {error.strerror or error}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        done = _examine(data, source, bench, options=options)
    finally:
        torch.set_num_threads(threads)
    bench.keep(done)
    return done


def _examine(data: bytes, source: str, bench: Bench, *, options: BuildOptions) -> PhotoDone:
    digest = sha256_bytes(data)
    if not data:
        return PhotoDone(source, digest, "the file is empty")
    try:
        photo = decode(data, Path(source))
    except UnreadableImageError as error:
        return PhotoDone(source, digest, error.reason)
    if options.aligned:
        try:
            found: list[tuple[Face | None, AlignedFace]] = [
                (None, already_aligned(photo.pixels, options.image_size))
            ]
        except RefbenchError as error:
            return PhotoDone(source, digest, str(error), photo.notes)
    else:
        kind = detector_kind(options.detector)
        seen = find_faces(_detector(options.detector, options.device), photo.pixels, kind.certain)
        faces = sorted(seen, key=lambda face: (face.size, face.score), reverse=True)
        if not faces:
            return PhotoDone(source, digest, "no face was found", photo.notes)
        found = [(face, align_face(photo.pixels, face.landmarks, options.image_size)) for face in faces]
    if options.largest_only:
        found = found[:1]
    judged = (
        _judge(face, aligned, bench.face(digest, number), options=options)
        for number, (face, aligned) in enumerate(found, start=1)
    )
    return PhotoDone(source, digest, "", photo.notes, tuple(judged))


def _judge(face: Face | None, aligned: AlignedFace, kept: Path, *, options: BuildOptions) -> FaceFound:
    quality = {name: round(value, 4) for name, value in sorted(measure(aligned, face).as_dict().items())}
    box = () if face is None else tuple(round(float(edge), 2) for edge in face.box)
    refused = rejection_reason(quality, options.quality_filters)
    if refused:
        return FaceFound(box, quality, refused)
    png = encode_png(aligned.pixels)
    digest = sha256_bytes(png)
    write_bytes(kept, png)
    recogniser = _recogniser(options.recogniser, options.crop, options.device, flip=options.flip)
    vector = recogniser.embed([aligned.pixels], aligned.landmarks[None].astype(np.float32))[0]
    landmarks = tuple((round(float(x), 3), round(float(y), 3)) for x, y in aligned.landmarks)
    embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return FaceFound(box, quality, "", digest, perceptual_hash(aligned.pixels), landmarks, embedding)


def _start_worker() -> None:
    """Let a worker leave Ctrl-C to the process that feeds it, and end when that one is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
